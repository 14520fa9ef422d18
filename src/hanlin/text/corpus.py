"""Building a corpus: read, clean, deduplicate, split, check for contamination, write, account.

Each part of the corpus is built on its own, and a part whose settings and source files are
unchanged stands as it is. A new part is compared with those that stand: it repeats none of their
texts, and its training text contains none of what they hold out. Texts stream through files.

    python -m hanlin.text.corpus
"""

from __future__ import annotations

import contextlib
import difflib
import re
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from hanlin.config import CorpusConfig
from hanlin.errors import DataError
from hanlin.records import atomic_file, hold_folder, sha256_json
from hanlin.text.gathering import Gathering, PartPlan, Progress, gather_part
from hanlin.text.manifest import (
    Contamination,
    Dropped,
    Manifest,
    PartManifest,
    SourceRecord,
    load_manifest,
    mix_sources,
    save_manifest,
)
from hanlin.text.shelf import Shelf
from hanlin.text.sources import describe_sources, part_differences, settings_hash
from hanlin.text.split import SPLITS, Split, assign_splits
from hanlin.text.stored import documents_path
from hanlin.text.writing import SplitWriter, write_splits

__all__ = ["build_corpus"]

_PART_NAME = re.compile(r"[\w-][\w.-]*")


def build_corpus(
    config: CorpusConfig,
    folder: Path,
    *,
    base: Path,
    parts: Sequence[str] | None = None,
    on_progress: Progress | None = None,
) -> Manifest:
    """Build the corpus's documents and manifest in a folder, leaving what is unchanged.

    Args:
        config: the sources and the cleaning.
        folder: where `documents/PART.SPLIT.jsonl` and `manifest.json` are written.
        base: the folder at which relative source paths start.
        parts: the parts to build, by default all.
        on_progress: called with (phase, done, total) every few hundred documents.

    Raises:
        DataError: a source cannot be read, nothing is left of a part, or the folder is unwritable.
        RunError: another process builds in the same folder.
    """
    wanted = _wanted(config, parts)
    with hold_folder(folder), _writing_errors(folder):
        manifest = _present(folder, config)
        sources = {part: describe_sources(config, part, base) for part in wanted}
        stale = [
            part for part in wanted if not _stands(manifest, config, part, sources[part], folder)
        ]
        standing = tuple(part for part in manifest.parts if part not in stale)
        for part in stale:
            plan = PartPlan(part, config, base, folder, standing, on_progress or _silent)
            manifest = _build_part(plan, manifest, sources[part])
            standing = (*standing, part)
        manifest = _with_mixtures(manifest, config)
        save_manifest(folder, manifest)
    return manifest


def _silent(_phase: str, _done: int, _total: int) -> None:
    """Report nothing."""


def _wanted(config: CorpusConfig, parts: Sequence[str] | None) -> tuple[str, ...]:
    for part in config.parts:
        if not _PART_NAME.fullmatch(part):
            raise DataError(
                f"The part {part!r} of the corpus cannot name a file. "
                "Use letters, digits, `_`, `-` and `.` for `part`, the first no dot."
            )
    for part in parts or ():
        if part not in config.parts:
            near = difflib.get_close_matches(part, config.parts, n=1)
            raise DataError(
                f"The corpus has no part {part!r}; its parts are {list(config.parts)}. "
                + (f"Did you mean {near[0]!r}?" if near else "Name one of these.")
            )
    return tuple(part for part in config.parts if parts is None or part in parts)


def _present(folder: Path, config: CorpusConfig) -> Manifest:
    """Return what was built before of the parts that the recipe still names."""
    if not (folder / "manifest.json").exists():
        return Manifest(parts={})
    manifest = load_manifest(folder)
    return Manifest(parts={p: built for p, built in manifest.parts.items() if p in config.parts})


def _stands(
    manifest: Manifest,
    config: CorpusConfig,
    part: str,
    sources: tuple[SourceRecord, ...],
    folder: Path,
) -> bool:
    """Return whether a part was built from the same settings and files, and is still there."""
    built = manifest.parts.get(part)
    if built is None or part_differences(built, part, settings_hash(config, part), sources):
        return False
    return all(
        path.exists() and path.stat().st_size == built.files[split].size
        for split in SPLITS
        for path in [documents_path(folder, part, split)]
    )


