"""The commands. Each reads its input, calls one verb of the library and shows the result."""

from __future__ import annotations

import shlex
import sys
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import typer

from whence.cli import EXIT_NOT_IDENTIFIED
from whence.errors import DataError, ParameterError

app = typer.Typer(no_args_is_help=True, pretty_exceptions_enable=False, add_completion=False, help=__doc__)

File = Annotated[str | None, typer.Argument(help="CSV, Parquet, JSON lines, Arrow or a database table.")]
Example = Annotated[str | None, typer.Option(help="A bundled data set instead of a file, e.g. nsw_mixtape.")]
Treatment = Annotated[str | None, typer.Option(help="The column whose effect is asked for.")]
Outcome = Annotated[str | None, typer.Option(help="The column that is affected.")]
Domain = Annotated[str | None, typer.Option(help="A column that tells environments apart.")]
Tiers = Annotated[str | None, typer.Option(help="Order in time: 'age,sex < dose < cure'.")]
Edges = Annotated[list[str] | None, typer.Option(help="An edge 'A -> B'; may be repeated.")]
Missing = Annotated[list[str] | None, typer.Option(help="A value that means missing; may be repeated.")]
Json = Annotated[bool, typer.Option("--json", help="Print exactly one JSON object on standard output.")]
Seed = Annotated[int, typer.Option(help="Seed of everything random.")]
Jobs = Annotated[int | None, typer.Option(help="Processors to use; all by default.")]


@app.callback(invoke_without_command=True)
def _root(version: Annotated[bool, typer.Option("--version", help="Print the version and exit.")] = False) -> None:
    """Causal questions answered from a table: what causes what, what would happen if, how sure that is."""
    if version:
        import whence

        typer.echo(whence.__version__)
        raise typer.Exit


@app.command()
def analyze(
    file: File = None,
    example: Example = None,
    treatment: Treatment = None,
    outcome: Outcome = None,
    query: Annotated[str | None, typer.Option(help="The question in words: 'does A affect B?'")] = None,
    domain: Domain = None,
    tiers: Tiers = None,
    forbid: Edges = None,
    require: Edges = None,
    missing: Missing = None,
    budget: Annotated[str, typer.Option(help="How long it may take: 90s, 2min, 1h.")] = "2min",
    report: Annotated[str | None, typer.Option(help="Where to write the report (.html or .md).")] = None,
    save: Annotated[str | None, typer.Option(help="Where to save the study for whence.Study.load.")] = None,
    json: Json = False,
    seed: Seed = 0,
    jobs: Jobs = None,
) -> None:
    """Read, profile, discover, identify, estimate, refute and report, in one go."""
    import whence
    from whence.cli import payload, show

    data, suggested = _open(file, example, missing)
    knowledge = _knowledge(tiers, forbid, require, suggested)
    with nullcontext(_silent) if json else show.live_progress() as progress:
        study = whence.analyze(
            data, treatment, outcome, query, knowledge, domain, budget, seed, n_jobs=jobs, progress=progress
        )
    study = replace(study, command=shlex.join(["whence", *sys.argv[1:]]))
    path = report or ("whence-report.html" if not json else None)
    written = str(study.report(path)) if path else None
    if save:
        study.save(save)
    if json:
        typer.echo(payload.from_study(study, written).dumps())
    else:
        show.study(study)
        show.out.print(f"\nReport: {written}", markup=False)
    if study.identification is not None and not study.identification.identified:
        raise typer.Exit(EXIT_NOT_IDENTIFIED)


@app.command()
def profile(
    file: File = None,
    example: Example = None,
    domain: Domain = None,
    missing: Missing = None,
    json: Json = False,
    seed: Seed = 0,
) -> None:
    """Say what the table holds and what it allows."""
    import whence
    from whence.cli import payload, show

    data, _ = _open(file, example, missing)
    found = whence.profile(data, domain=domain, random_state=seed)
    if json:
        typer.echo(payload.Payload(command="profile", warnings=list(found.warnings), details=found.to_dict()).dumps())
    else:
        show.profile(found)


@app.command()
def discover(
    file: File = None,
    example: Example = None,
    method: Annotated[str, typer.Option(help="A search from `whence methods`, or auto.")] = "auto",
    tiers: Tiers = None,
    forbid: Edges = None,
    require: Edges = None,
    missing: Missing = None,
    draws: Annotated[int, typer.Option(help="Bootstrap draws behind the confidence; 0 for none.")] = 100,
    output: Annotated[str | None, typer.Option(help="Write the graph: .svg .dot .gml .json .txt")] = None,
    json: Json = False,
    seed: Seed = 0,
    jobs: Jobs = None,
) -> None:
    """Find the causal graph, with a confidence on every edge."""
    import whence
    from whence.cli import payload, show
    from whence.cli.files import write_graph

    data, suggested = _open(file, example, missing)
    knowledge = _knowledge(tiers, forbid, require, suggested)
    with nullcontext(_silent) if json else show.live_progress() as progress:
        result = whence.discover(
            data,
            method,
            knowledge=knowledge,
            confidence=draws or False,
            random_state=seed,
            n_jobs=jobs,
            progress=progress,
        )
    if output:
        write_graph(result, output)
    if json:
        typer.echo(payload.from_discovery(result).dumps())
    else:
        show.discovery(result)


