"""Word borders in Chinese text, for a tokenizer that learns tokens inside words only.

Chinese is written without spaces, so byte pair encoding joins whatever often stands together, the
end of one word and the start of the next among it, and a name gets other tokens in each company. A
small model then learns several times what it could learn once. A line break at each border keeps
pairs from joining across it; it is for training alone, never for encoding.

    python -m hanlin.tokenizers.borders
"""

from __future__ import annotations

import re

__all__ = ["mark_borders"]

_HAN_RUN = re.compile("[\u3400-\u4dbf\u4e00-\u9fff]{2,}")


def mark_borders(text: str) -> str:
    """Return the text with a line break at each word border inside runs of Han characters.

    >>> mark_borders("小明去了图书馆。")
    '小明\\n去\\n了\\n图书馆。'
    """
    from hanlin.text import segment_words  # for training alone; generation need not wait for it

    return _HAN_RUN.sub(lambda run: "\n".join(segment_words(run.group(), "zh")), text)


if __name__ == "__main__":
    print(repr(mark_borders("小明把故事书给了小红。")))
