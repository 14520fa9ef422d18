"""The largest model that a text feeds, a time trains and a memory holds.

Chooser(corpus, seconds=1800, memory=4e9, entries=8192).choose(flops_per_second)
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from hanlin.config import ModelConfig, TrainingConfig
from hanlin.planning.formulas import memory_parts
from hanlin.planning.probe import Speed, probe_training
from hanlin.planning.sampling import CorpusEstimate

__all__ = ["MOST_EPOCHS", "Choice", "Chooser", "round_down"]

MOST_EPOCHS = 16
"""Times that text is read at most."""
_USEFUL_EPOCHS = 4
_TOKENS_A_WEIGHT = 8
_LEAST_STEPS = 300
_BATCHES = (8192, 4096, 2048, 1024)
_PRESETS = ("1m", "2m", "4m", "8m", "14m", "30m", "60m", "124m", "350m")
_SHORT_TEXT = 100_000  # tokens, below which a shorter context serves better
_DROPOUT = 0.1  # where the text is read more than 4 times


@dataclass(frozen=True, slots=True)
class Choice:
    """A shape, and the batch that it is trained with."""

    preset: str
    vocab_size: int
    model: ModelConfig
    batch_tokens: int


@dataclass(frozen=True, slots=True)
class Chooser:
    """Chooses by the text, the time and the memory that there are."""

    corpus: CorpusEstimate
    seconds: float
    memory: float
    entries: int
    """The largest vocabulary that the text is good for."""

    def choose(self, flops_per_second: float) -> Choice:
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

    def probe(self, choice: Choice) -> Speed:
        """Measure a choice's speed here."""
        training = TrainingConfig(steps=1, batch_tokens=choice.batch_tokens)
        return probe_training(choice.model, training)

    def steps(self, choice: Choice, tokens_per_second: float) -> int:
        """Return the steps that time and text allow, rounded to two digits."""
        tokens = min(
            tokens_per_second * self.seconds, MOST_EPOCHS * self.corpus.tokens(choice.vocab_size)
        )
        return round_down(max(20.0, tokens / choice.batch_tokens))

    def _at(self, preset: str, flops_per_second: float) -> Choice:
        from hanlin.models import resolve_model
        from hanlin.models.presets import OWN_VOCABULARIES

        vocab_size = min(OWN_VOCABULARIES[preset], self.entries)
        epoch = self.corpus.tokens(vocab_size)
        given = ModelConfig(preset=preset)
        if epoch < _SHORT_TEXT:
            given = ModelConfig(preset=preset, context_length=128)
        model = resolve_model(given, vocab_size)
        choice = Choice(preset, vocab_size, model, _BATCHES[0])
        tokens = min(self._tokens_in_time(choice, flops_per_second), MOST_EPOCHS * epoch)
        batch = next((b for b in _BATCHES if tokens / b >= _LEAST_STEPS), _BATCHES[-1])
        if tokens > _USEFUL_EPOCHS * epoch:
            model = model.model_copy(update={"dropout": _DROPOUT})
        return replace(choice, model=model, batch_tokens=batch)

    def _tokens_in_time(self, choice: Choice, flops_per_second: float) -> float:
        from hanlin.models import flops_per_token

        return self.seconds * flops_per_second / flops_per_token(choice.model)

    def _fits(self, choice: Choice) -> bool:
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


def _weights(model: ModelConfig) -> int:
    from hanlin.models import count_parameters

    return count_parameters(model).non_embedding + model.vocab_size * model.hidden_size
