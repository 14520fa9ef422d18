"""Time, memory and held-out bits per byte of n-gram models, for each order.

    python benchmarks/ngram.py corpus.txt.gz --orders 3 4 5 6 7
    python benchmarks/ngram.py corpus.txt.gz --tokenizer runs/demo/tokenizer --estimator dirichlet

A file holds one document a block, blocks parted by blank lines. One document in twenty is held
out, by the hash of its text. Without `--tokenizer` the tokens are characters; one that training
saw less than twice is written as its UTF-8 bytes, so that every text has finite bits. Each order
runs in a process of its own, so that its peak memory is its own. Results are JSON lines.
"""

from __future__ import annotations

import argparse
import gzip
import json
import math
import resource
import time
import zlib
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import numpy as np

from hanlin.models.ngram import DirichletCounts, KneserNey

Encoder = Callable[[str], np.ndarray]
ESTIMATORS = {"kneser-ney": KneserNey, "dirichlet": DirichletCounts}


def main() -> None:
    options = parse_options()
    for order in options.orders:
        with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
            print(json.dumps(pool.submit(measure, order, options).result()), flush=True)


def measure(order: int, options: argparse.Namespace) -> dict[str, object]:
    train, held_out = split(read_blocks(options.files))
    encode, vocab_size = choose_encoder(options.tokenizer, train)
    documents = [encode(text) for text in train]
    idle_mb = peak_mb()
    started = time.perf_counter()
    model = ESTIMATORS[options.estimator].fit(documents, order, vocab_size)
    fitted = time.perf_counter()
    scores = model.score([encode(text) for text in held_out])
    scored = time.perf_counter()
    num_bytes = sum(len(text.encode("utf-8")) for text in held_out)
    bits = -sum(float(score.sum()) for score in scores) / math.log(2)
    return {
        "estimator": options.estimator,
        "order": order,
        "vocab_size": vocab_size,
        "train_tokens": sum(map(len, documents)),
        "held_out_tokens": sum(map(len, scores)),
        "held_out_bytes": num_bytes,
        "bits_per_byte": round(bits / num_bytes, 4),
        "bits_per_character": round(bits / sum(map(len, held_out)), 4),
        "num_ngrams": model.num_ngrams,
        "fit_seconds": round(fitted - started, 2),
        "score_seconds": round(scored - fitted, 2),
        "peak_mb": round(peak_mb()),
        "peak_mb_before_fit": round(idle_mb),
        **{name: value for name, value in model.settings.items() if options.verbose},
    }


def parse_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("files", nargs="+", type=Path)
    parser.add_argument("--orders", nargs="+", type=int, default=[3, 4, 5, 6, 7])
    parser.add_argument("--estimator", choices=sorted(ESTIMATORS), default="kneser-ney")
    parser.add_argument("--tokenizer", type=Path, help="folder of a tokenizer")
    parser.add_argument("--verbose", action="store_true", help="print discounts or strengths too")
    return parser.parse_args()


def peak_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def read_blocks(files: Iterable[Path]) -> list[str]:
    blocks: list[str] = []
    for file in files:
        data = gzip.decompress(file.read_bytes()) if file.suffix == ".gz" else file.read_bytes()
        blocks.extend(block.strip() for block in data.decode("utf-8").split("\n\n"))
    return [block for block in blocks if block]


def split(texts: Iterable[str]) -> tuple[list[str], list[str]]:
    parts: tuple[list[str], list[str]] = ([], [])
    for text in texts:
        parts[zlib.crc32(text.encode("utf-8")) % 20 == 0].append(text)
    return parts


def choose_encoder(tokenizer: Path | None, train: Sequence[str]) -> tuple[Encoder, int]:
    if tokenizer is not None:
        from hanlin.tokenizers import load_tokenizer

        loaded = load_tokenizer(tokenizer)
        return lambda text: np.array(loaded.encode(text)), loaded.vocab_size
    counts = Counter(character for text in train for character in text)
    known = [character for character, count in counts.most_common() if count >= 2]
    ids = {character: [257 + rank] for rank, character in enumerate(known)}

    def encode(text: str) -> np.ndarray:
        pieces = (ids.get(c) or [1 + byte for byte in c.encode("utf-8")] for c in text)
        return np.array([token for piece in pieces for token in piece], dtype=np.int32)

    return encode, 257 + len(known)


if __name__ == "__main__":
    main()
