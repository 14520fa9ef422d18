"""A task's examples as a stage uses them: rows to learn from, and groups that are kept apart.

Of a file, examples with the smallest hashes of their prompts are held out, so that neither order
nor repetition in the file matters. Of the toy world, training has its own stories; held out are
stories of another seed (`other_stories`), and stories in which an actor meets a thing that no
training story lets it meet (`new_pairs`). No prompt that is learnt is ever held out.

    python -m hanlin.tasks.sets
"""

from __future__ import annotations

import itertools
import random
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from zlib import crc32

import numpy as np

from hanlin.config import TaskConfig, WorldConfig
from hanlin.data import ExampleRows, hide_tokens
from hanlin.errors import DataError
from hanlin.tasks.base import Encoded, Task, check_control
from hanlin.tasks.registry import find_task
from hanlin.tasks.sources import read_records
from hanlin.text.aside import aside, usable_cores
from hanlin.text.world import Language, Split, Story, generate_story
from hanlin.text.world.casting import held_out
from hanlin.text.world.entities import noun
from hanlin.tokenizers import Tokenizer

__all__ = ["TaskSet", "gather_task", "gather_tasks", "invent_examples"]

_TRIES = 30
"""Stories that are written for each example that is to be held out, at most."""
_LEAST_FILE = 10
"""One example in so many of a file may be held out."""
_FEWEST_ASIDE = 1000
"""Stories from which on a task is gathered by a process of its own."""
_SPLITS: Mapping[str, Split] = {"other_stories": "train", "new_pairs": "heldout"}


@dataclass(frozen=True)
class TaskSet:
    """The examples of one task."""

    config: TaskConfig
    task: Task[Any]
    rows: ExampleRows
    held_out: Mapping[str, Sequence[Any]]
    """Examples by group and language, such as `other_stories.zh`."""
    too_long: int
    """Examples that no row holds, which were left out."""
    answers: frozenset[str]
    """Everything that training teaches to say, control tokens parting it."""
    skipped: tuple[str, ...] = ()
    """Why each record that could not be used was left out."""


@dataclass(frozen=True, slots=True)
class _Written:
    """An example and its tokens."""

    example: Any
    encoded: Encoded

    @property
    def key(self) -> bytes:
        """What tells prompts apart."""
        return np.array(self.encoded.prompt, dtype=np.int32).tobytes()


def gather_task(
    config: TaskConfig, tokenizer: Tokenizer, row_length: int, *, num_held_out: int
) -> TaskSet:
    """Read or make up a task's examples, and keep some of them apart.

    Raises:
        DataError: a record is wrong and none may be skipped, or no example fits a row.
        TokenizerError: the tokenizer lacks a control token.
    """
    task = find_task(config)
    check_control(tokenizer, config.name, task.control)
    writer = _Writer(task, tokenizer, row_length)
    skipped: list[str] = []
    if config.world is not None:
        training = list(writer.write(invent_examples(task, config.world)))
        too_long = writer.too_long
        held = _hold_out_stories(writer, config.world, training, num_held_out)
    else:
        found = list(writer.write(_read(task, config, skipped)))
        training, held = _part(task, found, num_held_out)
        too_long = writer.too_long
    if not training:
        raise DataError(
            f"No example of the task {config.name!r} fits a row of {row_length} tokens; "
            f"{too_long} were too long, {len(skipped)} records were skipped. Raise "
            "model.context_length, or give shorter ones."
        )
    answers = {text for one in training for text in _said(one.encoded, tokenizer)}
    rows = ExampleRows.pack(
        (hide_tokens(one.encoded.ids, one.encoded.learnt) for one in training), row_length
    )
    return TaskSet(config, task, rows, held, too_long, frozenset(answers), tuple(skipped))


def gather_tasks(
    configs: Sequence[TaskConfig],
    tokenizer: Tokenizer,
    row_length: int,
    *,
    num_held_out: int,
    processes: int | None = None,
) -> list[TaskSet]:
    """Return what `gather_task` returns for each of some tasks.

    Where there are cores for it (or `processes`), tasks that make up many stories are gathered by
    processes of their own, all but the first of them. What comes of it is the same.

    Raises:
        DataError, TokenizerError: as `gather_task`.
    """
    cores = usable_cores() if processes is None else processes
    least = _FEWEST_ASIDE if processes is None else 0
    # A task that a file defines exists in this process alone.
    makers = [c for c in configs if not c.file and c.world is not None and c.world.stories >= least]
    helped = makers[1 : 2 * cores]

    def gather(config: TaskConfig) -> TaskSet:
        return gather_task(config, tokenizer, row_length, num_held_out=num_held_out)

    jobs = [(_gathered, (config, tokenizer, row_length, num_held_out)) for config in helped]
    with aside(jobs, processes=cores) as streams:
        found = {config.name: gather(config) for config in configs if config not in helped}
        found |= {config.name: next(one) for config, one in zip(helped, streams, strict=True)}
    return [found[config.name] for config in configs]


