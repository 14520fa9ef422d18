"""`python -m hanlin` and the `hanlin` command."""

from __future__ import annotations

import io
import sys

from hanlin.cli import main as run_command_line

__all__ = ["main"]


def main() -> None:
    """Run the command line and leave with its exit code.

    What a terminal cannot show is written as `?`; bytes that are no text reach the verb, which
    names them.
    """
    for stream, errors in ((sys.stdin, "surrogateescape"), (sys.stdout, "replace")):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors=errors)
    sys.exit(run_command_line(sys.argv[1:]))


if __name__ == "__main__":
    main()
