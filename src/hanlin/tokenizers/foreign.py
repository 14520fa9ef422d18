"""A tokenizer that somebody else made: any folder with the `tokenizer.json` of transformers.

GPT-2, Llama, Qwen and most open models publish one. It is run by the `tokenizers` library as it is.
Nothing is added to the text: no beginning-of-text token, whatever the file's post-processor says.

    python -m hanlin.tokenizers.loading FOLDER
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any

from hanlin.errors import TokenizerError
from hanlin.tokenizers.base import Span, Tokenizer, well_formed
from hanlin.tokenizers.bytelevel import to_bytes

if TYPE_CHECKING:
    import tokenizers

__all__ = ["ForeignTokenizer"]

_BYTE_TOKEN = re.compile(r"<0x([0-9A-F]{2})>")


class ForeignTokenizer(Tokenizer):
    """The content of a `tokenizer.json`, run by the tokenizers library."""

    kind = "hf"

    def __init__(
        self,
        content: dict[str, Any],
        *,
        config: Mapping[str, Any],
        chat_template: str | None,
        end_id: int | None = None,
        where: str = "tokenizer.json",
    ) -> None:
        """Take over a tokenizer.

        Args:
            content: the parsed `tokenizer.json`.
            config: `tokenizer_config.json`, which names its end token.
            chat_template: its Jinja template, if it has one.
            end_id: the end token according to the model, for where the tokenizer names none.
            where: the file's name, for messages.

        Raises:
            TokenizerError: the tokenizers library refuses the file, or no end token is named.
        """
        self._content = content
        self._config = dict(config)
        self.chat_template = chat_template
        self._tokenizer = _parse(content, where)
        # Some vocabularies have holes, so the count of entries would be too small.
        self.vocab_size = 1 + max(self._tokenizer.get_vocab(with_added_tokens=True).values())
        added = self._tokenizer.get_added_tokens_decoder()
        self.control = {token.content: id for id, token in added.items() if token.special}
        self.eot_id = self._find_end(end_id, where)

    def begin_document(self, text: str) -> list[int]:
        """Return the ids of a text; what its model has learnt before documents is not known."""
        return self.encode(text)

    def to_json(self) -> dict[str, Any]:
        """Return the content of `tokenizer.json`, as it was read."""
        return self._content

    def tokenizer_config(self) -> dict[str, Any]:
        """Return the content of `tokenizer_config.json`: as it was read, with the end token."""
        config = {key: value for key, value in self._config.items() if key != "chat_template"}
        config.setdefault("eos_token", self._tokenizer.id_to_token(self.eot_id))
        return config

    def token_bytes(self, id: int) -> bytes:
        """Return what a token stands for; a control token stands for its own name."""
        token = self._tokenizer.id_to_token(id) if id >= 0 else None
        if token is None:
            raise TokenizerError(
                f"token id {id} is not in the vocabulary of {self.vocab_size:,} ids. "
                "Decode with the tokenizer that encoded it."
            )
        if id in self._added:
            return token.encode("utf-8")
        if self._is_byte_level:
            return to_bytes(token)
        if match := _BYTE_TOKEN.fullmatch(token):
            return bytes([int(match[1], 16)])
        return token.replace("\u2581", " ").encode("utf-8")

    def decode_bytes(self, ids: Iterable[int], *, skip_control: bool = True) -> bytes:
        """Return the bytes that the ids stand for, which may end inside a character."""
        if self._is_byte_level:
            return super().decode_bytes(ids, skip_control=skip_control)
        # Other models have rules of their own for spaces, which their decoder knows.
        wanted = [int(id) for id in ids]
        text: str = self._tokenizer.decode(wanted, skip_special_tokens=skip_control)
        return text.encode("utf-8")

    def encode(self, text: str, *, allow_control: bool = False) -> list[int]:
        """Return the ids of a text; see `Tokenizer.encode`."""
        return self.encode_with_offsets(text, allow_control=allow_control)[0]

    def encode_with_offsets(
        self, text: str, *, allow_control: bool = False
    ) -> tuple[list[int], list[Span]]:
        """Return the ids of a text, and for each the characters [start, end) it stands for."""
        tokenizer = self._tokenizer if allow_control else self._ordinary
        encoding = tokenizer.encode(well_formed(text), add_special_tokens=False)
        return encoding.ids, encoding.offsets

    def _encode_ordinary(self, text: str) -> list[int]:
        return self.encode(text)

    @cached_property
    def _ordinary(self) -> tokenizers.Tokenizer:
        """The same tokenizer, for which the names of control tokens are ordinary text."""
        tokenizer = _parse(self._content, "tokenizer.json")
        tokenizer.encode_special_tokens = True
        return tokenizer

    @cached_property
    def _added(self) -> frozenset[int]:
        return frozenset(self._tokenizer.get_added_tokens_decoder())

    @cached_property
    def _is_byte_level(self) -> bool:
        """Whether the vocabulary is written in GPT-2's byte alphabet."""
        return '"ByteLevel"' in json.dumps(self._content.get("decoder"))

    def _find_end(self, end_id: int | None, where: str) -> int:
        token = self._config.get("eos_token")
        name = token.get("content") if isinstance(token, Mapping) else token
        id = self._tokenizer.token_to_id(name) if isinstance(name, str) else end_id
        if id is None or self._tokenizer.id_to_token(id) is None:
            raise TokenizerError(
                f"{where} has no end-of-text token: eos_token is {name!r} in "
                "tokenizer_config.json. Name there a token of the vocabulary that ends a text."
            )
        return int(id)


def _parse(content: dict[str, Any], where: str) -> tokenizers.Tokenizer:
    import tokenizers

    try:
        return tokenizers.Tokenizer.from_str(json.dumps(content))
    except Exception as error:  # The library raises nothing narrower.
        raise TokenizerError(
            f"{where} is not a tokenizer that the tokenizers library reads: {error}. "
            "Save it anew with transformers' `save_pretrained`."
        ) from error
