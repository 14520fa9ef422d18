"""Training speed against nanoGPT and transformers: alternating runs, each in a fresh process.

    git clone https://github.com/karpathy/nanoGPT /tmp/nanoGPT
    python benchmarks/training.py --nanogpt /tmp/nanoGPT/model.py --shape 14m

All arms start from the same weights and see the same tokens in the same order, with AdamW, clipping
and the same rates; weights are fp32 masters everywhere. bf16 is used where the processor has it.

    ours            the step of hanlin.training, allocator set by keep_buffers
    nanogpt         its model.py, autocast, fused AdamW, stock allocator
    nanogpt-compile the same under torch.compile
    nanogpt-kept    nanogpt with our allocator settings
    transformers    GPT2LMHeadModel in the same loop, stock allocator

The table gives the median of tokens a second over rounds, its ratio to ours, and the loss after the
last step. On a busy machine `--cpu-time` counts the processor's seconds in place of the clock's;
that is sound with one thread only.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib.util
import json
import math
import os
import platform
import re
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

SHAPES = {
    # name: layers, heads, width, vocabulary, rows, length; parameters are printed
    "tiny": (2, 2, 64, 512, 4, 64),
    "14m": (6, 6, 384, 8192, 16, 256),
    "124m": (12, 12, 768, 50304, 2, 512),
}
ARMS = ("ours", "nanogpt", "nanogpt-compile", "nanogpt-kept", "transformers")
RATE, DECAY, BETAS, CLIP, WARMUP = 6e-4, 0.1, (0.9, 0.95), 1.0, 20

Step = Callable[[int, Any], float]


def main() -> None:
    given = _arguments()
    if given.arm:
        print(json.dumps(run_arm(given)))
        return
    results: dict[str, list[dict[str, Any]]] = {arm: [] for arm in given.arms}
    for number in range(given.rounds):
        for arm in given.arms:
            results[arm].append(_spawn(arm))
            speed = results[arm][-1]["tokens_per_second"]
            print(f"round {number + 1} {arm}: {speed:.0f} tokens/s", file=sys.stderr)
    _print_table(given, results)


def run_arm(given: argparse.Namespace) -> dict[str, Any]:
    """Train one arm in this process and return its speed and losses."""
    import torch

    torch.set_num_threads(given.threads)
    torch.manual_seed(0)
    step = _MAKERS[given.arm.split("-")[0]](given)
    tokens = _tokens(SHAPES[given.shape][3])
    rows, length = SHAPES[given.shape][4:]
    clock = time.process_time if given.cpu_time else time.perf_counter
    times, losses = [], []
    for number in range(given.steps):
        chance = np.random.default_rng((1, number))
        starts = chance.integers(0, len(tokens) - length - 1, rows)
        batch = np.stack([tokens[s : s + length + 1] for s in starts])
        started = clock()
        losses.append(step(number, batch))
        times.append(clock() - started)
    settled = times[min(3, len(times) - 1) :]
    return {
        "tokens_per_second": rows * length / statistics.median(settled),
        "losses": losses,
        "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }


def _ours(given: argparse.Namespace) -> Step:
    import torch

    from hanlin.config import ModelConfig, TrainingConfig
    from hanlin.models import build_model
    from hanlin.objectives import NextToken
    from hanlin.training import World, choose_placement, keep_buffers
    from hanlin.training.step import Stepper

    keep_buffers()
    layers, heads, width, vocabulary, rows, length = SHAPES[given.shape]
    shape = ModelConfig(
        family="gpt2",
        vocab_size=vocabulary,
        hidden_size=width,
        num_heads=heads,
        num_layers=layers,
        context_length=length,
        norm_eps=1e-5,
    )
    model = build_model(shape, seed=0)
    _load(model, _initial(given.shape), _OUR_NAMES)
    config = TrainingConfig.model_validate(
        {
            "steps": 10**6,
            "batch_tokens": rows * length,
            "optimizer": {
                "kind": "adamw",
                "learning_rate": RATE,
                "weight_decay": DECAY,
                "betas": BETAS,
                "clip_norm": CLIP,
            },
            "schedule": {"kind": "constant", "warmup_share": WARMUP / 10**6},
        }
    )
    model.train()
    stepper = Stepper(
        model,
        NextToken(),
        config,
        placement=choose_placement("cpu", given.precision),
        world=World(),
        seed=0,
        microbatch=given.microbatch or rows,
    )
    assert torch.get_num_threads() == given.threads
    return lambda number, batch: stepper.run(number, batch).loss


def _nanogpt(given: argparse.Namespace) -> Step:
    import torch

    if given.arm.endswith("-kept"):
        from hanlin.training import keep_buffers

        keep_buffers()
    spec = importlib.util.spec_from_file_location("nanogpt_model", given.nanogpt)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["nanogpt_model"] = module
    spec.loader.exec_module(module)
    layers, heads, width, vocabulary, _, length = SHAPES[given.shape]
    config = module.GPTConfig(
        block_size=length,
        vocab_size=vocabulary,
        n_layer=layers,
        n_head=heads,
        n_embd=width,
        dropout=0.0,
        bias=True,
    )
    with contextlib.redirect_stdout(sys.stderr):
        model = module.GPT(config)
    _load(model, _initial(given.shape), _NANOGPT_NAMES)
    called = torch.compile(model) if given.arm.endswith("-compile") else model
    return _plain_loop(given, model, lambda x, y: called(x, y)[1])


def _transformers(given: argparse.Namespace) -> Step:
    import torch
    from transformers import GPT2Config, GPT2LMHeadModel

    layers, heads, width, vocabulary, _, length = SHAPES[given.shape]
    config = GPT2Config(
        vocab_size=vocabulary,
        n_positions=length,
        n_embd=width,
        n_layer=layers,
        n_head=heads,
        resid_pdrop=0.0,
        embd_pdrop=0.0,
        attn_pdrop=0.0,
        use_cache=False,
    )
    model = GPT2LMHeadModel(config)
    _load(model, _initial(given.shape), _HUGGING_NAMES)
    model.train()

    def loss(x: Any, y: Any) -> Any:
        logits = model(x).logits.float()
        return torch.nn.functional.cross_entropy(logits.view(-1, vocabulary), y.reshape(-1))

    return _plain_loop(given, model, loss)


_MAKERS = {"ours": _ours, "nanogpt": _nanogpt, "transformers": _transformers}


def _plain_loop(given: argparse.Namespace, model: Any, loss_of: Callable[..., Any]) -> Step:
    """Return the step of nanoGPT's train.py: autocast, backward, clip, fused AdamW."""
    import torch

    from hanlin.training import cpu_has_bf16

    bf16 = given.precision == "bf16" or (given.precision == "auto" and cpu_has_bf16())
    matrices = [p for p in model.parameters() if p.ndim >= 2]
    others = [p for p in model.parameters() if p.ndim < 2]
    optimizer = torch.optim.AdamW(
        [{"params": matrices, "weight_decay": DECAY}, {"params": others, "weight_decay": 0.0}],
        lr=RATE,
        betas=BETAS,
        fused=True,
    )

    def step(number: int, batch: Any) -> float:
        for group in optimizer.param_groups:
            group["lr"] = RATE * min(1.0, (number + 1) / WARMUP)
        ids = torch.from_numpy(batch).long()
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=bf16):
            loss = loss_of(ids[:, :-1].contiguous(), ids[:, 1:].contiguous())
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), CLIP)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        return float(loss.detach())

    return step


