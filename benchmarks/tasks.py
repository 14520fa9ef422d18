"""How good is a taught model at its tasks, on more held-out examples than its stage measured?

    python benchmarks/tasks.py runs/tasks-toy --held-out 150
    python benchmarks/tasks.py runs/tasks-toy --tasks translate --held-out 150 --show 20

Each task of the stage is gathered again, so that no example that was learnt is among them, and the
release is measured on it. The greater the number, the more examples follow the same first ones. Of
the toy world's translations, sentences are measured by themselves as well (`alone`).
"""

from __future__ import annotations

import argparse
import itertools
import json
import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import hanlin
from hanlin.config import load_recipe
from hanlin.tasks import TaskSet, gather_task
from hanlin.tasks.translate import Pair
from hanlin.text.world import same_sentences, split_story


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("run", type=Path)
    parser.add_argument("--model", type=Path, help="another release than the run's newest")
    parser.add_argument("--stage", default="tasks")
    parser.add_argument("--tasks", default="", help="names, parted by commas; all unless given")
    parser.add_argument("--held-out", type=int, default=150, help="examples of each group")
    parser.add_argument("--show", type=int, default=0, help="replies to print of each group")
    options = parser.parse_args()
    model = hanlin.load(options.model or options.run)
    stage = next(
        s for s in load_recipe(options.run / "recipe.toml").stages if s.name == options.stage
    )
    assert stage.task is not None, "a stage of kind task"
    length = model.engine.model.config.context_length
    for config in stage.task.tasks:
        if options.tasks and config.name not in options.tasks.split(","):
            continue
        found = gather_task(config, model.tokenizer, length, num_held_out=options.held_out)
        for group, examples in found.held_out.items():
            measure(model, found, group, examples, options.show)


def measure(
    model: hanlin.Model, found: TaskSet, group: str, examples: Sequence[Any], show: int
) -> None:
    """Print one group's figures, and some replies beside what should have been said."""
    measured = found.task.measure(model.engine, examples)
    figures = dict(measured.figures)
    if isinstance(examples[0], Pair):
        figures["alone"] = _alone(model, found, examples)
    print(json.dumps({f"{found.config.name}.{group}": figures}, ensure_ascii=False), flush=True)
    for reply, wanted in itertools.islice(
        zip(measured.replies, measured.references, strict=True), show
    ):
        print(f"    {'=' if reply == wanted else '!'} {reply}\n      {wanted}")


def _alone(model: hanlin.Model, found: TaskSet, examples: Sequence[Pair]) -> dict[str, Any]:
    """Return how many sentences of the stories are right by themselves."""
    to = examples[0].to
    source = "en" if to == "zh" else "zh"
    pairs = [
        Pair(*both, to)
        for one in examples
        if one.kind == "story"
        for both in zip(split_story(one.source, source), split_story(one.target, to), strict=True)
        if both[1] not in found.answers
    ]
    chosen = random.Random(1).sample(pairs, min(len(pairs), len(examples)))
    replies = found.task.measure(model.engine, chosen).replies
    right = [
        all(same_sentences(reply, pair.target, to, story=False))
        for reply, pair in zip(replies, chosen, strict=True)
    ]
    return {"examples": len(right), "right": sum(right) / len(right)}


if __name__ == "__main__":
    main()
