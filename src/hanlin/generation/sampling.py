"""How the next token is drawn from logits: pure functions, in one documented order.

    1. repetition penalty (Keskar et al. 2019, arXiv 1909.05858): the logits of tokens read or
       written so far are divided by it where positive and multiplied where negative;
    2. presence and frequency penalties, taken from the logits of tokens written so far, once and
       for each time;
    3. what else looks at the text so far (`hanlin.generation.rules`);
    4. temperature; at 0 the likeliest token is taken and the rest is passed over;
    5. top-k: only the k likeliest tokens stay;
    6. top-p (Holtzman et al. 2020, arXiv 1904.09751): of those, the fewest likeliest tokens that
       hold the share p of the probability together;
    7. min-p (Nguyen et al. 2024, arXiv 2407.01082): of those, tokens at least p times as likely as
       the likeliest;
    8. typical-p (Meister et al. 2023, arXiv 2202.00666): of those, made to sum to one, the fewest
       whose surprise -log p is nearest to the expected one that hold the share p together;
    9. one uniform number picks a token, counting through what is left from the likeliest down.

The order of 4 to 8 is that of transformers. In order of likelihood each of 5 to 7 is a cut, and 256
candidates nearly always hold all that is needed; rows for which they do not, and all rows under
typical-p, are sorted whole. One number a token means that a row of a batch draws exactly as it
would alone. `distribution` is what the numbers are drawn from, and
`hanlin.generation.reference` says the same in plain loops.

Shapes: B batch, V vocab, N candidates.

    python -m hanlin.generation.sampling
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from hanlin.config import SamplingConfig

__all__ = ["TokenHistory", "distribution", "draw", "penalise", "sample_token", "uniforms"]

_CANDIDATES = 256
"""How many of the likeliest tokens are sorted before all are."""


class TokenHistory:
    """Which tokens each row has read or written, and how often it has written each."""

    def __init__(self, prompts: Sequence[Sequence[int]], like: Tensor) -> None:
        """Begin with the prompts of all rows, shaped as and on the device of logits (B, V)."""
        self.seen = torch.zeros_like(like, dtype=torch.bool)
        self.written = torch.zeros_like(like)
        for row, prompt in enumerate(prompts):
            self.seen[row, torch.as_tensor(prompt, dtype=torch.long, device=like.device)] = True

    def add(self, ids: Tensor) -> None:
        """Count one more written token (B,) a row."""
        self.seen.scatter_(1, ids[:, None], True)
        self.written.scatter_add_(1, ids[:, None], torch.ones_like(self.written[:, :1]))

    def keep_rows(self, rows: Tensor) -> None:
        """Keep only the rows whose numbers are given, in that order."""
        self.seen, self.written = self.seen[rows], self.written[rows]

    @staticmethod
    def matters(sampling: SamplingConfig) -> bool:
        """Whether any penalty needs a history at all."""
        added = (sampling.presence_penalty, sampling.frequency_penalty)
        return sampling.repetition_penalty != 1.0 or any(added)


def sample_token(
    logits: Tensor,
    sampling: SamplingConfig,
    history: TokenHistory | None,
    generator: torch.Generator,
) -> Tensor:
    """Return the next token's id for logits (V,), or ids (B,) for logits (B, V).

    `history` may be None where no penalty is set. The generator lives on the CPU.
    """
    rows = logits if logits.ndim == 2 else logits[None]
    uniform = torch.rand(len(rows), generator=generator, dtype=torch.float64)
    ids = draw(penalise(rows, sampling, history), sampling, uniform.to(rows.device))
    return ids if logits.ndim == 2 else ids[0]


def penalise(logits: Tensor, sampling: SamplingConfig, history: TokenHistory | None) -> Tensor:
    """Return logits (B, V) after steps 1 and 2."""
    if history is None or not TokenHistory.matters(sampling):
        return logits
    penalty = sampling.repetition_penalty
    damped = torch.where(logits > 0, logits / penalty, logits * penalty)
    logits = torch.where(history.seen, damped, logits)
    logits = logits - sampling.presence_penalty * (history.written > 0)
    return logits - sampling.frequency_penalty * history.written


def draw(logits: Tensor, sampling: SamplingConfig, uniform: Tensor) -> Tensor:
    """Return the ids (B,) that `uniform` (B,) in [0, 1) draws from logits (B, V): steps 4 to 9."""
    if sampling.temperature == 0:
        return logits.argmax(-1)
    logits = logits.float() / sampling.temperature
    some = sampling.typical_p == 1
    count = min(max(_CANDIDATES, sampling.top_k), logits.shape[-1]) if some else logits.shape[-1]
    norm = logits.logsumexp(-1, keepdim=True)
    ids, settled = _draw_sorted(*logits.topk(count, dim=-1), norm, sampling, uniform)
    if count < logits.shape[-1] and not bool(settled.all()):
        rest = (~settled).nonzero()[:, 0]
        values, order = logits[rest].sort(dim=-1, descending=True)
        ids[rest], _ = _draw_sorted(values, order, norm[rest], sampling, uniform[rest])
    return ids


def distribution(logits: Tensor, sampling: SamplingConfig) -> Tensor:
    """Return the probabilities (B, V) with which `draw` draws from logits (B, V), in float64."""
    if sampling.temperature == 0:
        return torch.nn.functional.one_hot(logits.argmax(-1), logits.shape[-1]).double()
    logits = logits.float() / sampling.temperature
    values, order = logits.sort(dim=-1, descending=True)
    weights, kept = _weigh(values, logits.logsumexp(-1, keepdim=True), sampling)
    weights = weights * kept
    sorted_shares = torch.zeros_like(values, dtype=torch.float64)
    sorted_shares[:, : weights.shape[1]] = weights / weights.sum(-1, keepdim=True)
    return torch.zeros_like(sorted_shares).scatter_(-1, order, sorted_shares)


def uniforms(rows: int, steps: int, seed: int | None) -> Tensor:
    """Return one uniform number for each row and step (B, steps); row i has the seed + i."""
    first = torch.Generator().seed() if seed is None else seed
    generators = (torch.Generator().manual_seed(first + row) for row in range(rows))
    return torch.stack([torch.rand(steps, generator=g, dtype=torch.float64) for g in generators])


def _draw_sorted(
    values: Tensor, order: Tensor, norm: Tensor, sampling: SamplingConfig, uniform: Tensor
) -> tuple[Tensor, Tensor]:
    """Draw from the likeliest tokens, `values` (B, N) with ids `order`, likeliest first.

    Also returns whether the N candidates held all that each draw needed.
    """
    weights, kept = _weigh(values, norm, sampling)
    is_cut = ~kept[:, -1] | bool(sampling.top_k)
    weights = weights * kept
    cumulative = weights.cumsum(-1)
    mass = torch.where(is_cut, weights.sum(-1), 1.0)
    target = uniform * mass
    free = sampling.top_p == 1 and sampling.min_p == 0
    settled = is_cut | ((target < cumulative[:, -1]) & free)
    last = kept.shape[1] - 1 - kept.flip(-1).long().argmax(-1)
    place = (cumulative <= target[:, None]).sum(-1).minimum(last)
    return order.gather(-1, place[:, None])[:, 0], settled


def _weigh(values: Tensor, norm: Tensor, sampling: SamplingConfig) -> tuple[Tensor, Tensor]:
    """Return the weights of sorted tokens (B, N), and which of them steps 5 to 8 keep."""
    if sampling.top_k:
        values = values[:, : sampling.top_k]
        norm = values.logsumexp(-1, keepdim=True)
    weights = (values - norm).double().exp()  # (B, N)
    kept = weights.cumsum(-1) - weights < sampling.top_p
    if sampling.min_p > 0:
        kept &= weights >= sampling.min_p * weights[:, :1]
    if sampling.typical_p < 1:
        kept &= _is_typical(weights * kept, sampling.typical_p)
    return weights, kept


def _is_typical(weights: Tensor, share: float) -> Tensor:
    """Return which tokens (B, N), those of weight 0 aside, are near enough to the expected."""
    shares = weights / weights.sum(-1, keepdim=True)
    surprise = -shares.log()
    expected = torch.special.entr(shares).sum(-1, keepdim=True)
    distance = (surprise - expected).abs()
    order = distance.argsort(dim=-1, stable=True)
    nearest = shares.gather(-1, order)
    kept = nearest.cumsum(-1) - nearest < share
    return torch.zeros_like(kept).scatter_(-1, order, kept) & (weights > 0)


if __name__ == "__main__":
    logits_of_four = torch.tensor([[2.0, 1.0, 0.0, -1.0]]).expand(1000, 4)
    nucleus = SamplingConfig(temperature=1.0, top_p=0.9)
    drawn = sample_token(logits_of_four, nucleus, None, torch.Generator().manual_seed(1))
    print("draws of each token at top-p 0.9:", drawn.bincount(minlength=4).tolist())
