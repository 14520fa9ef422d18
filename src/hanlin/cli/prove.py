"""`hanlin prove RECIPE --stage S`: says the price, runs arms and controls, writes the verdicts."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from hanlin.cli._command import Device, parse, say, show
from hanlin.cli._flags import Folder, RecipePath, SetFlags
from hanlin.errors import UserError

if TYPE_CHECKING:
    from hanlin.runs.proofs import ProofRun

__all__ = ["main"]

_CLAIM_FAILED = 4


@dataclass(frozen=True, kw_only=True)
class Arguments(Device):
    """Test what a finished stage claims: its arms against their controls, on several seeds.

    Ends with 4 where a claim failed. A proof that was stopped goes on with the same command.
    """

    recipe: RecipePath
    """The recipe of a run, a TOML file."""
    stage: str
    """The stage whose claims are tested."""
    seeds: int = 3
    """Seeds of each arm; one alone has no spread and judges little."""
    run: Folder = None
    """The run's folder; `runs/NAME` unless given."""
    dry_run: bool = False
    """Say the price and do nothing."""
    yes: bool = False
    """Begin without asking."""
    overrides: SetFlags = ()
    """Override one key of the recipe; may be given several times."""


def main(arguments: Sequence[str]) -> int:
    """Run the verb."""
    example = "hanlin prove my.toml --stage base --seeds 3 --dry-run"
    options = parse(Arguments, "prove", arguments, example=example)
    from hanlin.config import load_recipe
    from hanlin.runs import Console, RunFolder
    from hanlin.runs.proofs import prepare_proof

    recipe = load_recipe(options.recipe, options.overrides)
    folder = RunFolder((options.run or Path("runs") / recipe.name).resolve())
    proof = prepare_proof(
        recipe,
        folder,
        base=options.recipe.parent,
        stage=options.stage,
        seeds=options.seeds,
        device=options.device,
    )
    price = {"price": proof.price.as_dict(), "arms": [arm.name for arm in proof.proof.arms]}
    if options.dry_run:
        show(options, price, _announce(proof))
        return 0
    say(_announce(proof))
    if proof.price.trials and not options.yes and not _agreed():
        return 0
    outcome = proof.run(Console())
    table = str(folder.proof(options.stage) / "table.md")
    show(options, {**price, **outcome.as_dict(), "table": table}, outcome.table.rstrip())
    return _CLAIM_FAILED if outcome.failed else 0


def _announce(proof: ProofRun) -> str:
    arms = ", ".join(
        f"{arm.name} ({len(arm.rates)} rates tried)" if len(arm.rates) > 1 else arm.name
        for arm in proof.proof.arms
    )
    claims = [f"  {claim.sentence}, {claim.rule}" for claim in proof.proof.claims]
    lines = [f"Claims about the stage {proof.stage.name}:", *claims, f"Arms: {arms}"]
    return "\n".join([*lines, f"Price: {proof.price}"])


def _agreed() -> bool:
    if not sys.stdin.isatty():
        raise UserError("Nobody is there to be asked. Add --yes to begin, or --dry-run to look.")
    print("Begin? [y/N] ", end="", file=sys.stderr, flush=True)
    return sys.stdin.readline().strip().lower() in ("y", "yes")
