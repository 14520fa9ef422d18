"""Weights put into the core: each format from numbers or codes, the matrices by our own names.

    builder = Builder(config, threads=2, instructions="auto", where=folder)
    builder.add(rule, parts, "int8")
    model = builder.finish()

`hanlin.generation.native.model` reads a folder so.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hanlin.config import ModelConfig
from hanlin.errors import ModelError
from hanlin.generation.native.compiled import default_instructions, default_threads, load_core
from hanlin.generation.native.rounding import round_int4, round_int8
from hanlin.generation.native.tensors import Stored
from hanlin.models.names import Rule

__all__ = ["Builder"]

_GROUP = 64
"""Columns that share a scale where numbers are rounded to 4 bits here."""


class Builder:
    """Puts the parameters of one model into the core."""

    def __init__(
        self, config: ModelConfig, threads: int | None, instructions: str, where: Path
    ) -> None:
        """Begin with a core of the shape of `config`; `where` is named when something is wrong."""
        self.config, self.where = config, where
        self.blocks = "fp32"
        """How the blocks' matrices are held."""
        gpt2 = config.family == "gpt2"
        with self._told():
            self.core = load_core().Model(
                vocab=config.vocab_size,
                context=config.context_length,
                width=config.hidden_size,
                layers=config.num_layers,
                heads=config.num_heads,
                kv_heads=config.resolved_kv_heads,
                head_dim=config.resolved_head_dim,
                inner=config.resolved_intermediate_size,
                gpt2=gpt2,
                tied=config.tie_embeddings,
                band=config.band_width if config.attention == "banded" else 0,
                norm_eps=config.norm_eps,
                threads=default_threads() if threads is None else threads,
                instructions=default_instructions() if instructions == "auto" else instructions,
            )
        if not gpt2:
            self.core.set_rotary(_frequencies(config))

    def finish(self) -> Any:
        """Return the core once it has found itself complete."""
        with self._told():
            self.core.seal()
        return self.core

    def add(self, rule: Rule, parts: list[Stored], weights: str) -> None:
        """Add a parameter from the tensors that hold it."""
        if parts[0].array.ndim == 1:
            wide = [_numbers(part) for part in parts]
            self.add_vector(rule.ours, Stored(np.concatenate(wide), "F32"))
            return
        arrays = [Stored(p.array.T if rule.transposed else p.array, p.kind) for p in parts]
        name = rule.ours.removesuffix(".weight")
        kind = ("bf16" if parts[0].kind == "BF16" else "fp32") if weights == "auto" else weights
        if name.startswith("blocks."):
            self.blocks = kind
        if name.endswith(".gate_up"):
            half = len(arrays[0].array) // 2
            if len(arrays) == 1:
                whole = arrays[0]
                arrays = [Stored(p, whole.kind) for p in (whole.array[:half], whole.array[half:])]
            for leaf, array in zip(("gate", "up"), arrays, strict=True):
                self._add_numbers(name.replace("gate_up", leaf), [array], kind, 1.0)
        else:
            self._add_numbers(name, arrays, kind, 1.0 / rule.scale)

    def add_vector(self, name: str, stored: Stored) -> None:
        """Add a gain or a bias."""
        values = _numbers(stored)
        self._check_finite(bool(np.isfinite(values).all()), name)
        with self._told():
            self.core.set_vector(name, values)

    def add_codes(
        self, name: str, shape: tuple[int, ...], parts: dict[str, Stored | None], group: int
    ) -> None:
        """Add a packed matrix."""
        if not name.endswith(".gate_up"):
            self._add_codes(name, shape, parts, group, slice(None))
            return
        half = shape[0] // 2
        for leaf, rows in (("gate", slice(half)), ("up", slice(half, None))):
            part = name.replace("gate_up", leaf)
            self._add_codes(part, (half, shape[1]), parts, group, rows)

    def _add_codes(
        self,
        name: str,
        shape: tuple[int, ...],
        parts: dict[str, Stored | None],
        group: int,
        rows: slice,
    ) -> None:
        codes, scales, zeros = parts["codes"], parts["scales"], parts["zeros"]
        assert codes is not None and scales is not None
        cut = np.ascontiguousarray(codes.array[rows])
        with self._told():
            if zeros is None:
                self.core.add(name, *shape, "int8", group)
                fine = self.core.fill_int8(name, 0, cut, _numbers(scales)[rows, 0].copy())
            else:
                halves = [np.array(_numbers(part)[rows], np.float16) for part in (scales, zeros)]
                self.core.add(name, *shape, "int4", group)
                fine = self.core.fill_int4(name, 0, cut, *halves)
        self._check_finite(fine, name)

    def _add_numbers(self, name: str, parts: list[Stored], kind: str, factor: float) -> None:
        """Add a matrix whose rows are those of all parts; the first one times `factor`."""
        rows, columns = sum(len(part.array) for part in parts), parts[0].array.shape[1]
        with self._told():
            self.core.add(name, rows, columns, kind, _GROUP)
        first = 0
        for part in parts:
            with self._told():
                fine = self._filler(kind)(name, first, part, factor)
            self._check_finite(fine, name)
            first, factor = first + len(part.array), 1.0

    def _filler(self, kind: str) -> Callable[[str, int, Stored, float], bool]:
        def fill(name: str, first: int, part: Stored, factor: float) -> bool:
            return bool(self.core.fill(name, first, part.array, factor))

        def fill_rounded(name: str, first: int, part: Stored, factor: float) -> bool:
            wide = _numbers(part) * np.float32(factor)
            self._check_finite(bool(np.isfinite(wide).all()), name)
            if kind == "int8":
                codes, scales, _ = round_int8(wide)
                return bool(self.core.fill_int8(name, first, codes, scales))
            return bool(self.core.fill_int4(name, first, *round_int4(wide, _GROUP)))

        return fill if kind in ("fp32", "bf16") else fill_rounded

    def _check_finite(self, fine: bool, name: str) -> None:
        if not fine:
            raise ModelError(
                f"{name} in {self.where} holds a number that is not finite, as a run that diverged "
                "leaves behind. Take an earlier release."
            )

    @contextmanager
    def _told(self) -> Iterator[None]:
        """Turn what the core refuses into an error that names the folder."""
        try:
            yield
        except (ValueError, TypeError, OverflowError) as error:
            raise ModelError(
                f"The native engine cannot hold the model in {self.where}: {error}. "
                "Generate with --engine torch."
            ) from error
        except MemoryError as error:
            raise ModelError(
                f"There is no memory for the model in {self.where}. Quantise it (hanlin quantize), "
                "or take a smaller one."
            ) from error


def _numbers(stored: Stored) -> NDArray[np.float32]:
    """Return a fresh array of fp32."""
    if stored.kind != "BF16":
        return np.array(stored.array, dtype=np.float32, order="C")
    wide = stored.array.astype(np.uint32) << np.uint32(16)
    return np.ascontiguousarray(wide).view(np.float32)


def _frequencies(config: ModelConfig) -> NDArray[np.float32]:
    """Return how fast each pair of a head turns, rounded as `hanlin.models.rotary` does."""
    width = config.resolved_head_dim
    exponents = np.arange(0, width, 2, dtype=np.float32) / np.float32(width)
    theta = np.float32(config.rope_theta)
    return np.asarray(np.float32(1) / np.power(theta, exponents), dtype=np.float32)
