"""The default recipe against GPT-2 with AdamW, and what each of its parts contributes.

    python benchmarks/recipes.py runs/real --arm gpt2 --rate 1e-3 --rate 2e-3 --tokens 2e6
    python benchmarks/recipes.py runs/real --arm ours --share 0.66 --seed 1 --seed 2 --seed 3
    python benchmarks/recipes.py runs/real --table
    python benchmarks/recipes.py runs/zh-characters --arm ours --flops 1e13 --name characters

Every arm learns from the tokens of a prepared run (its corpus, tokenizer and shards), in the same
order for the same seed, through the one training loop, and is measured on the run's validation
documents when its own schedule has ended. `--share` gives an arm that share of the operations of a
`gpt2` run of `--tokens` tokens, the optimiser's counted. One line a run goes to `--out`; a run that
stands there is not done again. Rates are AdamW's (for `gpt2` and `*adamw*` arms) or a factor on
both of the default rates (for the others).

    gpt2        GPT-2's block, initialisation and tied head; AdamW 0.9/0.95, decay 0.1, cosine to a
                tenth, 5 % warm-up: nanoGPT's settings
    ours        the default recipe: qwen3 block, Muon with AdamW, wsd
    adamw       ours with AdamW for everything
    muon-gpt2   gpt2 with our optimiser and schedule
    no-qk-norm  ours in the llama block
    no-zero     ours with projections that begin as normal draws
    cosine      ours with gpt2's schedule
    fall-0.7    ours whose rate falls over the last 0.7 of the steps, not over half of them
    fall-1      ours whose rate falls from the warm-up on
    no-decay    ours without weight decay
    quiet       ours with the embedding drawn at 0.02 in place of 0.2
"""

from __future__ import annotations

import argparse
import itertools
import json
import math
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

import torch

from hanlin.config import ModelConfig, TrainingConfig
from hanlin.data import Order, open_shards, rows_of
from hanlin.evaluation import DecoderScorer, bits_per_byte, encode_documents
from hanlin.models import Decoder, build_model, count_parameters, flops_per_token
from hanlin.objectives import NextToken
from hanlin.records import append_jsonl, read_jsonl
from hanlin.text import iterate_documents
from hanlin.tokenizers import load_tokenizer
from hanlin.training import train
from hanlin.training.optimizers import hidden_matrices

ARMS = (
    *("gpt2", "ours", "adamw", "muon-gpt2"),
    *("no-qk-norm", "no-zero", "cosine", "fall-0.7", "fall-1", "no-decay", "quiet"),
)
_COSINE = {"kind": "cosine", "warmup_share": 0.05, "final_share": 0.1}
_SCHEDULES: dict[str, dict[str, Any]] = {
    "gpt2": _COSINE,
    "cosine": _COSINE,
    "fall-0.7": {"decay_share": 0.7},
    "fall-1": {"decay_share": 1.0},
}
_ADAMW = {"kind": "adamw", "weight_decay": 0.1, "betas": (0.9, 0.95)}
_NEWTON_SCHULZ = 5


def main() -> None:
    options = _options()
    if options.table:
        _print_table(options.out)
        return
    done = {_key(line) for line in read_jsonl(options.out)} if options.out.exists() else set()
    jobs = itertools.product(options.arm, options.rate, options.seed)
    for arm, rate, seed in jobs:
        line = _run(options, arm, rate, seed, done)
        if line:
            append_jsonl(options.out, line)
            print(json.dumps(line), flush=True)


def _run(
    options: argparse.Namespace, arm: str, rate: float, seed: int, done: set[tuple[Any, ...]]
) -> dict[str, Any] | None:
    tokenizer = load_tokenizer(options.run / "tokenizer")
    shape = _shape(options, arm, tokenizer.vocab_size)
    steps = _steps(options, shape, arm)
    given = {
        "arm": options.name or arm,
        "rate": rate,
        "seed": seed,
        "steps": steps,
        "shape": f"{options.layers}x{options.width}",
        "batch_tokens": options.batch_tokens,
    }
    if _key(given) in done:
        return None
    config = _training(options, arm, rate, steps)
    model = build_model(shape, seed=seed)
    if arm == "quiet":
        _quieten(model)
    streams = open_shards(options.run / "corpus" / "tokens" / "main" / "train")
    order = Order.of(
        {s.source: rows_of(s, options.context, config.packing) for s in streams},
        weights={},
        rows_per_step=options.batch_tokens // options.context,
        seed=seed,
    )
    wall, processor = time.perf_counter(), time.process_time()
    with tempfile.TemporaryDirectory() as folder:
        result = train(model, NextToken(), order, config, folder=Path(folder), seed=seed)
    processor, wall = time.process_time() - processor, time.perf_counter() - wall
    documents = encode_documents(
        tokenizer,
        iterate_documents(options.run / "corpus", "main", "validation"),
        tokens_per_language=options.eval_tokens,
    )
    report = bits_per_byte(DecoderScorer(model, eot_id=tokenizer.eot_id), documents)
    return {
        **given,
        "tokens": result.tokens,
        "parameters": count_parameters(shape).total,
        "flops": result.tokens * flops_per_token(shape) + steps * _optimizer_flops(model, config),
        "processor_seconds": round(processor, 1),
        "wall_seconds": round(wall, 1),
        "threads": torch.get_num_threads(),
        **{lg: round(bits.bits_per_byte, 4) for lg, bits in report.by_language.items()},
    }


