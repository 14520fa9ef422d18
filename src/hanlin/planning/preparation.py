"""What surrounds training, measured on a sample in a process of its own: the tokenizer, encoding,
the n-gram baseline, and the search for copied text.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from hanlin.config import EvaluationConfig, TokenizerConfig
from hanlin.planning.apart import measure_apart

__all__ = ["Preparation", "measure_preparation", "probe_preparation"]

_SAMPLE_CHARACTERS = 600
# Training a tokenizer is counting, which grows with the text, and merging, which hardly does: from
# 1.6 to 16 MB its time grew 3.4 times, and its memory by 10 bytes a byte.
_COUNTING_SHARE = 0.25
_TOKENIZER_BYTES = 10.0


@dataclass(frozen=True, slots=True)
class Preparation:
    """What was measured on a sample of `sample_bytes` of text."""

    sample_bytes: float
    vocab_size: int
    """Entries of the tokenizer that the sample supported."""
    tokenizer_seconds: float
    tokenizer_memory: float
    bytes_per_token: float
    """Of a tokenizer that was trained on the sample itself; one of more text does as well."""
    encode_bytes_per_second: float
    ngram_tokens_per_second: float
    ngram_bytes_per_token: float
    """Memory of fitting the n-gram model."""
    ngram_scored_per_second: float
    novelty_bytes_per_second: float
    program: float
    """Resident size with everything imported and nothing done."""
    dictionaries: float
    """What reading text loads and keeps: dictionaries of words, a model of languages."""

    def tokenizer_time(self, text_bytes: float) -> float:
        """Return the seconds that training the tokenizer on so much text takes."""
        ratio = text_bytes / max(1.0, self.sample_bytes)
        return self.tokenizer_seconds * (1 - _COUNTING_SHARE + _COUNTING_SHARE * ratio)

    def tokenizer_peak(self, text_bytes: float) -> float:
        """Return the memory that training the tokenizer on so much text takes."""
        return self.tokenizer_memory + _TOKENIZER_BYTES * max(0.0, text_bytes - self.sample_bytes)


def probe_preparation(
    text: Sequence[str], tokenizer: TokenizerConfig, evaluation: EvaluationConfig
) -> Preparation:
    """Measure on sampled texts what comes before and after training.

    Raises:
        HanlinError: the process failed.
    """
    task = {
        "text": list(text),
        "tokenizer": tokenizer.model_dump(mode="json"),
        "order": evaluation.ngram_order,
    }
    return Preparation(**measure_apart("preparation", task))


def measure_preparation(task: dict[str, Any]) -> Preparation:
    """Do the measurements in this process."""
    from hanlin.evaluation import measure_novelty
    from hanlin.models.ngram import KneserNey
    from hanlin.planning.machine import resident_memory
    from hanlin.planning.vocabulary import train_supported

    texts: list[str] = task["text"]
    size = float(sum(len(text.encode("utf-8")) for text in texts))
    program = float(resident_memory())
    _load_dictionaries(texts)
    dictionaries = max(0.0, resident_memory() - program)
    config = TokenizerConfig(**task["tokenizer"])
    tokenizer, tokenizer_seconds, tokenizer_memory = _watch(lambda: train_supported(texts, config))
    ids, encode_seconds, _ = _watch(lambda: tokenizer.encode_batch(texts))
    tokens = float(max(1, sum(map(len, ids))))
    ngram_seconds = ngram_memory = score_seconds = 0.0
    if task["order"]:
        vocab_size = tokenizer.vocab_size
        model, ngram_seconds, ngram_memory = _watch(
            lambda: KneserNey.fit(ids, task["order"], vocab_size)
        )
        _, score_seconds, _ = _watch(lambda: model.score(ids))
    samples = [text[:_SAMPLE_CHARACTERS] for text in texts[:40]]
    _, novelty_seconds, _ = _watch(lambda: measure_novelty({"sample": samples}, texts))
    return Preparation(
        sample_bytes=size,
        vocab_size=tokenizer.vocab_size,
        tokenizer_seconds=tokenizer_seconds,
        tokenizer_memory=tokenizer_memory,
        bytes_per_token=size / tokens,
        encode_bytes_per_second=size / encode_seconds,
        ngram_tokens_per_second=tokens / max(1e-6, ngram_seconds),
        ngram_bytes_per_token=ngram_memory / tokens,
        ngram_scored_per_second=tokens / max(1e-6, score_seconds),
        novelty_bytes_per_second=size / novelty_seconds,
        program=program,
        dictionaries=dictionaries,
    )


def _load_dictionaries(texts: Sequence[str]) -> None:
    from hanlin.text import find_language, segment_words

    first = texts[0][:_SAMPLE_CHARACTERS] if texts else ""
    find_language(first)
    segment_words(f"翰林{first}")


def _watch(work: Callable[[], Any]) -> tuple[Any, float, float]:
    """Return what a piece of work gives, its seconds, and the memory that it took at its peak."""
    from hanlin.planning.machine import forget_peak, peak_memory, resident_memory

    forget_peak()
    before = resident_memory()
    began = time.perf_counter()
    result = work()
    seconds = max(1e-6, time.perf_counter() - began)
    return result, seconds, float(max(0, peak_memory() - before))
