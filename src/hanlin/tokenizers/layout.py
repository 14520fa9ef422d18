"""How `tokenizer.json`, the format of the `tokenizers` library, is laid out.

python -m hanlin.tokenizers.layout
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from hanlin.tokenizers.control import CONTROL_IDS, CONTROL_TOKENS, NUM_CONTROL

__all__ = ["bpe_model", "tokenizer_json"]

Table = Mapping[str, Any]


def tokenizer_json(
    model: Table,
    *,
    normalizer: Table | None = None,
    pre_tokenizer: Table | None = None,
    decoder: Table | None = None,
) -> dict[str, Any]:
    """Return the whole content; the control tokens are added tokens of every kind."""
    return {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": _added_tokens(),
        "normalizer": normalizer,
        "pre_tokenizer": pre_tokenizer,
        "post_processor": None,
        "decoder": decoder,
        "model": model,
    }


def bpe_model(
    tokens: Sequence[str], merges: Sequence[tuple[str, str]], *, byte_fallback: bool
) -> dict[str, Any]:
    """Return the model of byte-pair encoding; `tokens` follow the control tokens."""
    return {
        "type": "BPE",
        "dropout": None,
        "unk_token": None,
        "continuing_subword_prefix": None,
        "end_of_word_suffix": None,
        "fuse_unk": False,
        "byte_fallback": byte_fallback,
        "ignore_merges": False,
        "vocab": CONTROL_IDS | {token: NUM_CONTROL + i for i, token in enumerate(tokens)},
        "merges": [list(pair) for pair in merges],
    }


def _added_tokens() -> list[dict[str, Any]]:
    """Return the control tokens as `tokenizer.json` lists them."""
    return [
        {
            "id": id,
            "content": token,
            "single_word": False,
            "lstrip": False,
            "rstrip": False,
            "normalized": False,
            "special": True,
        }
        for id, token in enumerate(CONTROL_TOKENS)
    ]


if __name__ == "__main__":
    print(list(tokenizer_json(bpe_model(["a", "b", "ab"], [("a", "b")], byte_fallback=False))))
