"""The commands. Each reads its input, calls one verb of the library and shows the result."""

from __future__ import annotations

import shlex
import sys
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import typer

from whence.cli import EXIT_INTERRUPTED, EXIT_NOT_IDENTIFIED, refuse
from whence.cli.motion import app as motion_app
from whence.errors import DataError, NotIdentified, ParameterError, quote_names

app = typer.Typer(no_args_is_help=True, pretty_exceptions_enable=False, add_completion=False, help=__doc__)
app.add_typer(motion_app, name="motion")

File = Annotated[str | None, typer.Argument(help="CSV, Parquet, JSON lines, Arrow or a database table.")]
Example = Annotated[str | None, typer.Option(help="A bundled data set instead of a file, e.g. nsw_mixtape.")]
Treatment = Annotated[str | None, typer.Option(help="The column whose effect is asked for.")]
Outcome = Annotated[str | None, typer.Option(help="The column that is affected.")]
Domain = Annotated[str | None, typer.Option(help="A column that tells environments apart.")]
Tiers = Annotated[
    str | None,
    typer.Option(help="Order in time: 'age,sex < dose < cure'. Quote a name with commas: '\"dose, mg\" < cure'."),
]
Edges = Annotated[list[str] | None, typer.Option(help="An edge 'A -> B'; may be repeated.")]
Missing = Annotated[list[str] | None, typer.Option(help="A value that means missing; may be repeated.")]
Drop = Annotated[str | None, typer.Option(help="Columns to leave out: 'a,b'. Quote a name with commas: '\"a, b\",c'.")]
Kinds = Annotated[
    list[str] | None,
    typer.Option(
        "--kind", help="The kind of a column, COLUMN=KIND (continuous, binary, categorical, ...); may be repeated."
    ),
]
Json = Annotated[bool, typer.Option("--json", help="Print exactly one JSON object on standard output.")]
Seed = Annotated[int, typer.Option(help="Seed of everything random.")]
Jobs = Annotated[int | None, typer.Option(min=1, help="Processors to use; all by default.")]


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
    drop: Drop = None,
    kind: Kinds = None,
    budget: Annotated[str, typer.Option(help="How long it may take: 90s, 2min, 1h.")] = "2min",
    report: Annotated[
        str | None,
        typer.Option(help="Where to write the report (.html or .md); by default NAME-report.html in this folder."),
    ] = None,
    save: Annotated[str | None, typer.Option(help="Where to save the study for whence.Study.load.")] = None,
    json: Json = False,
    seed: Seed = 0,
    jobs: Jobs = None,
) -> None:
    """Read, profile, discover, identify, estimate, refute and report, in one go.

    Writes a report into the current folder, named after the data (trial.csv: trial-report.html) unless --report names
    another; with --json only where --report asks for it. An older report of that name is replaced.
    """
    import whence
    from whence.cli import payload, show
    from whence.cli.files import check_folder, free_report_name

    data, suggested = _open(file, example, missing, drop, kind)
    knowledge = _knowledge(tiers, forbid, require, suggested)
    path = report or (None if json else free_report_name(data.source))
    check_folder(report)
    check_folder(save)
    with nullcontext(_silent) if json else show.live_progress() as progress:
        study = whence.analyze(
            data, treatment, outcome, query, knowledge, domain, budget, seed, n_jobs=jobs, progress=progress
        )
    study = replace(study, command=shlex.join(["whence", *sys.argv[1:]]))
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
    drop: Drop = None,
    kind: Kinds = None,
    json: Json = False,
    seed: Seed = 0,
) -> None:
    """Say what the table holds and what it allows."""
    import whence
    from whence.cli import payload, show

    data, _ = _open(file, example, missing, drop, kind)
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
    drop: Drop = None,
    kind: Kinds = None,
    index: Annotated[str | None, typer.Option(help="The column of times or domains that cd-nod goes by.")] = None,
    setting: Annotated[
        list[str] | None, typer.Option(help="A setting of the search, NAME=VALUE: alpha=0.01; may be repeated.")
    ] = None,
    draws: Annotated[int, typer.Option(help="Bootstrap draws behind the confidence; 0 for none.")] = 100,
    output: Annotated[str | None, typer.Option(help="Write the graph: .svg .dot .gml .json .txt")] = None,
    json: Json = False,
    seed: Seed = 0,
    jobs: Jobs = None,
) -> None:
    """Find the causal graph, with a confidence on every edge."""
    import whence
    from whence.cli import payload, show
    from whence.cli.files import check_folder, write_graph

    data, suggested = _open(file, example, missing, drop, kind)
    knowledge = _knowledge(tiers, forbid, require, suggested)
    check_folder(output)
    with nullcontext(_silent) if json else show.live_progress() as progress:
        result = whence.discover(
            data,
            method,
            knowledge=knowledge,
            confidence=draws or False,
            random_state=seed,
            n_jobs=jobs,
            progress=progress,
            **_settings(setting, index),
        )
    if output:
        write_graph(result, output)
    if json:
        typer.echo(payload.from_discovery(result).dumps())
    else:
        show.discovery(result)
    if result.interrupted:
        raise typer.Exit(EXIT_INTERRUPTED)


