"""Whether the sources of a recipe are still those that a corpus was built from.

A part's settings and files are hashed; where one differs, it is said in words which.

    check_sources(load_manifest(folder), recipe.corpus, Path())   # [] where nothing changed
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from hanlin.config import CorpusConfig, SourceConfig
from hanlin.errors import DataError
from hanlin.records import sha256_file, sha256_json
from hanlin.text.manifest import RULES_VERSION, FileRecord, Manifest, PartManifest, SourceRecord
from hanlin.text.readers import SourceFile, list_files

__all__ = ["check_sources", "describe_sources", "part_differences", "settings_hash"]

_UNREADABLE = "unreadable"


def describe_sources(config: CorpusConfig, part: str, base: Path) -> tuple[SourceRecord, ...]:
    """Return the files of a part's sources with their hashes, as they are now.

    Raises:
        DataError: a source's path is missing, or holds no file of a known kind.
    """
    return tuple(_describe_source(source, base) for source in config.sources if source.part == part)


def settings_hash(config: CorpusConfig, part: str) -> str:
    """Return the hash of all settings on which a part's documents depend; weights do not count."""
    sources = [
        source.model_dump(mode="json", exclude={"weight"})
        for source in config.sources
        if source.part == part
    ]
    rest = config.model_dump(mode="json", exclude={"sources"})
    return sha256_json({"rules": RULES_VERSION, "sources": sources, **rest})


def check_sources(manifest: Manifest, config: CorpusConfig, base: Path) -> list[str]:
    """Return in words how the recipe's sources differ from what the corpus was built from.

    An empty list says that building again would change nothing.
    """
    missing = [part for part in config.parts if part not in manifest.parts]
    differences = [f"part {part!r} was not built" for part in missing]
    for part, built in manifest.parts.items():
        if part not in config.parts:
            differences.append(f"part {part!r} is no longer in the recipe")
            continue
        try:
            sources = describe_sources(config, part, base)
        except DataError as error:
            differences.append(str(error))
            continue
        differences += part_differences(built, part, settings_hash(config, part), sources)
    return differences


def part_differences(
    built: PartManifest, part: str, settings: str, sources: Sequence[SourceRecord]
) -> list[str]:
    """Return in words how settings and files differ from those that a part was built from."""
    differences = [] if built.settings == settings else [f"the settings of part {part!r} changed"]
    before = {source.label: source for source in built.sources}
    for source in sources:
        if source.label in before:
            differences += _file_differences(before[source.label], source)
    return differences


def _describe_source(source: SourceConfig, base: Path) -> SourceRecord:
    files = [] if source.world else list_files(source, base)
    return SourceRecord(
        label=source.label, path=source.path, files=tuple(map(_describe_file, files))
    )


def _describe_file(file: SourceFile) -> FileRecord:
    try:
        digest = sha256_file(file.path)
    except OSError as error:
        if file.named:
            raise DataError(
                f"{file.path} cannot be read: {error.strerror}. "
                "Give it read permission, or take it out of the recipe."
            ) from error
        digest = _UNREADABLE
    return FileRecord(name=file.name, size=file.path.stat().st_size, sha256=digest)


def _file_differences(old: SourceRecord, new: SourceRecord) -> list[str]:
    before = {file.name: file for file in old.files}
    after = {file.name: file for file in new.files}
    names = sorted(before.keys() | after.keys())
    return [
        f"{old.label}: {name} {verb}"
        for name in names
        for verb in [_verb(before.get(name), after.get(name))]
        if verb
    ]


def _verb(before: FileRecord | None, after: FileRecord | None) -> str:
    if before is None:
        return "is new"
    if after is None:
        return "is gone"
    return "changed" if before != after else ""
