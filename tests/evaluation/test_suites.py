"""Suites: reading, chance, ties, norms, examples, and batches that change nothing."""

from __future__ import annotations

import gzip
import json
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch

from hanlin.config import ModelConfig
from hanlin.errors import DataError, UserError
from hanlin.evaluation import (
    SUITES,
    DecoderScorer,
    Item,
    NgramScorer,
    Suite,
    UniformScorer,
    choose_items,
    find_suite,
    measure_suite,
    read_items,
    score_continuations,
    wilson_interval,
)
from hanlin.evaluation.likelihood import plain_tails
from hanlin.evaluation.suites.measuring import make_prompt
from hanlin.evaluation.suites.readers import read_plain
from hanlin.models import Decoder, build_model
from hanlin.models.ngram import KneserNey

if TYPE_CHECKING:
    from hanlin.tokenizers import Tokenizer

OWN = Suite("own", "", "own", read_plain)


def pair(good: str, bad: str, phenomenon: str = "agreement") -> Item:
    return Item(good, "", (good, bad), 0, {"phenomenon": phenomenon})


def kneser_ney(tokenizer: Tokenizer, texts: Sequence[str]) -> NgramScorer:
    return NgramScorer(KneserNey.fit(tokenizer.encode_batch(texts), 3, tokenizer.vocab_size))


def test_a_model_that_knows_the_good_sentences_passes(tokenizer: Tokenizer) -> None:
    pairs = [pair("the cat sits", "the cat sit"), pair("你好吗", "你吗好", "order")] * 3
    scorer = kneser_ney(tokenizer, ["the cat sits here", "你好吗"] * 5)
    report = measure_suite(scorer, tokenizer, OWN, [*pairs, pair("你吗好", "你好吗", "order")])
    assert report.groups["phenomenon"]["order"].value == 0.75
    assert report.accuracy < 1
    assert report.overall.total == 7
    assert report.macro("phenomenon") == 0.375  # "sit" begins "sits", so it is likelier
    assert report.as_dict()["chance"] == 0.5


def test_ties_are_shared(tokenizer: Tokenizer) -> None:
    scorer = UniformScorer(262)
    report = measure_suite(
        scorer, tokenizer, OWN, [pair("abc", "abd"), pair("ab", "abc"), pair("abc", "ab")]
    )
    assert report.overall.successes == 1.5  # the shorter sentence is likelier
    assert report.scores["bytes"].successes == 1.5  # all tie: half a point each
    four = Item("q", "x", ("a", "b", "c", "dd"), 1)
    assert measure_suite(scorer, tokenizer, OWN, [four]).accuracy == pytest.approx(1 / 3)
    assert measure_suite(scorer, tokenizer, OWN, [four, pair("a", "b")]).chance == 0.375


def test_each_norm_divides_by_its_own_length(tokenizer: Tokenizer) -> None:
    # One token for 你好, three for ab?; the uniform model gives each the same.
    item = Item("q", "x", ("你好", "ab?"), 0)
    scores = measure_suite(UniformScorer(262), tokenizer, OWN, [item]).scores
    passed = {norm: share.value for norm, share in scores.items()}
    # A token a character against half a one; a third a byte... per token both are alike.
    assert passed == {"sum": 1.0, "bytes": 1.0, "characters": 1.0, "tokens": 0.5}


def test_batches_score_as_one_by_one(model: Decoder, tokenizer: Tokenizer) -> None:
    rng = np.random.default_rng(0)
    sentences = ["".join(rng.choice(list("abc 你好"), rng.integers(1, 30))) for _ in range(12)]
    scorer = DecoderScorer(model)
    found = score_continuations(scorer, tokenizer, [*pairwise(sentences)], greedy=True)
    for (context, rest), each in zip(pairwise(sentences), found, strict=True):
        whole, before = tokenizer.encode(context + rest), tokenizer.encode(context)
        start = next(
            (n for n, (a, b) in enumerate(zip(whole, before, strict=False)) if a != b), len(before)
        )
        alone = scorer.score([np.array(whole)])[0][start:]
        assert each.logprob == pytest.approx(alone.sum(), abs=1e-3)
        assert each.num_tokens == len(alone)


def test_the_tails_of_a_decoder_equal_the_plain_ones(model: Decoder, tokenizer: Tokenizer) -> None:
    scorer = DecoderScorer(model)  # a context of 16 tokens
    documents = tokenizer.encode_batch(["the cat 你好 the cat sat down here", "ab", "你好你好abc"])
    starts = [11, 0, 2]
    plain = plain_tails(scorer, documents, starts, greedy=True)
    for fast, slow in zip(scorer.tails(documents, starts), plain, strict=True):
        np.testing.assert_allclose(fast.logprobs, slow.logprobs, atol=1e-4)
        np.testing.assert_array_equal(fast.likeliest, slow.likeliest)


