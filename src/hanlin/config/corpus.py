"""Which texts a run reads, and how they are cleaned."""

from __future__ import annotations

from typing import Any, Literal, Self

from pydantic import Field, SerializerFunctionWrapHandler, model_serializer, model_validator

from hanlin.config._strict import Strict

__all__ = ["CleaningConfig", "CorpusConfig", "SourceConfig", "WorldConfig"]


class WorldConfig(Strict):
    """The toy world as a source: stories written from one event structure."""

    stories: int = Field(default=20_000, ge=10)
    """Stories a language."""
    languages: tuple[Literal["zh", "en"], ...] = ("zh", "en")
    """Languages to write."""
    form: Literal["stories", "questions"] = "stories"
    """Stories alone, or each with two questions about it and their answers."""
    seed: int = 0
    """Seed of the generator."""
    facts: int = Field(default=0, ge=0, le=80)
    """Made-up facts a language, one at the end of each story, which the reversal probe asks for."""

    @model_serializer(mode="wrap")
    def _without_no_facts(self, write: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Leave out what is not asked for, so that a corpus built before there were facts fits."""
        table: dict[str, Any] = write(self)
        return table if self.facts else {k: v for k, v in table.items() if k != "facts"}


class SourceConfig(Strict):
    """One source of documents: a path, a folder, a glob, or the toy world."""

    name: str = ""
    """Its name in every table; by default the last part of the path."""
    path: str = ""
    """A file, a folder (read whole) or a glob; relative to the recipe's folder."""
    world: WorldConfig | None = None
    """The toy world in place of a path."""
    weight: float = Field(default=1.0, gt=0)
    """How often it is seen, relative to its size: 1 is its natural share, 2 is twice that."""
    part: str = "main"
    """The part of the corpus it belongs to; parts are hashed apart."""
    language: Literal["", "zh-Hans", "zh-Hant", "en", "other"] = ""
    """Its language, where it is known; found document by document otherwise."""
    blocks: bool = False
    """Whether blank lines part the documents inside a text file."""
    field: str = "text"
    """The field that holds the text in jsonl, csv and parquet."""

    @model_validator(mode="after")
    def _one_origin(self) -> Self:
        if bool(self.path) == (self.world is not None):
            raise ValueError("a source has either a path or a world")
        return self

    @property
    def label(self) -> str:
        """The source's name in every table."""
        if self.name:
            return self.name
        return self.path.rstrip("/").rsplit("/", 1)[-1] if self.path else "world"


class CleaningConfig(Strict):
    """What happens to a document before it is kept."""

    min_characters: int = Field(default=20, ge=1)
    """Shorter documents are dropped."""
    quality: bool = True
    """Whether the quality rules for prose apply."""
    near_duplicates: bool = True
    """Whether near-duplicates are removed (MinHash), besides exact ones."""
    similarity: float = Field(default=0.8, gt=0, le=1)
    """Jaccard similarity from which two documents count as near-duplicates."""
    to_script: Literal["keep", "simplified", "traditional"] = "keep"
    """Whether Chinese is converted to one script; the conversion is recorded."""


class CorpusConfig(Strict):
    """All texts of a run."""

    sources: tuple[SourceConfig, ...] = Field(min_length=1)
    """The sources, in order."""
    cleaning: CleaningConfig = CleaningConfig()
    """What happens to a document before it is kept."""
    validation_share: float = Field(default=0.02, gt=0, lt=0.5)
    """Share of documents held out to watch training with."""
    test_share: float = Field(default=0.02, gt=0, lt=0.5)
    """Share of documents held out to be looked at once, in the final report."""

    @model_validator(mode="after")
    def _names_differ(self) -> Self:
        labels = [source.label for source in self.sources]
        for label in labels:
            if labels.count(label) > 1:
                raise ValueError(f"two sources are named {label!r}; give one another `name`")
        return self

    @property
    def parts(self) -> tuple[str, ...]:
        """The corpus's parts, in order of first mention."""
        return tuple(dict.fromkeys(source.part for source in self.sources))
