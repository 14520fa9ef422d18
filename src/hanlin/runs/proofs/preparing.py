"""From a recipe and a finished run to a proof that is ready to run, with its price."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Sequence
from pathlib import Path

from hanlin.config import Recipe, StageConfig
from hanlin.errors import UserError
from hanlin.runs.folder import RunFolder
from hanlin.runs.proofs.base import Arm, Proof
from hanlin.runs.proofs.price import price_of
from hanlin.runs.proofs.registry import proof_of
from hanlin.runs.proofs.runner import ProofRun
from hanlin.runs.proofs.subject import Subject
from hanlin.runs.proofs.trial import Trial
from hanlin.runs.run import require_finished
from hanlin.tokenizers import load_tokenizer

__all__ = ["prepare_proof"]


def prepare_proof(
    recipe: Recipe,
    folder: RunFolder,
    *,
    base: Path,
    stage: str,
    seeds: int = 3,
    device: str = "auto",
) -> ProofRun:
    """Return the proof of a stage that a run has finished.

    Args:
        recipe: the run's recipe.
        folder: the run.
        base: the folder at which the recipe's relative paths start.
        stage: the stage's name.
        seeds: how many seeds, counted from the recipe's; fewer than two give no spread.
        device: auto, cpu, cuda or mps.

    Raises:
        RecipeError: there is no such stage, or no proof for its kind.
        RunError: the stage is not finished in the run, or was made from other settings.
        UserError: fewer seeds than one.
    """
    if seeds < 1:
        raise UserError(f"--seeds {seeds} leaves nothing to run. Give 3 or more.")
    recipe = require_finished(recipe, folder, base=base, until=stage)
    entry = next(entry for entry in recipe.stages if entry.name == stage)
    subject = Subject(recipe, entry, folder)
    proof = proof_of(subject)
    listed = tuple((recipe.seed + n) % 2**32 for n in range(seeds))
    price = price_of(
        _trials(folder, recipe, entry, proof, listed),
        subject.result,
        load_tokenizer(folder.tokenizer).vocab_size,
    )
    words = ("hanlin", "prove", str(folder.recipe), "--run", str(folder.root), "--stage", stage)
    return ProofRun(
        run_folder=folder,
        recipe=recipe,
        stage=entry,
        proof=proof,
        seeds=listed,
        price=price,
        device=device,
        command=shlex.join((*words, "--seeds", str(seeds))),
    )


def _trials(
    folder: RunFolder, recipe: Recipe, stage: StageConfig, proof: Proof, seeds: Sequence[int]
) -> Iterator[Trial]:
    """Yield what will be run: every rate with the first seed, one rate with the others."""

    def trial(arm: Arm, seed: int, rate: float) -> Trial:
        return Trial(folder, recipe, stage, arm, seed, rate)

    for arm in proof.arms:
        yield from (trial(arm, seeds[0], rate) for rate in arm.rates)
        for seed in seeds[1:]:
            # Which rate is taken is not known before the first seed is through.
            tried = [trial(arm, seed, rate) for rate in arm.rates]
            yield next((t for t in tried if t.is_finished), tried[0])
