"""`whence motion fit|predict|adapt|report`: tracks in, forecaster, forecasts and report out."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from whence.systems.motion import CausalMotionForecaster, Scenes

app = typer.Typer(no_args_is_help=True, help="Forecast where people go, adapt to a new place, ask what if.")

Tracks = Annotated[
    list[str],
    typer.Argument(help="Files of tracks: CSV or Parquet (frame, agent, x, y), ETH-UCY .txt, TrajNet++ .ndjson."),
]
Model = Annotated[str, typer.Argument(help="Folder of a forecaster.")]
Domain = Annotated[str | None, typer.Option(help="Column of a table that names the place; else each file is one.")]
Step = Annotated[float, typer.Option(help="Seconds between two rows of an agent.")]
Out = Annotated[str, typer.Option(help="Folder or file to write.")]
Least = Annotated[int, typer.Option(min=1, help="Windows with fewer agents are left out.")]
EthFix = Annotated[bool, typer.Option("--eth-time-fix", help="Mend the time step of biwi_eth.")]
Seed = Annotated[int, typer.Option(help="Seed of everything random.")]


@app.command()
def fit(
    tracks: Tracks,
    out: Out,
    backbone: Annotated[str, typer.Option(help="mlp, lstm, stgat or pecnet.")] = "mlp",
    invariance: Annotated[str | None, typer.Option(help="irm, irm-split or vrex.")] = None,
    lam: Annotated[float, typer.Option(help="Weight of the invariance.")] = 1.0,
    style_dim: Annotated[int, typer.Option(help="Numbers of a style; 0 for none.")] = 8,
    steps: Annotated[int, typer.Option(help="Training steps.")] = 3000,
    domain: Domain = None,
    dt: Step = 0.4,
    min_agents: Least = 2,
    eth_time_fix: EthFix = False,
    seed: Seed = 0,
) -> None:
    """Fit a forecaster on tracks of several places and save it."""
    from whence.systems.motion import CausalMotionForecaster

    scenes = _read(tracks, domain, dt, min_agents, eth_time_fix)
    model = CausalMotionForecaster(
        backbone=backbone,  # type: ignore[arg-type]
        invariance=invariance,  # type: ignore[arg-type]
        lam=lam,
        style_dim=style_dim,
        steps=steps,
        random_state=seed,
    ).fit(scenes)
    _say(scenes, f"{model!r} written to {model.save(out)}.")


@app.command()
def predict(
    model: Model,
    tracks: Tracks,
    out: Out,
    reference: Annotated[str | None, typer.Option(help="Tracks of the same place, recorded before: its style.")] = None,
    refine: Annotated[bool, typer.Option("--refine", help="Refine scenes that look unlike the reference.")] = False,
    domain: Domain = None,
    dt: Step = 0.4,
    min_agents: Least = 1,
) -> None:
    """Forecast from every frame at which agents have been seen long enough; write places as CSV or Parquet."""
    loaded = _load(model)
    scenes = _read(tracks, domain, dt, min_agents, False, observed=loaded.observed_, future=0)
    known = None
    if reference is not None:
        known = _read([reference], domain, dt, 2, False, observed=loaded.observed_, future=loaded.future_)
    forecast = loaded.predict(scenes, known, "gated" if refine else "off")
    _write_table(forecast.table("pyarrow"), out)
    _say(scenes, f"{forecast!r} written to {out}.")


@app.command()
def adapt(
    model: Model,
    tracks: Tracks,
    out: Out,
    update: Annotated[str, typer.Option(help="modulator, style or all.")] = "modulator",
    steps: Annotated[int, typer.Option(help="Training steps.")] = 150,
    domain: Domain = None,
    dt: Step = 0.4,
    min_agents: Least = 2,
) -> None:
    """Adapt a forecaster to a new place from few of its tracks and save the new one."""
    loaded = _load(model)
    scenes = _read(tracks, domain, dt, min_agents, False, observed=loaded.observed_, future=loaded.future_)
    adapted = loaded.adapt(scenes, update, steps=steps)  # type: ignore[arg-type]
    _say(scenes, f"Adapted to {len(scenes):,} scenes, written to {adapted.save(out)}.")


@app.command()
def report(
    model: Model,
    tracks: Tracks,
    out: Out,
    domain: Domain = None,
    dt: Step = 0.4,
    min_agents: Least = 2,
    eth_time_fix: EthFix = False,
) -> None:
    """Write how a forecaster fares on tracks of several places as an HTML page."""
    from whence.report.motion import write_motion_report

    loaded = _load(model)
    scenes = _read(tracks, domain, dt, min_agents, eth_time_fix, observed=loaded.observed_, future=loaded.future_)
    _say(scenes, f"Report written to {write_motion_report(loaded, scenes, out)}.")


def _read(
    files: list[str],
    domain: str | None,
    dt: float,
    min_agents: int,
    eth_time_fix: bool,
    *,
    observed: int = 8,
    future: int = 12,
) -> Scenes:
    """Read files of tracks, each a domain of its own unless a column names them."""
    import warnings

    from whence.systems.motion import Scenes, read_scenes

    parts = []
    for name in files:
        path = Path(name)
        settings: dict[str, Any] = {"dt": dt, "min_agents": min_agents, "observed": observed, "future": future}
        if path.suffix in (".csv", ".parquet"):
            settings |= {"domain": domain}
        elif path.suffix == ".txt" and path.name != "annotations.txt":
            settings |= {"eth_time_fix": eth_time_fix}
        elif path.name == "annotations.txt":
            settings = {"observed": observed, "future": future}
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # they are printed from the scenes
            scenes = read_scenes(path, **settings)
        named = domain is not None or path.name == "annotations.txt"
        parts.append(scenes if named else scenes.with_domains(path.stem))
    return Scenes.concatenate(parts)


def _load(folder: str) -> CausalMotionForecaster:
    from whence.systems.motion import CausalMotionForecaster

    return CausalMotionForecaster.load(folder)


def _write_table(table: Any, out: str) -> None:
    import io

    import pyarrow.csv
    import pyarrow.parquet

    from whence.results import write_atomically

    held = io.BytesIO()
    write = pyarrow.parquet.write_table if out.endswith(".parquet") else pyarrow.csv.write_csv
    write(table, held)
    write_atomically(out, held.getvalue())


def _say(scenes: Scenes, text: str) -> None:
    from rich.markup import escape

    from whence.cli import show

    for warning in scenes.warnings:
        show.err.print(f"  [yellow]![/] {escape(warning)}")
    show.out.print(escape(text))