@app.command()
def estimate(
    file: File = None,
    example: Example = None,
    treatment: Treatment = None,
    outcome: Outcome = None,
    graph: Annotated[
        str | None, typer.Option(help="A graph file: .dot .gml .json .dagitty .txt (Tetrad or DAGitty)")
    ] = None,
    adjust: Annotated[
        str | None,
        typer.Option(help="Adjustment set: 'age,sex'; 'none' for none. Quote a name with commas: '\"a, b\",c'."),
    ] = None,
    method: Annotated[str, typer.Option(help="An estimator from `whence methods`, or auto.")] = "auto",
    population: Annotated[str, typer.Option(help="all, treated or overlap.")] = "all",
    missing: Missing = None,
    drop: Drop = None,
    kind: Kinds = None,
    json: Json = False,
    seed: Seed = 0,
) -> None:
    """Estimate and refute one effect, given a graph or an adjustment set."""
    import whence
    from whence.cli import payload, show
    from whence.cli.files import read_graph
    from whence.graph import Knowledge

    data, _ = _open(file, example, missing, drop, kind)
    names = None if adjust is None else () if adjust == "none" else Knowledge.parse_names(adjust)
    try:
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
    except NotIdentified as error:
        refuse(error, treatment or data.roles.get("treatment"), outcome or data.roles.get("outcome"))
        return
    effect = whence.refute(effect, data, random_state=seed)
    if json:
        typer.echo(payload.from_effect(effect).dumps())
    else:
        show.effect(effect)


@app.command()
def methods(
    family: Annotated[str | None, typer.Option(help="search, test, score, identifier, estimator or check.")] = None,
    json: Json = False,
) -> None:
    """List every method with what it answers and assumes."""
    from whence import registry
    from whence.cli import payload, show

    families = sorted({card.family for card in registry.methods()})
    if family is not None and family not in families:
        raise ParameterError("E301", f"there is no family {family!r}.", f"Families: {quote_names(families)}.")
    cards = registry.methods(family)
    if json:
        typer.echo(payload.Payload(command="methods", details={"methods": cards}).dumps())
        return
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
    seed: Annotated[int, typer.Option(help="Seed of everything drawn.")] = 0,
) -> None:
    """Run a published system against its paper's claims (in a clone of the repository)."""
    from whence.cli.reproduce import run_reproduction

    raise typer.Exit(run_reproduction(name, data, full, seed))


@app.command("counterfactual-image")
def counterfactual_image(
    model: Annotated[str, typer.Argument(help="The folder that CausalDiffAE.save wrote.")],
    images: Annotated[str, typer.Argument(help="Images in a NumPy file (.npy), shaped as in training.")],
    do: Annotated[list[str], typer.Option(help="What is set, in the label's unit: angle=30; may be repeated.")],
    report: Annotated[str, typer.Option(help="Where to write the page.")] = "counterfactuals.html",
    strength: Annotated[float, typer.Option(help="More than 1 exaggerates the factors.")] = 1.0,
    steps: Annotated[int, typer.Option(help="Steps of the diffusion, each way.")] = 50,
) -> None:
    """Draw what images would have been, as a page with the labels read off them."""
    from whence.cli.files import check_folder
    from whence.cli.images import write_counterfactuals

    check_folder(report)
    typer.echo(f"Report: {write_counterfactuals(model, images, do, report, strength, steps)}")


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


def _open(
    file: str | None, example: str | None, missing: list[str] | None, drop: str | None, kinds: list[str] | None
) -> tuple[Any, list[list[str]]]:
    """Return the data set, without the columns to leave out, and the tiers a bundled example suggests."""
    import whence
    from whence.graph import Knowledge

    if (file is None) == (example is None):
        raise ParameterError(
            "E338", "give either a file or --example NAME.", "Try: whence analyze --example nsw_mixtape"
        )
    given = _kinds(kinds)
    dropped = Knowledge.parse_names(drop) if drop else ()
    if example is not None:
        data = whence.read(whence.examples.load(example), missing=tuple(missing or ()), kinds=given)
        left = [[name for name in tier if name not in dropped] for tier in whence.examples.tiers(example)]
        return data.drop(dropped), [tier for tier in left if tier]
    if file is None or file == "-":
        raise DataError("E338", "reading from standard input is not supported.", "Write the table to a file first.")
    source = Path(file) if "://" not in file else file
    return whence.read(source, missing=tuple(missing or ()), kinds=given, drop=dropped), []


def _kinds(given: list[str] | None) -> dict[str, str]:
    """Return the kinds by column from 'COLUMN=KIND'; a column's name may itself hold the sign."""
    pairs = [text.rpartition("=") for text in given or ()]
    for name, sign, kind in pairs:
        if not (name and sign and kind):
            raise ParameterError("E112", f"--kind {name}{sign}{kind} is not COLUMN=KIND.", "Write --kind dose=ordinal.")
    return {name: kind for name, _, kind in pairs}


def _knowledge(
    tiers: str | None, forbid: list[str] | None, require: list[str] | None, suggested: list[list[str]]
) -> Any:
    """Return the knowledge from the command line; an example's own tiers hold unless tiers are given."""
    from whence.graph import Knowledge

    parsed = Knowledge.parse_tiers(tiers) if tiers else suggested
    return Knowledge(required=require or (), forbidden=forbid or (), tiers=parsed)


def _settings(given: list[str] | None, index: str | None) -> dict[str, Any]:
    """Return settings of a search by name: numbers, true, false, null and lists as JSON writes them, else text."""
    from json import JSONDecodeError, loads

    from whence.errors import ParameterError

    found: dict[str, Any] = {} if index is None else {"index": index}
    for text in given or ():
        name, equals, value = text.partition("=")
        if not equals or not name.strip():
            raise ParameterError("E342", f"--setting {text!r} is not of the form NAME=VALUE.", "Write alpha=0.01.")
        try:
            found[name.strip()] = loads(value)
        except JSONDecodeError:
            found[name.strip()] = value
    return found


def _silent(stage: str, done: int, total: int) -> None:
    """Report no progress: with --json nothing but the object is printed."""