def test_a_shared_beginning_is_read_once(
    tokenizer: Tokenizer, monkeypatch: pytest.MonkeyPatch
) -> None:
    shape = ModelConfig(
        vocab_size=262, context_length=96, hidden_size=16, num_layers=2, num_heads=2
    )
    model = build_model(shape, seed=1)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.mul_(3)
    scorer = DecoderScorer(model, batch_tokens=40)
    rests = ["the cat", "你好abc", " cat", "x", "sat down"]
    documents = tokenizer.encode_batch(
        ["a shared beginning of forty tokens, say " + r for r in rests]
    )
    starts = [len(document) - 1 - n % 2 for n, document in enumerate(documents)]
    plain = plain_tails(scorer, documents, starts, greedy=True)
    read: list[int] = []
    hidden = Decoder.hidden

    def counted(self: Decoder, ids: torch.Tensor, **options: Any) -> torch.Tensor:
        read.append(ids.numel())
        return hidden(self, ids, **options)

    monkeypatch.setattr(Decoder, "hidden", counted)
    tails = scorer.tails(documents, starts)
    assert sum(read) < 120 < sum(map(len, documents))
    for fast, slow in zip(tails, plain, strict=True):
        np.testing.assert_allclose(fast.logprobs, slow.logprobs, atol=1e-4)
        np.testing.assert_array_equal(fast.likeliest, slow.likeliest)


def test_a_token_across_the_border_belongs_to_the_continuation(tokenizer: Tokenizer) -> None:
    scorer = UniformScorer(262)
    joined, apart = score_continuations(scorer, tokenizer, [("你", "好"), ("ab", "好")])
    assert joined.num_tokens == 1  # 你好 is one token, so that 你 is scored with it
    assert apart.num_tokens == 1
    assert score_continuations(scorer, tokenizer, [("ab", "")])[0].logprob == 0


def test_a_word_is_passed_where_the_model_would_write_it(tokenizer: Tokenizer) -> None:
    scorer = kneser_ney(tokenizer, ["the cat sits", "the cat sits", "the cat runs"])
    items = [Item("1", "the cat", (" sits",)), Item("2", "the cat", (" runs",))]
    report = measure_suite(scorer, tokenizer, OWN, items)
    assert report.accuracy == 0.5
    assert report.chance == 0
    assert report.bits_per_byte > 0


def test_examples_are_taken_apart_and_never_measured() -> None:
    items = [Item(str(n), f"Q{n}:", (f"a{n}", f"b{n}"), n % 2) for n in range(20)]
    one, rest_of_one = choose_items(items, shots=1)
    five, rest = choose_items(items, shots=5, limit=10)
    assert five[0] == one[0]
    assert len(rest) == 10
    assert len(rest_of_one) == 19
    assert not {item.id for item in five} & {item.id for item in rest}
    assert choose_items(items, shots=5, limit=10) == (five, rest)
    assert choose_items(items)[1] == items


def test_the_prompt_holds_the_answered_examples() -> None:
    suite = Suite("s", "", "s", read_plain, joint=" ")
    shown = [Item("1", "Q: one?\nA:", ("no", "yes"), 1), Item("2", "Q: two?\nA:", ("x", "y"), 0)]
    expected = "Q: one?\nA: yes\n\nQ: two?\nA: x\n\nQ: three?\nA:"
    assert make_prompt(suite, shown, "Q: three?\nA:") == expected


def test_what_cannot_be_shown_is_refused() -> None:
    with pytest.raises(UserError, match="without a context"):
        choose_items([pair("a", "b")] * 5, shots=1)
    with pytest.raises(UserError, match="leave none"):
        choose_items([Item("1", "q", ("a", "b"))], shots=1)


