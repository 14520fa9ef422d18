"""Speculative decoding: several proposed tokens are judged in one pass of the model.

A token x that was drawn from q is kept with probability min(1, p(x) / q(x)); the first that is not
is replaced by one drawn from max(0, p - q), made to sum to one, and the rest is thrown away. What
is written has the distribution p of the model alone (Leviathan et al. 2022, arXiv 2211.17192; Chen
et al. 2023, arXiv 2302.01318). Proposals for certain, and all of them at temperature 0, are judged
by drawing the model's own token with its own uniform number: a proposal is kept if it is that
token, so that even a sampled text is the one that the seed gives without proposals.

With acceptance a, k proposals a pass give (1 - a ** (k + 1)) / (1 - a) tokens a pass.

V vocab.

    python -m hanlin.generation.speculative
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from hanlin.config import SamplingConfig
from hanlin.errors import UserError
from hanlin.generation.proposers import LookupProposer, Proposal, Proposer
from hanlin.generation.rules import Steering
from hanlin.generation.sampling import distribution, draw
from hanlin.generation.soundness import require_finite

if TYPE_CHECKING:
    from hanlin.generation.draft import Draft
    from hanlin.generation.engine import Engine

__all__ = ["Speculation", "judge", "write_speculatively"]


@dataclass(slots=True)
class Speculation:
    """Who proposes and how much, and how it went so far."""

    proposer: Proposer = field(default_factory=LookupProposer)
    tokens: int = 4
    """Tokens proposed before each pass, at most."""
    passes: int = 0
    """Passes of the model so far."""
    proposed: int = 0
    """Tokens proposed so far."""
    accepted: int = 0
    """Proposed tokens that were kept."""
    written: int = 0
    """Tokens written."""

    @property
    def acceptance(self) -> float:
        """The share of proposals that were kept."""
        return self.accepted / max(self.proposed, 1)

    @property
    def tokens_per_pass(self) -> float:
        """Tokens written for each pass of the model."""
        return self.written / max(self.passes, 1)

    def as_dict(self) -> dict[str, float]:
        """Return the counts and shares by name."""
        counts = {name: getattr(self, name) for name in ("passes", "proposed", "accepted")}
        shares = {name: getattr(self, name) for name in ("acceptance", "tokens_per_pass")}
        return {**counts, "written": self.written, **shares}


@torch.inference_mode()
def write_speculatively(
    engine: Engine, draft: Draft, sampling: SamplingConfig, speculation: Speculation, chance: Tensor
) -> Iterator[None]:
    """Write a text to its end, some tokens a pass; yield after each pass.

    `chance` is the uniform number of each token (steps,), as the engine draws them.
    """
    if sampling.guidance != 1 or sampling.logprobs is not None or sampling.best_of > 1:
        raise UserError(
            "Proposals are judged for one text at a time, without guidance and logprobs. Leave out "
            "either the draft, or guidance, logprobs and best_of."
        )
    writer = _Writer(engine, draft, sampling, speculation, chance)
    while draft.reason is None:
        writer.step()
        yield


class _Writer:
    """One text that is written by judging proposals."""

    def __init__(
        self,
        engine: Engine,
        draft: Draft,
        sampling: SamplingConfig,
        speculation: Speculation,
        chance: Tensor,
    ) -> None:
        self._engine, self._draft, self._sampling = engine, draft, sampling
        self._tally, self._chance = speculation, chance
        # Apart from `chance`, whose numbers stay those of each place whatever was proposed.
        seed = int(chance[0] * 2**53)
        self._generator = torch.Generator().manual_seed(seed)
        self._steering = Steering(sampling, engine.vocabulary, [draft])
        self._ids = list(draft.prompt)
        self._cache = engine.model.new_cache(1, len(draft.prompt) + draft.limit)

    def step(self) -> None:
        """Propose, judge all proposals in one pass, and write what comes of it."""
        room = self._draft.limit - len(self._draft.ids)
        count = min(self._tally.tokens, room - 1)
        proposal = self._tally.proposer.propose(self._ids, count, self._sampling, self._generator)
        logits = self._read(proposal.ids)
        self._tally.passes += 1
        self._tally.proposed += len(proposal.ids)
        for place in range(len(logits)):
            require_finite(logits[place : place + 1], [self._draft])
            token, kept = self._choose(
                self._steering.steer(logits[place : place + 1]), proposal, place
            )
            self._write(token)
            self._tally.accepted += kept
            if not kept or self._draft.reason is not None:
                break
        self._cache.length = len(self._ids) - 1

    def _read(self, proposed: list[int]) -> Tensor:
        """Return the logits (N + 1, V) after the text and after each proposal."""
        fresh = [*self._ids, *proposed][self._cache.length :]
        ids = torch.tensor([fresh], device=self._cache.keys.device)
        model = self._engine.model
        hidden = model.hidden(ids, cache=self._cache)[0, -len(proposed) - 1 :]
        return model.head(hidden)[:, : self._engine.vocabulary.size].float()

    def _choose(self, logits: Tensor, proposal: Proposal, place: int) -> tuple[int, bool]:
        """Return the next token from steered logits (1, V), and whether it was proposed."""
        offered = proposal.ids[place] if place < len(proposal.ids) else None
        if proposal.probabilities is None:
            uniform = self._chance[len(self._draft.ids)].to(logits.device)
            token = int(draw(logits, self._sampling, uniform[None])[0])
        else:
            model = distribution(logits, self._sampling)[0]
            source = proposal.probabilities[place] if offered is not None else None
            chance = torch.rand(2, generator=self._generator, dtype=torch.float64).tolist()
            token = judge(model, source, offered, chance[0], chance[1])
        token = int(self._steering.amend(torch.tensor([token]))[0])
        return token, token == offered

    def _write(self, token: int) -> None:
        self._steering.take(torch.tensor([token], device=self._cache.keys.device))
        self._ids.append(token)
        self._engine.take(self._draft, token)
        self._tally.written += 1


def judge(
    model: Tensor, source: Tensor | None, offered: int | None, keep: float, redraw: float
) -> int:
    """Return the token that is written where `offered` was drawn from `source` (V,).

    `model` (V,) is the distribution that is wanted; `keep` and `redraw` are uniform numbers. With
    nothing offered a token of the model is drawn.
    """
    rest = model
    if source is not None and offered is not None:
        if keep * float(source[offered]) < float(model[offered]):
            return offered
        rest = (model - source.to(model.device)).clamp(min=0)
    cumulative = rest.cumsum(-1)
    wanted = redraw * cumulative[-1]
    return int(torch.searchsorted(cumulative, wanted, right=True).clamp(max=len(rest) - 1))


if __name__ == "__main__":
    wanted_shares = torch.tensor([0.7, 0.2, 0.1], dtype=torch.float64)
    drawn_from = torch.tensor([0.1, 0.2, 0.7], dtype=torch.float64)
    numbers = torch.rand(9, 2, generator=torch.Generator().manual_seed(1)).tolist()
    print([judge(wanted_shares, drawn_from, 2, keep, redraw) for keep, redraw in numbers])
