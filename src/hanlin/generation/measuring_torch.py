"""How fast torch reads a prompt, and how much memory it can read at all.

python -m hanlin.generation.measuring_torch
"""

from __future__ import annotations

import time

import torch

from hanlin.config import BatchingConfig
from hanlin.generation.measuring import alternate, random_prompts
from hanlin.generation.reading import Portion, Reader
from hanlin.models import Decoder

__all__ = ["bytes_read", "measure_prefill", "read_bandwidth"]

_READ_BYTES = 1 << 28


def measure_prefill(
    model: Decoder, *, prompt_tokens: int = 512, rounds: int = 3
) -> dict[str, float]:
    """Return tokens a second at which a prompt is read: paged, and by the plain `KVCache`."""
    ids = random_prompts(1, prompt_tokens, model.config.vocab_size)[0]
    config = BatchingConfig()
    table = list(range(-(-prompt_tokens // config.block_tokens)))
    reader = Reader(model.eval(), config, len(table))

    def paged() -> int:
        reader.read([Portion(ids, table, 0, True)])
        return prompt_tokens

    def plain() -> int:
        with torch.inference_mode():
            cache = model.new_cache(1, prompt_tokens)
            row = torch.tensor([ids], device=cache.keys.device)
            model.head(model.hidden(row, cache=cache)[:, -1])
        return prompt_tokens

    speeds = alternate({"tokens_per_second": paged, "plain_cache": plain}, rounds)
    return {"prompt_tokens": prompt_tokens, **speeds}


def read_bandwidth() -> float:
    """Return how many GB/s this process reads from memory: the best of five sums of 256 MB."""
    numbers = torch.ones(_READ_BYTES // 4)
    best = 0.0
    for _ in range(5):
        start = time.perf_counter()
        numbers.sum()
        best = max(best, _READ_BYTES / (time.perf_counter() - start))
    return best / 1e9


def bytes_read(model: Decoder) -> int:
    """Return what a pass reads: all matrices, but an untied embedding, of which it reads rows."""
    untied = model.unembedding is not None
    return sum(
        tensor.nbytes
        for name, tensor in model.state_dict().items()
        if not name.startswith("positions.") and not (untied and name.startswith("embedding."))
    )


if __name__ == "__main__":
    from hanlin.config import ModelConfig
    from hanlin.models import build_model, resolve_model

    tiny = build_model(resolve_model(ModelConfig(preset="1m"), 2048), seed=1)
    print(measure_prefill(tiny, prompt_tokens=128))
