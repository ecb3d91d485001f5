"""Reports: one self-contained HTML file, or Markdown, from a finished study."""

from whence.report.render import render_html, render_markdown, write_report

__all__ = ["render_html", "render_markdown", "write_report"]
