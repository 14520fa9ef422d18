"""A run's folder in, `report.html` and `report.md` out.

python -m hanlin.runs.report RUN
"""

from __future__ import annotations

import datetime
from pathlib import Path

from hanlin.errors import RunError
from hanlin.records import write_text
from hanlin.runs.report import chain, conduct, learning, overview, quality, sources
from hanlin.runs.report.blocks import Report
from hanlin.runs.report.facts import RunFacts, read_run
from hanlin.runs.report.html import render_html
from hanlin.runs.report.markdown import render_markdown

__all__ = ["build_report", "write_report"]


def write_report(run_folder: Path) -> Path:
    """Write report.html and report.md into a run's folder; return the path of report.html.

    Any file of the run may be missing: the report of a run that is going on, or that crashed, shows
    what there is.

    Raises:
        RunError: the folder does not exist, or cannot be written.
    """
    if not run_folder.is_dir():
        raise RunError(
            f"There is no run folder at {run_folder}. `hanlin runs list` shows the runs there are."
        )
    report = build_report(read_run(run_folder))
    page = run_folder / "report.html"
    try:
        write_text(run_folder / "report.md", _encodable(render_markdown(report)))
        write_text(page, _encodable(render_html(report)))
    except OSError as error:
        raise RunError(
            f"The report cannot be written into {run_folder}: {error.strerror}. "
            "Make the folder writable, or free some space."
        ) from error
    return page


def build_report(facts: RunFacts) -> Report:
    """Put the sections in their order; a section without content is left out."""
    sections = (
        overview.key_figures(facts),
        chain.chain(facts),
        learning.curves(facts),
        learning.samples_over_time(facts),
        learning.final_samples(facts),
        quality.evaluation(facts),
        sources.corpus(facts),
        conduct.health(facts),
        conduct.cost(facts),
        quality.claims(facts),
        conduct.recipe(facts),
        conduct.environment(facts),
    )
    now = datetime.datetime.now().astimezone().strftime("%Y-%m-%d %H:%M %Z")
    kept = tuple(section for section in sections if section)
    return Report(facts.name, overview.sentence(facts), facts.status, now, kept)


def _encodable(text: str) -> str:
    # A log may hold half of a surrogate pair; UTF-8 has no place for it.
    return text.encode("utf-8", "replace").decode("utf-8")
