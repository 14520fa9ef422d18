"""How the weights of a model are packed: bits, groups and the method that chose the codes."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import model_validator

from hanlin.config._strict import Strict

__all__ = ["Bits", "QuantisationConfig", "QuantisationMethod"]

Bits = Literal[4, 8]
QuantisationMethod = Literal["rtn", "gptq", "hqq"]


class QuantisationConfig(Strict):
    """How a model's matrices are packed; norms and biases stay as they are."""

    bits: Bits = 8
    """Bits of a weight in the blocks."""
    group: Literal[32, 64, 128] = 64
    """Weights of a row that share a scale and a zero, at 4 bits; at 8 a whole row shares one."""
    method: QuantisationMethod = "rtn"
    """How the blocks' codes are chosen: to nearest, by GPTQ on calibration text, or by HQQ."""
    table_bits: Bits = 8
    """Bits of the embedding, the head and the positions, which are rounded to nearest."""

    @model_validator(mode="after")
    def _method_fits(self) -> Self:
        if self.method == "hqq" and self.bits == 8:
            raise ValueError(
                "method hqq moves zeros, which 8 bits do not have; take bits 4, or method rtn"
            )
        return self
