from __future__ import annotations

import unicodedata

import pytest
from hypothesis import strategies as st

from hanlin.tokenizers import BpeTokenizer, Tokenizer, train_tokenizer

TEXTS = (
    "从前有一只小猫，名字叫花花。花花喜欢在河边看鱼，可是花花不会游泳。\n",
    "小猫对小狗说：“我们一起去河边吧！”小狗说：“好的，我们一起去。”\n\n",
    "天安门在北京市中心。2008年，北京举办了奥运会；二〇〇八年八月八日晚上八点开幕。\r\n",
    "Once upon a time there was a little cat. The little cat liked the river.\n",
    "The dog said, \"Let's go to the river together!\" They'd gone there before.\n",
    "def main():\n    print('用Python写的', 3.14159)\n\treturn 0\n",
    "emoji 😀😀 and naïve café, ½ of 1,234,567 — done…\n",
)


@pytest.fixture(scope="session")
def texts() -> tuple[str, ...]:
    return TEXTS * 3


@pytest.fixture(scope="session")
def bpe(texts: tuple[str, ...]) -> BpeTokenizer:
    tokenizer = train_tokenizer("bpe", texts, 480)
    assert isinstance(tokenizer, BpeTokenizer)
    return tokenizer


@pytest.fixture(scope="session")
def char(texts: tuple[str, ...]) -> Tokenizer:
    return train_tokenizer("char", texts, 420)


@pytest.fixture(scope="session")
def word(texts: tuple[str, ...]) -> Tokenizer:
    return train_tokenizer("word", texts, 150)


def assigned(text: str) -> bool:
    """Whether every character is older than the Unicode version of each engine."""
    return all(unicodedata.category(character) not in ("Cn", "Cs") for character in text)


TRICKY = [
    *(" ", "  ", "\t", "\n", "\r\n", "\r", "\u3000", "\xa0", "\x85", "\u2028", "\x1c", "\x00"),
    *("'", "'s", "'LL", "'Ve", "a", "Z", "é", "ſ", "the", " The", "_", ".", "!?", " (", "—", "…"),
    *(
        "中",
        "天安门",
        "〇",
        "々",
        "，",
        "。”",
        "𠀀",
        "豈",
        "あ",
        "ก",
        "ก้",
        "Ａ",
        "1",
        "2008",
        "½",
        "Ⅷ",
    ),
    *("😀", "👩‍👩‍👧", "\u200b", "\u0301", "\ufeff", "<|im_end|>", "<|endoftext|>", "<0x41>"),
]

any_text = st.text(max_size=30).filter(assigned)
mixed_text = st.lists(st.sampled_from(TRICKY) | st.text(max_size=2), max_size=12).map("".join)
tricky_text = any_text | mixed_text.filter(assigned)