@app.command()
def estimate(
    file: File = None,
    example: Example = None,
    treatment: Treatment = None,
    outcome: Outcome = None,
    graph: Annotated[str | None, typer.Option(help="A graph file: .dot .gml .json .dagitty .txt (Tetrad)")] = None,
    adjust: Annotated[str | None, typer.Option(help="Adjustment set: 'age,sex'; 'none' for none.")] = None,
    method: Annotated[str, typer.Option(help="An estimator from `whence methods`, or auto.")] = "auto",
    population: Annotated[str, typer.Option(help="all, treated or overlap.")] = "all",
    missing: Missing = None,
    json: Json = False,
    seed: Seed = 0,
) -> None:
    """Estimate and refute one effect, given a graph or an adjustment set."""
    import whence
    from whence.cli import payload, show
    from whence.cli.files import read_graph

    data, _ = _open(file, example, missing)
    names = None if adjust is None else [] if adjust == "none" else [name.strip() for name in adjust.split(",")]
    effect = whence.estimate(
        data,
        read_graph(graph) if graph else None,
        treatment,
        outcome,
        adjustment=names,
        method=method,
        population=population,
        random_state=seed,
    )
    effect = whence.refute(effect, data, random_state=seed)
    if json:
        typer.echo(payload.from_effect(effect).dumps())
    else:
        show.effect(effect)


@app.command()
def methods(
    family: Annotated[str | None, typer.Option(help="search, test, score, identifier, estimator or check.")] = None,
) -> None:
    """List every method with what it answers and assumes."""
    from whence import registry
    from whence.cli import show

    cards = registry.methods(family)  # type: ignore[arg-type]
    lines = [(c.family, c.name, c.answers, ", ".join(sorted(c.assumes)), str(c.paper or "")) for c in cards]
    show.rows("Methods", ("family", "name", "answers", "assumes", "paper"), lines)


@app.command()
def systems(json: Json = False) -> None:
    """List the published systems this library sets out to contain, and which of them work today."""
    from whence.cli import payload, show
    from whence.systems import catalogue

    listed = catalogue()
    if json:
        typer.echo(payload.Payload(command="systems", details={"systems": listed}).dumps())
        return
    lines = [(f"{s.number:02d}", s.slug, s.state, s.room, s.answers) for s in listed]
    working = sum(s.state == "works" for s in listed)
    show.rows(f"Systems: {working} of {len(listed)} work", ("no", "name", "state", "room", "answers"), lines)


@app.command()
def reproduce(
    name: Annotated[str, typer.Argument(help="A system from `whence systems`.")],
    data: Annotated[str | None, typer.Option(help="Folder with the data, where the reproduction asks for one.")] = None,
    full: Annotated[bool, typer.Option("--full", help="The full size instead of the one for a small machine.")] = False,
) -> None:
    """Run a published system against its paper's claims (in a clone of the repository)."""
    from whence.cli.reproduce import run_reproduction

    raise typer.Exit(run_reproduction(name, data, full))


@app.command()
def explain(code: Annotated[str, typer.Argument(help="An error code such as E101.")]) -> None:
    """Print the page of an error code."""
    from whence.errors import explain as page

    typer.echo(page(code))


@app.command()
def schema() -> None:
    """Print the JSON Schema of what ``--json`` prints."""
    import json as codec

    from whence.cli.payload import Payload

    typer.echo(codec.dumps(Payload.model_json_schema(by_alias=True), indent=2))


def _open(file: str | None, example: str | None, missing: list[str] | None) -> tuple[Any, list[list[str]]]:
    """Return the data set and the tiers a bundled example suggests."""
    import whence

    if (file is None) == (example is None):
        raise ParameterError(
            "E338", "give either a file or --example NAME.", "Try: whence analyze --example nsw_mixtape"
        )
    if example is not None:
        return whence.examples.load(example), [list(tier) for tier in whence.examples.tiers(example)]
    if file is None or file == "-":
        raise DataError("E338", "reading from standard input is not supported.", "Write the table to a file first.")
    return whence.read(Path(file) if "://" not in str(file) else file, missing=tuple(missing or ())), []


def _knowledge(
    tiers: str | None, forbid: list[str] | None, require: list[str] | None, suggested: list[list[str]]
) -> Any:
    """Return the knowledge from the command line; an example's own tiers hold unless tiers are given."""
    from whence.graph import Knowledge

    parsed = Knowledge.parse_tiers(tiers) if tiers else suggested
    return Knowledge(required=require or (), forbidden=forbid or (), tiers=parsed)


def _silent(stage: str, done: int, total: int) -> None:
    """Report no progress: with --json nothing but the object is printed."""
