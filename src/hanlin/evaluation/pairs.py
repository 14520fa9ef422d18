"""Grammatical minimal pairs: does a model find the good sentence likelier than the bad one?

Two sentences that differ in one point of grammar (BLiMP, Warstadt et al. 2020; ZhoBLiMP, Liu et al.
2024): the model passes where ln p(good) > ln p(bad), each sentence on its own after <|endoftext|>,
not normalised by length. A tie counts half, so that guessing gives 0.5. Intervals take the pairs as
independent; pairs made from one template are less than that.

    python -m hanlin.evaluation.pairs
"""

from __future__ import annotations

import gzip
import json
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from hanlin.errors import DataError
from hanlin.evaluation.intervals import Share
from hanlin.evaluation.scorers import Scorer

if TYPE_CHECKING:
    from hanlin.tokenizers import Tokenizer

__all__ = ["CHANCE", "MinimalPair", "PairsReport", "measure_pairs", "read_pairs"]

CHANCE = 0.5
_GROUP_SENTENCES = 8192


@dataclass(frozen=True, slots=True)
class MinimalPair:
    """A good sentence and a bad one that differs in one point of grammar."""

    id: str
    good: str
    bad: str
    phenomenon: str
    paradigm: str


@dataclass(frozen=True, slots=True)
class PairsReport:
    """Accuracy over all pairs and by phenomenon; chance is 0.5."""

    overall: Share
    by_phenomenon: Mapping[str, Share]

    @property
    def accuracy(self) -> float:
        """Share of the pairs whose good sentence is the likelier one."""
        return self.overall.value

    @property
    def macro_accuracy(self) -> float:
        """Mean of the phenomena's accuracies, so that large ones do not outweigh small ones."""
        return float(np.mean([share.value for share in self.by_phenomenon.values()]))

    def as_dict(self) -> dict[str, Any]:
        """Return overall accuracy, chance, macro accuracy and the phenomena's accuracies."""
        return {
            "accuracy": self.overall.as_dict(),
            "chance": CHANCE,
            "macro_accuracy": self.macro_accuracy,
            "by_phenomenon": {name: share.as_dict() for name, share in self.by_phenomenon.items()},
        }


def read_pairs(path: Path) -> list[MinimalPair]:
    """Read pairs from JSON lines, packed with gzip where the name ends in .gz.

    Each line holds `good` and `bad`; `id`, `phenomenon` and `paradigm` where they are known.
    """
    pairs: list[MinimalPair] = []
    for number, line in enumerate(_read_lines(path), 1):
        try:
            record = json.loads(line)
            good, bad = str(record["good"]), str(record["bad"])
        except (ValueError, KeyError, TypeError) as error:
            raise DataError(
                f"{path}, line {number}: not a minimal pair ({error!r}). Each line must be a JSON "
                'object with "good" and "bad".'
            ) from error
        phenomenon = str(record.get("phenomenon", "all"))
        paradigm = str(record.get("paradigm", phenomenon))
        identity = str(record.get("id", number))
        pairs.append(MinimalPair(identity, good, bad, phenomenon, paradigm))
    if not pairs:
        raise DataError(f"{path} holds no minimal pair.")
    return pairs


def measure_pairs(
    scorer: Scorer, tokenizer: Tokenizer, pairs: Sequence[MinimalPair]
) -> PairsReport:
    """Return how often `scorer` finds the good sentence of each pair likelier."""
    sentences = sorted({sentence for pair in pairs for sentence in (pair.good, pair.bad)})
    totals = dict(zip(sentences, _score(scorer, tokenizer, sentences), strict=True))
    by_phenomenon: dict[str, list[float]] = defaultdict(list)
    for pair in pairs:
        difference = totals[pair.good] - totals[pair.bad]
        by_phenomenon[pair.phenomenon].append(0.5 + 0.5 * float(np.sign(difference)))
    shares = {
        name: Share(sum(points), len(points)) for name, points in sorted(by_phenomenon.items())
    }
    passed = sum(share.successes for share in shares.values())
    return PairsReport(Share(passed, len(pairs)), shares)


def _score(scorer: Scorer, tokenizer: Tokenizer, sentences: Sequence[str]) -> NDArray[np.float64]:
    """Return ln p of each sentence; sentences of like length are scored together."""
    encoded = tokenizer.encode_batch(list(sentences))
    totals = np.empty(len(sentences))
    by_length = np.argsort([len(ids) for ids in encoded], kind="stable")
    for start in range(0, len(sentences), _GROUP_SENTENCES):
        group = by_length[start : start + _GROUP_SENTENCES]
        totals[group] = [score.sum() for score in scorer.score([encoded[i] for i in group])]
    return totals


def _read_lines(path: Path) -> Iterator[str]:
    try:
        data = path.read_bytes()
        text = (gzip.decompress(data) if path.suffix == ".gz" else data).decode("utf-8")
    except (OSError, EOFError, UnicodeDecodeError) as error:
        raise DataError(f"Cannot read minimal pairs from {path}: {error}.") from error
    return (line for line in text.splitlines() if line.strip())


if __name__ == "__main__":
    example = Share(successes=812.5, total=1000)
    print(PairsReport(example, {"anaphora": example}).as_dict())