def _shape(options: argparse.Namespace, arm: str, vocab_size: int) -> ModelConfig:
    family = "gpt2" if arm in ("gpt2", "muon-gpt2") else "qwen3"
    return ModelConfig(
        family="llama" if arm == "no-qk-norm" else family,  # type: ignore[arg-type]
        vocab_size=-(-vocab_size // 64) * 64,
        hidden_size=options.width,
        num_layers=options.layers,
        num_heads=options.width // 64,
        context_length=options.context,
        zero_init=arm != "no-zero",
        norm_eps=1e-5 if family == "gpt2" else 1e-6,
    )


def _training(options: argparse.Namespace, arm: str, rate: float, steps: int) -> TrainingConfig:
    optimizer: dict[str, Any] = {"learning_rate": 0.02 * rate, "muon_learning_rate": 0.02 * rate}
    if arm in ("gpt2", "adamw"):
        optimizer = {**_ADAMW, "learning_rate": rate}
    if arm == "no-decay":
        optimizer["weight_decay"] = 0.0
    return TrainingConfig.model_validate(
        {
            "steps": steps,
            "batch_tokens": options.batch_tokens,
            "optimizer": optimizer,
            "schedule": _SCHEDULES.get(arm, {}),
            "eval_every": 10**6,
            "sample_every": 0,
            "checkpoint": {"every_steps": 10**6},
        }
    )


def _steps(options: argparse.Namespace, shape: ModelConfig, arm: str) -> int:
    """Return the steps that `flops` or `share` of the baseline's pay for, or just `tokens`."""
    if not options.share and not options.flops:
        return round(options.tokens / options.batch_tokens)
    baseline = _shape(options, "gpt2", shape.vocab_size)
    budget = options.flops or options.share * options.tokens * flops_per_token(baseline)
    model = build_model(shape, seed=0)
    config = _training(options, arm, 1.0, 1)
    step = options.batch_tokens * flops_per_token(shape) + _optimizer_flops(model, config)
    return round(budget / step)


def _optimizer_flops(model: Decoder, config: TrainingConfig) -> int:
    """Return the operations of one update: Newton-Schulz products, and about 12 a weight."""
    elementwise = 12 * sum(parameter.numel() for parameter in model.parameters())
    if config.optimizer.kind != "muon":
        return elementwise
    products = 0
    for name, rows in hidden_matrices(model).items():
        columns = model.get_parameter(name).shape[1]
        for height in rows:
            short, long = sorted((height, columns))
            products += _NEWTON_SCHULZ * 2 * (2 * short * short * long + short**3)
    return elementwise + products


@torch.no_grad()
def _quieten(model: Decoder) -> None:
    model.embedding.weight.mul_(0.1)
    model.norm.weight.fill_(1.0)  # type: ignore[operator, union-attr]


def _key(line: dict[str, Any]) -> tuple[Any, ...]:
    return tuple(line[n] for n in ("arm", "rate", "seed", "steps", "shape", "batch_tokens"))


def _print_table(path: Path) -> None:
    groups: dict[tuple[Any, ...], list[dict[str, Any]]] = {}
    for line in read_jsonl(path):
        groups.setdefault((line["shape"], line["arm"], line["rate"], line["steps"]), []).append(
            line
        )
    print("| shape | arm | rate | steps | seeds | PFLOP | processor s | zh | en | mean | spread |")
    print("|---|---|---|---|---|---|---|---|---|---|---|")
    for (shape, arm, rate, steps), lines in sorted(groups.items()):
        languages = [lg for lg in ("zh", "en") if lg in lines[0]]
        means = [statistics.mean(line[lg] for lg in languages) for line in lines]
        spread = statistics.stdev(means) if len(means) > 1 else 0.0
        zh, en = (statistics.mean(line.get(lg, math.nan) for line in lines) for lg in ("zh", "en"))
        seconds = statistics.median(line["processor_seconds"] for line in lines)
        print(
            f"| {shape} | {arm} | {rate:g} | {steps} | {len(lines)} | "
            f"{lines[0]['flops'] / 1e15:.4f} | {seconds:.0f} | {zh:.4f} | {en:.4f} | "
            f"{statistics.mean(means):.4f} | {spread:.4f} |"
        )


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("run", type=Path, nargs="?", help="a run whose shards are ready")
    parser.add_argument("--arm", action="append", choices=ARMS, default=[])
    parser.add_argument("--name", default="", help="of the arm, in place of its own")
    parser.add_argument("--rate", action="append", type=float, default=[])
    parser.add_argument("--seed", action="append", type=int, default=[])
    parser.add_argument("--tokens", type=float, default=2e6)
    parser.add_argument("--share", type=float, default=0.0, help="of the baseline's operations")
    parser.add_argument("--flops", type=float, default=0.0, help="operations of every arm")
    parser.add_argument("--layers", type=int, default=4)
    parser.add_argument("--width", type=int, default=128)
    parser.add_argument("--context", type=int, default=256)
    parser.add_argument("--batch-tokens", type=int, default=4096)
    parser.add_argument("--eval-tokens", type=int, default=60_000)
    parser.add_argument("--out", type=Path, default=Path("recipes.jsonl"))
    parser.add_argument("--table", action="store_true")
    options = parser.parse_args()
    options.rate = options.rate or [1.0]
    options.seed = options.seed or [1]
    return options


if __name__ == "__main__":
    main()
