"""`hanlin tokenizer train|encode|decode`: the tokenizer alone."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import tyro

from hanlin.cli._command import Common, parse_one_of, show
from hanlin.cli._outside import read_input

__all__ = ["main"]


@dataclass(frozen=True, kw_only=True)
class Train(Common):
    """Train a tokenizer on files or folders of text."""

    folder: Annotated[tyro.conf.Positional[Path], tyro.conf.arg(metavar="FOLDER")]
    """Where the tokenizer goes."""
    text: tuple[Path, ...]
    """Files or folders of text."""
    kind: Literal["bpe", "char", "word"] = "bpe"
    """Byte-level BPE, characters, or words."""
    vocab_size: int = 8192
    """Entries, control tokens and bytes among them."""


@dataclass(frozen=True, kw_only=True)
class Encode(Common):
    """Turn text into token ids."""

    tokenizer: Annotated[tyro.conf.Positional[Path], tyro.conf.arg(metavar="TOKENIZER")]
    """A tokenizer's folder, a released folder or a run."""
    text: Annotated[tyro.conf.Positional[str], tyro.conf.arg(metavar="TEXT")]
    """The text; `-` reads standard input."""


@dataclass(frozen=True, kw_only=True)
class Decode(Common):
    """Turn token ids into text."""

    tokenizer: Annotated[tyro.conf.Positional[Path], tyro.conf.arg(metavar="TOKENIZER")]
    """A tokenizer's folder, a released folder or a run."""
    ids: Annotated[tyro.conf.Positional[tuple[int, ...]], tyro.conf.arg(metavar="ID [ID ...]")]
    """The ids."""


def main(arguments: Sequence[str]) -> int:
    """Run the verb."""
    kinds = {"train": Train, "encode": Encode, "decode": Decode}
    example = "hanlin tokenizer encode runs/demo '从前有一只小猫。'"
    options = parse_one_of(kinds, "tokenizer", arguments, example=example)
    if isinstance(options, Train):
        return _train(options)
    from hanlin.tokenizers import load_tokenizer

    tokenizer = load_tokenizer(_folder(options.tokenizer))
    if isinstance(options, Decode):
        text = tokenizer.decode(list(options.ids))
        show(options, {"text": text}, text)
        return 0
    text = read_input() if options.text == "-" else options.text
    ids = tokenizer.encode(text)
    pieces = [tokenizer.token_bytes(i).decode("utf-8", "backslashreplace") for i in ids]
    shown = " ".join(map(str, ids)) + "\n" + "|".join(pieces)
    show(options, {"ids": ids, "tokens": pieces}, shown)
    return 0


def _train(options: Train) -> int:
    from hanlin.records import atomic_directory
    from hanlin.tokenizers import train_tokenizer

    tokenizer = train_tokenizer(options.kind, _texts(options.text), options.vocab_size)
    with atomic_directory(options.folder) as temporary:
        tokenizer.save(temporary)
    result = {"folder": str(options.folder), "vocab_size": tokenizer.vocab_size}
    show(options, result, f"{options.folder}: {tokenizer.vocab_size:,} entries")
    return 0


def _texts(paths: Sequence[Path]) -> Iterator[str]:
    from hanlin.config import SourceConfig
    from hanlin.text import read_documents

    for path in paths:
        for document in read_documents(SourceConfig(path=str(path)), Path.cwd()):
            yield document.text


def _folder(path: Path) -> Path:
    return path / "tokenizer" if (path / "tokenizer" / "tokenizer.json").exists() else path
