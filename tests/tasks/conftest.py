"""A tokenizer of the toy world, and an engine that says what it is told to."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import pytest

from hanlin.config import ModelConfig, SamplingConfig
from hanlin.generation import Completion
from hanlin.text.world import Story, generate_story
from hanlin.tokenizers import Tokenizer, train_tokenizer

Says = Callable[[str], str]


class _Shape:
    config = ModelConfig(vocab_size=600, context_length=512)


class Parrot:
    """Stands for an engine: `says` gives the continuation of a prompt, control tokens spelt out."""

    model = _Shape()

    def __init__(self, tokenizer: Tokenizer, says: Says, end: str = "") -> None:
        self.tokenizer, self.says, self.end = tokenizer, says, end

    def ending_at(self, name: str) -> Parrot:
        """Return one that says nothing from a control token on."""
        return Parrot(self.tokenizer, self.says, name)

    def generate(self, prompt: Sequence[int], sampling: SamplingConfig) -> Completion:
        ids = self._continue(prompt)
        end = self.tokenizer.control.get(self.end)
        ids = ids[: ids.index(end)] if end in ids else ids
        return Completion(self.tokenizer.decode(ids), ids, "stop", len(prompt))

    def generate_batch(
        self, prompts: Sequence[Sequence[int]], sampling: SamplingConfig
    ) -> list[Completion]:
        return [self.generate(prompt, sampling) for prompt in prompts]

    def stream(self, prompt: Sequence[int], sampling: SamplingConfig) -> Iterator[str]:
        yield from self.generate(prompt, sampling).text

    def logprobs(self, ids: Sequence[int]) -> list[float]:
        """Return -0.1 for each token of what it would say at the end, -5 for any other."""
        scores = []
        for place in range(1, len(ids)):
            wanted = self._continue(ids[:place])
            scores.append(-0.1 if wanted and wanted[0] == ids[place] else -5.0)
        return scores

    def next_logprobs(
        self, prompts: Sequence[Sequence[int]], token_ids: Sequence[int]
    ) -> list[list[float]]:
        return [[self.logprobs([*prompt, id])[-1] for id in token_ids] for prompt in prompts]

    def _continue(self, prompt: Sequence[int]) -> list[int]:
        # The last tokens may be a part of a character, which no text can be looked up by.
        for cut in range(4):
            text = self.tokenizer.decode(prompt[: len(prompt) - cut], skip_control=False)
            if not text.endswith("\ufffd"):
                break
        ids = self.tokenizer.encode(self.says(text), allow_control=True)
        return ids[cut:] if ids[:cut] == list(prompt[len(prompt) - cut :]) else []


@pytest.fixture(scope="session")
def stories() -> list[Story]:
    rng = random.Random(1)
    return [generate_story(rng) for _ in range(40)]


@pytest.fixture(scope="session")
def bpe(stories: list[Story]) -> Tokenizer:
    texts = [text for story in stories for text in (story.text("zh"), story.text("en"))]
    return train_tokenizer("bpe", texts, 600)


@pytest.fixture
def parrot(bpe: Tokenizer) -> Callable[[Says], Any]:
    return lambda says: Parrot(bpe, says)


def taught(task: Any, examples: Sequence[Any], tokenizer: Tokenizer) -> Says:
    """Return what a model says that knows the examples by heart, from wherever it is asked."""
    texts = [
        tokenizer.decode(task.encode(example, tokenizer).ids, skip_control=False)
        for example in examples
    ]

    def says(prompt: str) -> str:
        known = next((text for text in texts if text.startswith(prompt)), None)
        if known is None:
            return ""
        return known[len(prompt) :].split("<|endoftext|>")[0].split("<|im_end|>")[0]

    return says
