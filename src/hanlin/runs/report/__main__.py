"""Write a run's report: `python -m hanlin.runs.report RUN`."""

from __future__ import annotations

import sys
from pathlib import Path

from hanlin.runs.report.writing import write_report

if __name__ == "__main__":
    print(write_report(Path(sys.argv[1])))
