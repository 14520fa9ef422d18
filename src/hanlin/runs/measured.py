"""What a run writes into the ledger when a stage ends: measured beside a control, not tested.

One run is one draw, so a run gives no verdict; `hanlin prove` gives one, under the same claim.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from hanlin.config import Recipe, StageConfig
from hanlin.evaluation import better_than_spread
from hanlin.records import LedgerEntry, sha256_json, write_claim
from hanlin.runs.folder import RunFolder
from hanlin.stages import StageResult

__all__ = ["LANGUAGE_NAMES", "beats_ngram", "ngram_control", "record_claims"]

LANGUAGE_NAMES = {"zh": "Chinese", "en": "English"}


def beats_ngram(language: str) -> str:
    """Say that a model beats counting, in the words of both run and proof."""
    name = LANGUAGE_NAMES.get(language, language)
    return f"The model predicts held-out {name} text better than the n-gram baseline"


def ngram_control(recipe: Recipe) -> str:
    """Say what the n-gram baseline of a recipe is."""
    return f"Kneser-Ney of order {recipe.evaluation.ngram_order} on the same training tokens"


def record_claims(
    recipe: Recipe,
    stage: StageConfig,
    result: StageResult,
    figures: Mapping[str, Any],
    inputs: Mapping[str, Any],
    folder: RunFolder,
) -> None:
    """Write what a stage measured, and what it proved by itself, into the run's ledger."""
    for entry in (*_against_ngram(recipe, figures), *result.claims):
        complete = replace(
            entry,
            stage=stage.name,
            inputs=sha256_json(inputs),
            command=f"hanlin run {folder.recipe} --run {folder.root} --until {stage.name}",
            flops=float(figures.get("flops", 0.0)),
        )
        write_claim(folder.ledger, complete)


def _against_ngram(recipe: Recipe, figures: Mapping[str, Any]) -> Iterator[LedgerEntry]:
    evaluation = figures.get("evaluation", {})
    baseline = evaluation.get("ngram", {})
    for language, scores in evaluation.get("test", {}).items():
        if language in baseline:
            yield LedgerEntry(
                claim=beats_ngram(language),
                metric=f"evaluation.test.{language}.bits_per_byte",
                control=ngram_control(recipe),
                control_values=(baseline[language]["bits_per_byte"],),
                values=(scores["bits_per_byte"],),
                seeds=(recipe.seed,),
                threshold=str(better_than_spread()),
            )