def _tokens(vocabulary: int) -> Any:
    """Return the words of Python's own library, hashed to ids: text that every machine has."""
    text = "".join(
        path.read_text(encoding="utf-8", errors="replace")
        for path in sorted(Path(os.__file__).parent.glob("*.py"))
    )
    words = re.findall(r"\w+|[^\w ]| +", text)
    ids = {word: place % vocabulary for place, word in enumerate(dict.fromkeys(words))}
    return np.array([ids[word] for word in words], dtype=np.int32)


def _initial(shape: str) -> dict[str, Any]:
    """Return GPT-2's initial weights, (out, in) as torch's Linear has them."""
    import torch

    layers, _, width, vocabulary, _, length = SHAPES[shape]
    generator = torch.Generator().manual_seed(1)

    def draw(*size: int, scale: float = 0.02) -> Any:
        return torch.randn(*size, generator=generator) * scale

    weights = {"wte": draw(vocabulary, width), "wpe": draw(length, width)}
    deep = 0.02 / math.sqrt(2 * layers)
    for layer in range(layers):
        weights[f"{layer}.qkv"] = draw(3 * width, width)
        weights[f"{layer}.out"] = draw(width, width, scale=deep)
        weights[f"{layer}.up"] = draw(4 * width, width)
        weights[f"{layer}.down"] = draw(width, 4 * width, scale=deep)
    return weights


