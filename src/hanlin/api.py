"""Hanlin in Python: `load` a model and use it, `run` a recipe.

import hanlin
model = hanlin.load("runs/demo")
print(model.generate("从前"))
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hanlin.config import SamplingConfig, load_recipe
from hanlin.errors import ModelError
from hanlin.generation import Completion, Engine
from hanlin.models import Decoder, load_release
from hanlin.runs import Console, RunFolder, run_recipe
from hanlin.tokenizers import Tokenizer, load_tokenizer
from hanlin.training import choose_placement

__all__ = ["Model", "find_release", "load", "run"]


@dataclass(frozen=True)
class Model:
    """A released model with its tokenizer, ready to use."""

    folder: Path
    tokenizer: Tokenizer
    decoder: Decoder
    engine: Engine

    def generate(self, prompt: str = "", **sampling: Any) -> str:
        """Return a continuation of `prompt`; the options are those of `SamplingConfig`."""
        return self.complete(prompt, SamplingConfig(**sampling)).text

    def stream(self, prompt: str = "", **sampling: Any) -> Iterator[str]:
        """Yield a continuation of `prompt` as it is written, whole characters only."""
        yield from self.engine.stream(self._begin(prompt), SamplingConfig(**sampling))

    def complete(self, prompt: str, sampling: SamplingConfig) -> Completion:
        """Return a continuation with its token ids and the reason why it ended."""
        return self.engine.generate(self._begin(prompt), sampling)

    def logprobs(self, token_ids: Sequence[int]) -> list[float]:
        """Return the log-probability (nats) of each token after the first, given all before it."""
        return self.engine.logprobs(list(token_ids))

    def _begin(self, prompt: str) -> list[int]:
        """Return a prompt as the beginning of a document, as the model has learnt documents."""
        ids = self.tokenizer.encode(prompt)
        return ids if self.tokenizer.kind == "hf" else [self.tokenizer.eot_id, *ids]


def load(path: str | Path, *, device: str = "auto", expansion: str | None = None) -> Model:
    """Load a released folder, or a run's newest release.

    `expansion` names the expansion beside the core to load; None takes the folder's default, if it
    has one, and an empty string switches expansions off.

    Raises:
        ModelError: the path holds neither, or no such expansion.
    """
    folder = find_release(Path(path))
    tokenizer = load_tokenizer(folder)
    target = choose_placement(device).device
    decoder = load_release(folder, device=target, expansion=expansion)
    return Model(folder, tokenizer, decoder, Engine(decoder, tokenizer))


def run(
    recipe: str | Path,
    *,
    folder: str | Path | None = None,
    until: str = "",
    overrides: Sequence[str] = (),
    device: str = "auto",
    quiet: bool = False,
) -> Path:
    """Run a recipe, or go on with it; return the run's folder.

    `folder` is `runs/NAME` unless given; `until` names the last stage to run; `overrides` are
    `key.path=value`; `device` is auto, cpu, cuda or mps.
    """
    path = Path(recipe)
    loaded = load_recipe(path, overrides)
    target = Path(folder) if folder else Path("runs") / loaded.name
    console = Console(quiet=quiet)
    run_recipe(
        loaded,
        RunFolder(target.resolve()),
        base=path.parent,
        until=until,
        device=device,
        console=console,
    )
    return target.resolve()


def find_release(path: Path) -> Path:
    """Return the folder with `config.json` that a path means: itself, or a run's `model/`."""
    for folder in (path, path / "model"):
        if (folder / "config.json").is_file():
            return folder.resolve()
    if (path / "recipe.toml").is_file():
        raise ModelError(
            f"The run {path} has no finished stage yet, so there is no model to load. "
            f"Go on with it: hanlin run {path / 'recipe.toml'} --run {path}"
        )
    found = "does not exist" if not path.exists() else "holds no config.json"
    raise ModelError(
        f"{path} is neither a released model nor a run: it {found}. "
        "`hanlin runs list` shows the runs here."
    )
