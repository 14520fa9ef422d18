"""A recipe: one TOML file that says everything a run needs."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, field_validator, model_validator

from hanlin.config._strict import Strict
from hanlin.config.corpus import CorpusConfig
from hanlin.config.model import ModelConfig
from hanlin.config.sampling import SamplingConfig
from hanlin.config.stages import StageConfig

__all__ = [
    "EvaluationConfig",
    "Recipe",
    "TokenizerConfig",
]


class TokenizerConfig(Strict):
    """The tokenizer: which kind, how large, or which folder it comes from."""

    kind: Literal["bpe", "char", "word"] = "bpe"
    """Byte-level BPE, characters, or words."""
    vocab_size: int = Field(default=8192, ge=400)
    """Entries, control tokens and bytes among them."""
    path: str = ""
    """A folder with a tokenizer to take in place of training one."""
    word_borders: bool = False
    """Whether Chinese tokens are learnt inside words only, so that a word has the same tokens
    in any company; for small vocabularies over simple text."""
    train_megabytes: float = Field(default=60.0, gt=0)
    """Text to train on, the languages in equal shares of bytes as far as they reach."""


class EvaluationConfig(Strict):
    """What is measured when a stage is done."""

    ngram_order: int = Field(default=5, ge=0, le=7)
    """Order of the Kneser-Ney model that stands beside the GPT; 0 leaves it out."""
    ngram_tokens: int = Field(default=20_000_000, ge=1)
    """Training tokens that it counts at most."""
    test_tokens: int = Field(default=500_000, ge=1)
    """Held-out tokens a language that are scored at most."""
    samples: int = Field(default=40, ge=0)
    """Texts sampled without a prompt, for repetition and novelty."""
    greedy: int = Field(default=48, ge=0)
    """Prefixes of test text a language that are continued greedily, for repetition; 0 leaves it
    out."""


class Recipe(Strict):
    """Everything that a run needs."""

    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")
    """Name of the run's folder."""
    seed: int = Field(default=1, ge=0, lt=2**32)
    """The one seed, from which every other is derived."""
    corpus: CorpusConfig
    """The texts."""
    tokenizer: TokenizerConfig = TokenizerConfig()
    """The tokenizer."""
    model: ModelConfig = ModelConfig()
    """The shape of the model that the first stage starts."""
    stages: tuple[StageConfig, ...] = Field(min_length=1)
    """The stages, in order."""
    evaluation: EvaluationConfig = EvaluationConfig()
    """What is measured when a stage is done."""
    sampling: SamplingConfig = SamplingConfig()
    """How samples are drawn, and what the release proposes."""
    prompts: tuple[str, ...] = ("", "从前", "Once upon a time")
    """Prompts of the sample texts; an empty one starts a new document."""

    def parts_of(self, stage: StageConfig) -> tuple[str, ...]:
        """Return the parts of the corpus that a stage reads."""
        named = {part for other in self.stages for part in other.parts}
        return stage.parts or tuple(part for part in self.corpus.parts if part not in named)

    def learnt_in(self, name: str) -> StageConfig | None:
        """Return the stage that learnt the weights of a stage's release; None for a folder's."""
        stage = next((stage for stage in self.stages if stage.name == name), None)
        if stage is None or stage.learns:
            return stage
        return self.learnt_in(stage.from_)

    @field_validator("stages")
    @classmethod
    def _stages_resolve(cls, stages: tuple[StageConfig, ...]) -> tuple[StageConfig, ...]:
        names = [stage.name for stage in stages]
        for name in names:
            if names.count(name) > 1:
                raise ValueError(f"two stages are named {name!r}")
        return stages

    @model_validator(mode="after")
    def _parts_exist(self) -> Self:
        known = self.corpus.parts
        for stage in self.stages:
            for part in (*stage.parts, *stage.watch):
                if part not in known:
                    verb = "reads" if part in stage.parts else "watches"
                    raise ValueError(
                        f"stage {stage.name!r} {verb} part {part!r}; the corpus has {list(known)}"
                    )
            if stage.kind != "checkpoint" and not self.parts_of(stage):
                raise ValueError(
                    f"stage {stage.name!r} names no part and would read those that no stage names, "
                    f"but each of {list(known)} is named by one; give it `parts`"
                )
        return self
