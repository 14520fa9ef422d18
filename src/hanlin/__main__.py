"""`python -m hanlin` and the `hanlin` command."""

from __future__ import annotations

import sys

from hanlin.cli import main as run_command_line

__all__ = ["main"]


def main() -> None:
    """Run the command line and leave with its exit code."""
    sys.exit(run_command_line(sys.argv[1:]))


if __name__ == "__main__":
    main()
