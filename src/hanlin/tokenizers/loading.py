"""Train a tokenizer, or read one from its folder.

python -m hanlin.tokenizers.loading FOLDER
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable
from hashlib import sha256
from pathlib import Path
from typing import Any

from hanlin.errors import TokenizerError
from hanlin.tokenizers.base import Tokenizer
from hanlin.tokenizers.bpe import BpeTokenizer, train_bpe
from hanlin.tokenizers.char import CharTokenizer, train_char
from hanlin.tokenizers.control import CHAT_TEMPLATE
from hanlin.tokenizers.foreign import ForeignTokenizer
from hanlin.tokenizers.word import WordTokenizer, train_word

__all__ = ["load_tokenizer", "train_tokenizer"]

_OWN: dict[str, type[BpeTokenizer] | type[CharTokenizer] | type[WordTokenizer]] = {
    "bpe": BpeTokenizer,
    "char": CharTokenizer,
    "word": WordTokenizer,
}
_PLAIN_CHATML = "4bef2fd3273e66dcde1821fa1f0300eee5d40588966ec61eefef1861662c1628"
"""SHA-256 of a template that left decisions, offers and spaces to the program: folders that hold it
were taught in the tokens that `CHAT_TEMPLATE` writes."""
_TRAIN = {"bpe": train_bpe, "char": train_char, "word": train_word}


def train_tokenizer(kind: str, texts: Iterable[str], vocab_size: int) -> Tokenizer:
    """Train a tokenizer of a kind (`bpe`, `char` or `word`) on texts, which are read once.

    Raises:
        TokenizerError: the kind is unknown, or the vocabulary is too small for the kind or larger
            than the texts support; the message says what was reached.
    """
    if kind not in _TRAIN:
        raise TokenizerError(
            f"tokenizer kind {kind!r} is unknown. Choose one of {', '.join(_TRAIN)}."
        )
    return _TRAIN[kind](texts, vocab_size)


def load_tokenizer(folder: Path | str) -> Tokenizer:
    """Read the tokenizer that lies in a folder: one of Hanlin's, or any that transformers wrote.

    Raises:
        TokenizerError: the folder holds no tokenizer, or a damaged one.
    """
    folder = Path(folder)
    content = _read_json(folder / "tokenizer.json", required=True)
    config = _read_json(folder / "tokenizer_config.json", required=False)
    template = _read_template(folder, config)
    kind = config.get("hanlin", {}).get("kind") if isinstance(config.get("hanlin"), dict) else None
    if kind in _OWN:
        own = _rebuild(kind, content)
        if own is not None:
            plain = sha256((template or "").encode()).hexdigest() == _PLAIN_CHATML
            own.chat_template = CHAT_TEMPLATE if plain else template
            return own
    where = str(folder / "tokenizer.json")
    return ForeignTokenizer(
        content, config=config, chat_template=template, end_id=_model_end(folder), where=where
    )


def _rebuild(kind: str, content: dict[str, Any]) -> Tokenizer | None:
    """Build one of Hanlin's own tokenizers; None where the file holds more than it can say."""
    try:
        tokenizer: Tokenizer = _OWN[kind].from_json(content)
    except (KeyError, TypeError, ValueError):
        return None
    return tokenizer if tokenizer.to_json() == content else None


def _model_end(folder: Path) -> int | None:
    """Return the end token that the model beside the tokenizer names, if there is one."""
    for name in ("generation_config.json", "config.json"):
        end = _read_json(folder / name, required=False).get("eos_token_id")
        end = end[0] if isinstance(end, list) and end else end
        if isinstance(end, int):
            return end
    return None


def _read_json(path: Path, *, required: bool) -> dict[str, Any]:
    if not path.exists():
        if not required:
            return {}
        raise TokenizerError(
            f"{path.parent} holds no tokenizer: there is no {path.name}. Give a folder that "
            "`hanlin tokenizer train` or transformers' `save_pretrained` wrote."
        )
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise TokenizerError(
            f"{path} cannot be read: {error}. Copy the tokenizer's folder anew."
        ) from error
    if not isinstance(content, dict):
        raise TokenizerError(
            f"{path} holds a {type(content).__name__}, not a JSON object. "
            "Copy the tokenizer's folder anew."
        )
    return content


def _read_template(folder: Path, config: dict[str, Any]) -> str | None:
    path = folder / "chat_template.jinja"
    if path.exists():
        return path.read_text(encoding="utf-8")
    template = config.get("chat_template")
    if isinstance(template, list):  # Several by name; the one for plain dialogue is "default".
        template = {entry["name"]: entry["template"] for entry in template}.get("default")
    return template


if __name__ == "__main__":
    loaded = load_tokenizer(sys.argv[1])
    print(loaded.kind, loaded.vocab_size, loaded.fingerprint)
