"""Hanlin in Python: `load` a model and use it, `run` a recipe.

import hanlin
model = hanlin.load("runs/demo")
print(model.generate("从前"))
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from hanlin.config import SamplingConfig, load_recipe
from hanlin.data import encode_marked
from hanlin.errors import ModelError, UserError
from hanlin.generation import Completion, Engine
from hanlin.models import Decoder, find_release, load_release, read_learnt, read_proposal
from hanlin.runs import Console, RunFolder, run_recipe
from hanlin.tasks import TASKS, Conversation, Reply, Summary, summarize_text, translate_text
from hanlin.text.augmentation import (
    FIM_MIDDLE,
    FIM_PREFIX,
    FIM_SUFFIX,
    REVERSE,
    SEPARATOR,
    Marked,
    Part,
    cut_runs,
)
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

    @property
    def proposed(self) -> SamplingConfig:
        """How the released folder proposes to draw."""
        return read_proposal(self.folder)

    def generate(self, prompt: str = "", **sampling: Any) -> str:
        """Return a continuation of `prompt`; the options are those of `SamplingConfig`.

        What is not given is as the model proposes.
        """
        return self.complete(prompt, self._sampling(sampling)).text

    def stream(self, prompt: str = "", **sampling: Any) -> Iterator[str]:
        """Yield a continuation of `prompt` as it is written, whole characters only."""
        yield from self.engine.stream(self._begin(prompt), self._sampling(sampling))

    def complete(self, prompt: str, sampling: SamplingConfig) -> Completion:
        """Return a continuation with its token ids and the reason why it ended."""
        return self.engine.generate(self._begin(prompt), sampling)

    def infill(self, prefix: str, suffix: str, **sampling: Any) -> str:
        """Return what stands between a prefix and a suffix.

        Raises:
            ModelError: the model was never taught to fill in.
        """
        return self.complete_between(prefix, suffix, self._sampling(sampling)).text

    def complete_between(self, prefix: str, suffix: str, sampling: SamplingConfig) -> Completion:
        """Return what stands between two texts, with its token ids and why it ended."""
        self.check_taught("infill")
        ask = (Part(FIM_PREFIX, prefix), Part(FIM_SUFFIX, suffix), Part(FIM_MIDDLE, ""))
        return self.engine.generate(self._marked(ask), sampling)

    def reverse(self, text: str, **sampling: Any) -> str:
        """Return a text that ends with `text`: what comes before it is written, from its end on.

        Raises:
            ModelError: the model was never taught to write backwards.
            UserError: the text is empty.
        """
        self.check_taught("reverse")
        if not text.strip():
            raise UserError("There is no text to write towards. Give the end that it shall have.")
        options = self._sampling(sampling)
        runs = cut_runs(text, random.Random(options.seed or 0))[::-1]
        ask = [Part(SEPARATOR, run) for run in [*runs, ""]]
        ask[0] = Part(REVERSE, ask[0].text)
        completion = self.engine.generate(self._marked(tuple(ask)), options)
        return self._unreversed(completion.ids) + text

    def _unreversed(self, ids: Sequence[int]) -> str:
        """Return runs of words that were written last first in their right order."""
        separator = self.tokenizer.control[SEPARATOR]
        runs: list[list[int]] = [[]]
        for token in ids:
            if token == separator:
                runs.append([])
            else:
                runs[-1].append(token)
        return self.tokenizer.decode([token for run in reversed(runs) for token in run])

    def _marked(self, parts: Marked) -> list[int]:
        return [self.tokenizer.eot_id, *encode_marked(parts, self.tokenizer).tolist()]

    def check_taught(self, skill: str) -> None:
        """Check that the model was taught a skill, such as `infill` or `dialogue`.

        Raises:
            ModelError: it was not; the stage that teaches it is named.
        """
        known = read_learnt(self.folder)
        if skill not in known:
            has = f"it learnt {', '.join(known)}" if known else "it learnt plain text alone"
            way = f"with the recipe's table [stages.augment], for instance {skill} = 0.1"
            if skill in TASKS:
                way = f"if its kind is `task` and one of [[stages.task.tasks]] is {skill!r}"
            raise ModelError(
                f"The model in {self.folder} was never taught `{skill}`; {has}. A stage teaches it "
                f"{way}."
            )

    def chat(self, messages: Sequence[Mapping[str, Any]], **sampling: Any) -> str:
        """Return the assistant's next turn in a dialogue.

        Messages have `role` and `content`; one of the assistant that asked back has `decision`
        "ask".

        Raises:
            ModelError: the model was never taught to talk.
            UserError: a message is wrong, or the last one is not the user's.
        """
        return self.reply(messages, **sampling).message.content

    def stream_chat(
        self, messages: Sequence[Mapping[str, Any]], *, threshold: float = 0.5, **sampling: Any
    ) -> Iterator[str]:
        """Yield the assistant's next turn as it is written."""
        options = self._sampling(sampling)
        yield from self.converse(messages, threshold=threshold).stream(options)

    def reply(
        self, messages: Sequence[Mapping[str, Any]], *, threshold: float = 0.5, **sampling: Any
    ) -> Reply:
        """Return the assistant's next turn with its decision: it asks back, or it answers.

        It asks where its probability of asking reaches `threshold`.
        """
        return self.converse(messages, threshold=threshold).reply(self._sampling(sampling))

    def converse(
        self, messages: Sequence[Mapping[str, Any]], *, threshold: float = 0.5
    ) -> Conversation:
        """Return a dialogue at the point where the assistant speaks next."""
        self.check_taught("dialogue")
        return Conversation(self.engine, messages, threshold=threshold)

    def summarize(self, text: str, keywords: Sequence[str] | None = None, **sampling: Any) -> str:
        """Return a summary led by keywords: given ones in their order, or the model's own.

        The likeliest one is written unless a temperature is given.

        Raises:
            ModelError: the model was never taught to summarise.
            UserError: there is no text, or it holds none of the keywords.
        """
        return self.summarize_by(text, keywords, **sampling).text

    def summarize_by(
        self, text: str, keywords: Sequence[str] | None = None, **sampling: Any
    ) -> Summary:
        """Return a summary with the keywords that led it, and those that were struck out."""
        self.check_taught("summarize")
        options = self._sampling({"temperature": 0, **sampling})
        return summarize_text(self.engine, text, keywords, options)

    def translate(self, text: str, to: Literal["zh", "en"], **sampling: Any) -> str:
        """Return a translation to Chinese or English, the likeliest unless a temperature is given.

        Raises:
            ModelError: the model was never taught to translate.
            UserError: there is no text, or no such language.
        """
        self.check_taught("translate")
        return translate_text(self.engine, text, to, self._sampling({"temperature": 0, **sampling}))

    def logprobs(self, token_ids: Sequence[int]) -> list[float]:
        """Return the log-probability (nats) of each token after the first, given all before it."""
        return self.engine.logprobs(list(token_ids))

    def _sampling(self, given: dict[str, Any]) -> SamplingConfig:
        return SamplingConfig(**{**self.proposed.model_dump(), **given})

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
