"""Transformed documents become rows that hold each one whole, written once for their inputs."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from hanlin.config import WorldConfig
from hanlin.data import PADDING, Augmentation, encode_marked, transformed_rows
from hanlin.errors import DataError, TokenizerError
from hanlin.text import Document
from hanlin.text.augmentation import MARKERS, REVERSE, TRANSFORMATIONS, Part
from hanlin.text.world import write_stories
from hanlin.tokenizers import Tokenizer, train_tokenizer

ROW = 96


@pytest.fixture(scope="module")
def documents() -> list[Document]:
    stories = write_stories(WorldConfig(stories=20))
    return [Document(text, tag, "world", f"world#{i}") for i, (text, tag) in enumerate(stories)]


@pytest.fixture(scope="module")
def tokenizer(documents: list[Document]) -> Tokenizer:
    return train_tokenizer("bpe", [document.text for document in documents], 450)


def _augmentation(name: str, **changes: object) -> Augmentation:
    plain = Augmentation(name, seed=1, row_length=ROW, keep=1.0, weights={})
    return replace(plain, **changes)  # type: ignore[arg-type]


@pytest.mark.parametrize("name", TRANSFORMATIONS)
def test_every_row_begins_with_a_marker_and_holds_each_passage_whole(
    name: str, documents: list[Document], tokenizer: Tokenizer, tmp_path: Path
) -> None:
    rows = transformed_rows(_augmentation(name), documents, tokenizer, tmp_path / name, content="")
    ids = {tokenizer.control[marker] for marker in MARKERS}
    assert rows.num_rows > 5
    for number in range(rows.num_rows):
        row = rows.row(number, 0).tolist()
        row = row[: row.index(PADDING)] if PADDING in row else row
        starts = [place for place, token in enumerate(row[:-1]) if token == tokenizer.eot_id]
        assert row[0] == row[-1] == tokenizer.eot_id
        assert all(row[place + 1] in ids for place in starts)


def test_a_document_is_transformed_the_same_way_in_any_company(
    documents: list[Document], tokenizer: Tokenizer
) -> None:
    augmentation = _augmentation("reverse", keep=0.5)
    whole = {d.text: i.tolist() for d, i in augmentation.encode(documents, tokenizer)}
    alone = [
        (d.text, i.tolist())
        for document in reversed(documents)
        for d, i in augmentation.encode([document], tokenizer)
    ]
    assert dict(alone) == whole
    assert 0 < len(whole) < len(list(_augmentation("reverse").encode(documents, tokenizer)))


def test_a_weight_of_a_source_counts(documents: list[Document], tokenizer: Tokenizer) -> None:
    augmentation = _augmentation("infill", keep=0.1)
    few = list(augmentation.encode(documents, tokenizer))
    more = list(replace(augmentation, weights={"world": 8.0}).encode(documents, tokenizer))
    assert len(more) > len(few)


def test_shards_are_written_once_and_anew_when_an_input_changes(
    documents: list[Document], tokenizer: Tokenizer, tmp_path: Path
) -> None:
    folder = tmp_path / "permute"
    augmentation = _augmentation("permute")
    transformed_rows(augmentation, documents, tokenizer, folder, content="a")
    made = (folder / "index.json").stat().st_mtime_ns
    again = transformed_rows(augmentation, iter(()), tokenizer, folder, content="a")
    assert again.num_rows
    assert (folder / "index.json").stat().st_mtime_ns == made
    transformed_rows(augmentation, documents, tokenizer, folder, content="b")
    assert (folder / "index.json").stat().st_mtime_ns > made
    for change in ({"seed": 2}, {"keep": 0.5}, {"row_length": 90}, {"weights": {"world": 2.0}}):
        other = replace(augmentation, **change)
        assert other.stamp(tokenizer, "a") != augmentation.stamp(tokenizer, "a")


def test_text_without_a_fitting_sentence_is_refused_by_name(
    tokenizer: Tokenizer, tmp_path: Path
) -> None:
    long = [Document("很长" * 500, "zh-Hans", "long", "long#0")]
    with pytest.raises(DataError, match=r"`permute` in rows of 96 tokens.*augment\.permute"):
        transformed_rows(_augmentation("permute"), long, tokenizer, tmp_path / "p", content="")


def test_markers_are_control_tokens_and_their_names_in_text_are_not(tokenizer: Tokenizer) -> None:
    ids = encode_marked((Part(REVERSE, "<|reverse|> 小猫"),), tokenizer)
    reverse = tokenizer.control[REVERSE]
    assert ids[0] == reverse
    assert not np.any(ids[1:] == reverse)


def test_a_tokenizer_without_the_markers_is_refused(tokenizer: Tokenizer) -> None:
    class Foreign:
        kind = "hf"
        control = {"<|endoftext|>": 0}  # noqa: RUF012

    with pytest.raises(TokenizerError, match="lacks the control tokens"):
        encode_marked((Part(REVERSE, "小猫"),), Foreign())  # type: ignore[arg-type]
