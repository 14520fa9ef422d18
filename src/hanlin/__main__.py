"""`python -m hanlin` and the `hanlin` command."""

from __future__ import annotations

import gc
import io
import os
import sys

from hanlin.cli import main as run_command_line

__all__ = ["main"]


def main() -> None:
    """Run the command line and leave with its exit code.

    What a terminal cannot show is written as `?`; bytes that are no text reach the verb, which
    names them. A reader that has left (`| head`) ends the verb as SIGPIPE would, without a word.
    """
    if sys.argv[1:2] == ["generate"]:
        # What is imported is no garbage. To look for some after every 700 objects takes a tenth of
        # a second of the time in which a text should begin.
        gc.set_threshold(50_000)
    for stream, errors in ((sys.stdin, "surrogateescape"), (sys.stdout, "replace")):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors=errors)
    try:
        code = run_command_line(sys.argv[1:])
        sys.stdout.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # nothing is left to flush
        code = 141  # 128 and the number of SIGPIPE, as a shell counts
    sys.exit(code)


if __name__ == "__main__":
    main()
