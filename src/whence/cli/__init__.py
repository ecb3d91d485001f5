"""The command line; `whence --help` lists its commands.

Exit codes: 0 answered, 2 bad input, 3 the effect is not identified, 130 interrupted, with what was found until then if
anything was printed. Results go to standard output, progress and
warnings about the run to standard error; with ``--json`` standard output holds exactly one object, also on errors.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from whence.errors import WhenceError

EXIT_BAD_INPUT = 2
EXIT_NOT_IDENTIFIED = 3
EXIT_INTERRUPTED = 130


def main() -> None:
    """Run the command line; errors are one line on standard error, a traceback only with ``--debug``."""
    import typer

    from whence.cli.commands import app
    from whence.errors import ParameterError, WhenceError

    debug = "--debug" in sys.argv
    if debug:
        sys.argv.remove("--debug")
    try:
        sys.exit(app(standalone_mode=False))
    except WhenceError as error:
        if debug:
            raise
        refuse(error)
    except (KeyboardInterrupt, typer.Abort):
        sys.stderr.write("whence: stopped; nothing was written.\n")
        sys.exit(EXIT_INTERRUPTED)
    except Exception as error:
        if debug or not hasattr(error, "format_message"):  # what typer has to say of the options
            raise
        problem = " ".join(error.format_message().split()).rstrip(".")
        if not problem:  # no command at all: the help was printed
            sys.exit(EXIT_BAD_INPUT)
        refuse(ParameterError("E342", f"{problem}.", f"See: whence {_command()} --help".replace("  ", " ")))


def refuse(error: WhenceError, treatment: str | None = None, outcome: str | None = None) -> None:
    """Say an error on standard error, with ``--json`` also as the one object on standard output, and end."""
    from whence.errors import NotIdentified

    if "--json" in sys.argv:
        from whence.cli.payload import from_error

        sys.stdout.write(from_error(error, _command(), treatment, outcome).dumps() + "\n")
    sys.stderr.write(f"whence: {error}\n")
    sys.exit(EXIT_NOT_IDENTIFIED if isinstance(error, NotIdentified) else EXIT_BAD_INPUT)


def _command() -> str:
    """Return the command that was called: the first word that is no option."""
    return next((word for word in sys.argv[1:] if not word.startswith("-")), "")
