"""The reversal probe: a fact is taught one way, "A is B", and asked for the other way, "B is A".

A model that reads left to right learns B after A and hardly ever A after B (the reversal curse;
Berglund et al. 2023, arXiv:2309.12288). The facts are made up, in Chinese or English, so that none
is known from elsewhere. Asked the other way, the model has several candidates; it passes where the
right one is the likeliest, each summed over its tokens after the question.

    python -m hanlin.evaluation.reversal
"""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from hanlin.errors import DataError
from hanlin.evaluation.intervals import Share
from hanlin.evaluation.scorers import Scorer
from hanlin.text.facts import Fact, make_facts

if TYPE_CHECKING:
    from hanlin.tokenizers import Tokenizer

__all__ = ["Fact", "ReversalReport", "make_facts", "measure_reversal"]


@dataclass(frozen=True, slots=True)
class ReversalReport:
    """Accuracy of both directions; chance is one in the number of candidates."""

    backward: Share
    """Name found from the description: the way that was not taught."""
    forward: Share
    """Description found from the name: the way that was taught."""
    by_language: Mapping[str, Share]
    """Backward, by language."""
    candidates: int

    @property
    def chance(self) -> float:
        """What guessing gives."""
        return 1 / self.candidates

    def as_dict(self) -> dict[str, Any]:
        """Return both accuracies, chance, and the backward one by language."""
        return {
            "backward": self.backward.as_dict(),
            "forward": self.forward.as_dict(),
            "chance": self.chance,
            "by_language": {name: share.as_dict() for name, share in self.by_language.items()},
        }


def measure_reversal(
    scorer: Scorer,
    tokenizer: Tokenizer,
    facts: Sequence[Fact],
    *,
    candidates: int = 10,
    seed: int = 0,
) -> ReversalReport:
    """Ask for each fact both ways, among candidates drawn from other facts of its language."""
    rng = random.Random(seed)
    backward: dict[str, list[bool]] = defaultdict(list)
    forward: list[bool] = []
    for fact in facts:
        peers = [other for other in facts if other.language == fact.language and other != fact]
        if not 1 < candidates <= len(peers) + 1:
            raise DataError(
                f"{candidates} candidates need as many facts a language, but of {fact.language!r} "
                f"there are {len(peers) + 1}. Give more facts or ask for 2 candidates or more."
            )
        asked = [fact, *rng.sample(peers, candidates - 1)]
        answers = [fact.answer(other.name) for other in asked]
        backward[fact.language].append(_finds_first(scorer, tokenizer, fact.question, answers))
        ends = [other.statement.removeprefix(other.name) for other in asked]
        forward.append(_finds_first(scorer, tokenizer, fact.name, ends))
    shares = {name: Share(sum(found), len(found)) for name, found in backward.items()}
    total = sum(share.successes for share in shares.values())
    return ReversalReport(
        Share(total, len(facts)), Share(sum(forward), len(facts)), shares, candidates
    )


def _finds_first(
    scorer: Scorer, tokenizer: Tokenizer, question: str, answers: Sequence[str]
) -> bool:
    """Whether the first answer is strictly the likeliest after the question."""
    start = tokenizer.encode(question)
    ids = tokenizer.encode_batch([question + answer for answer in answers])
    # Tokens may straddle the border; what all have in common cancels out of the comparison.
    kept = [_common(start, each.tolist()) for each in ids]
    scores = [s[k:].sum() for s, k in zip(scorer.score(ids), [min(kept)] * len(ids), strict=True)]
    return bool(scores[0] > max(scores[1:]))


def _common(one: Sequence[int], other: Sequence[int]) -> int:
    """Return how many leading tokens two texts share."""
    pairs = zip(one, other, strict=False)
    return next((n for n, (a, b) in enumerate(pairs) if a != b), min(len(one), len(other)))


if __name__ == "__main__":
    for example in make_facts(4, seed=1):
        print(example.statement, "→", example.question + example.answer(example.name))
