"""Constrained output: only tokens that a grammar allows, and always an end within the room.

Beside the grammar's own state the rule keeps a plan, a short way to a finished text. A drawn token
is written only if a plan from behind it still fits into the tokens that are left; otherwise the
plan's own next token is. A text that began with a fitting plan is therefore finished at max_tokens,
whatever the model would like. A plan is found by walking the grammar with a preference for what
closes (quotes, brackets), and it is kept as long as the grammar accepts it.

V vocab.

    python -m hanlin.generation.constrain
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from hanlin.config import SamplingConfig
from hanlin.errors import UserError
from hanlin.generation.grammar import compile_grammar, grammar_library
from hanlin.generation.rule import Rule
from hanlin.generation.vocabulary import Vocabulary

__all__ = ["Constraint"]

Plan = list[int]
_FARTHEST = 512
"""Tokens after which a walk is given up."""


class Constraint(Rule):
    """Binds one text to a schema, a regular expression, a grammar or choices."""

    def __init__(self, sampling: SamplingConfig, vocabulary: Vocabulary, limit: int) -> None:
        """Compile the constraint for a text of at most `limit` tokens.

        Raises:
            MissingExtraError: llguidance is not installed.
            TokenizerError: the tokenizer's tokens do not make up the text byte by byte.
            UserError: the constraint cannot be read, or no text that fits it is short enough.
        """
        vocabulary.require_joined_bytes("Constrained output")
        self._vocabulary = vocabulary
        self._room = limit
        self._matcher = _matcher_of(sampling, vocabulary)
        self._plan = self._walk(self._matcher)
        self._ahead: tuple[int, Any, Plan | None] | None = None
        if self._plan is not None and len(self._plan) > limit:
            raise UserError(
                f"A text that fits the constraint takes {len(self._plan)} tokens or so, and there "
                f"is room for {limit}. Raise max_tokens, or shorten the prompt."
            )

    def steer(self, logits: Tensor) -> None:
        """Forbid what the grammar does; where other rules left nothing, the grammar wins."""
        bits = _allowed(self._matcher, len(logits))
        ends = list(self._vocabulary.ends)
        bits[ends] = bits[ends].any()
        allowed = torch.from_numpy(bits).to(logits.device)
        if not bool((logits[allowed] > -torch.inf).any()):
            logits[allowed] = 0.0
        logits[~allowed] = -torch.inf

    def amend(self, token: int) -> int:
        """Return the drawn token, or the plan's where there would be no room to finish."""
        if token in self._vocabulary.ends or self._plan is None:
            return token
        state = self._matcher.deep_copy()
        state.consume_token(token)
        plan = self._plan_behind(token, state)
        if plan is not None and len(plan) < self._room:
            self._ahead = (token, state, plan)
            return token
        return self._plan[0] if self._plan else self._vocabulary.tokenizer.eot_id

    def take(self, token: int) -> None:
        """Note a token that was written."""
        self._room -= 1
        if token in self._vocabulary.ends:
            return
        if self._ahead is not None and self._ahead[0] == token:
            _, self._matcher, self._plan = self._ahead
        else:
            self._matcher.consume_token(token)
            self._plan = self._plan_behind(token, self._matcher)
        self._ahead = None

    def _plan_behind(self, token: int, state: Any) -> Plan | None:
        """Return a way to an end from the state behind a token."""
        if self._plan is None:
            return None
        if self._plan[:1] == [token]:
            return self._plan[1:]
        whole = [*self._plan, self._vocabulary.tokenizer.eot_id]
        return self._plan if state.validate_tokens(whole) == len(whole) else self._walk(state)

    def _walk(self, state: Any) -> Plan | None:
        """Return a way to an end: by what closes or is long, and if that has none, by turns."""
        value = self._vocabulary.closing_value
        plan = self._walk_by(state, lambda allowed, _: int(allowed[value[allowed].argmax()]))
        if plan is None:
            plan = self._walk_by(state, lambda allowed, step: int(allowed[7 * step % len(allowed)]))
        return plan

    def _walk_by(self, state: Any, choose: Callable[[NDArray[np.int64], int], int]) -> Plan | None:
        walker, plan = state.deep_copy(), Plan()
        for step in range(_FARTHEST):
            if walker.is_accepting():
                return plan
            allowed = np.flatnonzero(_allowed(walker, self._vocabulary.size))
            if not len(allowed):
                return None
            plan.append(choose(allowed, step))
            walker.consume_token(plan[-1])
        return None


def _matcher_of(sampling: SamplingConfig, vocabulary: Vocabulary) -> Any:
    matcher = grammar_library().LLMatcher
    grammar = compile_grammar(sampling)
    tokenizer = vocabulary.grammar_tokenizer
    fault = matcher.validate_grammar(grammar, tokenizer)
    if fault and not fault.startswith("WARNING"):
        raise UserError(f"The constraint cannot be used: {fault.strip()}. Correct it.")
    return matcher(tokenizer, grammar)


def _allowed(matcher: Any, size: int) -> NDArray[np.bool_]:
    packed = np.frombuffer(matcher.compute_bitmask(), dtype=np.uint8)
    return np.unpackbits(packed, bitorder="little")[:size].astype(np.bool_)


if __name__ == "__main__":
    from hanlin.tokenizers import train_tokenizer

    letters = Vocabulary(train_tokenizer("char", ["从前有一只小猫。"], 350))
    rule = Constraint(SamplingConfig(choices=("小猫", "一只")), letters, limit=9)
    numbers = torch.zeros(350)
    rule.steer(numbers)
    print([letters.pieces[token] for token in (numbers > -torch.inf).nonzero()[:, 0].tolist()])
