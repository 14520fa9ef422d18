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
from typing import TYPE_CHECKING, Any, Literal

from hanlin.errors import DataError
from hanlin.evaluation.intervals import Share
from hanlin.evaluation.scorers import Scorer

if TYPE_CHECKING:
    from hanlin.tokenizers import Tokenizer

__all__ = ["Fact", "ReversalReport", "make_facts", "measure_reversal"]

_ZH_SURNAMES = "赵钱孙李周吴郑王冯陈沈韩杨朱秦许何吕张孔"
_ZH_GIVEN = "云山川海松竹梅兰月星雨雪风春秋林泉石江河"
_ZH_PLACES = "东湖镇 南山村 西桥镇 北塔村 青石城 白水城 红叶镇 黄沙村 绿竹村 金河城"
_ZH_TRADES = "铁匠 画师 船夫 药师 裁缝 琴师 厨师 木匠 花匠 马夫"
_EN_FIRST = "Adam Bella Carl Dora Evan Fiona Gus Hetty Ivan Judy Karl Lena Max Nora Otto Pia"
_EN_LAST = "Ashford Barlow Cole Draper Ellis Frost Greene Hale Irving Jarvis Keene Lowe"
_EN_PLACES = "Eastlake Southhill Westbridge Northtower Greystone Whitewater Redleaf Dryford"
_EN_TRADES = "smith painter boatman chemist tailor fiddler cook carpenter gardener groom"


@dataclass(frozen=True, slots=True)
class Fact:
    """Someone (A), and a description that fits nobody else (B)."""

    language: Literal["zh", "en"]
    name: str
    description: str

    @property
    def statement(self) -> str:
        """The fact as it is taught: A is B."""
        if self.language == "zh":
            return f"{self.name}是{self.description}。"
        return f"{self.name} is {self.description}."

    @property
    def question(self) -> str:
        """The fact asked the other way, up to the answer: B is."""
        if self.language == "zh":
            return f"{self.description}是"
        return f"{self.description[0].upper()}{self.description[1:]} is"

    def answer(self, name: str) -> str:
        """Return a name as it stands after the question."""
        return f"{name}。" if self.language == "zh" else f" {name}."


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


def make_facts(count: int, *, seed: int) -> list[Fact]:
    """Make up facts, Chinese and English in turn; no name and no description occurs twice.

    >>> [fact.statement[-1] for fact in make_facts(2, seed=1)]
    ['。', '.']
    """
    rng = random.Random(seed)
    zh_names = [a + b for a in _ZH_SURNAMES for b in _ZH_GIVEN]
    zh_texts = [f"{place}的{trade}" for place, trade in _pairs(_ZH_PLACES, _ZH_TRADES)]
    en_names = [" ".join(pair) for pair in _pairs(_EN_FIRST, _EN_LAST)]
    en_texts = [f"the {trade} of {place}" for place, trade in _pairs(_EN_PLACES, _EN_TRADES)]
    most = 2 * min(map(len, (zh_names, zh_texts, en_names, en_texts)))
    if not 0 < count <= most:
        raise DataError(f"{count} facts cannot be made up; ask for 1 to {most}.")
    half = -(-count // 2)
    zh = zip(rng.sample(zh_names, half), rng.sample(zh_texts, half), strict=True)
    en = zip(rng.sample(en_names, half), rng.sample(en_texts, half), strict=True)
    pairs = zip((Fact("zh", *fact) for fact in zh), (Fact("en", *fact) for fact in en), strict=True)
    return [fact for pair in pairs for fact in pair][:count]


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


def _pairs(one: str, other: str) -> list[tuple[str, str]]:
    """Return every word of one list with every word of the other."""
    return [(a, b) for a in one.split() for b in other.split()]


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
