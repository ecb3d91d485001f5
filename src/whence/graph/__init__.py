"""Graphs on endpoint marks: separation, equivalence, background knowledge, metrics, formats, drawing."""

from whence.graph.graph import Graph
from whence.graph.knowledge import Knowledge
from whence.graph.marks import Edge, Mark

__all__ = ["Edge", "Graph", "Knowledge", "Mark"]
