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
from dataclasses import dataclass, replace
from pathlib import Path

from hanlin.config import (
    CleaningConfig,
    CorpusConfig,
    ModelConfig,
    SourceConfig,
    TrainingConfig,
)
from hanlin.errors import DataError
from hanlin.planning.formulas import memory_parts
from hanlin.planning.machine import available_memory
from hanlin.planning.own_text import own_sources
from hanlin.planning.probe import Speed, probe_training
from hanlin.planning.sampling import CorpusEstimate, estimate_corpus
from hanlin.planning.units import size
from hanlin.planning.vocabulary import largest_vocabulary

__all__ = ["Fit", "fit_to_machine", "round_down"]

_BYTES_AN_ENTRY = 300
_LEAST_ENTRIES, _MOST_ENTRIES = 512, 1 << 15
_LEAST_TEXT = 10_000
_USEFUL_EPOCHS, _MOST_EPOCHS = 4, 16
_TOKENS_A_WEIGHT = 8
_LEAST_STEPS = 300
_BATCHES = (8192, 4096, 2048, 1024)
_PRESETS = ("1m", "2m", "4m", "8m", "14m", "30m", "60m", "124m", "350m")
_EXPECTED_MFU = 0.45
_TRAINING_SHARE = 0.85  # the rest of the minutes goes to evaluation, samples and checkpoints
_MEMORY_SHARE = 0.7
_SHORT_TEXT = 100_000  # tokens, below which a shorter context serves better
_DROPOUT = 0.1  # where the text is read more than 4 times


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
        return self.epochs > 0.95 * _MOST_EPOCHS


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
    chooser = _Chooser(
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


@dataclass(frozen=True, slots=True)
class _Choice:
    preset: str
    vocab_size: int
    model: ModelConfig
    batch_tokens: int


@dataclass(frozen=True, slots=True)
class _Chooser:
    corpus: CorpusEstimate
    seconds: float
    memory: float
    entries: int
    """The largest vocabulary that the text is good for."""

    def choose(self, flops_per_second: float) -> _Choice:
        """Return the largest model that gets enough tokens in the time and fits the memory."""
        choice = self._at(_PRESETS[0], flops_per_second)
        for preset in _PRESETS[1:]:
            larger = self._at(preset, flops_per_second)
            useful = min(
                self._tokens_in_time(larger, flops_per_second),
                _USEFUL_EPOCHS * self.corpus.tokens(larger.vocab_size),
            )
            if useful < _TOKENS_A_WEIGHT * _weights(larger.model) or not self._fits(larger):
                break
            choice = larger
        return choice

    def probe(self, choice: _Choice) -> Speed:
        """Measure a choice's speed here."""
        training = TrainingConfig(steps=1, batch_tokens=choice.batch_tokens)
        return probe_training(choice.model, training)

    def steps(self, choice: _Choice, tokens_per_second: float) -> int:
        """Return the steps that time and text allow, rounded to two digits."""
        tokens = min(
            tokens_per_second * self.seconds, _MOST_EPOCHS * self.corpus.tokens(choice.vocab_size)
        )
        return round_down(max(20.0, tokens / choice.batch_tokens))

    def _at(self, preset: str, flops_per_second: float) -> _Choice:
        from hanlin.models import resolve_model
        from hanlin.models.presets import OWN_VOCABULARIES

        vocab_size = min(OWN_VOCABULARIES[preset], self.entries)
        epoch = self.corpus.tokens(vocab_size)
        given = ModelConfig(preset=preset)
        if epoch < _SHORT_TEXT:
            given = ModelConfig(preset=preset, context_length=128)
        model = resolve_model(given, vocab_size)
        choice = _Choice(preset, vocab_size, model, _BATCHES[0])
        tokens = min(self._tokens_in_time(choice, flops_per_second), _MOST_EPOCHS * epoch)
        batch = next((b for b in _BATCHES if tokens / b >= _LEAST_STEPS), _BATCHES[-1])
        if tokens > _USEFUL_EPOCHS * epoch:
            model = model.model_copy(update={"dropout": _DROPOUT})
        return replace(choice, model=model, batch_tokens=batch)

    def _tokens_in_time(self, choice: _Choice, flops_per_second: float) -> float:
        from hanlin.models import flops_per_token

        return self.seconds * flops_per_second / flops_per_token(choice.model)

    def _fits(self, choice: _Choice) -> bool:
        rows = max(1, choice.batch_tokens // choice.model.context_length)
        training = TrainingConfig(steps=1, batch_tokens=choice.batch_tokens)
        parts = memory_parts(choice.model, training, microbatch=min(rows, 8), bf16=False)
        return sum(parts.values()) < self.memory


def round_down(value: float) -> int:
    """Keep two digits of a number.

    >>> round_down(1287.4), round_down(87.9)
    (1200, 87)
    """
    unit = 10 ** max(0, math.floor(math.log10(max(1.0, value))) - 1)
    return int(value // unit * unit)


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


def _weights(model: ModelConfig) -> int:
    from hanlin.models import count_parameters

    return count_parameters(model).non_embedding + model.vocab_size * model.hidden_size


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
