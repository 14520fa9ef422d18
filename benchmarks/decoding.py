"""Writing and reading speed of the native engine against llama.cpp: same shapes, bits and threads.

    cmake -B build -DGGML_NATIVE=ON && cmake --build build --target llama-bench llama-quantize
    python benchmarks/decoding.py build/bin --shapes 14m gpt3-small --weights bf16 int8 int4

Each shape has random weights. llama.cpp reads the file that `hanlin export` writes, turned to
BF16, Q8_0 or Q4_0 by its own llama-quantize, tables too; ours holds as many bits a weight. The two
take turns, each measurement in a fresh process. A text is `--prompt` tokens read and `--write`
written, and its speed counts both: tokens written over the seconds of the whole. Reading is a
prompt of `--read` tokens alone, or as many as the context holds. `--transformers` adds its greedy
`generate` in fp32. Results are medians, as JSON lines and a table.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from hanlin.config import ModelConfig

_THEIR_TYPES = {"fp32": "F32", "bf16": "BF16", "int8": "Q8_0", "int4": "Q4_0"}


def main() -> None:
    given = _arguments()
    if given.transformers_shape:
        print(json.dumps(_transformers(given)))
        return
    rows = []
    with tempfile.TemporaryDirectory() as scratch:
        for shape in given.shapes:
            whole = Path(scratch) / f"{shape}.gguf"
            _write(shape, whole)
            for weights in given.weights:
                file = _requantised(given, whole, weights)
                rows.append(measure(given, shape, weights, file))
                print(json.dumps(rows[-1]), flush=True)
                file.unlink()
            whole.unlink(missing_ok=True)
    _print_table(rows)


def measure(given: argparse.Namespace, shape: str, weights: str, file: Path) -> dict[str, Any]:
    """Return the medians of one shape held in one way, by engine."""
    speeds: dict[str, list[float]] = {}

    def note(name: str, speed: float) -> None:
        speeds.setdefault(name, []).append(speed)

    share, read = [], min(given.read, _shape(shape).context_length - 2)
    for _ in range(given.rounds):
        ours = _ours(given, shape, weights, given.prompt, given.write)
        note("ours", ours["tokens_per_second"])
        share.append(ours["share_of_bandwidth"])
        note("llama.cpp", _theirs(given, file, given.prompt, given.write))
        first = _ours(given, shape, weights, read, 2)["first_token_ms"]
        note("ours reading", read / first * 1e3)
        note("llama.cpp reading", _theirs(given, file, read, 0))
        if given.transformers:
            note("transformers", _spawn_transformers(given, shape))
    medians = {name: round(statistics.median(values), 1) for name, values in speeds.items()}
    return {
        "shape": shape,
        "weights": weights,
        "threads": given.threads,
        "read": read,
        "file_megabytes": round(file.stat().st_size / 1e6, 1),
        **medians,
        "share_of_bandwidth": round(statistics.median(share), 3),
        "ratio": round(medians["ours"] / medians["llama.cpp"], 2),
        "ratio_reading": round(medians["ours reading"] / medians["llama.cpp reading"], 2),
        "slowest_and_fastest": {name: [min(v), max(v)] for name, v in speeds.items()},
    }


def _ours(
    given: argparse.Namespace, shape: str, weights: str, read: int, write: int
) -> dict[str, Any]:
    command = [str(Path(sys.executable).with_name("hanlin")), "bench", "decode", "--preset", shape]
    command += ["--weights", weights, "--prompt-tokens", str(read), "--max-tokens", str(write)]
    command += ["--rounds", str(given.texts), "--threads", str(given.threads), "--no-torch"]
    result: dict[str, Any] = json.loads(_run([*command, "--json"]))
    return result


def _theirs(given: argparse.Namespace, file: Path, read: int, write: int) -> float:
    command = [given.bin / "llama-bench", "-m", file, "-r", given.texts, "-t", given.threads]
    command += ["-p", 0, "-n", 0, "-pg", f"{read},{write}"] if write else ["-p", read, "-n", 0]
    row = json.loads(_run([str(part) for part in [*command, "-o", "json"]]))[0]
    seconds = statistics.median(row["samples_ns"]) / 1e9
    return (write or read) / seconds


def _shape(name: str) -> ModelConfig:
    from hanlin.config import ModelConfig
    from hanlin.models import resolve_model
    from hanlin.models.presets import OWN_VOCABULARIES

    return resolve_model(ModelConfig(preset=name), OWN_VOCABULARIES.get(name, 50_257))


def _write(shape: str, path: Path) -> None:
    """Write a shape's random weights in fp32, with a vocabulary of our own kind."""
    from hanlin.interop import write_gguf
    from hanlin.models import build_model
    from hanlin.tokenizers import train_tokenizer

    tokenizer = train_tokenizer("bpe", sys.stdlib_module_names, 400)
    write_gguf(path, build_model(_shape(shape), seed=1), tokenizer, kind="f32", name=shape)


