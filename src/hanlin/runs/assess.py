"""What is measured when a stage is done, once, on text that nothing was tuned on.

The GPT stands beside an n-gram model over the same tokens and beside the uniform distribution: bits
per byte and next-character accuracy by language on the test split; then repetition and novelty of
texts that it writes freely, and repetition of what it writes greedily, beside the same measures of
held-out human text.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from hanlin.evaluation import (
    DecoderScorer,
    HeldOutDocument,
    NgramScorer,
    Scorer,
    UniformScorer,
    bits_per_byte,
    measure_novelty,
    measure_repetition,
    next_character_accuracy,
    short_language,
)
from hanlin.generation import Engine
from hanlin.models import count_parameters
from hanlin.models.ngram import KneserNey
from hanlin.runs.console import Console
from hanlin.runs.folder import RunFolder
from hanlin.runs.greedy import measure_greedy
from hanlin.runs.prepare import training_texts
from hanlin.runs.transformed import measure_transformed
from hanlin.stages import StageContext, StageResult, prepare_ngram
from hanlin.text import find_language, iterate_documents, load_manifest
from hanlin.tokenizers import Tokenizer
from hanlin.training import TrainingResult

__all__ = [
    "assess",
    "describe_novelty",
    "describe_samples",
    "load_ngram",
    "measure_scorers",
]

_ACCURACY_POSITIONS = 1000


def assess(context: StageContext, result: StageResult, console: Console) -> dict[str, Any]:
    """Return a stage's figures, as they go into its result.json."""
    parameters = count_parameters(result.model.config)
    figures = {
        "stage": context.stage.name,
        "kind": context.stage.kind,
        "parameters": parameters.total,
        "parameters_non_embedding": parameters.non_embedding,
        **result.figures,
    }
    if result.training is None:
        return figures
    figures |= _describe_training(result.training)
    figures["flops"] += result.figures.get("extra_flops", 0)
    began = time.monotonic()
    with console.phase("Measuring on the test split"):
        measured = _evaluate(context, result)
        figures["evaluation"] = {"validation": result.training.evaluation, **measured}
    figures["measuring_seconds"] = time.monotonic() - began
    return figures


def _describe_training(training: TrainingResult) -> dict[str, Any]:
    return {
        "steps": training.steps,
        "tokens": training.tokens,
        "flops": training.flops,
        "seconds": training.seconds,
        "tokens_per_second": training.tokens / max(training.seconds, 1e-9),
        "skipped": training.skipped,
    }


def measure_scorers(
    scorers: Mapping[str, Scorer],
    tokenizer: Tokenizer,
    documents: Sequence[HeldOutDocument],
    *,
    seed: int,
) -> dict[str, Any]:
    """Measure scorers on the same documents; the overall figures are those of the first."""
    reports = {name: bits_per_byte(scorer, documents) for name, scorer in scorers.items()}
    by_scorer: dict[str, dict[str, Any]] = {}
    for name, report in reports.items():
        rng = np.random.default_rng(seed)  # the same places for every scorer
        accuracy = next_character_accuracy(
            scorers[name], tokenizer, documents, rng, positions=_ACCURACY_POSITIONS
        )
        by_scorer[name] = {
            language: {
                "bits_per_byte": bits.bits_per_byte,
                "bits_per_character": bits.bits_per_character,
                "next_character_accuracy": accuracy[language].value,
            }
            for language, bits in report.by_language.items()
        }
    first = next(iter(scorers))
    return {
        "bits_per_byte": reports[first].bits_per_byte,
        "by_language": by_scorer[first],
        "by_scorer": by_scorer,
    }


def describe_samples(texts: Sequence[str]) -> dict[str, dict[str, Any]]:
    """Return the repetition of texts by the language that each is in."""
    return {
        language: measure_repetition(group, language, max_units=200).as_dict()
        for language, group in _by_language(texts).items()
    }


def describe_novelty(
    folder: RunFolder, texts: Sequence[str], human: Sequence[str]
) -> dict[str, dict[str, Any]]:
    """Return how much of texts, and of human text beside them, stands in a run's training text.

    A released folder has no training text beside it, and nothing is returned for one.
    """
    if not (folder.corpus / "manifest.json").exists():
        return {}
    training = training_texts(folder.corpus, load_manifest(folder.corpus).parts)
    found = measure_novelty({"samples": texts, "human": human}, training)
    return {name: novelty.as_dict() for name, novelty in found.items()}


def load_ngram(folder: RunFolder) -> KneserNey | None:
    """Return a run's newest n-gram baseline, or None where there is none."""
    places = sorted(folder.ngram.glob("*/config.json"), key=lambda path: path.stat().st_mtime)
    return KneserNey.load(places[-1].parent) if places else None


def _evaluate(context: StageContext, result: StageResult) -> dict[str, Any]:
    documents = context.held_out_documents("test")
    ngram = prepare_ngram(context)
    scorers: dict[str, Scorer] = {
        "test": DecoderScorer(result.model, eot_id=context.tokenizer.eot_id)
    }
    if ngram is not None:
        scorers["ngram"] = NgramScorer(ngram)
    scorers["uniform"] = UniformScorer(context.tokenizer.vocab_size)
    measured = measure_scorers(scorers, context.tokenizer, documents, seed=context.recipe.seed)
    texts = _sample_texts(context, result)
    human = _human_texts(context, {language: len(group) for language, group in texts.items()})
    samples = _flat(texts)
    return {
        **measured["by_scorer"],
        **_describe_texts(context, texts, human),
        **measure_transformed(context, result.model, samples, _flat(human)),
        "greedy": measure_greedy(context, result.model),
        "samples": samples,
    }


def _flat(groups: Mapping[str, list[str]]) -> list[str]:
    return [text for group in groups.values() for text in group]


def _sample_texts(context: StageContext, result: StageResult) -> dict[str, list[str]]:
    """Write texts without a prompt and sort them by the language that they came out in."""
    count = context.recipe.evaluation.samples
    sampling = context.recipe.sampling.model_copy(update={"seed": context.recipe.seed + 1})
    engine = Engine(result.model, context.tokenizer)
    return _by_language([c.text for c in engine.generate_batch([""] * count, sampling)])


def _by_language(texts: Sequence[str]) -> dict[str, list[str]]:
    groups: dict[str, list[str]] = {}
    for text in texts:
        groups.setdefault(short_language(find_language(text)), []).append(text)
    return groups


def _describe_texts(
    context: StageContext, texts: dict[str, list[str]], human: dict[str, list[str]]
) -> dict[str, Any]:
    groups = {**texts, **{f"{lang}, human": group for lang, group in human.items()}}
    novelty = measure_novelty(groups, training_texts(context.corpus, context.parts))
    repetition = {
        name: measure_repetition(group, name.split(",")[0], max_units=200).as_dict()
        for name, group in groups.items()
    }
    return {
        "repetition": repetition,
        "novelty": {name: found.as_dict() for name, found in novelty.items()},
    }


def _human_texts(context: StageContext, counts: dict[str, int]) -> dict[str, list[str]]:
    groups: dict[str, list[str]] = {language: [] for language in counts}
    for part in context.parts:
        for document in iterate_documents(context.corpus, part, "test"):
            group = groups.get(short_language(document.language))
            if group is not None and len(group) < counts[short_language(document.language)]:
                group.append(document.text[:1000])
    return {language: group for language, group in groups.items() if group}
