"""`python -m hanlin` and the `hanlin` command."""

from __future__ import annotations

import gc
import sys

from hanlin.cli import main as run_command_line

__all__ = ["main"]


def main() -> None:
    """Run the command line and leave with its exit code."""
    if sys.argv[1:2] == ["generate"]:
        # What is imported is no garbage. To look for some after every 700 objects takes a tenth of
        # a second of the time in which a text should begin.
        gc.set_threshold(50_000)
    sys.exit(run_command_line(sys.argv[1:]))


if __name__ == "__main__":
    main()
