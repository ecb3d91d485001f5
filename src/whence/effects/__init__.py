"""The room of effects."""
