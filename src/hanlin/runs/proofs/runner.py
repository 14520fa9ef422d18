"""A proof carried out: its arms with every seed, then its claims judged and written down.

    proof = prepare_proof(recipe, RunFolder(Path("runs/demo")), base=Path(), stage="base", seeds=3)
    print(proof.price)
    outcome = proof.run(Console())

Everything happens in `runs/NAME/proofs/STAGE/`; the run itself is only read, but for its ledger.
"""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from typing import Any

from hanlin.config import Recipe, StageConfig
from hanlin.errors import RunError
from hanlin.records import LedgerEntry, hold_folder, write_claim, write_text
from hanlin.runs.console import Console
from hanlin.runs.folder import RunFolder
from hanlin.runs.proofs.base import Arm, Proof
from hanlin.runs.proofs.figures import mean_at
from hanlin.runs.proofs.judging import ArmOutcome, describe_flops, judge_claims, render_table
from hanlin.runs.proofs.price import Price
from hanlin.runs.proofs.trial import Measured, Trial
from hanlin.runs.report import write_report
from hanlin.runs.run import run_prepared
from hanlin.training import World, join_world

__all__ = ["Outcome", "ProofRun"]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a proof came to."""

    entries: tuple[LedgerEntry, ...]
    table: str
    """Arms and claims as Markdown."""
    flops: str
    """Whether the arms spent the same operations."""

    @property
    def failed(self) -> bool:
        """Whether any claim failed."""
        return any(entry.verdict == "failed" for entry in self.entries)

    def as_dict(self) -> dict[str, Any]:
        """Return the outcome as plain values."""
        return {"claims": [entry.as_dict() for entry in self.entries], "flops": self.flops}


@dataclass(frozen=True, kw_only=True)
class ProofRun:
    """A proof that is ready to run, or to go on."""

    run_folder: RunFolder
    recipe: Recipe
    stage: StageConfig
    proof: Proof
    seeds: tuple[int, ...]
    price: Price
    device: str
    command: str

    def run(self, console: Console) -> Outcome:
        """Run the trials that are not finished, judge the claims, and write the verdicts.

        Raises:
            RunError: another process holds the run, or a finished trial had other settings.
            StoppedError: a signal came; the same proof goes on where it was.
        """
        with contextlib.ExitStack() as stack:
            world = stack.enter_context(join_world())
            if world.first:
                stack.enter_context(hold_folder(self.run_folder.root))
            arms = {arm.name: self._arm(arm, console, world) for arm in self.proof.arms}
            return world.on_first(lambda: self._judge(arms))

    def _arm(self, arm: Arm, console: Console, world: World) -> ArmOutcome:
        first = {rate: self._trial(arm, self.seeds[0], rate, console, world) for rate in arm.rates}
        chosen = arm.rates[0]
        if len(arm.rates) > 1:
            chosen = min(first, key=lambda rate: mean_at(first[rate].figures, arm.chosen_by))
        rest = [self._trial(arm, seed, chosen, console, world) for seed in self.seeds[1:]]
        return ArmOutcome(chosen, arm.rates, (first[chosen], *rest), arm.share)

    def _trial(self, arm: Arm, seed: int, rate: float, console: Console, world: World) -> Measured:
        trial = Trial(self.run_folder, self.recipe, self.stage, arm, seed, rate)
        console.say(f"Trial {trial.folder.root.name}")
        try:
            run_prepared(
                trial.as_recipe(), trial.folder, device=self.device, console=console, world=world
            )
        except RunError as error:
            raise RunError(f"{error} To run the trial anew, remove {trial.folder.root}.") from error
        world.on_first(trial.tidy)
        return trial.measured()

    def _judge(self, arms: dict[str, ArmOutcome]) -> Outcome:
        entries = judge_claims(
            self.proof.claims,
            arms,
            stage=self.stage.name,
            seeds=self.seeds,
            command=self.command,
        )
        for entry in entries:
            write_claim(self.run_folder.ledger, entry)
        table = render_table(self.stage.name, arms, entries, self.seeds)
        write_text(self.run_folder.proof(self.stage.name) / "table.md", table)
        write_report(self.run_folder.root)
        return Outcome(tuple(entries), table, describe_flops(arms))
