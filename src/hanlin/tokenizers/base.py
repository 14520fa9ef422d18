"""What every tokenizer can do: text to ids, ids to bytes, and a folder that transformers reads.

Ids 0 to 85 are the control tokens in every tokenizer that Hanlin trains. Text that merely spells a
control token is ordinary text unless the caller says `allow_control=True`: a document must not be
able to forge the end of a turn.
"""

from __future__ import annotations

import json
import os
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hanlin.errors import TokenizerError
from hanlin.records import sha256_json, write_json, write_text
from hanlin.tokenizers.control import (
    CHAT_TEMPLATE,
    CONTROL_IDS,
    CONTROL_PATTERN,
    END_OF_TEXT,
    END_OF_TURN,
)

__all__ = ["Ids", "Span", "Tokenizer", "well_formed"]

Ids = NDArray[np.uint32]
"""Token ids of one text."""
Span = tuple[int, int]
"""Start and end of a stretch of characters."""


class Tokenizer(ABC):
    """Text to token ids and back.

    A subclass gives `kind`, `vocab_size`, `to_json`, `token_bytes` and `_encode_ordinary`; the rest
    follows.
    """

    kind: str
    """"bpe", "char", "word", or "hf" for a tokenizer that transformers wrote."""
    vocab_size: int
    """Number of entries, control tokens among them."""
    eot_id: int = CONTROL_IDS[END_OF_TEXT]
    """The token between documents."""
    control: Mapping[str, int] = CONTROL_IDS
    """Control token to id."""
    chat_template: str | None = CHAT_TEMPLATE
    """How a dialogue is written, in Jinja; None where the tokenizer has no such form."""

    @abstractmethod
    def to_json(self) -> dict[str, Any]:
        """Return the content of `tokenizer.json`, the format of the `tokenizers` library."""

    @abstractmethod
    def token_bytes(self, id: int) -> bytes:
        """Return what a token stands for; a control token stands for its own name."""

    @abstractmethod
    def _encode_ordinary(self, text: str) -> list[int]:
        """Encode text in which nothing is a control token and every character is encodable."""

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 of the canonical `tokenizer.json`: equal for equal tokenizers."""
        return sha256_json(self.to_json())

    def encode(self, text: str, *, allow_control: bool = False) -> list[int]:
        """Return the ids of a text.

        Args:
            text: any text; a lone surrogate, which no encoding can hold, becomes U+FFFD.
            allow_control: whether text that spells a control token becomes that token. Leave it
                off for text that somebody else wrote.
        """
        text = well_formed(text)
        if not allow_control:
            return self._encode_ordinary(text)
        return self._encode_with_control(text)

    def begin_document(self, text: str) -> list[int]:
        """Return the ids of a text as the beginning of a document, as a model learns documents."""
        return [self.eot_id, *self.encode(text)]

    def _encode_with_control(self, text: str) -> list[int]:
        ids: list[int] = []
        for part in CONTROL_PATTERN.split(text):
            control = self.control.get(part)
            ids += self._encode_ordinary(part) if control is None else [control]
        return ids

    def encode_with_offsets(
        self, text: str, *, allow_control: bool = False
    ) -> tuple[list[int], list[Span]]:
        """Return the ids of a text, and for each the characters [start, end) that it stands for.

        Tokens that share a character, as the bytes of a rare one do, have all of it.
        """
        text = well_formed(text)
        ids = self.encode(text, allow_control=allow_control)
        character_of_byte: Sequence[int] = range(len(text))
        if not text.isascii():
            sizes = [len(character.encode("utf-8")) for character in text]
            character_of_byte = [place for place, size in enumerate(sizes) for _ in range(size)]
        spans: list[Span] = []
        end = 0
        for id in ids:
            start, end = end, end + len(self.token_bytes(id))
            spans.append((character_of_byte[start], character_of_byte[end - 1] + 1))
        return ids, spans

    def encode_batch(self, texts: Sequence[str]) -> list[Ids]:
        """Return the ids of many texts, encoded in as many threads as there are processors."""
        from concurrent.futures import ThreadPoolExecutor

        self._encode_ordinary("")  # Builds what is built once, before threads could build it twice.
        workers = min(os.cpu_count() or 1, len(texts))
        if workers <= 1:
            return self._encode_each(texts)
        # Slices rather than single texts: a document can be shorter than the hand-over takes.
        size = min(256, -(-len(texts) // workers))
        slices = [texts[start : start + size] for start in range(0, len(texts), size)]
        with ThreadPoolExecutor(workers) as pool:
            return list(chain.from_iterable(pool.map(self._encode_each, slices)))

    def _encode_each(self, texts: Sequence[str]) -> list[Ids]:
        return [np.array(self.encode(text), dtype=np.uint32) for text in texts]

    def decode_bytes(self, ids: Iterable[int], *, skip_control: bool = True) -> bytes:
        """Return the bytes that the ids stand for, which may end inside a character."""
        skipped = self._control_ids if skip_control else frozenset()
        numbers = map(int, ids)
        return b"".join([self.token_bytes(id) for id in numbers if id not in skipped])

    def decode(self, ids: Iterable[int], *, skip_control: bool = True) -> str:
        """Return the text that the ids stand for; broken characters become U+FFFD."""
        return self.decode_bytes(ids, skip_control=skip_control).decode("utf-8", "replace")

    def save(self, folder: Path) -> None:
        """Write the files that `load_tokenizer` and transformers' `AutoTokenizer` read."""
        config = self.tokenizer_config()
        write_text(folder / "tokenizer.json", json.dumps(self.to_json(), ensure_ascii=False))
        write_json(folder / "special_tokens_map.json", self.named_tokens())
        if self.chat_template is not None:
            write_text(folder / "chat_template.jinja", self.chat_template)
        write_json(folder / "tokenizer_config.json", config)

    def tokenizer_config(self) -> dict[str, Any]:
        """Return the content of `tokenizer_config.json`."""
        return {
            "tokenizer_class": "PreTrainedTokenizerFast",
            "eos_token": END_OF_TEXT,
            "pad_token": END_OF_TEXT,
            "additional_special_tokens": [END_OF_TURN],
            "clean_up_tokenization_spaces": False,
            "model_max_length": 1_000_000_000,
            "hanlin": {"kind": self.kind},
        }

    def named_tokens(self) -> dict[str, str]:
        """Return the tokens with a role, such as `eos_token`, as templates and files name them."""
        named = {k: v for k, v in self.tokenizer_config().items() if k.endswith("_token")}
        tokens = {k: v["content"] if isinstance(v, dict) else v for k, v in named.items()}
        return {role: token for role, token in tokens.items() if isinstance(token, str)}

    @cached_property
    def _control_ids(self) -> frozenset[int]:
        return frozenset(self.control.values())

    def _check_id(self, id: int) -> None:
        if not 0 <= id < self.vocab_size:
            raise TokenizerError(
                f"token id {id} is outside the {self.kind} tokenizer's vocabulary of "
                f"{self.vocab_size:,} entries. Decode with the tokenizer that encoded it."
            )


def well_formed(text: str) -> str:
    """Return text without lone surrogates: pairs are joined, the rest become U+FFFD.

    >>> well_formed("\\ud83d\\ude00"), well_formed("a\\ud800b")
    ('😀', 'a\ufffdb')
    """
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return text
