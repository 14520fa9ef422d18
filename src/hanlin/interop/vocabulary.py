"""A tokenizer as GGUF tells it: tokens in the byte alphabet, their types, and merges.

llama.cpp has the rules of pre-tokenizers built in and finds them by name. Ours is its `kimi-k2`; of
others' tokenizers, those of GPT-2, Llama 3 and Qwen2 are recognised by their very rule, and all
else is refused, since a model fed with other tokens than it learnt writes nonsense.

    python -m hanlin.interop.vocabulary FOLDER
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from hanlin.errors import TokenizerError
from hanlin.tokenizers import Tokenizer

__all__ = ["Vocabulary", "vocabulary_of"]

_NORMAL, _CONTROL, _USER, _UNUSED = 1, 3, 4, 5  # token types of GGUF

_CONTRACTIONS = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|"
_REST = r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
_KNOWN = {
    _CONTRACTIONS + r"\p{N}" + _REST: "qwen2",
    _CONTRACTIONS + r"\p{N}{1,3}" + _REST: "llama-bpe",
}


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """What a GGUF file says of a tokenizer."""

    pre: str
    """llama.cpp's name of the pre-tokenizer."""
    tokens: tuple[str, ...]
    """One a row of the model; rows beyond the tokenizer are named and never used."""
    types: tuple[int, ...]
    merges: tuple[str, ...]
    end: int
    """The token between documents."""
    turn_end: int | None
    """The token that ends a turn of a dialogue."""
    begins: bool
    """Whether a prompt begins with the token between documents, as ours are trained."""
    template: str | None


def vocabulary_of(tokenizer: Tokenizer, rows: int) -> Vocabulary:
    """Return the vocabulary for a model with `rows` rows.

    Raises:
        TokenizerError: llama.cpp has no tokenizer that cuts and merges alike.
    """
    content = tokenizer.to_json()
    pre = "kimi-k2" if tokenizer.kind == "bpe" else _recognise(tokenizer, content)
    tokens = [f"[unused {row}]" for row in range(rows)]
    types = [_UNUSED] * rows
    for token, number in content["model"]["vocab"].items():
        tokens[number], types[number] = token, _NORMAL
    for added in content.get("added_tokens", []):
        special = bool(added.get("special"))
        tokens[added["id"]] = added["content"]
        types[added["id"]] = _CONTROL if special else _USER
    merges = content["model"]["merges"]
    return Vocabulary(
        pre=pre,
        tokens=tuple(tokens),
        types=tuple(types),
        merges=tuple(pair if isinstance(pair, str) else " ".join(pair) for pair in merges),
        end=tokenizer.eot_id,
        turn_end=tokenizer.control.get("<|im_end|>"),
        begins=tokenizer.kind != "hf",
        template=tokenizer.chat_template,
    )


def _recognise(tokenizer: Tokenizer, content: Mapping[str, Any]) -> str:
    """Return llama.cpp's name of somebody else's byte-level BPE."""
    cutter = content.get("pre_tokenizer") or {}
    steps = cutter.get("pretokenizers", [cutter])
    splits = [step["pattern"].get("Regex", "") for step in steps if step.get("type") == "Split"]
    bytewise = any(step.get("type") == "ByteLevel" for step in steps)
    if content["model"].get("type", "BPE") == "BPE" and bytewise:
        if not splits:
            return "gpt-2"
        if len(splits) == 1 and splits[0] in _KNOWN:
            return _KNOWN[splits[0]]
    raise TokenizerError(
        f"llama.cpp has no tokenizer like this one ({tokenizer.kind}, {tokenizer.vocab_size:,} "
        "entries), so the model cannot go out as GGUF. Train with tokenizer.kind = 'bpe', whose "
        "rules llama.cpp knows."
    )


if __name__ == "__main__":
    import sys

    from hanlin.tokenizers import load_tokenizer

    loaded = load_tokenizer(sys.argv[1])
    found = vocabulary_of(loaded, loaded.vocab_size)
    print(found.pre, len(found.tokens), found.tokens[-5:])
