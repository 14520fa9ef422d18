"""Token shards: what is written is what is read, and damage is named."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from hanlin.data import TokenStream, open_shards, write_shards
from hanlin.errors import DataError
from hanlin.text import Document
from hanlin.tokenizers import Tokenizer, train_tokenizer

TEXTS = ["小猫在公园里。", "The cat is in the park.", "小狗跑了。", "A dog ran."]


@pytest.fixture(scope="module")
def tokenizer() -> Tokenizer:
    return train_tokenizer("char", TEXTS, 350)


def _write(folder: Path, tokenizer: Tokenizer) -> list[TokenStream]:
    documents = [
        Document(text, "zh-Hans" if number % 2 == 0 else "en", f"s{number // 2}", f"d#{number}")
        for number, text in enumerate(TEXTS)
    ]
    write_shards(documents, tokenizer, folder, stamp="x")
    return open_shards(folder)


def test_documents_come_back_source_by_source(tmp_path: Path, tokenizer: Tokenizer) -> None:
    first, second = _write(tmp_path / "t", tokenizer)
    assert (first.source, second.source) == ("s0", "s1")
    ids = second.read(0, second.num_tokens).tolist()
    assert ids[0] == tokenizer.eot_id
    length = int(second.document_lengths()[0])
    assert tokenizer.decode(ids[1:length]) == TEXTS[2]
    assert tokenizer.decode(ids[length + 1 :]) == TEXTS[3]
    assert second.documents["bytes"].tolist() == [len(t.encode()) for t in TEXTS[2:]]
    assert second.documents["language"].tolist() == [b"zh-Hans", b"en"]


def test_a_small_vocabulary_takes_two_bytes_a_token(tmp_path: Path, tokenizer: Tokenizer) -> None:
    (stream, _) = _write(tmp_path / "t", tokenizer)
    assert stream.pieces[0].dtype == np.uint16


def test_a_missing_index_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"no readable index\.json"):
        open_shards(tmp_path)


def test_a_cut_shard_is_named_with_both_sizes(tmp_path: Path, tokenizer: Tokenizer) -> None:
    _write(tmp_path / "t", tokenizer)
    shard = tmp_path / "t" / "001-00000.bin"
    size = shard.stat().st_size
    shard.write_bytes(shard.read_bytes()[:-2])
    with pytest.raises(DataError, match=rf"001-00000\.bin has {size - 2} bytes in place of {size}"):
        open_shards(tmp_path / "t")


def test_an_altered_shard_is_noticed(tmp_path: Path, tokenizer: Tokenizer) -> None:
    _write(tmp_path / "t", tokenizer)
    shard = tmp_path / "t" / "000-00000.bin"
    data = bytearray(shard.read_bytes())
    data[4] ^= 1
    shard.write_bytes(bytes(data))
    with pytest.raises(DataError, match=r"000-00000\.bin was altered"):
        open_shards(tmp_path / "t")


def test_an_id_beyond_the_vocabulary_is_named_with_its_place(
    tmp_path: Path, tokenizer: Tokenizer
) -> None:
    _write(tmp_path / "t", tokenizer)
    index = tmp_path / "t" / "index.json"
    table = json.loads(index.read_text(encoding="utf-8"))
    table["vocab_size"] = 87
    index.write_text(json.dumps(table), encoding="utf-8")
    with pytest.raises(DataError, match=r"holds token \d+ at offset \d+, .* has 87"):
        open_shards(tmp_path / "t")
