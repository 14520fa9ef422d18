"""What a stage is given, and what it gives back."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from hanlin.config import ModelConfig, Recipe, StageConfig, TrainingConfig
from hanlin.data import Order, TokenStream, open_shards, rows_of
from hanlin.evaluation import HeldOutDocument, encode_documents
from hanlin.models import Decoder, build_model, load_release, resolve_model
from hanlin.text import Split, iterate_documents
from hanlin.tokenizers import Tokenizer
from hanlin.training import Display, TrainingResult

__all__ = ["StageContext", "StageResult"]


@dataclass(frozen=True, kw_only=True)
class StageContext:
    """Everything that one stage works with."""

    recipe: Recipe
    stage: StageConfig
    folder: Path
    """The stage's folder: checkpoints/, model/, result.json."""
    start: Path | None
    """The release whose weights it starts from; None starts anew."""
    teachers: Sequence[Path]
    """The releases that it learns from."""
    corpus: Path
    """The corpus folder."""
    parts: Sequence[str]
    """The parts of the corpus that it reads."""
    tokenizer: Tokenizer
    metrics: Path
    events: Path
    say: Callable[[str], None]
    """Called with a line for people."""
    display: Display
    """Shows the progress of training."""
    fingerprints: Mapping[str, Any]
    """What the weights follow from, as JSON values by name."""
    device: str
    """Where to compute, as `--device` says it."""

    @property
    def training(self) -> TrainingConfig:
        """How the stage learns; its backups lie apart from those of other runs and stages."""
        training = self.stage.learning
        if not training.checkpoint.backup:
            return training
        place = f"{training.checkpoint.backup.rstrip('/')}/{self.recipe.name}/{self.stage.name}"
        checkpoint = training.checkpoint.model_copy(update={"backup": place})
        return training.model_copy(update={"checkpoint": checkpoint})

    def row_length(self, model: Decoder) -> int:
        """Return the tokens of a training row: the model's context, or less if the recipe says."""
        asked = self.stage.model or self.recipe.model
        limit = model.config.context_length
        given = "context_length" in asked.model_fields_set
        return min(limit, asked.context_length) if given else limit

    def model(self) -> Decoder:
        """Return the model that training begins with."""
        if self.start is not None:
            return load_release(self.start)
        return build_model(self.shape, seed=self.recipe.seed)

    @property
    def shape(self) -> ModelConfig:
        """The complete shape that the stage, or else the recipe, asks for."""
        asked = self.stage.model or self.recipe.model
        return resolve_model(asked, self.tokenizer.vocab_size)

    def order(self, context_length: int) -> Order:
        """Return the training data in their order."""
        training = self.stage.learning
        weights = {source.label: source.weight for source in self.recipe.corpus.sources}
        return Order.of(
            {s.source: rows_of(s, context_length, training.packing) for s in self.streams},
            weights=weights,
            rows_per_step=training.batch_tokens // context_length,
            seed=self.recipe.seed,
        )

    @cached_property
    def streams(self) -> list[TokenStream]:
        """The training tokens of the stage's parts, a stream a source; verified once."""
        return self.streams_of(self.parts)

    def streams_of(self, parts: Sequence[str]) -> list[TokenStream]:
        """Return the training tokens of some parts, a stream a source."""
        folders = [self.corpus / "tokens" / part / "train" for part in parts]
        return [stream for folder in folders for stream in open_shards(folder)]

    def bytes_per_token(self) -> float:
        """Return the UTF-8 bytes that a training token stands for, on average."""
        num_bytes = sum(int(stream.documents["bytes"].sum()) for stream in self.streams)
        return num_bytes / max(1, sum(stream.num_tokens for stream in self.streams))

    @property
    def earlier_parts(self) -> tuple[str, ...]:
        """The parts that the stages it comes from have read, and replayed ones, without its own."""
        by_name = {stage.name: stage for stage in self.recipe.stages}
        seen = list(self.stage.replay.parts if self.stage.replay else ())
        source = by_name.get(self.stage.from_)
        while source is not None:
            seen += self.recipe.parts_of(source)
            source = by_name.get(source.from_)
        return tuple(part for part in dict.fromkeys(seen) if part not in self.parts)

    def held_out_documents(
        self, split: Split = "validation", parts: Sequence[str] | None = None
    ) -> list[HeldOutDocument]:
        """Return documents that training never sees, up to a budget of tokens a language.

        They are those of the stage's own parts unless others are named.
        """
        limit = self.stage.learning.eval_tokens
        if split == "test":
            limit = self.recipe.evaluation.test_tokens
        documents = itertools.chain.from_iterable(
            iterate_documents(self.corpus, part, split)
            for part in (self.parts if parts is None else parts)
        )
        return encode_documents(self.tokenizer, documents, tokens_per_language=limit)


@dataclass(frozen=True, kw_only=True)
class StageResult:
    """What a stage gives back."""

    model: Decoder
    training: TrainingResult | None = None
    """How the loop went; None for a stage that learns nothing."""
    figures: Mapping[str, Any] = field(default_factory=dict)
    """What the stage measured of itself, as JSON values; `extra_flops` are the operations that it
    spent besides its own training tokens (teachers, sampling), over all steps."""
