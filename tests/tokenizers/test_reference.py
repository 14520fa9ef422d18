from __future__ import annotations

import json

import tokenizers
from hypothesis import given, settings

from hanlin.tokenizers import BpeTokenizer, reference

from .conftest import tricky_text


@settings(deadline=None, max_examples=300)
@given(text=tricky_text)
def test_reference_tiktoken_and_tokenizers_give_the_same_ids(bpe: BpeTokenizer, text: str) -> None:
    expected = reference.encode(text, bpe.merges)
    assert bpe.encode(text) == expected
    assert hugging_face(bpe).encode(text, add_special_tokens=False).ids == expected
    assert reference.decode(expected, bpe.merges) == text


def test_they_agree_on_the_training_text(bpe: BpeTokenizer, texts: tuple[str, ...]) -> None:
    text = "".join(texts)
    expected = reference.encode(text, bpe.merges)
    assert bpe.encode(text) == expected
    assert hugging_face(bpe).encode(text, add_special_tokens=False).ids == expected
    assert len(expected) < len(text.encode("utf-8")) / 2


def hugging_face(bpe: BpeTokenizer) -> tokenizers.Tokenizer:
    if "_hugging_face" not in vars(bpe):
        loaded = tokenizers.Tokenizer.from_str(json.dumps(bpe.to_json()))
        loaded.encode_special_tokens = True
        vars(bpe)["_hugging_face"] = loaded
    return vars(bpe)["_hugging_face"]
