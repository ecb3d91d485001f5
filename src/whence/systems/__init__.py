"""The room of systems."""
