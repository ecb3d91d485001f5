"""Finding and running the reproductions, which live beside the library in its repository."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import whence
from whence.errors import ParameterError, quote_names


def reproductions_folder() -> Path | None:
    """Return the folder ``reproductions`` of the clone this package runs from, or of the working folder."""
    here = Path(whence.__file__).resolve()
    for root in (*here.parents[:4], Path.cwd()):
        if (root / "reproductions" / "__init__.py").is_file():
            return root / "reproductions"
    return None


def run_reproduction(name: str, data: str | None, full: bool, seed: int) -> int:
    """Run one reproduction as a process of its own and return its exit code.

    Raises
    ------
    ParameterError
        If there is no clone at hand, or no reproduction of that name yet.
    """
    folder = reproductions_folder()
    if folder is None:
        raise ParameterError(
            "E341",
            "the reproductions are not part of the installed package.",
            "Run this inside a clone of the repository.",
        )
    scripts = {path.stem[3:].replace("_", "-"): path for path in sorted(folder.glob("[0-9][0-9]_*.py"))}
    if name not in scripts:
        raise ParameterError(
            "E301",
            f"there is no reproduction named {name!r} yet.",
            f"There are: {quote_names(scripts) or 'none'}; `whence systems` says what is planned.",
        )
    command = [sys.executable, "-m", f"reproductions.{scripts[name].stem}", "--seed", str(seed)]
    command += ["--data", data] if data else []
    command += ["--full"] if full else []
    return subprocess.run(command, cwd=folder.parent, check=False).returncode
