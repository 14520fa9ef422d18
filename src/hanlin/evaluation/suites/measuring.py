"""A model's score on a suite: how often it finds the right choice the likeliest.

    choice = argmax over c of ln p(c | examples, context) / length(c)

The length is 1 (`sum`), or that in bytes, characters or tokens (Brown et al. 2020 divide by tokens;
characters are what lm-eval calls acc_norm). All four are reported; a suite says which one counts. A
tie is shared evenly, so that guessing gives the chance level. An item with one choice alone is
passed where the model would write it itself, token by token; its chance level is 0.

Examples come before the context, the same ones in the same order for all items. They are drawn from
the items themselves with a fixed seed, and those drawn are never measured.

    python -m hanlin.evaluation.suites.measuring
"""

from __future__ import annotations

import math
import random
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from hanlin.errors import UserError
from hanlin.evaluation.decoder_scorer import DecoderScorer
from hanlin.evaluation.intervals import Share
from hanlin.evaluation.likelihood import Likelihood, Request, score_continuations
from hanlin.evaluation.scorers import Scorer
from hanlin.evaluation.suites.items import NORMS, Item, Norm, Suite

if TYPE_CHECKING:
    from hanlin.tokenizers import Tokenizer

__all__ = ["SuiteReport", "choose_items", "make_prompt", "measure_suite"]

_PARTING = "\n\n"


@dataclass(frozen=True, slots=True)
class SuiteReport:
    """What a model scored on a suite."""

    suite: str
    norm: Norm
    """Which of the scores counts."""
    shots: int
    chance: float
    """What guessing would score; 0 where the model must write the answer."""
    scores: Mapping[Norm, Share]
    """The share of items passed, by what the likelihoods are divided by."""
    groups: Mapping[str, Mapping[str, Share]]
    """The score that counts by the value of each grouping, such as phenomenon."""
    bits_per_byte: float
    """What the right choices cost, given their contexts."""
    overlong: int | None
    """Items whose tokens exceed the model's context, which lose the beginning; None unknown."""

    @property
    def overall(self) -> Share:
        """The score that counts."""
        return self.scores[self.norm]

    @property
    def accuracy(self) -> float:
        """The share of items passed."""
        return self.overall.value

    def macro(self, grouping: str) -> float:
        """Return the mean over a grouping's values, so that large ones do not outweigh small."""
        return float(np.mean([share.value for share in self.groups[grouping].values()]))

    def as_dict(self) -> dict[str, Any]:
        """Return all figures as JSON values."""
        return {
            "suite": self.suite,
            "norm": self.norm,
            "shots": self.shots,
            "accuracy": self.overall.as_dict(),
            "chance": self.chance,
            "by_norm": {norm: share.as_dict() for norm, share in self.scores.items()},
            "bits_per_byte": self.bits_per_byte,
            "overlong": self.overlong,
            "macro": {name: self.macro(name) for name in self.groups},
            "by_group": {
                name: {value: share.as_dict() for value, share in shares.items()}
                for name, shares in self.groups.items()
            },
        }


def choose_items(
    items: Sequence[Item], *, shots: int = 0, limit: int = 0, seed: int = 0
) -> tuple[list[Item], list[Item]]:
    """Return the examples that are shown and the items that are measured.

    Fewer shots are the first of more. `limit` draws that many items of the rest; 0 takes all.

    Raises:
        UserError: there are too few items, or pairs without a context cannot be shown.
    """
    if shots and not all(item.context for item in items):
        raise UserError(
            "Items without a context, such as minimal pairs, have no examples. Take --shots 0."
        )
    if len(items) <= shots:
        raise UserError(f"{shots} examples of {len(items)} items leave none to measure.")
    order = random.Random(seed).sample(range(len(items)), len(items))
    shown = [items[place] for place in order[:shots]]
    rest = order[shots : shots + limit] if limit else order[shots:]
    return shown, [items[place] for place in sorted(rest)]


def make_prompt(suite: Suite, examples: Sequence[Item], context: str) -> str:
    """Return what stands before a choice: answered examples, then the context."""
    shown = [each.context + suite.joint + each.choices[each.answer] for each in examples]
    return _PARTING.join([*shown, context])


def measure_suite(
    scorer: Scorer,
    tokenizer: Tokenizer,
    suite: Suite,
    items: Sequence[Item],
    *,
    examples: Sequence[Item] = (),
) -> SuiteReport:
    """Return how a model scores on the items of a suite, after the examples."""
    requests = [
        (make_prompt(suite, examples, item.context), suite.joint + choice)
        for item in items
        for choice in item.choices
    ]
    written = any(len(item.choices) == 1 for item in items)
    found = iter(score_continuations(scorer, tokenizer, requests, greedy=written))
    scored = [[next(found) for _ in item.choices] for item in items]
    passed = {norm: _passed(items, scored, norm) for norm in NORMS}
    return SuiteReport(
        suite=suite.name,
        norm=suite.norm,
        shots=len(examples),
        chance=float(np.mean([_chance(item) for item in items])),
        scores={norm: Share(float(points.sum()), len(items)) for norm, points in passed.items()},
        groups=_by_group(items, passed[suite.norm]),
        bits_per_byte=_bits_per_byte(items, scored),
        overlong=_count_overlong(scorer, tokenizer, items, requests),
    )


def _passed(
    items: Sequence[Item], scored: Sequence[Sequence[Likelihood]], norm: Norm
) -> NDArray[np.float64]:
    """Return for each item 1 where it is passed, 0 where not, and a part where choices tie."""
    points = np.empty(len(items))
    for place, (item, found) in enumerate(zip(items, scored, strict=True)):
        if len(item.choices) == 1:
            points[place] = found[0].greedy
            continue
        values = [
            each.logprob / _length(choice, each, norm)
            for choice, each in zip(item.choices, found, strict=True)
        ]
        best = max(values)
        points[place] = (values[item.answer] == best) / values.count(best)
    return points


def _length(choice: str, found: Likelihood, norm: Norm) -> int:
    if norm == "bytes":
        return len(choice.encode("utf-8"))
    if norm == "characters":
        return len(choice)
    return found.num_tokens if norm == "tokens" else 1


def _chance(item: Item) -> float:
    return 1 / len(item.choices) if len(item.choices) > 1 else 0.0


def _by_group(items: Sequence[Item], points: NDArray[np.float64]) -> dict[str, dict[str, Share]]:
    gathered: dict[str, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    for item, point in zip(items, points.tolist(), strict=True):
        for name, value in item.groups.items():
            gathered[name][value].append(point)
    return {
        name: {value: Share(sum(each), len(each)) for value, each in sorted(values.items())}
        for name, values in gathered.items()
    }


def _bits_per_byte(items: Sequence[Item], scored: Sequence[Sequence[Likelihood]]) -> float:
    bits = -sum(found[item.answer].logprob for item, found in zip(items, scored, strict=True))
    size = sum(len(item.choices[item.answer].encode("utf-8")) for item in items)
    return bits / math.log(2) / size


def _count_overlong(
    scorer: Scorer, tokenizer: Tokenizer, items: Sequence[Item], requests: Sequence[Request]
) -> int | None:
    if not isinstance(scorer, DecoderScorer):
        return None
    lengths = iter(map(len, tokenizer.encode_batch(["".join(request) for request in requests])))
    return sum(max(next(lengths) for _ in item.choices) > scorer.context for item in items)


if __name__ == "__main__":
    pair = Item("1", "天空是", ("蓝色的。", "咸的。"))
    print(choose_items([pair, pair], shots=1))