RECORDS: dict[str, dict[str, Any]] = {
    "blimp": {"good": "a", "bad": "b", "phenomenon": "p", "paradigm": "q"},
    "zhoblimp": {"good": "a", "bad": "b", "phenomenon": "p"},
    "sling": {"good": "a", "bad": "b"},
    "lambada": {"context": "he said", "target": "no"},
    "cft_cloze": {"context": "雨停了。", "question": "天上有____。", "answer": "虹"},
    "hellaswag": {"query": "He", "choices": [", then", "ran"], "gold": 1},
    "xcopa": {"premise": "他笑了。", "question": "cause", "choices": ["甲", "乙"], "gold": 1},
    "cmmlu": {"query": "谁", "choices": ["甲", "乙"], "gold": 1, "subject": "历史"},
    "chid": {"query": "他#idiom#地走了", "choices": ["慢", "快"], "gold": 1},
    "cluewsc": {"text": "他来了", "span1": "小明", "span2": "他", "label": "false"},
}
EXPECTED: dict[str, tuple[str, tuple[str, ...], int]] = {
    "blimp": ("", ("a", "b"), 0),
    "lambada": ("he said", ("no",), 0),
    "cft_cloze": ("雨停了。\n天上有", ("虹",), 0),
    "hellaswag": ("He", (", then", " ran"), 1),
    "xcopa": ("他笑了，因为", ("甲", "乙"), 1),
    "cmmlu": ("题目：谁\n答案：", ("甲", "乙"), 1),
    "chid": ("他", ("慢地走了", "快地走了"), 1),
    "cluewsc": ("他来了\n问：“他”指的是“小明”吗？\n答：", ("是", "不是"), 1),
}


@pytest.mark.parametrize("name", SUITES)
def test_each_suite_reads_its_records(name: str, tmp_path: Path) -> None:
    suite = SUITES[name]
    record = RECORDS.get(name, {"query": "Q:", "choices": ["a", "b"], "gold": 1})
    write(tmp_path / f"{suite.file}.NC.jsonl.gz", [json.dumps(record, ensure_ascii=False)])
    found, path = find_suite(name, folder=tmp_path)
    (item,) = read_items(path, found)
    expected = EXPECTED.get(name, EXPECTED["blimp"] if "good" in record else ("Q:", ("a", "b"), 1))
    assert (item.context, item.choices, item.answer) == expected
    groups = {"paradigm": "q", "phenomenon": "p"}
    assert name != "blimp" or item.groups == groups


def write(path: Path, lines: Sequence[str]) -> Path:
    path.write_bytes(gzip.compress("\n".join(lines).encode("utf-8")))
    return path


def test_a_set_of_ones_own_needs_only_a_file(tmp_path: Path) -> None:
    lines = [
        '{"id": "x-1", "context": "天空是", "choices": ["蓝的", "咸的"], "answer": 1}',
        "",
        '{"good": "a", "bad": "b"}',
        '{"context": "a", "target": "b"}',
    ]
    suite, path = find_suite(str(write(tmp_path / "mine.jsonl.gz", lines)))
    first, second, third = read_items(path, suite)
    assert first == Item("x-1", "天空是", ("蓝的", "咸的"), 1)
    assert second == Item("3", "", ("a", "b"))
    assert third.choices == ("b",)


@pytest.mark.parametrize(
    "line",
    [
        "no json",
        '{"good": "a"}',
        '["good", "bad"]',
        '{"context": "a", "choices": ["b", "c"], "answer": 2}',
        '{"context": "a", "choices": ["b", " "], "answer": 0}',
        '{"context": "a", "choices": ["b", "c"], "answer": "b"}',
        '{"context": "a", "choices": "bc", "answer": 0}',
        '{"context": 7, "choices": ["b", "c"], "answer": 0}',
    ],
)
def test_a_bad_line_is_named(tmp_path: Path, line: str) -> None:
    with pytest.raises(DataError, match="line 2"):
        read_items(write(tmp_path / "own.jsonl.gz", ['{"good": "a", "bad": "b"}', line]), OWN)


def test_an_unreadable_or_empty_file_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"absent\.jsonl"):
        read_items(tmp_path / "absent.jsonl", OWN)
    with pytest.raises(DataError, match="no item"):
        read_items(write(tmp_path / "empty.jsonl.gz", []), OWN)
    (tmp_path / "cut.jsonl.gz").write_bytes(gzip.compress(b"x" * 100)[:-10])
    with pytest.raises(DataError, match=r"cut\.jsonl"):
        read_items(tmp_path / "cut.jsonl.gz", OWN)


def test_a_suite_without_its_data_says_what_to_give(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="Did you mean 'zhoblimp'"):
        find_suite("zhoblmp")
    with pytest.raises(UserError, match="--data-dir"):
        find_suite("blimp")
    with pytest.raises(DataError, match="blimp_en"):
        find_suite("blimp", folder=tmp_path)
    assert find_suite("blimp", data=tmp_path / "x.jsonl")[1] == tmp_path / "x.jsonl"


def test_the_wilson_interval_equals_known_values() -> None:
    assert wilson_interval(50, 100) == pytest.approx((0.4038, 0.5962), abs=1e-4)
    low, high = wilson_interval(0, 10)
    assert (low, high) == pytest.approx((0, 0.2775), abs=1e-4)
    assert wilson_interval(0, 0) == (0, 1)
