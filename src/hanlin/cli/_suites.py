"""`hanlin eval MODEL --suite NAME`: questions with choices, minimal pairs, words to write."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hanlin.errors import UserError

if TYPE_CHECKING:
    from hanlin.evaluation import Scorer
    from hanlin.tokenizers import Tokenizer

__all__ = ["SUITES_VARIABLE", "measure_suites", "render_suites"]

SUITES_VARIABLE = "HANLIN_SUITES"
"""The environment's name for the folder of the suites' data."""


def measure_suites(
    scorers: Mapping[str, Scorer],
    tokenizer: Tokenizer,
    names: Sequence[str],
    *,
    data: Path | None,
    folder: Path | None,
    shots: int,
    limit: int,
) -> dict[str, Any]:
    """Return each suite's figures by scorer, with how many of its items were measured."""
    from hanlin.evaluation import choose_items, find_suite, measure_suite, read_items

    if data is not None and len(names) > 1:
        raise UserError(
            f"--data names one file, for one suite, not for {', '.join(names)}. Give --data-dir."
        )
    if shots < 0 or limit < 0:
        raise UserError(f"--shots {shots} and --limit {limit} must not be negative.")
    here = folder or (Path(os.environ[SUITES_VARIABLE]) if SUITES_VARIABLE in os.environ else None)
    chosen = [find_suite(name, data=data, folder=here) for name in names]
    result: dict[str, Any] = {}
    for suite, path in chosen:
        items = read_items(path, suite)
        examples, measured = choose_items(items, shots=shots, limit=limit)
        reports = {
            name: measure_suite(scorer, tokenizer, suite, measured, examples=examples).as_dict()
            for name, scorer in scorers.items()
        }
        result[suite.name] = {
            "file": path.name,
            "items": len(items),
            "measured": len(measured),
            "by_scorer": reports,
        }
    return {"suites": result}


def render_suites(result: Mapping[str, Any]) -> str:
    """Return the figures as a table, the coarsest grouping below each suite."""
    lines: list[str] = []
    for name, suite in result["suites"].items():
        reports = suite["by_scorer"]
        first = next(iter(reports.values()))
        lines.append(
            f"{name}: {suite['measured']} of {suite['items']} items, {first['shots']} examples "
            f"shown, chance {first['chance']:.1%}, likelihood by {first['norm']}"
        )
        lines.append(f"  {'':<28} {'accuracy':<9} {'95 %':<15} bits/byte of the right choice")
        for scorer, report in reports.items():
            bits = f"{report['bits_per_byte']:.3f}"
            lines.append(f"  {scorer:<28} {_share(report['accuracy'])} {bits}")
        lines += _other_norms(reports) + _groups(reports) + _overlong(reports)
        lines.append("")
    return "\n".join(lines).rstrip()


def _other_norms(reports: Mapping[str, Any]) -> list[str]:
    lines = []
    for scorer, report in reports.items():
        values = {norm: share["value"] for norm, share in report["by_norm"].items()}
        if len(set(values.values())) > 1:
            shown = ", ".join(f"{norm} {value:.1%}" for norm, value in values.items())
            lines.append(f"  {scorer}, likelihood by: {shown}")
    return lines


def _groups(reports: Mapping[str, Any]) -> list[str]:
    groupings = next(iter(reports.values()))["by_group"]
    if not groupings:
        return []
    coarsest = min(groupings, key=lambda name: len(groupings[name]))
    lines = [f"  by {coarsest}"]
    for value in groupings[coarsest]:
        for scorer, report in reports.items():
            lines.append(
                f"    {value:<26.26} {_share(report['by_group'][coarsest][value])} {scorer}"
            )
    return lines


def _overlong(reports: Mapping[str, Any]) -> list[str]:
    return [
        f"  {scorer}: {report['overlong']} items are longer than its context and lost their "
        "beginning"
        for scorer, report in reports.items()
        if report["overlong"]
    ]


def _share(share: Mapping[str, Any]) -> str:
    between = f"{share['low']:.1%}-{share['high']:.1%}"
    return f"{share['value']:<9.1%} {between:<15}"