def _gathered(
    config: TaskConfig, tokenizer: Tokenizer, row_length: int, num_held_out: int
) -> Iterator[TaskSet]:
    yield gather_task(config, tokenizer, row_length, num_held_out=num_held_out)


class _Writer:
    """Writes examples as tokens, and counts those that are too long for a row."""

    def __init__(self, task: Task[Any], tokenizer: Tokenizer, row_length: int) -> None:
        self.task, self.tokenizer, self.row_length = task, tokenizer, row_length
        self.too_long = 0

    def write(self, examples: Iterable[Any]) -> Iterator[_Written]:
        for example in examples:
            encoded = self.task.encode(example, self.tokenizer)
            if len(encoded.ids) <= self.row_length:
                yield _Written(example, encoded)
            else:
                self.too_long += 1


def _said(encoded: Encoded, tokenizer: Tokenizer) -> Iterator[str]:
    """Yield the texts that are learnt, which control tokens part: a plan's words, a summary."""
    marks = set(tokenizer.control.values())
    for run in encoded.answers():
        for is_mark, ids in itertools.groupby(run, key=marks.__contains__):
            if not is_mark:
                yield tokenizer.decode(list(ids)).strip()


def _read(task: Task[Any], config: TaskConfig, skipped: list[str]) -> Iterator[Any]:
    """Yield the examples of a file; where records may be skipped, note why each one was."""

    def skip(error: DataError) -> None:
        skipped.append(str(error))

    skips = config.on_error == "skip"
    for record in read_records(Path(config.path), on_broken=skip if skips else None):
        try:
            examples = list(task.read(record))
        except DataError as error:
            if not skips:
                raise
            skip(error)
            continue
        yield from examples


def _part(
    task: Task[Any], found: Sequence[_Written], wanted: int
) -> tuple[list[_Written], dict[str, list[Any]]]:
    """Part the examples of a file into those that are learnt and those that are held out."""
    by_language: dict[str, dict[int, list[_Written]]] = {}
    for one in found:
        group = by_language.setdefault(task.language(one.example), {})
        group.setdefault(crc32(one.key), []).append(one)
    training: list[_Written] = []
    held: dict[str, list[Any]] = {}
    for language, prompts in by_language.items():
        number = min(wanted, max(len(prompts) > 1, len(prompts) // _LEAST_FILE))
        for rank, key in enumerate(sorted(prompts)):
            if rank < number:
                held.setdefault(f"file.{language}", []).append(prompts[key][0].example)
            else:
                training += prompts[key]
    return training, held


def invent_examples(task: Task[Any], world: WorldConfig) -> Iterator[Any]:
    """Yield the examples of training stories, language by language."""
    for language in world.languages:
        rng = random.Random(f"{world.seed}/{task.name}/{language}")
        for _ in range(world.stories):
            story = generate_story(rng)
            yield from task.invent(story, language, rng)
            yield from task.drill(story, language, rng)


def _hold_out_stories(
    writer: _Writer, world: WorldConfig, training: Sequence[_Written], wanted: int
) -> dict[str, list[Any]]:
    """Return up to `wanted` examples of each group and language that training does not know."""
    known = {one.key for one in training}
    held: dict[str, list[Any]] = {}
    for group, language in itertools.product(_SPLITS, world.languages):
        rng = random.Random(f"{world.seed}/{writer.task.name}/{language}/{group}")
        kept: dict[str, list[Any]] = {}
        for _ in range(_TRIES * wanted):
            if kept and all(len(examples) == wanted for examples in kept.values()):
                break
            story = generate_story(rng, split=_SPLITS[group])
            for one in writer.write(writer.task.invent(story, language, rng)):
                examples = kept.setdefault(writer.task.language(one.example), [])
                if one.key in known or len(examples) == wanted:
                    continue
                if group == "other_stories" or _shows_new_pair(story, one, writer, language):
                    known.add(one.key)
                    examples.append(one.example)
        held |= {f"{group}.{name}": examples for name, examples in kept.items() if examples}
    return held


def _shows_new_pair(story: Story, one: _Written, writer: _Writer, language: Language) -> bool:
    """Whether an example itself names an actor and a thing that training keeps apart."""
    text = writer.tokenizer.decode(one.encoded.ids)
    nouns = {e.key: noun(e, language) for event in story.events for e in event.entities}
    return any(nouns[a] in text and nouns[b] in text for a, b in held_out(story.events))


if __name__ == "__main__":
    from hanlin.tokenizers import train_tokenizer

    bpe = train_tokenizer("bpe", ["请把球给小明。好的，我把球给小明。"] * 2, 360)
    asked = TaskConfig(name="dialogue", world=WorldConfig(stories=50))
    found = gather_task(asked, bpe, 512, num_held_out=5)
    print(found.rows.num_examples, {name: len(group) for name, group in found.held_out.items()})
