"""Time the training and encoding of byte-level BPE against tokenizers and rustbpe.

Training: each engine in a fresh process, in turn, wall and processor seconds and peak memory.
Encoding: one thread, documents of 4,000 characters, in turn, Chinese and English apart; the ids are
compared. Every figure is the median of the rounds, every ratio the median of the rounds' ratios.

    python benchmarks/tokenizing.py TEXT... [--megabytes 60] [--vocab-size 16384] [--rounds 3]

The texts may be gzipped; they are taken in equal shares of Chinese and English as far as they go.
(The file is not called tokenizers.py: Python would find it in place of the library.)
"""

from __future__ import annotations

import argparse
import gzip
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

TRAINERS = ("hanlin", "tokenizers", "rustbpe")
DOCUMENT = 4_000
ENCODED_CHARACTERS = 2_000_000


def main() -> None:
    options = _parse()
    if options.worker:
        _work(options)
        return
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        _write_texts(options.texts, int(options.megabytes * 1e6), folder)
        _bench_training(options, folder)
        _bench_encoding(options, folder)


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("texts", nargs="*", type=Path)
    parser.add_argument("--megabytes", type=float, default=60)
    parser.add_argument("--vocab-size", type=int, default=16_384)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--worker", choices=[*TRAINERS, "encode"], help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    return parser.parse_args()


def _write_texts(paths: list[Path], size: int, folder: Path) -> None:
    """Write zh.txt and en.txt, each half of `size` bytes, every file in proportion."""
    texts: dict[str, list[str]] = {"zh": [], "en": []}
    for path in paths:
        opened = gzip.open if path.suffix == ".gz" else open
        with opened(path, "rt", encoding="utf-8", newline="") as file:
            text = file.read()
        sample = text[:20_000]
        han = sum("\u4e00" <= character <= "\u9fff" for character in sample)
        texts["zh" if han > len(sample) / 5 else "en"].append(text)
    for language, parts in texts.items():
        whole = sum(len(part.encode("utf-8")) for part in parts)
        share = min(1.0, size / 2 / max(whole, 1))
        taken = "\n".join(part[: int(len(part) * share)] for part in parts)
        (folder / f"{language}.txt").write_text(taken, encoding="utf-8", newline="")
        print(f"{language}: {len(taken.encode('utf-8')) / 1e6:.1f} MB from {len(parts)} files")


def _documents(folder: Path, language: str) -> Iterator[str]:
    with (folder / f"{language}.txt").open(encoding="utf-8", newline="") as file:
        while text := file.read(DOCUMENT):
            yield text


def _worker(name: str, options: argparse.Namespace, folder: Path) -> list[dict[str, float | str]]:
    command = [sys.executable, __file__, "--worker", name, "--folder", str(folder)]
    command += ["--vocab-size", str(options.vocab_size), "--rounds", str(options.rounds)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return [json.loads(line) for line in done.stdout.splitlines()]


def _work(options: argparse.Namespace) -> None:
    if options.worker == "encode":
        _encode(options.folder, options.rounds)
        return
    start, processor = time.perf_counter(), time.process_time()
    _train(options.worker, options.folder, options.vocab_size)
    figures = {
        "seconds": time.perf_counter() - start,
        "processor": time.process_time() - processor,
        "megabytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }
    print(json.dumps(figures))


def _train(name: str, folder: Path, vocab_size: int) -> None:
    from hanlin.tokenizers import NUM_CONTROL, train_tokenizer
    from hanlin.tokenizers.pieces import PATTERN

    texts = (text for language in ("zh", "en") for text in _documents(folder, language))
    pattern = PATTERN.replace("]+|", "]{1,4}|", 1)
    if name == "hanlin":
        train_tokenizer("bpe", texts, vocab_size).save(folder)
    elif name == "rustbpe":
        import rustbpe

        rustbpe.Tokenizer().train_from_iterator(
            texts, vocab_size=vocab_size - NUM_CONTROL, pattern=pattern
        )
    else:
        from tokenizers import Regex, Tokenizer, models, pre_tokenizers, trainers

        byte_level = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
        split = pre_tokenizers.Split(Regex(pattern), "isolated")
        tokenizer = Tokenizer(models.BPE())
        tokenizer.pre_tokenizer = pre_tokenizers.Sequence([split, byte_level])
        trainer = trainers.BpeTrainer(
            vocab_size=vocab_size - NUM_CONTROL,
            initial_alphabet=byte_level.alphabet(),
            show_progress=False,
        )
        tokenizer.train_from_iterator(texts, trainer)


def _bench_training(options: argparse.Namespace, folder: Path) -> None:
    rounds = [
        {name: _worker(name, options, folder)[0] for name in TRAINERS}
        for _ in range(options.rounds)
    ]
    print(f"\ntraining {options.vocab_size:,} entries   seconds  processor s  peak MB")
    for name in TRAINERS:
        row = [
            statistics.median(float(r[name][key]) for r in rounds)
            for key in ("seconds", "processor", "megabytes")
        ]
        print(f"{name:24} {row[0]:12.1f} {row[1]:12.1f} {row[2]:8.0f}")
    for key in ("seconds", "processor"):
        ratios = [
            float(r["hanlin"][key]) / min(float(r[name][key]) for name in TRAINERS[1:])
            for r in rounds
        ]
        print(f"hanlin / the faster of the others, {key}: {statistics.median(ratios):.2f}")


def _encode(folder: Path, rounds: int) -> None:
    from tokenizers import Tokenizer

    from hanlin.tokenizers import load_tokenizer

    ours = load_tokenizer(folder)
    theirs = Tokenizer.from_file(str(folder / "tokenizer.json"))
    theirs.encode_special_tokens = True
    for language in ("zh", "en"):
        documents = list(_documents(folder, language))[-ENCODED_CHARACTERS // DOCUMENT :]
        size = sum(len(document.encode("utf-8")) for document in documents)
        encoders: dict[str, Callable[[], list[list[int]]]] = {
            "hanlin": lambda d=documents: [ours.encode(text) for text in d],
            "tokenizers": lambda d=documents: [
                theirs.encode(text, add_special_tokens=False).ids for text in d
            ],
            "tokenizers, fast batch": lambda d=documents: [
                found.ids for found in theirs.encode_batch_fast(d, add_special_tokens=False)
            ],
        }
        for _ in range(rounds):
            speeds: dict[str, float | str] = {"language": language}
            results = []
            for name, encoder in encoders.items():
                start = time.perf_counter()
                results.append(encoder())
                speeds[name] = size / (time.perf_counter() - start) / 1e6
            assert results[0] == results[1] == results[2], "the ids differ"
            start = time.perf_counter()
            ours.encode_batch(documents)
            speeds["hanlin, all threads"] = size / (time.perf_counter() - start) / 1e6
            print(json.dumps(speeds), flush=True)


def _bench_encoding(options: argparse.Namespace, folder: Path) -> None:
    os.environ |= {"TOKENIZERS_PARALLELISM": "false", "RAYON_NUM_THREADS": "1"}
    found = _worker("encode", options, folder)
    print("\nencoding, MB/s")
    for language in ("zh", "en"):
        rounds = [speeds for speeds in found if speeds["language"] == language]
        for name in list(rounds[0])[1:]:
            ratios = [float(r[name]) / float(r["tokenizers"]) for r in rounds]
            speed = statistics.median(float(r[name]) for r in rounds)
            ratio = statistics.median(ratios)
            print(f"{language}  {name:24} {speed:8.2f}   {ratio:5.2f} x tokenizers")


if __name__ == "__main__":
    main()
