"""A trained run against the best Kneser-Ney models, on the test split of its own corpus.

    python benchmarks/real_text.py baseline runs/real-text --out baseline.json
    python benchmarks/real_text.py model runs/real-text --baseline baseline.json \
        --pairs zh=zhoblimp_zh.jsonl.gz --pairs en=blimp_en.jsonl.gz --page page.md
    python benchmarks/real_text.py mixture runs/real-text

`baseline` fits interpolated modified Kneser-Ney models of orders 3 to 7 on the run's training text,
a language at a time, over the run's tokens and over characters (one that training saw less than
twice is written as its UTF-8 bytes), each in a process of its own, and measures them on the whole
test split. `model` measures the decoder on the same documents, both on minimal pairs, and writes
unselected samples, how much of them stands in the training text, and how well a scorer of another
kind tells them from human text. `mixture` measures the mean of the decoder's probabilities and
those of a Kneser-Ney model of order 5 over the same tokens: what each knows and the other does not.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np

import hanlin
from hanlin.config import SamplingConfig
from hanlin.errors import DataError
from hanlin.evaluation import (
    DecoderScorer,
    NgramScorer,
    bits_per_byte,
    encode_documents,
    find_suite,
    measure_novelty,
    measure_repetition,
    measure_separation,
    measure_suite,
    read_items,
    short_language,
)
from hanlin.models.ngram import KneserNey
from hanlin.text import Document, find_language, iterate_documents, load_manifest
from hanlin.tokenizers import load_tokenizer

LANGUAGES = ("zh", "en")
ORDERS = (3, 4, 5, 6, 7)
Encode = Callable[[Sequence[str]], list[np.ndarray]]


def main() -> None:
    options = _options()
    result: Any = {"baseline": baseline, "model": model, "mixture": mixture}[options.verb](options)
    if options.out:
        options.out.write_text(json.dumps(result, ensure_ascii=False, indent=1), encoding="utf-8")
    else:
        print(json.dumps(result, ensure_ascii=False, indent=1))


def baseline(options: argparse.Namespace) -> list[dict[str, Any]]:
    rows = []
    jobs = [(lg, kind, n) for lg in LANGUAGES for kind in ("tokens", "characters") for n in ORDERS]
    for language, kind, order in jobs:
        with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
            rows.append(pool.submit(_fit_and_score, options.run, language, kind, order).result())
        print(rows[-1], file=sys.stderr, flush=True)
    return rows


def _fit_and_score(run: Path, language: str, kind: str, order: int) -> dict[str, Any]:
    texts = [document.text for document in _documents(run, "train", language)]
    held_out = [document.text for document in _documents(run, "test", language)]
    encode, vocab_size = _encoder(run, kind, texts)
    started = time.perf_counter()
    fitted = KneserNey.fit(encode(texts), order, vocab_size)
    seconds = time.perf_counter() - started
    scores = fitted.score(encode(held_out))
    bits = -sum(float(score.sum()) for score in scores) / math.log(2)
    size = sum(len(text.encode("utf-8")) for text in held_out)
    return {
        "language": language,
        "tokens": kind,
        "order": order,
        "bits_per_byte": round(bits / size, 4),
        "train_bytes": sum(len(text.encode("utf-8")) for text in texts),
        "test_bytes": size,
        "fit_seconds": round(seconds, 1),
    }


def model(options: argparse.Namespace) -> dict[str, Any]:
    loaded = hanlin.load(options.run)
    documents = [d for language in LANGUAGES for d in _documents(options.run, "test", language)]
    held_out = encode_documents(loaded.tokenizer, documents)
    scorer = DecoderScorer(loaded.decoder, eot_id=loaded.tokenizer.eot_id)
    report = bits_per_byte(scorer, held_out)
    result: dict[str, Any] = {
        language: {
            "bits_per_byte": round(bits.bits_per_byte, 4),
            "lossy_documents": bits.lossy_documents,
            "test_bytes": bits.bytes,
        }
        for language, bits in report.by_language.items()
    }
    best = _best(options.baseline)
    for language, row in best.items():
        ratio = result[language]["bits_per_byte"] / row["bits_per_byte"]
        result[language] |= {"kneser_ney": row, "below_kneser_ney": round(1 - ratio, 4)}
    for given in options.pairs:
        language, _, path = given.partition("=")
        result[language]["pairs"] = _pairs(options.run, language, Path(path), loaded, best)
    texts = _sample(loaded, options.samples)
    for language, group in texts.items():
        result[language] |= _describe(options.run, language, group)
    result["parameters"] = sum(p.numel() for p in loaded.decoder.parameters())
    if options.page:
        _write_page(options.page, result, texts)
    return result


def mixture(options: argparse.Namespace) -> dict[str, Any]:
    loaded = hanlin.load(options.run)
    scorer = DecoderScorer(loaded.decoder, eot_id=loaded.tokenizer.eot_id)
    result = {}
    for language in LANGUAGES:
        encode, vocab_size = _encoder(options.run, "tokens", ())
        train = [document.text for document in _documents(options.run, "train", language)]
        texts = [document.text for document in _documents(options.run, "test", language)]
        fitted = KneserNey.fit(encode(train), 5, vocab_size)
        ids = encode(texts)
        both = [np.concatenate(model.score(ids)) for model in (scorer, fitted)]
        scores = {"decoder": both[0], "kneser_ney": both[1]}
        scores["mixture"] = np.logaddexp(*both) - math.log(2)
        size = math.log(2) * sum(len(text.encode("utf-8")) for text in texts)
        result[language] = {name: round(-float(s.sum()) / size, 4) for name, s in scores.items()}
    return result


def _best(path: Path) -> dict[str, dict[str, Any]]:
    rows = json.loads(path.read_text(encoding="utf-8"))
    return {
        language: min(
            (row for row in rows if row["language"] == language),
            key=lambda row: float(row["bits_per_byte"]),
        )
        for language in LANGUAGES
    }


def _pairs(
    run: Path, language: str, path: Path, loaded: hanlin.Model, best: dict[str, dict[str, Any]]
) -> dict[str, Any]:
    """Judge minimal pairs with the decoder and with the best Kneser-Ney model of the language."""
    suite, path = find_suite(str(path))
    pairs = read_items(path, suite)
    scorer = DecoderScorer(loaded.decoder, eot_id=loaded.tokenizer.eot_id)
    texts = [document.text for document in _documents(run, "train", language)]
    encode, vocab_size = _encoder(run, best[language]["tokens"], texts)
    fitted = NgramScorer(KneserNey.fit(encode(texts), best[language]["order"], vocab_size))
    return {
        "file": path.name,
        "decoder": measure_suite(scorer, loaded.tokenizer, suite, pairs).overall.as_dict(),
        "kneser_ney": measure_suite(fitted, _Batch(encode), suite, pairs).overall.as_dict(),  # type: ignore[arg-type]
    }


class _Batch:
    """An encoder in the place of a tokenizer."""

    def __init__(self, encode: Encode) -> None:
        self.encode_batch = encode


def _sample(loaded: hanlin.Model, count: int) -> dict[str, list[str]]:
    texts: dict[str, list[str]] = {language: [] for language in LANGUAGES}
    seed = 1
    while min(map(len, texts.values())) < count:
        sampling = SamplingConfig(temperature=0.8, top_p=0.95, max_tokens=220, seed=seed)
        for completion in loaded.engine.generate_batch([""] * 50, sampling):
            texts.setdefault(short_language(find_language(completion.text)), []).append(
                completion.text
            )
        seed += 50
    return {language: texts[language][:count] for language in LANGUAGES}


def _describe(run: Path, language: str, texts: list[str]) -> dict[str, Any]:
    human = [document.text[:1000] for document in _documents(run, "test", language)]
    parts = load_manifest(run / "corpus").parts
    training = (d.text for part in parts for d in iterate_documents(run / "corpus", part, "train"))
    novelty = measure_novelty({"samples": texts, "human": human[: len(texts)]}, training)
    described: dict[str, Any] = {
        "novelty": {name: found.as_dict() for name, found in novelty.items()},
        "repetition": {
            "samples": measure_repetition(texts, language, max_units=150).as_dict(),
            "human": measure_repetition(human, language, max_units=150).as_dict(),
        },
    }
    rng = np.random.default_rng(1)
    try:
        found = measure_separation(texts, human, language, rng, units=100)
        described["separation"] = found.as_dict()
    except DataError as error:
        described["separation"] = str(error)
    return described


def _documents(run: Path, split: Any, language: str) -> Iterator[Document]:
    for part in load_manifest(run / "corpus").parts:
        for document in iterate_documents(run / "corpus", part, split):
            if short_language(document.language) == language:
                yield document


def _encoder(run: Path, kind: str, texts: Sequence[str]) -> tuple[Encode, int]:
    if kind == "tokens":
        tokenizer = load_tokenizer(run / "tokenizer")
        return tokenizer.encode_batch, tokenizer.vocab_size
    counts = Counter(character for text in texts for character in text)
    known = [character for character, count in counts.most_common() if count >= 2]
    ids = {character: [257 + rank] for rank, character in enumerate(known)}

    def encode(given: Sequence[str]) -> list[np.ndarray]:
        return [
            np.array(
                [
                    token
                    for character in text
                    for token in (ids.get(character) or [1 + b for b in character.encode("utf-8")])
                ],
                dtype=np.int32,
            )
            for text in given
        ]

    return encode, 257 + len(known)


def _write_page(path: Path, result: dict[str, Any], texts: dict[str, list[str]]) -> None:
    lines = []
    for language, group in texts.items():
        lines += [f"### Samples, {language}", ""]
        for number, text in enumerate(group[:20], start=1):
            lines += [f"{number}. {' '.join(text.split())}"]
        lines.append("")
    path.write_text("\n".join(lines), encoding="utf-8")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("verb", choices=("baseline", "model", "mixture"))
    parser.add_argument("run", type=Path)
    parser.add_argument("--baseline", type=Path, help="what `baseline` wrote")
    parser.add_argument("--pairs", action="append", default=[], help="LANGUAGE=FILE")
    parser.add_argument("--samples", type=int, default=100, help="texts a language")
    parser.add_argument("--page", type=Path, help="where the samples are written as Markdown")
    parser.add_argument("--out", type=Path, help="where the figures are written as JSON")
    return parser.parse_args()


if __name__ == "__main__":
    main()
