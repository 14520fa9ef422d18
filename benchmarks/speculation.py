"""What speculative decoding brings: accepted proposals, tokens a pass, and time beside none.

    python benchmarks/speculation.py runs/chain --draft runs/chain/stages/1-teacher/model
    python benchmarks/speculation.py runs/chain --proposals 2 4 8 --temperature 0 0.8

Without a draft the text itself proposes (prompt look-up). Every prompt is continued with and
without proposals in turn; time is that of the process (`process_time`), so that a busy machine
harms it less, and of the clock. Texts at temperature 0 must be equal; so must all looked-up ones.
Results are JSON lines.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path

import hanlin
from hanlin.api import Model
from hanlin.config import SamplingConfig
from hanlin.generation import Completion, ModelProposer, Speculation

PROMPTS = ("从前", "早上，", "有一天，", "Once upon a time", "One day,", "In the morning,")


def main() -> None:
    options = parse_options()
    model = hanlin.load(options.model, device="cpu")
    draft = hanlin.load(options.draft, device="cpu") if options.draft else None
    for temperature in options.temperature:
        for count in options.proposals:
            print(json.dumps(measure(model, draft, options, temperature, count)), flush=True)


def measure(
    model: Model,
    draft: Model | None,
    options: argparse.Namespace,
    temperature: float,
    count: int,
) -> dict[str, float]:
    """Return counts and times over all prompts, with and without proposals in turn."""
    speculation = model.speculate(draft, tokens=count)
    if draft is not None:
        proposer = ModelProposer(draft.engine, model.engine, sureness=options.sureness)
        speculation = Speculation(proposer, count)
    seconds = {"plain": 0.0, "proposed": 0.0}
    clock = {"plain": 0.0, "proposed": 0.0}
    tokens = {"plain": 0, "proposed": 0}
    equal = 0
    for seed, prompt in enumerate(options.prompts or PROMPTS, start=1):
        fields = {"max_tokens": options.tokens, "temperature": temperature, "seed": seed}
        sampling = SamplingConfig(**fields, top_p=0.95 if temperature else 1)
        texts: dict[str, Completion] = {}
        for name, proposals in (("plain", None), ("proposed", speculation)):
            began, process = time.perf_counter(), time.process_time()
            texts[name] = model.complete(prompt, sampling, proposals)
            seconds[name] += time.process_time() - process
            clock[name] += time.perf_counter() - began
            tokens[name] += len(texts[name].ids) + 1
        equal += texts["plain"].ids == texts["proposed"].ids
    return {
        "temperature": temperature,
        "proposals": count,
        **described(speculation),
        "equal_texts": equal,
        "tokens_per_process_second_plain": tokens["plain"] / seconds["plain"],
        "tokens_per_process_second": tokens["proposed"] / seconds["proposed"],
        "tokens_per_second_plain": tokens["plain"] / clock["plain"],
        "tokens_per_second": tokens["proposed"] / clock["proposed"],
    }


def described(speculation: Speculation) -> dict[str, float]:
    return {name: round(value, 4) for name, value in speculation.as_dict().items()}


def parse_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model", type=Path)
    parser.add_argument("--draft", type=Path)
    parser.add_argument("--proposals", type=int, nargs="+", default=[4])
    parser.add_argument("--sureness", type=float, default=0.25)
    parser.add_argument("--temperature", type=float, nargs="+", default=[0.0, 0.8])
    parser.add_argument("--tokens", type=int, default=100)
    parser.add_argument("--prompts", nargs="*")
    return parser.parse_args()


if __name__ == "__main__":
    main()
