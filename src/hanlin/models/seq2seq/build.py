"""Build an encoder with its decoder, with fresh weights: the same for the same seed everywhere.

Linear layers begin with deviation 1/sqrt(fan_in). In the Transformer, projections back into the
residual stream begin at zero and the decoder's last norm so low that a tied head does not begin by
repeating the word just read, as in `hanlin.models.build`. LSTMs begin uniform in +-1/sqrt(C), with
the forget gate's bias at one (Jozefowicz et al. 2015), so that they begin by remembering.

    python -m hanlin.models.seq2seq.build
"""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor, nn

from hanlin.config import Seq2SeqConfig
from hanlin.models.block import RMSNorm
from hanlin.models.seq2seq.base import Seq2SeqDecoder, Seq2SeqEncoder
from hanlin.models.seq2seq.lstm import LstmDecoder, LstmEncoder
from hanlin.models.seq2seq.transformer import TransformerDecoder, TransformerEncoder

__all__ = ["Seq2Seq", "build_seq2seq", "lay_out_decoder", "lay_out_encoder"]

_EMBEDDING_STD = 0.2
_FINAL_GAIN = 0.1


class Seq2Seq(nn.Module):
    """An encoder and a decoder, trained as one."""

    def __init__(self, encoder: Seq2SeqEncoder, decoder: Seq2SeqDecoder[Any]) -> None:
        """Join two halves of one shape."""
        super().__init__()
        self.config = encoder.config
        self.encoder = encoder
        self.decoder = decoder

    def forward(self, source: Tensor, target: Tensor) -> Tensor:
        """Return the logits (B, T, V) of the word after each of `target` (B, T), all given."""
        return self.decoder.head(self.decoder.hidden(target, self.encoder(source)))

    @property
    def unembedding(self) -> nn.Linear | None:
        """The head's own layer, which is no hidden matrix; None where it is the embedding."""
        return self.decoder.unembedding

    def fused_rows(self) -> dict[str, tuple[int, ...]]:
        """Return, for each parameter that holds several matrices, the rows of each in order."""
        return {
            name: (weight.shape[0] // parts,) * parts
            for name, weight in self.named_parameters()
            for leaf, parts in _FUSED.items()
            if name.endswith(leaf)
        }


_FUSED = {".qkv.weight": 3, ".key_value.weight": 2, ".gate_up.weight": 2}


def build_seq2seq(config: Seq2SeqConfig, *, seed: int) -> Seq2Seq:
    """Return a model in fp32 on the CPU with weights drawn from `seed`."""
    with torch.device("meta"):  # no memory, and no draw from torch's global generator
        model = Seq2Seq(lay_out_encoder(config), lay_out_decoder(config))
    model.to_empty(device="cpu")
    _initialise(model, torch.Generator().manual_seed(seed))
    return model


def lay_out_encoder(config: Seq2SeqConfig) -> Seq2SeqEncoder:
    """Return the encoder of a shape; weights are not set."""
    return LstmEncoder(config) if config.kind == "lstm" else TransformerEncoder(config)


def lay_out_decoder(config: Seq2SeqConfig) -> Seq2SeqDecoder[Any]:
    """Return the decoder of a shape; weights are not set."""
    return LstmDecoder(config) if config.kind == "lstm" else TransformerDecoder(config)


@torch.no_grad()
def _initialise(model: Seq2Seq, generator: torch.Generator) -> None:
    for name, module in model.named_modules():
        if isinstance(module, RMSNorm):
            module.weight.fill_(_FINAL_GAIN if name == "decoder.norm" else 1.0)
        elif isinstance(module, nn.Embedding):
            module.weight.normal_(0.0, _EMBEDDING_STD, generator=generator)
        elif isinstance(module, nn.LSTM):
            _initialise_lstm(module, generator)
        elif isinstance(module, nn.Linear):
            _initialise_linear(name, module, model.config, generator)


def _initialise_linear(
    name: str, layer: nn.Linear, config: Seq2SeqConfig, generator: torch.Generator
) -> None:
    if config.kind == "transformer" and name.endswith((".output", ".down")):
        layer.weight.zero_()
        return
    std = _EMBEDDING_STD if name.endswith("unembedding") else 1.0 / math.sqrt(layer.in_features)
    layer.weight.normal_(0.0, std, generator=generator)


def _initialise_lstm(lstm: nn.LSTM, generator: torch.Generator) -> None:
    bound, width = 1.0 / math.sqrt(lstm.hidden_size), lstm.hidden_size
    for name, parameter in lstm.named_parameters():
        if name.startswith("weight"):
            parameter.uniform_(-bound, bound, generator=generator)
            continue
        parameter.zero_()
        if name.startswith("bias_ih"):
            parameter[width : 2 * width] = 1.0  # gates stand in the order i, f, g, o


if __name__ == "__main__":
    shape = Seq2SeqConfig(source_vocab_size=9, target_vocab_size=9, start_id=1, end_id=2)
    for parameter_name, values in build_seq2seq(shape, seed=1).named_parameters():
        print(f"{parameter_name:45} {tuple(values.shape)!s:14} std {values.std():.3f}")
