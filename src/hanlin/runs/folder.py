"""A run's folder: where everything lies, and the log of what happened.

runs/NAME/
  recipe.toml   events.jsonl   metrics.jsonl   ledger.jsonl
  corpus/       documents, tokens, manifest.json
  tokenizer/    ngram/    teacher-cache/
  stages/1-base/{checkpoints/, model/, result.json}
  model/        the newest release
  report.html   report.md, and both in Chinese as report.zh.html, report.zh.md
  proofs/base/  the arms of a proof, each a run of its own over this run's corpus
"""

from __future__ import annotations

import datetime
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hanlin.errors import RunError
from hanlin.records import append_jsonl

__all__ = ["RunFolder", "find_runs"]


@dataclass(frozen=True)
class RunFolder:
    """The paths of one run."""

    root: Path
    shared: Path | None = None
    """The run whose corpus, tokenizer and n-gram baseline it uses; None for its own."""

    @property
    def recipe(self) -> Path:
        """The resolved recipe."""
        return self.root / "recipe.toml"

    @property
    def corpus(self) -> Path:
        """The cleaned corpus."""
        return (self.shared or self.root) / "corpus"

    @property
    def tokenizer(self) -> Path:
        """The tokenizer."""
        return (self.shared or self.root) / "tokenizer"

    @property
    def ngram(self) -> Path:
        """The n-gram baseline."""
        return (self.shared or self.root) / "ngram"

    @property
    def model(self) -> Path:
        """The newest release."""
        return self.root / "model"

    @property
    def metrics(self) -> Path:
        """A line a logged step."""
        return self.root / "metrics.jsonl"

    @property
    def ledger(self) -> Path:
        """Claims, controls and verdicts."""
        return self.root / "ledger.jsonl"

    def proof(self, stage: str) -> Path:
        """The folder of a stage's proof."""
        return self.root / "proofs" / stage

    def tokens(self, part: str, split: str) -> Path:
        """The token shards of one split of one part."""
        return self.corpus / "tokens" / part / split

    def stage(self, number: int, name: str) -> Path:
        """A stage's folder; numbers count from 1."""
        return self.root / "stages" / f"{number}-{name}"

    def event(self, event: str, **fields: Any) -> None:
        """Note what happened, with the time."""
        now = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
        append_jsonl(self.root / "events.jsonl", {"event": event, "time": now, **fields})

    def results(self) -> Iterator[dict[str, Any]]:
        """Yield the results of the finished stages, in order."""
        folders = self.root.glob("stages/*/result.json")
        for path in sorted(folders, key=lambda path: int(path.parent.name.split("-")[0])):
            yield json.loads(path.read_text(encoding="utf-8"))

    def must_exist(self) -> None:
        """Raise RunError unless this is a run's folder."""
        if not self.recipe.is_file():
            raise RunError(
                f"{self.root} is not a run: it has no recipe.toml. `hanlin runs list` shows the "
                "runs in a folder."
            )


def find_runs(folder: Path) -> list[RunFolder]:
    """Return the runs directly inside a folder, by name."""
    return [RunFolder(path.parent) for path in sorted(folder.glob("*/recipe.toml"))]
