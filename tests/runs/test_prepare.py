"""What a run says of its corpus: how much text in which languages, and what was left out."""

from __future__ import annotations

import random
from pathlib import Path

from hanlin.config import CorpusConfig
from hanlin.runs.prepare import describe_corpus
from hanlin.text import build_corpus

HAN = "的一是不了人我在有他这为之大来以个中上们到说国和地也子时道出而要于就下得可你年生"


def test_a_corpus_is_said_in_a_line_and_what_was_left_out_in_another(tmp_path: Path) -> None:
    texts = tmp_path / "texts"
    texts.mkdir()
    for seed in range(6):
        story = "".join(random.Random(seed).choices(HAN, k=60)) + "。"
        (texts / f"{seed}.txt").write_text(story, encoding="utf-8")
    corpus = CorpusConfig.model_validate({"sources": [{"path": "texts"}]})
    whole = describe_corpus(build_corpus(corpus, tmp_path / "whole", base=tmp_path))
    assert whole == "6 documents, 1.10 kB of text (zh-Hans 100 %)"
    (texts / "short.txt").write_text("太短", encoding="utf-8")
    (texts / "picture.png").write_bytes(b"\x89PNG")
    (texts / "broken.txt").write_bytes(bytes(range(256)) * 9)
    first, second = describe_corpus(
        build_corpus(corpus, tmp_path / "part", base=tmp_path)
    ).splitlines()
    assert first == whole
    for reason in ("file of unknown kind 1", "unreadable file 1", "shorter than 20 characters 1"):
        assert reason in second
