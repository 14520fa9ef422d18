"""How good are the toy-world stories of a trained model? The demo's bar, measured.

    python benchmarks/stories.py runs/demo --stories 200
    python benchmarks/stories.py runs/demo --model runs/demo/stages/2-student/model

Samples stories without a prompt from the run's model, its expansion switched off, until there are
enough in each language, and lets the world's checker judge them; says how many stand word for word
in the training text.
"""

from __future__ import annotations

import argparse
import itertools
import json
import statistics
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

import hanlin
from hanlin.config import SamplingConfig
from hanlin.text import find_language, iterate_documents, short_language
from hanlin.text.world import check

_BATCH, _STRETCH = 100, 128


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("run", type=Path)
    parser.add_argument("--model", type=Path, help="another release than the run's newest")
    parser.add_argument("--stories", type=int, default=200)
    parser.add_argument("--temperature", type=float, default=0.7)
    parser.add_argument("--seed", type=int, default=1000)
    parser.add_argument("--problems", type=int, default=0, help="problems to print a language")
    options = parser.parse_args()
    stories = _sample(options)
    corpus = options.run / "corpus"
    training = {document.text for document in iterate_documents(corpus, "main", "train")}
    result = {
        language: _judge(texts, language, training, options.problems)
        for language, texts in stories.items()
    }
    print(json.dumps(result, ensure_ascii=False, indent=2))


def _sample(options: argparse.Namespace) -> dict[str, list[str]]:
    model = hanlin.load(options.model or options.run, expansion="")  # the stories are the core's
    stories: dict[str, list[str]] = {"zh": [], "en": []}
    seeds = draw_seeds(options.seed)
    while min(map(len, stories.values())) < options.stories:
        sampling = SamplingConfig(
            temperature=options.temperature, top_p=1.0, max_tokens=250, seed=next(seeds)
        )
        for completion in model.engine.generate_batch([""] * _BATCH, sampling):
            language = short_language(find_language(completion.text))
            stories.setdefault(language, []).append(completion.text)
    return {language: stories[language][: options.stories] for language in ("zh", "en")}


def draw_seeds(seed: int) -> Iterator[int]:
    """Yield the seeds of batches, whose rows draw with seeds in a row; those of no other `seed`.

    A generator takes 32 bits. Each batch has a stretch of them to itself, at a place that hangs on
    the seed and on the batch's number as a hash does.
    """
    for batch in itertools.count():
        (word,) = np.random.SeedSequence((seed, batch)).generate_state(1)
        yield int(word) // _STRETCH * _STRETCH


def _judge(texts: list[str], language: str, training: set[str], problems: int) -> dict[str, Any]:
    verdicts = [check(text, "zh" if language == "zh" else "en") for text in texts]
    kinds = Counter(verdict.problems[0] for verdict in verdicts if verdict.problems)
    for text, verdict in list(zip(texts, verdicts, strict=True)):
        if verdict.problems and problems:
            problems -= 1
            print(f"{text}\n    {verdict.problems[0]}")
    return {
        "stories": len(texts),
        "well_formed": statistics.mean(verdict.well_formed for verdict in verdicts),
        "consistent": statistics.mean(verdict.consistent for verdict in verdicts),
        "structures": len({verdict.structure for verdict in verdicts if verdict.structure}),
        "found_in_training": statistics.mean(text in training for text in texts),
        "sentences": statistics.mean(verdict.sentences for verdict in verdicts),
        "state_dependent": statistics.mean(verdict.state_dependent for verdict in verdicts),
        "problem_kinds": len(kinds),
    }


if __name__ == "__main__":
    main()
