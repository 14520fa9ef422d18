"""What Newton-Schulz costs directly and on the Gram side: processor time, and error against fp64.

    OMP_NUM_THREADS=1 python benchmarks/muon.py

Stacks of the shapes that a model's layers make, in turns; medians. The first is the MLPs of the
demo's four layers, beside which its square matrices (16 of 160 x 160) stay as they are.
"""

from __future__ import annotations

import statistics
import time

import torch

from hanlin.training.muon import iterate_directly, iterate_on_gram

SHAPES = ((12, 160, 448), (8, 128, 256), (8, 128, 384), (6, 384, 1024), (12, 384, 1536))
ROUNDS = 9


def main() -> None:
    forms = {"directly": iterate_directly, "on the Gram side": iterate_on_gram}
    for shape in SHAPES:
        stack = torch.randn(shape, generator=torch.Generator().manual_seed(0))
        stack /= stack.flatten(1).norm(dim=1)[:, None, None]
        exact = iterate_directly(stack.double())
        times: dict[str, list[float]] = {name: [] for name in forms}
        for _ in range(ROUNDS):
            for name, form in forms.items():
                start = time.process_time()
                form(stack)
                times[name].append(1e3 * (time.process_time() - start))
        for name, form in forms.items():
            error = float((form(stack) - exact).abs().max())
            median = statistics.median(times[name])
            print(f"{shape} {name}: {median:.1f} ms, error {error:.1e}", flush=True)


if __name__ == "__main__":
    main()
