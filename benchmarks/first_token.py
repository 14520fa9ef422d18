"""Seconds from typing `hanlin generate` to the first byte of text, and to its end.

    OMP_NUM_THREADS=1 python benchmarks/first_token.py --rounds 10 --weights fp32 bf16 int8 int4

The model has the shape of a preset, random weights and a vocabulary of our own kind. Each run is a
process of its own, as a shell starts it; standard output is a pipe without a buffer. The first byte
counts that comes after the prompt, which is repeated at once. Each way of holding the weights has a
run that is not counted, which leaves its files in the system's cache, and the byte code of modules
in a folder, as an installation has it; ways take turns. `cpu_s` is the processor's time of a whole
run: on a busy machine the clock says more of the others. Afterwards a process asks itself what it
has imported: torch must not be among it. Results are JSON lines.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import sysconfig
import tempfile
import time
from pathlib import Path
from typing import Any

_PROMPT = "Once upon a time there was a small cat"
_ASK = """
import sys
from hanlin.cli import main
code = main(sys.argv[1:])
heavy = {"torch", "transformers", "tokenizers", "jinja2", "fsspec", "opencc", "rjieba"}
print(code, *sorted(heavy & set(sys.modules)), sep=",", file=sys.stderr)
"""


def main() -> None:
    given = _arguments()
    with tempfile.TemporaryDirectory() as scratch:
        folders = build(Path(scratch), given.preset, given.family, given.weights)
        os.environ["PYTHONPYCACHEPREFIX"] = str(Path(scratch) / "bytecode")
        os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
        times: dict[str, list[tuple[float, ...]]] = {name: [] for name in folders}
        for turn in range(given.rounds + 1):
            for name, folder in folders.items():
                taken = run(folder, given.max_tokens, given.engine)
                if turn:
                    times[name].append(taken)
        for name, folder in folders.items():
            firsts, ends, cpu = zip(*times[name], strict=True)
            result = {
                "preset": given.preset,
                "family": given.family,
                "weights": name,
                "engine": given.engine,
                "threads": os.environ.get("OMP_NUM_THREADS", "all"),
                "megabytes": round(_size(folder) / 1e6, 1),
                "max_tokens": given.max_tokens,
                "rounds": given.rounds,
                "first_text_s": _spread(firsts),
                "exit_s": _spread(ends),
                "cpu_s": _spread(cpu),
                "heavy_imports": imported(folder, given.engine),
            }
            print(json.dumps(result), flush=True)


def build(scratch: Path, preset: str, family: str, weights: list[str]) -> dict[str, Path]:
    """Write a released folder of random weights for each way of holding them."""
    import torch

    from hanlin.compression import quantise, save_quantised
    from hanlin.config import ModelConfig, QuantisationConfig
    from hanlin.models import build_model, resolve_model, save_release
    from hanlin.models.presets import OWN_VOCABULARIES
    from hanlin.tokenizers import train_tokenizer

    text = [path.read_text(encoding="utf-8") for path in _sources()]
    tokenizer = train_tokenizer("bpe", text, OWN_VOCABULARIES.get(preset, 8192))
    asked = ModelConfig(preset=preset, family=family)  # type: ignore[arg-type]
    model = build_model(resolve_model(asked, tokenizer.vocab_size), seed=1)
    folders = {name: scratch / name for name in dict.fromkeys(["fp32", *weights])}
    for name in ("fp32", "bf16"):
        if name in folders:
            kind = torch.bfloat16 if name == "bf16" else torch.float32
            save_release(folders[name], model, tokenizer=tokenizer, dtype=kind)
    for name in ("int8", "int4"):
        if name in folders:
            packed = quantise(model, QuantisationConfig(bits=8 if name == "int8" else 4))
            save_quantised(folders[name], packed, folders["fp32"])
    return {name: folders[name] for name in weights}


def run(folder: Path, max_tokens: int, engine: str) -> tuple[float, ...]:
    """Return the seconds to the first byte after the prompt, to the end, and of the processor."""
    command = [str(Path(sys.executable).with_name("hanlin")), *_verb(folder, engine)]
    command += ["--max-tokens", str(max_tokens)]
    environment = {**os.environ, "PYTHONUNBUFFERED": "1"}
    before, first, read = _children_seconds(), 0.0, 0
    start = time.perf_counter()
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment
    ) as process:
        assert process.stdout is not None and process.stderr is not None
        while part := os.read(process.stdout.fileno(), 65_536):
            read += len(part)
            if not first and read > len(_PROMPT.encode()):
                first = time.perf_counter() - start
        words = process.stderr.read().decode()
    if process.returncode:
        raise SystemExit(words)
    return first, time.perf_counter() - start, _children_seconds() - before


def imported(folder: Path, engine: str) -> list[str]:
    """Return the heavy packages that a process has imported once the verb is done."""
    command = [sys.executable, "-c", _ASK, *_verb(folder, engine), "--max-tokens", "2"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    code, *names = done.stderr.strip().splitlines()[-1].split(",")
    assert code == "0", done.stderr
    return names


def _verb(folder: Path, engine: str) -> list[str]:
    return ["generate", str(folder), "--prompt", _PROMPT, "--seed", "1", "--engine", engine]


def _children_seconds() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _sources() -> list[Path]:
    """Return files of Python's own library: text that every machine has."""
    library = Path(sysconfig.get_path("stdlib"))
    return sorted(library.glob("*.py"))[:100]


def _size(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*.safetensors"))


def _spread(seconds: tuple[float, ...]) -> dict[str, float]:
    return {
        "median": round(statistics.median(seconds), 3),
        "fastest": round(min(seconds), 3),
        "slowest": round(max(seconds), 3),
    }


def _arguments() -> Any:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--preset", default="30m")
    parser.add_argument("--family", default="qwen3", choices=["gpt2", "qwen3"])
    parser.add_argument("--weights", nargs="+", choices=["fp32", "bf16", "int8", "int4"])
    parser.add_argument("--engine", default="native", choices=["auto", "native", "torch"])
    parser.add_argument("--max-tokens", type=int, default=16)
    parser.add_argument("--rounds", type=int, default=5)
    parser.set_defaults(weights=["fp32", "bf16", "int8", "int4"])
    return parser.parse_args()


if __name__ == "__main__":
    main()
