"""The shape of a sequence-to-sequence model: an encoder that reads, a decoder that writes.

Two kinds share one type: `transformer` (Vaswani et al. 2017, arXiv 1706.03762, with pre-norm
RMSNorm, rotary positions and SwiGLU) and `lstm` (Sutskever et al. 2014, arXiv 1409.3215, with the
attention of Luong et al. 2015, arXiv 1508.04025, unless it is left out). Id 0 is padding on both
sides, as in Keras, and never a word.
"""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from hanlin.config._strict import Strict
from hanlin.config.model import ModelConfig

__all__ = ["Seq2SeqConfig"]


class Seq2SeqConfig(Strict):
    """The shape of one encoder with its decoder."""

    kind: Literal["transformer", "lstm"] = "transformer"
    """What both halves are made of."""
    source_vocab_size: int = Field(ge=2)
    """Rows of the encoder's embedding, padding included."""
    target_vocab_size: int = Field(ge=3)
    """Rows of the decoder's embedding, padding and the two markers included."""
    start_id: int = Field(ge=1)
    """The target's id of `<start>`, which the decoder reads first."""
    end_id: int = Field(ge=1)
    """The target's id of `<end>`, with which it stops."""
    context_length: int = Field(default=128, ge=8)
    """The longest source, and the longest target with one marker, in tokens."""
    hidden_size: int = Field(default=128, ge=8)
    """Width of embeddings and states."""
    num_layers: int = Field(default=2, ge=1)
    """Layers of the encoder, and as many of the decoder."""
    num_heads: int = Field(default=4, ge=1)
    """Heads of each attention (`transformer`)."""
    intermediate_size: int = Field(default=0, ge=0)
    """Width of the MLP (`transformer`); 0 takes 8/3 x hidden_size, rounded up to 32."""
    attention: bool = True
    """Whether the decoder looks at all the encoder's states, not only its last (`lstm`)."""
    tie_embeddings: bool = True
    """Whether the head shares the weights of the decoder's embedding."""
    dropout: float = Field(default=0.0, ge=0, lt=1)
    """Dropout on embeddings and on what each layer adds."""
    norm_eps: float = Field(default=1e-6, gt=0)
    """Epsilon of the norms (`transformer`)."""
    rope_theta: float = Field(default=10_000.0, gt=0)
    """Base of the rotary positions (`transformer`)."""

    @model_validator(mode="after")
    def _markers_and_shape_fit(self) -> Self:
        for name, id in (("start_id", self.start_id), ("end_id", self.end_id)):
            if id >= self.target_vocab_size:
                raise ValueError(
                    f"{name} {id} lies outside the target's {self.target_vocab_size} entries; "
                    "take both from one tokenizer"
                )
        if self.start_id == self.end_id:
            raise ValueError(f"start_id and end_id are both {self.end_id}; give two markers")
        if self.kind == "transformer":
            _ = self.block  # raises where heads and width do not fit
        return self

    @property
    def block(self) -> ModelConfig:
        """The shape of a Transformer's layers, as that of a decoder of the `qwen3` family."""
        return ModelConfig(
            family="qwen3",
            vocab_size=self.target_vocab_size,
            context_length=self.context_length,
            hidden_size=self.hidden_size,
            num_layers=self.num_layers,
            num_heads=self.num_heads,
            intermediate_size=self.intermediate_size,
            tie_embeddings=self.tie_embeddings,
            norm_eps=self.norm_eps,
            rope_theta=self.rope_theta,
            dropout=self.dropout,
        )
