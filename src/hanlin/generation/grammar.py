"""Schemas, regular expressions, grammars and choices as one thing: a grammar of llguidance.

The library works on the bytes of tokens, so a Chinese character may come as one token, as a part of
one, or byte by byte, and a text that broke off inside a character never counts as finished.

    python -m hanlin.generation.grammar
"""

from __future__ import annotations

import json
from types import ModuleType
from typing import TYPE_CHECKING, Any

from hanlin.config import SamplingConfig
from hanlin.errors import UserError, require

if TYPE_CHECKING:
    from hanlin.tokenizers import Tokenizer

__all__ = ["compile_grammar", "grammar_library", "grammar_tokenizer"]

_CONTROL_MARK = b"\xff"
"""What the library expects before the name of a token that is not text."""


def grammar_library() -> ModuleType:
    """Return llguidance.

    Raises:
        MissingExtraError: it is not installed.
    """
    return require("llguidance", extra="constrain", purpose="Constrained output")


class _Wrapped:
    """A tokenizer as llguidance looks at it."""

    bos_token_id = None

    def __init__(self, tokenizer: Tokenizer) -> None:
        self.eos_token_id = tokenizer.eot_id
        self.special_token_ids = sorted(tokenizer.control.values())
        control = frozenset(self.special_token_ids)
        self.tokens = [
            (_CONTROL_MARK if id in control else b"") + tokenizer.token_bytes(id)
            for id in range(tokenizer.vocab_size)
        ]
        self._tokenizer = tokenizer

    def __call__(self, text: bytes | str) -> list[int]:
        decoded = text if isinstance(text, str) else text.decode("utf-8", "replace")
        return self._tokenizer.encode(decoded)


def grammar_tokenizer(tokenizer: Tokenizer) -> Any:
    """Return a tokenizer in llguidance's form."""
    library = grammar_library()
    return library.LLTokenizer(library.TokenizerWrapper(_Wrapped(tokenizer)))


def compile_grammar(sampling: SamplingConfig) -> str:
    """Return what binds the text, as a grammar that llguidance reads.

    JSON comes without free white space, so that no token is spent on it.
    """
    matcher = grammar_library().LLMatcher
    if sampling.json_schema:
        _check_json(sampling.json_schema)
        compact = {"whitespace_flexible": False}
        return str(matcher.grammar_from_json_schema(sampling.json_schema, overrides=compact))
    if sampling.regex:
        return str(matcher.grammar_from_regex(sampling.regex))
    if sampling.choices:
        quoted = (json.dumps(choice, ensure_ascii=False) for choice in sampling.choices)
        return str(matcher.grammar_from_lark(f"start: {' | '.join(quoted)}"))
    return str(matcher.grammar_from_lark(sampling.grammar))


def _check_json(schema: str) -> None:
    try:
        found = json.loads(schema)
    except ValueError as error:
        raise UserError(f"json_schema is no JSON: {error}. Give a JSON object.") from error
    if not isinstance(found, dict):
        raise UserError(f"json_schema is a {type(found).__name__}. Give a JSON object.")


if __name__ == "__main__":
    print(compile_grammar(SamplingConfig(choices=("是", "否"))))
