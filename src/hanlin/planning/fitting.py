"""A recipe for someone's own text, sized to the text, to this machine and to the time there is.

Four rules decide, each said in the recipe's comments:

- A vocabulary entry should be seen often: at most one for each 300 bytes of text.
- Reading text again is nearly as good as new text up to 4 times, and next to worthless beyond 16
  (Muennighoff et al. 2023, arXiv 2305.16264).
- A model wants some tokens for each weight that multiplies: 20 at large scale (Hoffmann et al.
  2022, arXiv 2203.15556), fewer where models are small; the largest that gets 8 is taken.
- Steps are what the time allows at the speed that was measured here.

    python -m hanlin.planning.fitting FILE_OR_FOLDER...
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from hanlin.config import (
    CleaningConfig,
    CorpusConfig,
    ModelConfig,
    SourceConfig,
)
from hanlin.errors import DataError
from hanlin.planning.choosing import MOST_EPOCHS, Chooser
from hanlin.planning.machine import available_memory
from hanlin.planning.own_text import own_sources
from hanlin.planning.probe import Speed
from hanlin.planning.sampling import CorpusEstimate, estimate_corpus
from hanlin.planning.units import size
from hanlin.planning.vocabulary import largest_vocabulary

__all__ = ["Fit", "fit_to_machine"]

_BYTES_AN_ENTRY = 300
_LEAST_ENTRIES, _MOST_ENTRIES = 512, 1 << 15
_LEAST_TEXT = 10_000
_EXPECTED_MFU = 0.45
_TRAINING_SHARE = 0.85  # the rest of the minutes goes to evaluation, samples and checkpoints
_MEMORY_SHARE = 0.7


@dataclass(frozen=True, slots=True, kw_only=True)
class Fit:
    """What was chosen, with what it was chosen from."""

    sources: tuple[SourceConfig, ...]
    cleaning: CleaningConfig
    corpus: CorpusEstimate
    held_out_share: float
    vocab_size: int
    preset: str
    model: ModelConfig
    """The complete shape."""
    batch_tokens: int
    steps: int
    epoch_tokens: float
    speed: Speed
    minutes: float

    @property
    def tokens(self) -> int:
        """Tokens to be trained on."""
        return self.steps * self.batch_tokens

    @property
    def epochs(self) -> float:
        """Times that the text is read."""
        return self.tokens / self.epoch_tokens

    @property
    def limited_by_text(self) -> bool:
        """Whether it is the text and not the time that ends training."""
        return self.epochs > 0.95 * MOST_EPOCHS


def fit_to_machine(
    paths: Sequence[Path], *, minutes: float = 30.0, memory_gb: float | None = None
) -> Fit:
    """Choose a recipe's sizes.

    Args:
        paths: files and folders of text.
        minutes: how long training may take.
        memory_gb: memory that it may use; by default 70 % of what is free.

    Raises:
        DataError: a path is missing, holds no readable text, or far too little of it.
    """
    sources = own_sources(paths)
    cleaning, corpus = _look_at(sources)
    if corpus.kept_bytes < _LEAST_TEXT:
        raise DataError(
            f"{', '.join(map(str, paths))}: {size(corpus.kept_bytes)} of text are left after "
            f"cleaning. A model needs {size(_LEAST_TEXT)} at the very least, and some megabytes to "
            "write well. Add more text with --text."
        )
    chooser = Chooser(
        corpus, minutes * 60 * _TRAINING_SHARE, _memory(memory_gb), _most_entries(corpus)
    )
    choice = chooser.choose(_peak_flops() * _EXPECTED_MFU)
    speed = chooser.probe(choice)
    # The speed that was expected may be far from the one found; then the choice is made once more.
    again = chooser.choose(speed.flops_per_second)
    if again != choice:
        choice, speed = again, chooser.probe(again)
    steps = chooser.steps(choice, choice.batch_tokens / speed.step_seconds)
    return Fit(
        sources=sources,
        cleaning=cleaning,
        corpus=corpus,
        held_out_share=_held_out_share(corpus.documents),
        vocab_size=choice.vocab_size,
        preset=choice.preset,
        model=choice.model,
        batch_tokens=choice.batch_tokens,
        steps=steps,
        epoch_tokens=corpus.tokens(choice.vocab_size),
        speed=speed,
        minutes=minutes,
    )


def _most_entries(corpus: CorpusEstimate) -> int:
    """Return the largest useful vocabulary: a power of two that the text also supports."""
    most = max(_LEAST_ENTRIES, int(corpus.train_bytes / _BYTES_AN_ENTRY))
    wanted = min(_MOST_ENTRIES, 1 << (most.bit_length() - 1))
    # Half of what the sample promises: held-out documents take no part in the merges.
    supported = largest_vocabulary(corpus.text, 2 * wanted, corpus.text_bytes) // 2
    return wanted if supported >= wanted else max(400, supported // 64 * 64)


def _look_at(sources: tuple[SourceConfig, ...]) -> tuple[CleaningConfig, CorpusEstimate]:
    """Estimate the corpus; rules for prose are left out where they would drop most of the text."""
    strict = CleaningConfig()
    found = _estimate(sources, strict)
    if found is not None and found.kept_bytes > 0.5 * found.text_bytes:
        return strict, found
    loose = CleaningConfig(quality=False)
    whole = estimate_corpus(CorpusConfig(sources=sources, cleaning=loose), Path())
    if found is not None and whole.kept_bytes < 1.5 * found.kept_bytes:
        return strict, found
    return loose, whole


def _estimate(sources: tuple[SourceConfig, ...], cleaning: CleaningConfig) -> CorpusEstimate | None:
    """Estimate the corpus; None where these rules leave nothing of the sample."""
    try:
        return estimate_corpus(CorpusConfig(sources=sources, cleaning=cleaning), Path())
    except DataError:
        return None


def _held_out_share(documents: float) -> float:
    """Return a share that holds out ten documents where there are that many to spare."""
    return round(min(0.1, max(0.02, 10 / max(1.0, documents))), 3)


def _memory(memory_gb: float | None) -> float:
    if memory_gb is not None:
        return memory_gb * 1e9
    free = available_memory()
    return math.inf if free is None else _MEMORY_SHARE * free


def _peak_flops() -> float:
    from hanlin.training import choose_placement, measure_peak_flops

    return measure_peak_flops(choose_placement())


if __name__ == "__main__":
    import sys

    print(fit_to_machine([Path(argument) for argument in sys.argv[1:]]))
