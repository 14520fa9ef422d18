"""From what the trials came to, to verdicts: claim by claim, language by language, on all seeds."""

from __future__ import annotations

import statistics
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from hanlin.evaluation import spread_of
from hanlin.planning.units import count, power
from hanlin.records import LedgerEntry, sha256_json
from hanlin.runs.measured import LANGUAGE_NAMES
from hanlin.runs.proofs.base import Claim
from hanlin.runs.proofs.figures import figure_at, keys_at
from hanlin.runs.proofs.trial import Measured

__all__ = ["ArmOutcome", "describe_flops", "judge_claims", "render_table"]

_EQUAL = 0.02
"""Arms whose operations differ by no more than this count as equal."""


@dataclass(frozen=True, slots=True)
class ArmOutcome:
    """What an arm came to, seed by seed."""

    rate: float
    """The rate that validation text chose."""
    rates: tuple[float, ...]
    """The rates that were tried."""
    seeds: Sequence[Measured]
    share: float = 1.0
    """The share of the other arms' operations that it was meant to spend."""

    @property
    def flops(self) -> float:
        """Operations a seed, on average."""
        return statistics.fmean(measured.flops for measured in self.seeds)

    @property
    def note(self) -> str:
        """The chosen rate, and a word where a better one may lie beyond those tried."""
        if len(self.rates) == 1:
            return "as given"
        edge = self.rate in (min(self.rates), max(self.rates))
        return f"x {self.rate:g}{' (edge of those tried)' if edge else ''}"


def judge_claims(
    claims: Sequence[Claim],
    arms: Mapping[str, ArmOutcome],
    *,
    stage: str,
    seeds: Sequence[int],
    command: str,
) -> list[LedgerEntry]:
    """Return the ledger's entry of each claim, one a language where its figure has a `*`."""
    return [
        _judge(claim, arms, key, stage=stage, seeds=seeds, command=command)
        for claim in claims
        for key in _keys(claim, arms)
    ]


def describe_flops(arms: Mapping[str, ArmOutcome]) -> str:
    """Say whether the arms spent the same operations, or the share of these that was meant."""
    spent = {name: arm.flops / arm.share for name, arm in arms.items()}
    less = [f"{name} {arm.share:.0%}" for name, arm in arms.items() if arm.share != 1]
    meant = f" As was meant, some spent a share of it: {', '.join(less)}." if less else ""
    least = min(spent, key=lambda name: spent[name])
    most = max(spent, key=lambda name: spent[name])
    if spent[most] <= spent[least] * (1 + _EQUAL):
        return f"All arms spent the same FLOPs (within 2 %).{meant}"
    ratio = spent[most] / max(spent[least], 1.0)
    return (
        f"The arms did NOT spend the same FLOPs: {most} spent {ratio:.2f} times what {least} did."
        f"{meant}"
    )


def render_table(
    stage: str, arms: Mapping[str, ArmOutcome], entries: Sequence[LedgerEntry], seeds: Sequence[int]
) -> str:
    """Return arms and claims as Markdown, readable as plain text too."""
    lines = [f"# Proof of the stage {stage}", "", f"Seeds: {', '.join(map(str, seeds))}.", ""]
    lines += ["| arm | learning rate | tokens a seed | FLOPs a seed |", "|---|---|---|---|"]
    lines += [
        f"| {name} | {arm.note} | {count(arm.seeds[0].tokens)} | {power(arm.flops)} |"
        for name, arm in arms.items()
    ]
    lines += ["", describe_flops(arms), ""]
    lines += ["| claim | control | control's values | values | spread | holds when | verdict |"]
    lines += ["|---|---|---|---|---|---|---|"]
    lines += [_row(entry) for entry in entries]
    return "\n".join(lines) + "\n"


def _judge(
    claim: Claim,
    arms: Mapping[str, ArmOutcome],
    key: str,
    *,
    stage: str,
    seeds: Sequence[int],
    command: str,
) -> LedgerEntry:
    ours, theirs = arms[claim.arm].seeds, arms[claim.control].seeds
    figure = claim.figure.replace("*", key)
    control_figure = (claim.control_figure or claim.figure).replace("*", key)
    values = tuple(figure_at(measured.figures, figure) for measured in ours)
    control = tuple(figure_at(measured.figures, control_figure) for measured in theirs)
    trials = [*ours, *(theirs if claim.arm != claim.control else ())]
    return LedgerEntry(
        claim=claim.sentence.replace("{language}", LANGUAGE_NAMES.get(key, key)),
        stage=stage,
        metric=figure,
        control=claim.control_name or f"arm {claim.control}",
        control_values=control,
        values=values,
        seeds=tuple(seeds),
        spread=spread_of(values, control),
        threshold=str(claim.rule),
        verdict=claim.rule.judge(values, control),
        command=command,
        flops=sum(measured.flops for measured in trials),
        inputs=sha256_json([[m.figures["inputs"] for m in trials], values, control]),
    )


def _keys(claim: Claim, arms: Mapping[str, ArmOutcome]) -> Iterator[str]:
    """Yield what `*` stands for in both figures of a claim; an empty key where there is none."""
    if "*" not in claim.figure:
        yield ""
        return
    ours = keys_at([m.figures for m in arms[claim.arm].seeds], claim.figure)
    control_figure = claim.control_figure or claim.figure
    theirs = keys_at([m.figures for m in arms[claim.control].seeds], control_figure)
    yield from (key for key in ours if key in theirs)


def _row(entry: LedgerEntry) -> str:
    spread = "—" if entry.spread is None else f"{entry.spread:.2g}"
    cells = (
        entry.claim,
        entry.control,
        _numbers(entry.control_values),
        _numbers(entry.values),
        spread,
        entry.threshold,
        entry.verdict,
    )
    return f"| {' | '.join(cell.replace('|', '/') for cell in cells)} |"


def _numbers(values: Sequence[float]) -> str:
    return ", ".join(f"{value:.4g}" for value in values)
