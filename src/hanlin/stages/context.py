"""What a stage is given, and what it gives back."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from hanlin.config import ModelConfig, Recipe, StageConfig, TrainingConfig
from hanlin.data import TokenStream, open_shards
from hanlin.evaluation import HeldOutDocument, encode_documents
from hanlin.models import Decoder, build_model, load_release, read_learnt, resolve_model
from hanlin.objectives import Markers
from hanlin.records import LedgerEntry
from hanlin.text import Split, iterate_documents
from hanlin.tokenizers import Tokenizer
from hanlin.training import Display, TrainingResult

__all__ = ["StageContext", "StageResult", "row_length"]


def row_length(asked: ModelConfig, shape: ModelConfig) -> int:
    """Return the tokens of a training row for a model of `shape` where `asked` is written."""
    given = "context_length" in asked.model_fields_set
    return min(shape.context_length, asked.context_length) if given else shape.context_length


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
    halt: int = 0
    """The step after which training stops as at a signal; 0 goes on to the end."""

    @property
    def halts(self) -> bool:
        """Whether training stops before its end, so that nobody hears of the stage's figures."""
        return 0 < self.halt < self.stage.learning.num_steps

    @property
    def training(self) -> TrainingConfig:
        """How the stage learns; its backups lie apart from those of other runs and stages."""
        training = self.stage.learning
        if not training.checkpoint.backup:
            return training
        place = f"{training.checkpoint.backup.rstrip('/')}/{self.recipe.name}/{self.stage.name}"
        checkpoint = training.checkpoint.model_copy(update={"backup": place})
        return training.model_copy(update={"checkpoint": checkpoint})

    @property
    def inherited(self) -> Path | None:
        """The checkpoints whose optimiser training goes on with; None begins with a fresh one."""
        if self.start is None or not self.training.inherit_optimizer:
            return None
        return self.start.parent / "checkpoints"

    @property
    def learnt(self) -> tuple[str, ...]:
        """What the release knows besides text: the stage's own and what it started with."""
        before = read_learnt(self.start) if self.start else ()
        own = self.stage.augment.shares if self.stage.augment else ()
        stage = self.stage.task
        tasks = [task.name for task in stage.tasks if not task.head] if stage else []
        return tuple(dict.fromkeys([*before, *own, *tasks]))

    @property
    def ngram(self) -> Path:
        """Where the n-gram baselines lie: beside the corpus that they were counted on."""
        return self.corpus.parent / "ngram"

    def row_length(self, model: Decoder) -> int:
        """Return the tokens of a training row: the model's context, or less if the recipe says."""
        return row_length(self.stage.model or self.recipe.model, model.config)

    def model(self) -> Decoder:
        """Return the model that training begins with."""
        if self.start is not None:
            return load_release(self.start, to_learn=True)
        return build_model(self.shape, seed=self.recipe.seed)

    @property
    def shape(self) -> ModelConfig:
        """The complete shape that the stage, or else the recipe, asks for."""
        asked = self.stage.model or self.recipe.model
        return resolve_model(asked, self.tokenizer.vocab_size)

    @property
    def markers(self) -> Markers | None:
        """The control tokens after which transformed text is only read; None without any."""
        return Markers.of(self.tokenizer) if self.stage.augment else None

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
        """Parts that the stages it comes from have read, replayed and watched ones; not its own."""
        by_name = {stage.name: stage for stage in self.recipe.stages}
        seen = [*(self.stage.replay.parts if self.stage.replay else ()), *self.stage.watch]
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
    claims: Sequence[LedgerEntry] = ()
    """What the stage proved by itself, for the ledger."""
