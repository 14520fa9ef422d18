"""`hanlin runs list|show|report`: look at runs, running and finished ones."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import tyro

from hanlin.cli._command import Common, parse_one_of, show
from hanlin.cli._flags import RunPath
from hanlin.errors import RunError

__all__ = ["main"]


@dataclass(frozen=True, kw_only=True)
class List(Common):
    """List the runs in a folder."""

    folder: Annotated[tyro.conf.Positional[Path], tyro.conf.arg(metavar="[FOLDER]")] = Path("runs")
    """The folder that holds runs."""


@dataclass(frozen=True, kw_only=True)
class Show(Common):
    """Show one run: its stages, how far they are, and what was measured."""

    run: RunPath
    """The run's folder."""


@dataclass(frozen=True, kw_only=True)
class Report(Common):
    """Write a run's report.html and report.md anew, and both in Chinese (report.zh)."""

    run: RunPath
    """The run's folder."""


def main(arguments: Sequence[str]) -> int:
    """Run the verb."""
    kinds: dict[str, type[Common]] = {"list": List, "show": Show, "report": Report}
    options = parse_one_of(kinds, "runs", arguments, example="hanlin runs show runs/demo")
    from hanlin.runs import RunFolder, describe_run, find_runs
    from hanlin.runs.report import write_report

    if isinstance(options, List):
        if not options.folder.is_dir():
            raise RunError(f"There is no folder {options.folder}. Name one that holds runs.")
        found = [describe_run(run) for run in find_runs(options.folder)]
        show(
            options, {"runs": found}, "\n".join(map(_line, found)) or f"no runs in {options.folder}"
        )
        return 0
    folder = RunFolder(options.run.resolve())
    folder.must_exist()
    if isinstance(options, Show):
        found = [describe_run(folder)]
        show(options, found[0], _details(found[0]))
        return 0
    path = write_report(folder.root)
    show(options, {"report": str(path)}, str(path))
    return 0


def _line(run: dict[str, Any]) -> str:
    scores = ", ".join(f"{k} {v:.3f}" for k, v in run["bits_per_byte"].items())
    return f"{run['name']:<24} {run['state']:<28} {scores and 'bits per byte: ' + scores}"


def _details(run: dict[str, Any]) -> str:
    lines = [_line(run), f"folder   {run['folder']}"]
    for stage in run["stages"]:
        lines.append(f"stage    {stage['name']}: {_progress(stage)}")
    return "\n".join(lines)


def _progress(stage: dict[str, Any]) -> str:
    if not stage["steps"]:  # it learns nothing
        return f"{stage['kind']}, {'finished' if stage['finished'] else 'not finished'}"
    return f"step {stage['step']:,} of {stage['steps']:,}"
