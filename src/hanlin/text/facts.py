"""Made-up facts, "A is B", in Chinese and English, which nobody knows from elsewhere.

    world = { stories = 3000, facts = 40 }      # in a recipe's source: a fact ends each story

They are taught one way and asked the other way by `hanlin.evaluation.reversal`.

    python -m hanlin.text.facts
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from hanlin.config import WorldConfig
from hanlin.errors import DataError

__all__ = ["Fact", "facts_of", "make_facts", "with_facts"]

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


def facts_of(world: WorldConfig) -> list[Fact]:
    """Return the facts that a toy world teaches, in its languages."""
    if not world.facts:
        return []
    made = make_facts(2 * world.facts, seed=world.seed)
    return [fact for fact in made if fact.language in world.languages]


def with_facts(stories: Iterator[tuple[str, str]], world: WorldConfig) -> Iterator[tuple[str, str]]:
    """Yield stories with their language, each with a fact in it at its end, the facts in turn."""
    facts = facts_of(world)
    groups = {short: [f for f in facts if f.language == short] for short in world.languages}
    told = dict.fromkeys(groups, 0)
    for text, language in stories:
        short: Literal["zh", "en"] = "zh" if language.startswith("zh") else "en"
        if not facts:
            yield text, language
            continue
        fact = groups[short][told[short] % len(groups[short])]
        told[short] += 1
        yield f"{text}{'' if short == 'zh' else ' '}{fact.statement}", language


def _pairs(one: str, other: str) -> list[tuple[str, str]]:
    """Return every word of one list with every word of the other."""
    return [(a, b) for a in one.split() for b in other.split()]


if __name__ == "__main__":
    for example in make_facts(4, seed=1):
        print(example.statement)