_OUR_NAMES = {
    "wte": "embedding",
    "wpe": "positions",
    "qkv": "blocks.{}.attention.qkv",
    "out": "blocks.{}.attention.output",
    "up": "blocks.{}.mlp.up",
    "down": "blocks.{}.mlp.down",
}
_NANOGPT_NAMES = {
    "wte": "transformer.wte",
    "wpe": "transformer.wpe",
    "qkv": "transformer.h.{}.attn.c_attn",
    "out": "transformer.h.{}.attn.c_proj",
    "up": "transformer.h.{}.mlp.c_fc",
    "down": "transformer.h.{}.mlp.c_proj",
}
_HUGGING_NAMES = _NANOGPT_NAMES


def _load(model: Any, weights: dict[str, Any], names: dict[str, str]) -> None:
    """Copy the initial weights; biases become zero and gains one."""
    import torch

    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if parameter.ndim == 1:
                parameter.fill_(0.0 if name.endswith("bias") else 1.0)
        for key, weight in weights.items():
            layer, _, part = key.rpartition(".")
            target = model.get_parameter(names[part].format(layer) + ".weight")
            turned = type(model).__name__ == "GPT2LMHeadModel" and layer
            target.copy_(weight.t() if turned else weight)


def _spawn(arm: str) -> dict[str, Any]:
    command = [sys.executable, __file__, *sys.argv[1:], "--arm", arm]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{arm} failed:\n{done.stderr}")
    result: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return result


def _print_table(given: argparse.Namespace, results: dict[str, list[dict[str, Any]]]) -> None:
    from hanlin.training import cpu_has_bf16

    speeds = {
        arm: statistics.median(run["tokens_per_second"] for run in runs)
        for arm, runs in results.items()
    }
    parameters = sum(weight.numel() for weight in _initial(given.shape).values())
    print(
        f"{given.shape}: {parameters / 1e6:.1f}M weights in matrices, {given.threads} threads, "
        f"{given.rounds} rounds of {given.steps} steps, bf16 units: {cpu_has_bf16()}, "
        f"{platform.processor() or platform.machine()}\n"
    )
    print("| arm | tokens/s | ours is | loss at the end | peak MB |\n|---|---|---|---|---|")
    for arm, runs in results.items():
        ratio = statistics.median(
            ours["tokens_per_second"] / run["tokens_per_second"]
            for ours, run in zip(results.get("ours", runs), runs, strict=True)
        )
        loss = statistics.mean(runs[0]["losses"][-5:])
        print(
            f"| {arm} | {speeds[arm]:,.0f} | {ratio:.2f} x | {loss:.4f} | "
            f"{max(run['peak_mb'] for run in runs):,.0f} |"
        )


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--nanogpt", type=Path, required=True, help="nanoGPT's model.py")
    parser.add_argument("--shape", choices=SHAPES, default="14m")
    parser.add_argument("--arms", nargs="+", choices=ARMS, default=list(ARMS))
    parser.add_argument("--arm", choices=ARMS, help=argparse.SUPPRESS)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--steps", type=int, default=13)
    parser.add_argument("--threads", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--microbatch", type=int, default=0)
    parser.add_argument("--precision", choices=("auto", "fp32", "bf16"), default="auto")
    parser.add_argument("--cpu-time", action="store_true")
    return parser.parse_args()


if __name__ == "__main__":
    main()