def _requantised(given: argparse.Namespace, whole: Path, weights: str) -> Path:
    file = whole.with_suffix(f".{weights}.gguf")
    command = [given.bin / "llama-quantize", "--pure", whole, file, _THEIR_TYPES[weights]]
    _run([str(part) for part in command])
    return file


def _spawn_transformers(given: argparse.Namespace, shape: str) -> float:
    command = [sys.executable, __file__, str(given.bin), "--transformers-shape", shape]
    command += ["--prompt", str(given.prompt), "--write", str(given.write)]
    command += ["--threads", str(given.threads)]
    return float(json.loads(_run(command)))


def _transformers(given: argparse.Namespace) -> float:
    """Return the tokens a second of transformers' own greedy loop over the shape, in fp32."""
    import torch
    from transformers import AutoModelForCausalLM

    from hanlin.models import build_model, save_release

    torch.set_num_threads(given.threads)
    config = _shape(given.transformers_shape)
    with tempfile.TemporaryDirectory() as folder:
        save_release(Path(folder) / "model", build_model(config, seed=1))
        model = AutoModelForCausalLM.from_pretrained(Path(folder) / "model").eval()
    prompt = torch.randint(0, config.vocab_size, (1, given.prompt))
    speeds = []
    for _ in range(3):
        start = time.perf_counter()
        model.generate(
            prompt, do_sample=False, max_new_tokens=given.write, min_new_tokens=given.write
        )
        speeds.append(given.write / (time.perf_counter() - start))
    return statistics.median(speeds[1:])


def _run(command: list[str]) -> str:
    environment = {**os.environ, "OMP_NUM_THREADS": ""}
    del environment["OMP_NUM_THREADS"]
    done = subprocess.run(command, capture_output=True, text=True, env=environment)
    if done.returncode:
        raise SystemExit(f"{' '.join(command)}\n{done.stderr[-2000:]}")
    return done.stdout


def _print_table(rows: list[dict[str, Any]]) -> None:
    names = ["shape", "weights", "ours", "llama.cpp", "ratio"]
    names += ["share_of_bandwidth", "ours reading", "llama.cpp reading", "ratio_reading"]
    names += ["transformers"] if any("transformers" in row for row in rows) else []
    print("| " + " | ".join(names) + " |", "|---" * len(names) + "|", sep="\n")
    for row in rows:
        print("| " + " | ".join(str(row.get(name, "")) for name in names) + " |")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("bin", type=Path, help="the folder of llama-bench and llama-quantize")
    parser.add_argument("--shapes", nargs="+", default=["14m", "gpt3-small"])
    parser.add_argument(
        "--weights", nargs="+", choices=_THEIR_TYPES, default=["bf16", "int8", "int4"]
    )
    parser.add_argument("--prompt", type=int, default=32)
    parser.add_argument("--write", type=int, default=128)
    parser.add_argument("--read", type=int, default=512)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--texts", type=int, default=3, help="texts a process measures")
    parser.add_argument("--threads", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--transformers", action="store_true")
    parser.add_argument("--transformers-shape", help=argparse.SUPPRESS)
    return parser.parse_args()


if __name__ == "__main__":
    main()
