"""Classification by a head: texts and pairs of texts with labels, as a stage uses them.

A text stands alone, `<|endoftext|> text` or `<|endoftext|> text <|sep|> text2`, cut in front of the
end where it is longer than a row; its label is the number of an output node. In a row of numbers
(hanlin.data.examples) a label follows its text as a token beyond the vocabulary, which
`hanlin.objectives.labels` takes out again.

By the hash of the text, a tenth at most of each language is kept apart to be tested on, and another
tenth at most for the temperature; a text that occurs twice is in one part alone.

    python -m hanlin.tasks.labels FILE
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING
from zlib import crc32

from hanlin.config import HeadConfig, TaskConfig
from hanlin.data import ExampleRows, hide_tokens
from hanlin.errors import DataError
from hanlin.tasks.base import check_control
from hanlin.tasks.classify import Classify, Labelled, read_labelled
from hanlin.tasks.sets import invent_examples
from hanlin.tasks.sources import read_records

if TYPE_CHECKING:
    from hanlin.tokenizers import Tokenizer

__all__ = ["LabelParts", "LabelSet", "encode_text", "gather_labels", "part_labels"]

_LEAST_FILE = 10
"""One text in so many of a language may be kept apart for each purpose."""


@dataclass(frozen=True, kw_only=True)
class LabelSet:
    """The labelled texts of one head."""

    config: TaskConfig
    labels: tuple[str, ...]
    """Those that training shows, in the order of the output nodes."""
    counts: tuple[int, ...]
    """Training texts of each."""
    rows: ExampleRows
    calibration: Sequence[Labelled] = field(repr=False)
    """What the temperature is fitted on."""
    held_out: Mapping[str, Sequence[Labelled]] = field(repr=False)
    """What it is tested on, by language."""
    cut: int
    """Training texts that were longer than a row."""
    skipped: Mapping[str, int]
    """What was left out by policy, counted: `unreadable` records, and `unseen` labels."""


@dataclass(frozen=True, kw_only=True)
class LabelParts:
    """Labelled texts by what becomes of them, before they are tokens."""

    training: Sequence[Labelled] = field(repr=False)
    calibration: Sequence[Labelled] = field(repr=False)
    test: Sequence[Labelled] = field(repr=False)
    counts: Mapping[str, int]
    """Training texts of each label, by its name."""
    skipped: Mapping[str, int]


def part_labels(config: TaskConfig, *, num_held_out: int) -> LabelParts:
    """Read or make up a head's texts, and keep some of them apart.

    Raises:
        DataError: a record is wrong, there is one label alone, or columns are mixed up.
    """
    head = config.head
    assert head is not None, "only a task with a head is asked"
    found, unreadable = _read(config, head)
    _check_columns(config, found)
    test, calibration, training = _part(found, num_held_out, head.calibration)
    counts = Counter(example.label for example in training)
    if len(counts) < 2:
        alone = f"the label {min(counts)!r} alone" if counts else "no label"
        raise DataError(
            f"The texts of the task {config.name!r} that are learnt have {alone}; a head tells two "
            "or more apart. Give more texts, or name the right field as head.label."
        )
    unseen = _drop_unseen(config, counts, [test, calibration])
    return LabelParts(
        training=training,
        calibration=calibration,
        test=test,
        counts={label: counts[label] for label in sorted(counts)},
        skipped={"unreadable": unreadable, "unseen": unseen},
    )


def gather_labels(
    config: TaskConfig, tokenizer: Tokenizer, row_length: int, *, num_held_out: int, first: int
) -> LabelSet:
    """Return a head's texts as a stage uses them.

    `first` is the token that stands for the first label: the vocabulary's end, or the end of the
    labels of the head before.

    Raises:
        DataError: a record is wrong, there is one label alone, or columns are mixed up.
        TokenizerError: there are pairs, and the tokenizer has no token between them.
    """
    parts = part_labels(config, num_held_out=num_held_out)
    labels = tuple(parts.counts)
    encoded = [encode_text(tokenizer, one.text, one.text2, row_length) for one in parts.training]
    nodes = (first + labels.index(one.label) for one in parts.training)
    rows = ExampleRows.pack(
        (
            hide_tokens([*ids, node], [False] * (len(ids) + 1))
            for (ids, _), node in zip(encoded, nodes, strict=True)
        ),
        row_length,
    )
    return LabelSet(
        config=config,
        labels=labels,
        counts=tuple(parts.counts.values()),
        rows=rows,
        calibration=parts.calibration,
        held_out=_by_language(parts.test),
        cut=sum(cut > 0 for _, cut in encoded),
        skipped=parts.skipped,
    )


def encode_text(tokenizer: Tokenizer, text: str, text2: str, limit: int) -> tuple[list[int], int]:
    """Return a text, or a pair, as at most `limit` tokens, and how many tokens were cut off.

    Of a pair that is too long, the longer text is cut first.

    Raises:
        TokenizerError: it is a pair, and the tokenizer has no token between them.
    """
    if text2:
        check_control(tokenizer, "classification of pairs", ["<|sep|>"])
    first, second = tokenizer.encode(text), tokenizer.encode(text2) if text2 else []
    mark = [tokenizer.control["<|sep|>"]] if text2 else []
    room = limit - 1 - len(mark)
    kept = min(len(first), max(room - room // 2, room - len(second)))
    rest = second[: room - kept]
    cut = len(first) + len(second) - kept - len(rest)
    return [tokenizer.eot_id, *first[:kept], *mark, *rest], cut


def _read(config: TaskConfig, head: HeadConfig) -> tuple[list[Labelled], int]:
    """Return the examples, and how many records could not be used."""
    if config.world is not None:
        return list(invent_examples(Classify(), config.world)), 0
    found: list[Labelled] = []
    unreadable: list[DataError] = []
    skip = unreadable.append if config.on_error == "skip" else None
    for record in read_records(Path(config.path), on_broken=skip):
        try:
            found.append(read_labelled(record, head.label))
        except DataError as error:
            if skip is None:
                raise
            skip(error)
    if not found:
        raise DataError(
            f"None of the {len(unreadable)} records of {config.path} has text and label. Name the "
            "field of the label as head.label."
        )
    return found, len(unreadable)


def _check_columns(config: TaskConfig, found: Sequence[Labelled]) -> None:
    labels = {example.label for example in found}
    texts = {(example.text, example.text2) for example in found}
    if len(labels) > max(2, min(len(texts), len(found) // 2)):
        raise DataError(
            f"The task {config.name!r} has {len(labels):,} labels, such as "
            f"{min(labels)[:40]!r}, for {len(found):,} examples with {len(texts):,} texts. Text "
            "and label seem to be mixed up; put each into its own field, or name the label's as "
            "head.label."
        )


def _part(
    found: Iterable[Labelled], num_test: int, num_calibration: int
) -> tuple[list[Labelled], list[Labelled], list[Labelled]]:
    """Part examples into those to test on, those for the temperature, and those to learn."""
    parts: tuple[list[Labelled], list[Labelled], list[Labelled]] = ([], [], [])
    for group in _by_language(found).values():
        by_text: dict[int, list[Labelled]] = {}
        for one in group:
            by_text.setdefault(crc32(f"{one.text}\0{one.text2}".encode()), []).append(one)
        most = len(by_text) // _LEAST_FILE
        test = min(num_test, most)
        fitted = test + min(num_calibration, most)
        for rank, key in enumerate(sorted(by_text)):
            parts[(rank >= test) + (rank >= fitted)].extend(by_text[key])
    return parts


def _drop_unseen(config: TaskConfig, labels: Iterable[str], parts: Sequence[list[Labelled]]) -> int:
    """Take out what has a label that training never shows; return how much that was."""
    dropped = 0
    for part in parts:
        unseen = sorted({example.label for example in part} - set(labels))
        if unseen and config.on_error == "refuse":
            raise DataError(
                f"The label {unseen[0]!r} of the task {config.name!r} occurs only among the texts "
                "that are kept apart, so that no node would learn it. Give more texts with it, or "
                'leave such texts out with on_error = "skip".'
            )
        dropped += sum(example.label in unseen for example in part)
        part[:] = [example for example in part if example.label not in unseen]
    return dropped


def _by_language(found: Iterable[Labelled]) -> dict[str, list[Labelled]]:
    groups: dict[str, list[Labelled]] = {}
    for example in found:
        groups.setdefault(example.language, []).append(example)
    return groups


if __name__ == "__main__":
    import sys

    print(Counter(read_labelled(record).label for record in read_records(Path(sys.argv[1]))))
