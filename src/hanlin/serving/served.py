"""The model that is served: its name, what it can do, and requests as its tokens.

python -m hanlin.serving.served FOLDER
"""

from __future__ import annotations

import bisect
import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from hanlin.api import Model, NativeWriter
from hanlin.data import encode_marked
from hanlin.errors import ModelError, UserError
from hanlin.generation import Engine
from hanlin.generation.core_engine import CoreEngine
from hanlin.generation.native import NativeEngine
from hanlin.models import read_learnt
from hanlin.serving.errors import ApiError
from hanlin.tasks import Message
from hanlin.tasks.turns import turn_prompt
from hanlin.text.augmentation import FIM_MIDDLE, FIM_PREFIX, FIM_SUFFIX, Part
from hanlin.tokenizers.chat import apply_chat_template

__all__ = ["Computing", "Dialogue", "Served"]

Computing = Engine | CoreEngine

_LEAST_ROOM = 32
"""Tokens that an answer has at least where old turns may be left out."""


@dataclass(frozen=True, slots=True)
class Dialogue:
    """A dialogue as tokens, up to where the assistant speaks."""

    prompt: list[int]
    left_out: int
    """Old turns that no longer fit."""


@dataclass(frozen=True)
class Served:
    """A loaded model under a name."""

    model: Model | NativeWriter
    name: str
    created: int

    @property
    def context(self) -> int:
        """Tokens of prompt and answer together."""
        return self.engine.model.config.context_length

    @property
    def is_foreign(self) -> bool:
        """Whether the folder came from elsewhere, so that its own template is all we know."""
        return self.model.tokenizer.kind == "hf"

    @cached_property
    def engine(self) -> Computing:
        """What computes."""
        engine = self.model.engine
        return CoreEngine(engine) if isinstance(engine, NativeEngine) else engine

    @cached_property
    def writer(self) -> Computing:
        """The engine that writes; a turn of a taught dialogue ends at `<|sep|>` too."""
        return self.engine.ending_at("<|sep|>") if self.decides else self.engine

    @property
    def computed(self) -> str:
        """Which engine computes, in words."""
        engine = self.model.engine
        if not isinstance(engine, NativeEngine):
            return "torch"
        core, weights = engine.model.core, engine.model.weights
        return f"native, weights of {weights}, {core.instructions}, threads {core.threads}"

    @cached_property
    def learnt(self) -> tuple[str, ...]:
        """What the model was taught besides plain text."""
        return read_learnt(self.model.folder)

    @cached_property
    def decides(self) -> bool:
        """Whether a turn begins with a decision, to ask back or to answer."""
        return "dialogue" in self.learnt

    @cached_property
    def refusal_to_chat(self) -> str:
        """Why the model does not chat; nothing if it does."""
        if self.model.tokenizer.chat_template is None:
            return (
                f"The model {self.name} has no chat template, so it cannot chat. "
                "Use /v1/completions, or put chat_template.jinja into its folder."
            )
        if self.decides or self.is_foreign:
            return ""
        known = f"it learnt {', '.join(self.learnt)}" if self.learnt else "it continues text"
        return (
            f"The model {self.name} was never taught dialogue, so it cannot chat; {known}. Use "
            "/v1/completions, or teach it with a stage of kind `task` whose [[stages.task.tasks]] "
            "has dialogue."
        )

    @cached_property
    def refusal_to_infill(self) -> str:
        """Why the model does not write between two texts; nothing if it does."""
        try:
            self.model.check_taught("infill")
        except ModelError:
            return (
                f"The model {self.name} was never taught to write before a suffix. Leave it out, "
                "or teach it with the recipe's table [stages.augment]: infill = 0.1."
            )
        return ""

    def describe(self) -> dict[str, Any]:
        """Return the model as `/v1/models` lists it."""
        proposed = self.model.proposed.model_dump()
        shown = (
            "max_tokens",
            "temperature",
            "top_p",
            "top_k",
            "min_p",
            "repetition_penalty",
            "presence_penalty",
            "frequency_penalty",
        )
        own = {
            "chat": not self.refusal_to_chat,
            "why_no_chat": self.refusal_to_chat or None,
            "infill": not self.refusal_to_infill,
            "decides": self.decides,
            "learnt": list(self.learnt),
            "proposed": {name: proposed[name] for name in shown},
        }
        return {
            "id": self.name,
            "object": "model",
            "created": self.created,
            "owned_by": "hanlin",
            "max_model_len": self.context,
            "hanlin": own,
        }

    def document(self, text: str) -> list[int]:
        """Return a text as the beginning of a document, as the model has learnt documents."""
        return self.model.tokenizer.begin_document(text)

    def between(self, prefix: str, suffix: str) -> list[int]:
        """Return the question what stands between two texts.

        Raises:
            ApiError: the model was never taught that.
        """
        if self.refusal_to_infill:
            raise ApiError(400, self.refusal_to_infill, param="suffix", code="not_taught")
        ask = (Part(FIM_PREFIX, prefix), Part(FIM_SUFFIX, suffix), Part(FIM_MIDDLE, ""))
        tokenizer = self.model.tokenizer
        return [tokenizer.eot_id, *encode_marked(ask, tokenizer).tolist()]

    def dialogue(self, turns: Sequence[Message], *, may_drop: bool) -> Dialogue:
        """Return a dialogue as tokens; `may_drop` leaves out old turns, the system's never.

        Raises:
            ApiError: the template refuses the dialogue.
        """
        room = self.context - min(_LEAST_ROOM, self.context // 4) if may_drop else math.inf
        system = [turn for turn in turns[:1] if turn.role == "system"]
        rest = list(turns[len(system) :])
        starts = [n for n, turn in enumerate(rest) if turn.role == "user"] if may_drop else [0]
        # The later the start, the shorter the prompt: halving finds the first that fits.
        first = bisect.bisect_left(
            starts[:-1], True, key=lambda start: len(self._write([*system, *rest[start:]])) <= room
        )
        return Dialogue(self._write([*system, *rest[starts[first] :]]), starts[first])

    def _write(self, turns: Sequence[Message]) -> list[int]:
        tokenizer = self.model.tokenizer
        try:
            if self.decides:
                return turn_prompt(tokenizer, turns)
            plain = [{"role": turn.role, "content": turn.content} for turn in turns]
            return apply_chat_template(tokenizer, plain, add_generation_prompt=True)[0]
        except UserError as error:
            raise ApiError(400, str(error), param="messages") from error

    def check_room(self, prompt: Sequence[int], param: str) -> None:
        """Check that a prompt leaves room to write.

        Raises:
            ApiError: it does not; both numbers are named.
        """
        if len(prompt) >= self.context:
            raise ApiError(
                400,
                f"This model's maximum context length is {self.context} tokens, and the prompt has "
                f"{len(prompt)}. Shorten it to at most {self.context - 1} tokens.",
                param=param,
                code="context_length_exceeded",
            )

    def check_name(self, asked: str | None) -> None:
        """Check that a request means this model.

        Raises:
            ApiError: it names another; those there are are named.
        """
        if asked is not None and asked != self.name:
            raise ApiError(
                404,
                f"There is no model {asked[:100]!r} here. There is: {self.name}",
                param="model",
                code="model_not_found",
            )


if __name__ == "__main__":
    import sys

    from hanlin.api import load

    print(Served(load(sys.argv[1]), "model", 0).describe())
