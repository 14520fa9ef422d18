"""Words of Chinese and English text, and the commonest ones that carry no topic.

Han runs go to rjieba (jieba's dictionary and hidden Markov model), everything else to one pattern.
Punctuation marks are tokens of their own; spaces are none.

    python -m hanlin.text.segmentation
"""

from __future__ import annotations

import re

__all__ = ["STOP_WORDS", "segment_words"]

_TOKEN = re.compile(
    r"(?P<han>[\u3400-\u9fff\U00020000-\U000323af]+)"
    r"|\d+(?:[.,:]\d+)*%?"
    r"|[^\W\d_\u3400-\u9fff\U00020000-\U000323af]+(?:['’-][^\W\d_\u3400-\u9fff]+)*"
    r"|\S"
)

_ZH_STOP = """
    的 了 是 在 和 与 及 或 也 都 就 还 又 而 但 但是 而且 并 并且 因为 所以 如果
    虽然 然而 于是 不 没 没有 不是 我 你 他 她 它 我们 你们 他们 她们 它们 自己 这 那
    这个 那个 这些 那些 这里 那里 这样 那样 什么 怎么 谁 哪 哪里 为什么 一 一个 一些
    一种 个 些 有 着 过 得 地 之 其 此 以 于 为 为了 被 把 让 给 对 对于 从 到 向
    由 由于 按照 根据 关于 上 下 中 里 很 最 更 太 非常 只 只是 才 已 已经 正在 将
    会 能 可以 可能 应该 必须 要 想 说 去 来 吗 呢 吧 啊 呀 嘛 等 等等 以及 即 则
    者 所 何 乃 矣 焉 哉 乎 曰
"""
_EN_STOP = """
    a an the and or but nor so yet if then else because as while of at by for with about against
    between into through during before after above below to from up down in out on off over under
    again further once here there when where why how all any both each few more most other some such
    no not only own same than too very can could will would shall should may might must do does did
    doing done have has had having be is am are was were been being i me my mine myself we us our
    ours ourselves you your yours yourself yourselves he him his himself she her hers herself it its
    itself they them their theirs themselves what which who whom whose this that these those i'm
    you're he's she's it's we're they're don't doesn't didn't isn't aren't wasn't weren't won't
    can't couldn't wouldn't shouldn't also just now ever never
"""
STOP_WORDS: dict[str, frozenset[str]] = {
    "zh": frozenset(_ZH_STOP.split()),
    "en": frozenset(_EN_STOP.split()),
}
"""Words that carry no topic, by short language; English ones in lower case."""


def segment_words(text: str, language: str = "") -> list[str]:
    """Return a text's words and punctuation marks in order.

    Args:
        text: any text, Chinese and English mixed or not.
        language: "en" leaves Han characters single, so that rjieba's dictionary is not loaded.

    >>> segment_words("我爱北京天安门，don't worry: 3.14%")
    ['我', '爱', '北京', '天安门', '，', "don't", 'worry', ':', '3.14%']
    """
    words: list[str] = []
    for match in _TOKEN.finditer(text):
        token = match.group()
        if match.lastgroup != "han":
            words.append(token)
        elif language == "en":
            words.extend(token)
        else:
            words.extend(_segment_chinese(token))
    return words


def _segment_chinese(text: str) -> list[str]:
    import rjieba

    words: list[str] = rjieba.cut(text)
    return words


if __name__ == "__main__":
    print(segment_words("滚滚长江东逝水，浪花淘尽英雄。The river rolls on."))
