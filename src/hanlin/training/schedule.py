"""The learning rate over the steps, as a pure function of the step: nothing to save or restore.

`wsd` rises, holds and falls linearly (warm-up, stable, decay; Hu et al. 2024, arXiv:2404.06395),
`cosine` falls along half a cosine (Loshchilov and Hutter 2017, arXiv:1608.03983), `constant` holds.

    python -m hanlin.training.schedule
"""

from __future__ import annotations

import math

from hanlin.config import ScheduleConfig

__all__ = ["learning_rate_share"]


def learning_rate_share(step: int, num_steps: int, config: ScheduleConfig) -> float:
    """Return the share of the peak rate at `step`, which counts from 0 to `num_steps` - 1.

    The first step of a warm-up is above zero, and the last step of a decay has `final_share`.

    >>> wsd = ScheduleConfig(kind="wsd", warmup_share=0.2, decay_share=0.5, final_share=0.0)
    >>> [round(learning_rate_share(step, 10, wsd), 2) for step in range(10)]
    [0.5, 1.0, 1.0, 1.0, 1.0, 0.8, 0.6, 0.4, 0.2, 0.0]
    """
    warmup = round(num_steps * config.warmup_share)
    if step < warmup:
        return (step + 1) / warmup
    if config.kind == "constant":
        return 1.0
    decay = num_steps - warmup
    if config.kind == "wsd":
        decay = min(decay, round(num_steps * config.decay_share))
    done = max(0.0, (step + 1 - (num_steps - decay)) / max(1, decay))
    left = 1 - done if config.kind == "wsd" else (1 + math.cos(math.pi * done)) / 2
    return config.final_share + (1 - config.final_share) * left


if __name__ == "__main__":
    for kind in ("wsd", "cosine", "constant"):
        schedule = ScheduleConfig.model_validate({"kind": kind, "warmup_share": 0.1})
        bars = [round(8 * learning_rate_share(step, 60, schedule)) for step in range(60)]
        print(f"{kind:>9} {''.join(' ▁▂▃▄▅▆▇█'[bar] for bar in bars)}")
