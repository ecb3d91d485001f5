"""The room of independence."""
