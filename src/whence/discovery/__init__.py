"""The room of discovery."""
