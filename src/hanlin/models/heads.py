"""Classification heads: new output nodes on a decoder, with further layers if they are wanted.

    hidden states -> blocks -> pooling (mean, or the last token) -> norm -> MLP -> output nodes

A head reads the hidden states of a text that stands alone in its row, padded behind: what is
padding is hidden by causal attention and left out by the pooling, so that neither padding nor the
rest of a batch changes what comes out. The decoder itself stays as it is; its own head is not used
(Radford et al. 2018, "Improving Language Understanding by Generative Pre-Training").

    head = build_head(model.config, HeadConfig(), ("bad", "good"), seed=1)
    logits = classify_ids(model, head, ids, mask)                            # (B, K)
    logits = classify_embeddings(model, head, model.embedding(ids), mask)    # the same

Shapes: B batch, T time, C channels, K labels.

    python -m hanlin.models.heads
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from hanlin.config import HeadConfig, ModelConfig
from hanlin.models.block import Block, RMSNorm
from hanlin.models.decoder import Decoder
from hanlin.models.rotary import RotaryTable
from hanlin.models.visibility import see

__all__ = [
    "ClassifierHead",
    "attach_heads",
    "build_head",
    "classify_embeddings",
    "classify_ids",
    "detach_heads",
    "pad_rows",
]


class ClassifierHead(nn.Module):
    """Hidden states of a decoder in, a logit for each label out."""

    def __init__(self, shape: ModelConfig, config: HeadConfig, labels: Sequence[str]) -> None:
        """Lay out the head for a decoder of `shape`; `build_head` sets the weights."""
        super().__init__()
        self.config, self.labels = config, tuple(labels)
        width, blocks = shape.hidden_size, config.kind == "blocks"
        number = config.layers if blocks else 0
        self.blocks = nn.ModuleList(Block(shape, layer) for layer in range(number))
        self.norm = RMSNorm(width, shape.norm_eps)
        number = 0 if blocks else config.layers
        self.mlp = nn.ModuleList(nn.Linear(width, width) for _ in range(number))
        # No nn.Linear: optimisers treat output nodes unlike the matrices between hidden states.
        self.weight = nn.Parameter(torch.empty(len(labels), width))
        self.bias = nn.Parameter(torch.empty(len(labels)))
        rotary = shape.family != "gpt2"
        self._rotary = (
            RotaryTable(shape.context_length, shape.resolved_head_dim, shape.rope_theta)
            if rotary
            else None
        )

    def forward(self, hidden: Tensor, mask: Tensor) -> Tensor:
        """Return logits (B, K) of texts with hidden states (B, T, C); `mask` (B, T) is no padding.

        Padding stands behind the text.
        """
        x = hidden
        if self.blocks:
            view = see(mask, cache=None, segment_ids=None, band=None)
            places = slice(0, x.shape[1])
            rotation = self._rotary.at(places, x) if self._rotary is not None else None
            for block in self.blocks:
                x = block(x, rotation, view, None)
        x = F.dropout(self.norm(self._pool(x, mask)), self.config.dropout, self.training)  # (B, C)
        for layer in self.mlp:
            x = F.dropout(F.gelu(layer(x)), self.config.dropout, self.training)
        return F.linear(x, self.weight, self.bias)

    def _pool(self, x: Tensor, mask: Tensor) -> Tensor:
        """Return one vector a text, (B, C)."""
        lengths = mask.sum(1)
        if self.config.pool == "last":
            return x[torch.arange(len(x), device=x.device), lengths - 1]
        kept = x.masked_fill(~mask[:, :, None], 0.0)  # (B, T, C)
        return kept.sum(1) / lengths[:, None].to(x.dtype)


def build_head(
    shape: ModelConfig, config: HeadConfig, labels: Sequence[str], *, seed: int
) -> ClassifierHead:
    """Return a head with fresh weights: equal probabilities, and blocks that change nothing."""
    head = ClassifierHead(shape, config, labels)
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, parameter in head.named_parameters():
            if name.endswith("norm.weight"):
                parameter.fill_(1.0)
            elif name in ("weight", "bias") or name.endswith(
                ("bias", "output.weight", "down.weight")
            ):
                parameter.zero_()
            else:
                std = 1.0 / math.sqrt(parameter.shape[-1])
                parameter.normal_(0.0, std, generator=generator)
    return head.eval()


def classify_ids(model: Decoder, head: ClassifierHead, ids: Tensor, mask: Tensor) -> Tensor:
    """Return logits (B, K) of texts `ids` (B, T), padded behind where `mask` (B, T) is False."""
    return head(model.hidden(ids), mask)  # type: ignore[no-any-return]


def classify_embeddings(
    model: Decoder, head: ClassifierHead, embeddings: Tensor, mask: Tensor
) -> Tensor:
    """Return logits (B, K) of texts given as embeddings (B, T, C), which may carry a gradient."""
    # The ids say nothing but the shape here.
    return head(model.hidden(mask.long(), embeddings=embeddings), mask)  # type: ignore[no-any-return]


def pad_rows(texts: Sequence[Sequence[int]], device: torch.device | str) -> tuple[Tensor, Tensor]:
    """Return texts as ids (B, T), padded behind with 0, and the mask of what is no padding."""
    longest = max(map(len, texts))
    ids = torch.zeros(len(texts), longest, dtype=torch.long)
    mask = torch.zeros(len(texts), longest, dtype=torch.bool)
    for row, text in enumerate(texts):
        ids[row, : len(text)] = torch.tensor(text)
        mask[row, : len(text)] = True
    return ids.to(device), mask.to(device)


def attach_heads(model: Decoder, heads: Iterable[ClassifierHead]) -> None:
    """Make heads part of a decoder, so that they learn and are saved with it."""
    model.heads = nn.ModuleList(heads).to(model.embedding.weight)


def detach_heads(model: Decoder) -> list[ClassifierHead]:
    """Take the heads off a decoder again and return them in their order."""
    heads, model.heads = model.heads, None
    return [head for head in heads or () if isinstance(head, ClassifierHead)]


if __name__ == "__main__":
    from hanlin.models.build import build_model

    tiny = ModelConfig(vocab_size=512, hidden_size=64, num_layers=2, num_heads=2)
    decoder, nodes = build_model(tiny, seed=1), build_head(tiny, HeadConfig(), "ab", seed=1)
    print(nodes)
    print(classify_ids(decoder, nodes, *pad_rows([[5, 6, 7], [8]], "cpu")).softmax(-1))
