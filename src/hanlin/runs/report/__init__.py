"""The report of a run: one page of HTML and the same facts in Markdown."""

from hanlin.runs.report.writing import build_report, write_report

__all__ = ["build_report", "write_report"]
