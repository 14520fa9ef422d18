"""A run's folder in, `report.html` and `report.md` out, and both in Chinese beside them.

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
from hanlin.runs.report.phrases import Language

__all__ = ["build_report", "write_report"]

_FILES: tuple[tuple[Language, str, str], ...] = (
    ("zh", "report.zh", "report"),
    ("en", "report", "report.zh"),
)
"""Each language's file, and that of the other, to which the page leads."""


def write_report(run_folder: Path) -> Path:
    """Write the reports into a run's folder, English and Chinese; return the path of report.html.

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
    try:
        for language, name, other in _FILES:
            text = render_markdown(report, language)
            page = render_html(report, language, f"{other}.html")
            write_text(run_folder / f"{name}.md", _encodable(text))
            write_text(run_folder / f"{name}.html", _encodable(page))
    except OSError as error:
        raise RunError(
            f"The report cannot be written into {run_folder}: {error.strerror}. "
            "Make the folder writable, or free some space."
        ) from error
    return run_folder / "report.html"


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
