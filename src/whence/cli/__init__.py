"""The command line: `whence analyze`, `profile`, `discover`, `estimate`, `methods`, `systems`, `reproduce`, `explain`.

Exit codes: 0 answered, 2 bad input, 3 the effect is not identified. Results go to standard output, progress and
warnings about the run to standard error; with ``--json`` standard output holds exactly one object.
"""

from __future__ import annotations

import sys

EXIT_BAD_INPUT = 2
EXIT_NOT_IDENTIFIED = 3


def main() -> None:
    """Run the command line; errors are one line on standard error, a traceback only with ``--debug``."""
    from whence.cli.commands import app
    from whence.errors import NotIdentified, WhenceError

    debug = "--debug" in sys.argv
    if debug:
        sys.argv.remove("--debug")
    try:
        app()
    except WhenceError as error:
        if debug:
            raise
        sys.stderr.write(f"whence: {error}\n")
        sys.exit(EXIT_NOT_IDENTIFIED if isinstance(error, NotIdentified) else EXIT_BAD_INPUT)
    except KeyboardInterrupt:
        sys.stderr.write("whence: stopped; nothing was written.\n")
        sys.exit(130)
