"""Markup gives its words and nothing else."""

from __future__ import annotations

from hanlin.text.markup import html_to_text, markdown_to_text


def test_front_matter_fences_and_marks_go() -> None:
    source = """---
title: x
---
# 标题 #

**重点**在_这里_ 和 `代码`，见[链接](http://a.b "t")。![图](x.png)

```python
print("gone")
```

> 引文
> 两行

| 甲 | 乙 |
|----|:--:|
| 1 | 2 |

***
snake_case_name stays, 2 * 3 * 4 too. <b>tag</b> \\*star\\*
"""
    assert [line for line in markdown_to_text(source).split("\n") if line] == [
        "标题",
        "重点在_这里_ 和 代码，见链接。",
        "引文",
        "两行",
        "甲 | 乙",
        "1 | 2",
        "snake_case_name stays, 2 * 3 * 4 too. tag *star*",
    ]


def test_an_unclosed_fence_runs_to_the_end() -> None:
    assert markdown_to_text("before\n```\ncode").strip() == "before"


def test_blocks_of_links_are_left_out() -> None:
    page = (
        "<ul><li><a href=1>首页</a><li><a href=2>关于我们</a></ul><p>正文有<a>链接</a>在里面。</p>"
    )
    assert html_to_text(page) == "正文有链接在里面。"


def test_elements_left_open_are_closed_by_their_parent() -> None:
    assert html_to_text("<main><p>one<p>two<br>three</main><p>after") == "one\n\ntwo\nthree"


def test_a_page_without_a_main_element_is_read_whole() -> None:
    assert html_to_text("<body>a<div>b &lt; c</div></body>") == "a\n\nb < c"
