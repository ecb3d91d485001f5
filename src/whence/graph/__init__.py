"""The room of graph."""
