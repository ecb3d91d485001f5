"""Every kind of bad input as a command, used by the tests and, run as a script, as a tour of the messages.

python -m tests.cli.bad_input
"""

from __future__ import annotations

import io
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path

import numpy as np

import whence.cli


@dataclass(frozen=True)
class Case:
    """A name, a function that writes the file and returns the arguments, and words the message must hold."""

    name: str
    make: Callable[[Path], list[str]]
    says: tuple[str, ...]


def good_table(rows: int = 200) -> dict[str, list[float]]:
    rng = np.random.default_rng(7)
    age = rng.normal(50, 10, rows)
    dose = (0.05 * age + rng.normal(size=rows) > 2.5).astype(float)
    cure = 2.0 * dose - 0.1 * age + rng.normal(size=rows)
    return {"age": age.tolist(), "dose": dose.tolist(), "cure": cure.tolist()}


def write_csv(path: Path, columns: dict[str, list[object]]) -> Path:
    import csv

    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(columns)
        writer.writerows(zip(*columns.values()))
    return path


def _csv(columns: Callable[[], dict[str, list[object]]], *arguments: str) -> Callable[[Path], list[str]]:
    return lambda folder: [str(write_csv(folder / "table.csv", columns())), *arguments]


def _text(content: str | bytes, name: str = "table.csv", *arguments: str) -> Callable[[Path], list[str]]:
    def make(folder: Path) -> list[str]:
        path = folder / name
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return [str(path), *arguments]

    return make


def _with(**changes: object) -> Callable[[], dict[str, list[object]]]:
    return lambda: {**good_table(), **{name: list(value) for name, value in changes.items()}}  # type: ignore[call-overload]


def _truncated_parquet(folder: Path) -> list[str]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    path = folder / "table.parquet"
    pq.write_table(pa.table(good_table()), path)
    path.write_bytes(path.read_bytes()[:-200])
    return [str(path)]


def _separated() -> dict[str, list[object]]:
    rng = np.random.default_rng(3)
    age = np.sort(rng.normal(size=200))
    dose = (np.arange(200) >= 100).astype(float)
    return {"age": age.tolist(), "dose": dose.tolist(), "cure": (dose + age + rng.normal(size=200)).tolist()}


def _wide() -> dict[str, list[object]]:
    rng = np.random.default_rng(5)
    return {f"x{k}": rng.normal(size=12).tolist() for k in range(40)}


ASK = ("--treatment", "dose", "--outcome", "cure", "--budget", "10s")

CASES = (
    Case("no such file", lambda folder: [str(folder / "absent.csv")], ("absent.csv",)),
    Case("empty file", _text(""), ("table.csv", "empty")),
    Case("header only", _text("a,b,c\n"), ("no rows",)),
    Case("one column", _csv(lambda: {"age": good_table()["age"]}), ("column",)),
    Case("no numeric column", _text("a,b\n" + "\n".join(f"word {k},text {k * 7}" for k in range(80))), ("column",)),
    Case("all-missing column", _csv(_with(dose=[""] * 200), *ASK), ("'dose'", "no value")),
    Case("infinite values", _csv(_with(age=[float("inf"), *good_table()["age"][1:]]), *ASK), ("'age'", "infinite")),
    Case(
        "stray text among numbers",
        _csv(_with(age=["n/a", *good_table()["age"][1:]]), *ASK),
        ("'age'", "n/a", "missing"),
    ),
    Case("duplicated names", _text("a,b,a\n1,2,3\n2,3,1\n3,1,2\n"), ("'a'", "twice")),
    Case("ragged rows", _text("a,b\n1,2\n3,4,5\n6,7\n"), ("3",)),
    Case(
        "treatment equal to outcome",
        _csv(good_table, "--treatment", "dose", "--outcome", "dose"),
        ("same column", "'dose'"),
    ),
    Case("absent treatment", _csv(good_table, "--treatment", "dosis", "--outcome", "cure"), ("'dosis'", "'dose'")),
    Case("constant treatment", _csv(_with(dose=[1.0] * 200), *ASK), ("'dose'", "constant")),
    Case("perfect separation", _csv(_separated, *ASK, "--tiers", "age < dose < cure"), ("overlap",)),
    Case("more columns than rows", _csv(_wide, "--budget", "10s"), ("rows", "columns")),
    Case("cyclic knowledge", _csv(good_table, *ASK, "--require", "age -> dose", "--require", "dose -> age"), ("cycl",)),
    Case(
        "contradictory knowledge",
        _csv(good_table, *ASK, "--require", "cure -> age", "--tiers", "age < dose < cure"),
        ("cure", "age"),
    ),
    Case("knowledge naming an absent column", _csv(good_table, *ASK, "--forbid", "sex -> dose"), ("'sex'",)),
    Case("a file that is not what its ending says", _text("a,b\n1,2\n", "table.parquet"), ("table.parquet",)),
    Case(
        "a picture called CSV",
        _text(b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR" + bytes(range(256)), "table.csv"),
        ("table.csv",),
    ),
    Case("truncated Parquet", _truncated_parquet, ("table.parquet",)),
    Case("no input", lambda folder: [], ("--example",)),
    Case("unknown example", lambda folder: ["--example", "lalonde_nsw"], ("lalonde_nsw",)),
    Case("bad budget", _csv(good_table, "--treatment", "dose", "--outcome", "cure", "--budget", "soon"), ("'soon'",)),
    Case("unreadable query", _csv(good_table, "--query", "please help"), ("query",)),
    Case("unwritable report", _csv(good_table, *ASK, "--report", "/proc/none/report.html"), ("/proc/none",)),
)


def run(arguments: list[str], folder: Path) -> subprocess.CompletedProcess[str]:
    """Run ``whence analyze`` in ``folder``."""
    return called(["analyze", *arguments], folder)


def called(words: Iterable[str], folder: Path) -> subprocess.CompletedProcess[str]:
    """Run a command as a user would, but in this process, which spares a new one its imports."""
    out, err = io.StringIO(), io.StringIO()
    before = Path.cwd(), sys.argv, os.environ.get("COLUMNS")
    os.chdir(folder)
    sys.argv, os.environ["COLUMNS"] = ["whence", *words], "400"
    code: object = 0
    try:
        with redirect_stdout(out), redirect_stderr(err):
            whence.cli.main()
    except SystemExit as ended:
        code = ended.code
    finally:
        os.chdir(before[0])
        sys.argv = before[1]
        os.environ.pop("COLUMNS")
        if before[2] is not None:
            os.environ["COLUMNS"] = before[2]
    return subprocess.CompletedProcess(list(words), int(str(code or 0)), out.getvalue(), err.getvalue())


def main() -> None:
    """Print every case with its exit code and message."""
    for case in CASES:
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            finished = run(case.make(folder), folder)
            message = finished.stderr.strip().replace(str(folder) + os.sep, "")
            print(f"{case.name} (exit {finished.returncode})\n    {message}\n")  # noqa: T201


if __name__ == "__main__":
    main()
