"""What a person sees in the terminal: findings, tables, progress. Progress and warnings go to standard error."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table

from whence.parallel import Progress as ProgressCallback

if TYPE_CHECKING:
    from whence.autopilot import Study
    from whence.data import Profile
    from whence.discovery import DiscoveryResult
    from whence.effects import Effect

out = Console(highlight=False)
err = Console(stderr=True, highlight=False)

_MARKS = {True: "[green]passed[/]", False: "[bold red]failed[/]", None: "[dim]for information[/]"}


@contextmanager
def live_progress() -> Iterator[ProgressCallback]:
    """Yield a progress callback that draws one line per stage on standard error."""
    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.completed}/{task.total}"),
    )
    with Progress(*columns, TimeElapsedColumn(), console=err, transient=True) as bar:
        tasks: dict[str, Any] = {}

        def update(stage: str, done: int, total: int) -> None:
            if stage not in tasks:
                tasks[stage] = bar.add_task(escape(stage), total=total)
            bar.update(tasks[stage], completed=done, total=total)

        yield update


def study(found: Study) -> None:
    """Print the findings, the edges and the checks."""
    out.print(f"\n[bold]{escape(found.question.text)}[/]")
    for finding in found.findings:
        out.print(f"  • {escape(finding.sentence)}", soft_wrap=False)
    checked = (*found.effect.diagnostics, *found.effect.refutations) if found.effect is not None else ()
    _warnings(found.warnings, [*(one.sentence for one in found.findings), *(check.sentence for check in checked)])
    discovery(found.discovery)
    if found.effect is not None:
        checks("Diagnostics", found.effect.diagnostics)
        checks("Refutations", found.effect.refutations)


def discovery(result: DiscoveryResult) -> None:
    """Print the edges with their confidence."""
    table = Table(title=f"Edges ({result.method}, {result.rows_used:,} rows)", title_justify="left")
    for column in ("edge", "confidence", "direction", "evidence"):
        table.add_column(column, overflow="fold")
    evidence = {frozenset((e.source, e.target)): e for e in result.evidence}
    for edge in result.graph.edges():
        seen = result.confidence.edge(edge.source, edge.target) if result.confidence else None
        strength = f"{seen.word} ({seen.adjacency:.0%})" if seen else "–"
        direction = f"{seen.forward:.0%} → / {seen.backward:.0%} ←" if seen else "–"
        found = evidence.get(frozenset((edge.source, edge.target)))
        table.add_row(escape(str(edge)), strength, direction, _evidence(found))
    out.print(table if result.graph.edges() else "No edges were found.")
    _warnings(result.warnings, ())


def _evidence(found: Any) -> str:
    if found is None:
        return "–"
    if found.p_value is not None:
        return f"p = {found.p_value:.2g}"
    if found.score_difference is not None:
        return f"score {found.score_difference:+.1f}"
    return f"weight {found.weight:.3g}" if found.weight is not None else "–"


def effect(found: Effect) -> None:
    """Print an effect and its checks."""
    out.print(f"\n[bold]{escape(found.sentence())}[/]")
    _warnings(found.warnings, [check.sentence for check in (*found.diagnostics, *found.refutations)])
    checks("Diagnostics", found.diagnostics)
    checks("Refutations", found.refutations)


def _warnings(listed: Sequence[str], said: Sequence[str]) -> None:
    """Print the warnings that are not said elsewhere."""
    for warning in listed:
        if not any(warning in sentence for sentence in said):
            out.print(f"  [yellow]![/] {escape(warning)}")


def checks(title: str, listed: Sequence[Any]) -> None:
    """Print checks with verdict and sentence."""
    if not listed:
        return
    table = Table(title=title, title_justify="left", show_lines=False)
    table.add_column("check")
    table.add_column("verdict")
    table.add_column("what it says", overflow="fold")
    for check in listed:
        table.add_row(escape(check.title), _MARKS[check.passed], escape(check.sentence))
    out.print(table)


def profile(found: Profile) -> None:
    """Print the columns and the diagnostics of a table."""
    columns = Table(title="Columns", title_justify="left")
    for heading in ("column", "kind", "missing", "why"):
        columns.add_column(heading, overflow="fold")
    for column in found.data.columns.values():
        columns.add_row(escape(column.name), str(column.kind), f"{column.missing:,}", escape(column.reason))
    out.print(columns)
    checks("Diagnostics", found.diagnostics)
    _warnings(found.warnings, [check.sentence for check in found.diagnostics])


def rows(title: str, headings: Sequence[str], lines: Sequence[Sequence[str]]) -> None:
    """Print a plain table."""
    table = Table(title=title, title_justify="left")
    for heading in headings:
        table.add_column(heading, overflow="fold")
    for line in lines:
        table.add_row(*(escape(str(cell)) for cell in line))
    out.print(table)
