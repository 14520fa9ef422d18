from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest

from hanlin.config import CorpusConfig, SourceConfig
from hanlin.errors import DataError
from hanlin.planning import estimate_corpus
from hanlin.planning.own_text import own_sources
from hanlin.planning.sampling import bytes_per_token
from hanlin.text import build_corpus

ENGLISH = (
    "The old man walked to the market in the morning and bought {n} red apples for his family. "
    "On the way home he met the neighbour number {n}, who asked him about the weather of last year."
)
CHINESE = (
    "老人早上走到市场去，给家里买了{n}个红苹果。"
    "回家的路上他遇见了第{n}位邻居，那人问起去年的天气怎么样。"
)


@pytest.fixture
def corpus(tmp_path: Path) -> CorpusConfig:
    """Two sources: English blocks, packed, and Chinese records."""
    blocks = "\n\n".join(ENGLISH.format(n=n) + " " + str(n * 7919) for n in range(300))
    (tmp_path / "en.txt.gz").write_bytes(gzip.compress(blocks.encode()))
    records = (
        json.dumps({"text": CHINESE.format(n=n * 31)}, ensure_ascii=False) for n in range(200)
    )
    (tmp_path / "zh.jsonl").write_text("\n".join(records) + "\n", encoding="utf-8")
    sources = (SourceConfig(path="en.txt.gz", blocks=True), SourceConfig(path="zh.jsonl"))
    return CorpusConfig(sources=sources, cleaning={"near_duplicates": False})  # type: ignore[arg-type]


def test_an_estimate_agrees_with_the_corpus_that_is_built(
    corpus: CorpusConfig, tmp_path: Path
) -> None:
    found = estimate_corpus(corpus, tmp_path)
    part = build_corpus(corpus, tmp_path / "corpus", base=tmp_path).parts["main"]
    characters = sum(amount.characters for amount in part.amounts)
    assert found.files == 2
    assert found.kept_bytes == pytest.approx(part.bytes(), rel=0.05)
    assert found.documents == pytest.approx(part.documents(), rel=0.05)
    assert found.characters == pytest.approx(characters, rel=0.05)
    assert found.shares["en"] == pytest.approx(part.bytes(language="en") / part.bytes(), abs=0.05)


def test_a_missing_source_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="nowhere"):
        estimate_corpus(CorpusConfig(sources=(SourceConfig(path="nowhere"),)), tmp_path)


def test_a_larger_vocabulary_has_longer_tokens_in_both_languages() -> None:
    for shares in ({"zh": 1.0}, {"en": 1.0}, {"zh": 0.5, "en": 0.5}):
        lengths = [bytes_per_token(shares, 1 << power) for power in range(9, 17)]
        assert lengths == sorted(lengths)


def test_the_mean_token_lies_between_the_languages() -> None:
    zh, en = (bytes_per_token({name: 1.0}, 8192) for name in ("zh", "en"))
    assert min(zh, en) < bytes_per_token({"zh": 0.5, "en": 0.5}, 8192) < max(zh, en)


def test_own_sources_of_one_name_are_told_apart(tmp_path: Path) -> None:
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "text.txt").write_text("text", encoding="utf-8")
    paths = [tmp_path / folder / "text.txt" for folder in ("a", "b")]
    assert [source.label for source in own_sources(paths)] == ["text.txt", "text.txt-2"]


def test_the_field_that_holds_the_text_is_found(tmp_path: Path) -> None:
    record = {"id": "x1", "content": "A long text that is what one wants.", "label": "news"}
    (tmp_path / "a.jsonl").write_text(json.dumps(record) + "\n", encoding="utf-8")
    (tmp_path / "b.csv").write_text("label,story\nnews,The longest of them all.\n", "utf-8")
    fields = [own_sources([tmp_path / name])[0].field for name in ("a.jsonl", "b.csv")]
    assert fields == ["content", "story"]


def test_no_path_at_all_is_refused() -> None:
    with pytest.raises(DataError, match="--text"):
        own_sources([])
