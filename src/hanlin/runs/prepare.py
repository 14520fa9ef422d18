"""What every stage needs before it starts: the cleaned corpus, the tokenizer, the token shards.

Each step looks whether its result is there and still fits its inputs, and does nothing if so.
"""

from __future__ import annotations

import itertools
import json
import shutil
from collections import Counter
from collections.abc import Iterable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

from hanlin.config import Recipe, TokenizerConfig
from hanlin.data import read_index, write_shards
from hanlin.errors import DataError, RunError
from hanlin.planning.units import share, size
from hanlin.records import atomic_directory, sha256_file, sha256_json, write_json
from hanlin.runs.console import Console
from hanlin.runs.folder import RunFolder
from hanlin.text import (
    SPLITS,
    Document,
    Manifest,
    build_corpus,
    check_sources,
    iterate_documents,
    load_manifest,
)
from hanlin.tokenizers import Tokenizer, load_tokenizer, mark_borders, train_tokenizer

_ORIGIN = "origin.json"
"""What a run's tokenizer was made from."""
_HERE = Path("/")
"""A run's recipe has absolute paths, so that no base matters."""

__all__ = [
    "describe_corpus",
    "prepare_corpus",
    "prepare_shards",
    "prepare_tokenizer",
    "training_texts",
]


def prepare_corpus(recipe: Recipe, folder: RunFolder, console: Console) -> Manifest:
    """Clean the corpus, part by part; parts that are there and unchanged are left alone.

    Raises:
        RunError: a source changed under a part that a stage has begun to learn from.
    """
    before = None
    if (folder.corpus / "manifest.json").exists():
        _refuse_changed_sources(recipe, folder)
        before = load_manifest(folder.corpus)
    with console.phase("Reading and cleaning the corpus") as progress:
        manifest = build_corpus(recipe.corpus, folder.corpus, base=_HERE, on_progress=progress)
    if manifest != before:
        console.say(describe_corpus(manifest))
    return manifest


def describe_corpus(manifest: Manifest) -> str:
    """Return in a line what a corpus holds, and in another what was left out and why."""
    kept, dropped = Counter[str](), Counter[str]()
    for part in manifest.parts.values():
        for amount in part.amounts:
            kept[amount.language] += amount.bytes
        dropped.update({reason: found.count for reason, found in part.dropped.items()})
    documents = sum(part.documents() for part in manifest.parts.values())
    shares = ", ".join(f"{name} {share(part / kept.total())}" for name, part in kept.most_common())
    lines = [f"{documents:,} documents, {size(kept.total())} of text ({shares})"]
    if dropped:
        reasons = "; ".join(f"{reason} {count:,}" for reason, count in dropped.most_common())
        lines.append(f"left out, which `hanlin data inspect` shows: {reasons}")
    return "\n".join(lines)


def prepare_tokenizer(recipe: Recipe, folder: RunFolder, console: Console) -> Tokenizer:
    """Train the tokenizer, or take it from the folder that the recipe names."""
    config = recipe.tokenizer
    wanted = config.model_dump(mode="json")
    if (folder.tokenizer / _ORIGIN).exists():
        made = json.loads((folder.tokenizer / _ORIGIN).read_text(encoding="utf-8"))
        if made == wanted:
            return load_tokenizer(folder.tokenizer)
        _refuse_other_tokenizer(folder, made, wanted)
    if config.path:
        tokenizer = load_tokenizer(Path(config.path))
    else:
        with console.phase(f"Training a {config.kind} tokenizer of {config.vocab_size:,} entries"):
            texts = _balanced_texts(recipe, folder, config)
            if config.word_borders:
                texts = map(mark_borders, texts)
            tokenizer = train_tokenizer(config.kind, texts, config.vocab_size)
    with atomic_directory(folder.tokenizer) as temporary:
        tokenizer.save(temporary)
        write_json(temporary / _ORIGIN, wanted)
    folder.event("tokenizer", kind=tokenizer.kind, vocab_size=tokenizer.vocab_size)
    return load_tokenizer(folder.tokenizer)


def prepare_shards(
    recipe: Recipe, folder: RunFolder, tokenizer: Tokenizer, console: Console
) -> None:
    """Encode every split of every part whose shards are missing or belong to another corpus."""
    for part, split in itertools.product(recipe.corpus.parts, SPLITS):
        documents = folder.corpus / "documents" / f"{part}.{split}.jsonl"
        target = folder.tokens(part, split)
        stamp = sha256_json([tokenizer.fingerprint, sha256_file(documents)])
        if _stamp_of(target) == stamp:
            continue
        with console.phase(f"Encoding {part}/{split}") as progress:
            write_shards(
                iterate_documents(folder.corpus, part, split),
                tokenizer,
                target,
                stamp=stamp,
                on_progress=partial(progress, "documents"),
            )


def training_texts(corpus: Path, parts: Iterable[str]) -> Iterator[str]:
    """Yield the training texts of some parts of a corpus."""
    return (document.text for document in _documents(corpus, parts))


def _refuse_other_tokenizer(
    folder: RunFolder, made: dict[str, Any], wanted: dict[str, Any]
) -> None:
    if _has_begun(folder):
        listed = "\n".join(
            f"  tokenizer.{key}: {made.get(key)!r} before, {value!r} now"
            for key, value in wanted.items()
            if made.get(key) != value
        )
        raise RunError(
            f"The tokenizer of {folder.root} was made from other settings, and stages have begun "
            f"to learn with it:\n{listed}\nPut them back, or start a new run with --run."
        )


def _has_begun(folder: RunFolder) -> bool:
    return any(folder.root.glob("stages/*/checkpoints/step-*"))


def _stamp_of(target: Path) -> str:
    if not (target / "index.json").exists():
        return ""
    try:
        return read_index(target).stamp
    except DataError:
        shutil.rmtree(target)
        return ""


def _refuse_changed_sources(recipe: Recipe, folder: RunFolder) -> None:
    manifest = load_manifest(folder.corpus)
    old = tuple(s for s in recipe.corpus.sources if s.part in manifest.parts)  # new parts may come
    known = recipe.corpus.model_copy(update={"sources": old})
    changes = check_sources(manifest, known, _HERE)
    if changes and _has_begun(folder):
        listed = "\n".join(f"  {change}" for change in changes)
        raise RunError(
            f"The corpus of {folder.root} changed since its stages began to learn from it:\n"
            f"{listed}\nPut the old text back, add new text as another `part` with another "
            "stage, or start a new run with --run."
        )


def _balanced_texts(recipe: Recipe, folder: RunFolder, config: TokenizerConfig) -> Iterable[str]:
    """Yield texts for the tokenizer: languages in equal shares of bytes as far as they reach."""
    budget = {"zh": config.train_megabytes * 5e5, "en": config.train_megabytes * 5e5}
    spare = config.train_megabytes * 5e4
    for document in _documents(folder.corpus, recipe.corpus.parts):
        language = document.language[:2]
        size = len(document.text.encode("utf-8"))
        if budget.get(language, spare) < size:
            continue
        budget[language] = budget.get(language, spare) - size
        yield document.text


def _documents(corpus: Path, parts: Iterable[str]) -> Iterator[Document]:
    for part in parts:
        yield from iterate_documents(corpus, part, "train")