def _build_part(plan: PartPlan, manifest: Manifest, sources: tuple[SourceRecord, ...]) -> Manifest:
    """Build one part and return the manifest with it."""
    folder, part = plan.folder, plan.part
    others = Manifest(parts={p: built for p, built in manifest.parts.items() if p != part})
    with _workspace(folder) as work, Shelf(work) as shelf, contextlib.ExitStack() as files:
        gathering, distinct = gather_part(plan, shelf)
        splits = np.full(len(distinct), -1, np.int8)
        splits[distinct] = assign_splits(
            shelf.hashes[distinct],
            plan.config.validation_share,
            plan.config.test_share,
        )
        writers = {
            split: files.enter_context(_open_writer(documents_path(folder, part, split), split))
            for split in SPLITS
        }
        seen = write_splits(plan, shelf, splits, writers, gathering.tally)
        if not writers["train"].size:
            raise plan.too_few(0, gathering.tally)
        # From here on the old documents are replaced, so the manifest must not name them.
        save_manifest(folder, others)
    built = _describe_part(plan, gathering, writers, seen, sources)
    manifest = Manifest(parts={**others.parts, part: built})
    save_manifest(folder, manifest)
    return manifest


def _describe_part(
    plan: PartPlan,
    gathering: Gathering,
    writers: dict[Split, SplitWriter],
    seen: dict[Split, Contamination],
    sources: tuple[SourceRecord, ...],
) -> PartManifest:
    files = {
        split: writer.record(documents_path(plan.folder, plan.part, split).name)
        for split, writer in writers.items()
    }
    tally = gathering.tally
    return PartManifest(
        settings=settings_hash(plan.config, plan.part),
        content=sha256_json({split: file.sha256 for split, file in files.items()}),
        files=files,
        sources=tuple(_with_reading(source, gathering) for source in sources),
        amounts=tuple(amount for writer in writers.values() for amount in writer.amounts()),
        read=gathering.read,
        dropped={
            reason: Dropped(count=count, samples=tuple(tally.samples[reason]))
            for reason, count in tally.counts.most_common()
        },
        mixture={},
        contamination=seen,
        compared_with=plan.standing,
        script=plan.config.cleaning.to_script,
    )


def _with_reading(source: SourceRecord, gathering: Gathering) -> SourceRecord:
    reading = gathering.readings[source.label]
    return source.model_copy(update={"encodings": dict(reading.encodings), "cut": reading.cut})


def _with_mixtures(manifest: Manifest, config: CorpusConfig) -> Manifest:
    """Return the manifest with each part's mixture by the weights that hold now."""
    weights = {source.label: source.weight for source in config.sources}
    parts = {
        part: built.model_copy(update={"mixture": mix_sources(built.amounts, weights)})
        for part, built in manifest.parts.items()
    }
    return Manifest(parts=parts)


@contextlib.contextmanager
def _open_writer(path: Path, split: Split) -> Iterator[SplitWriter]:
    with atomic_file(path) as temporary, temporary.open("wb") as file:
        yield SplitWriter(split, file)
        file.flush()


@contextlib.contextmanager
def _workspace(folder: Path) -> Iterator[Path]:
    """Yield an empty folder on the same disk; one that a kill left behind is reused."""
    work = folder / ".building"
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir(parents=True)
    try:
        yield work
    finally:
        shutil.rmtree(work, ignore_errors=True)


@contextlib.contextmanager
def _writing_errors(folder: Path) -> Iterator[None]:
    """Turn a full or read-only disk into an error that says what to do; reading has its own."""
    try:
        yield
    except OSError as error:
        raise DataError(
            f"The corpus cannot be written to {folder}: {error.strerror or error}. "
            "Make room or give another folder; what was built before is kept."
        ) from error


if __name__ == "__main__":
    import tempfile

    from hanlin.config import SourceConfig

    here = Path(__file__)
    example = CorpusConfig(sources=(SourceConfig(path=here.name),))
    with tempfile.TemporaryDirectory() as name:
        print(build_corpus(example, Path(name), base=here.parent).model_dump_json(indent=2))
