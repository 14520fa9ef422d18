"""Summaries led by keywords: the plan, what it may hold, and how well it is followed."""

from __future__ import annotations

import random
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

from hanlin.tasks import Record
from hanlin.tasks.keywords import keep_present, kendall_tau, mention_order, shared_keywords
from hanlin.tasks.plans import Abstract, write_plan
from hanlin.tasks.summarize import Summarize
from hanlin.text.world import Story
from hanlin.tokenizers import Tokenizer

from .conftest import taught

CAT = Abstract("小猫在河边看见鱼。", "小猫看鱼。", ("小猫", "鱼"), "zh")


def test_the_plan_and_the_summary_are_learnt_after_the_document(bpe: Tokenizer) -> None:
    encoded = Summarize().encode(CAT, bpe)
    whole = "小猫<|sep|>鱼<|summary|>小猫看鱼。<|endoftext|>"
    assert [bpe.decode(run, skip_control=False) for run in encoded.answers()] == [whole]
    assert bpe.decode(encoded.prompt, skip_control=False) == (
        "<|endoftext|>小猫在河边看见鱼。<|keywords|>"
    )


def test_stories_name_their_keywords_in_the_order_of_the_summary(stories: list[Story]) -> None:
    for story in stories:
        for language in ("zh", "en"):
            (example,) = Summarize().invent(story, language, random.Random(1))  # type: ignore[arg-type]
            assert kendall_tau(mention_order(example.keywords, example.summary)) in (None, 1.0)
            assert keep_present(example.keywords, example.document) == example.keywords


def test_a_record_without_keywords_has_them_found() -> None:
    document = "The fox met a crow. The crow had cheese."
    record = Record({"text": document, "summary": "A crow with cheese met the fox."}, "here")
    (example,) = Summarize().read(record)
    assert example.keywords == ("crow", "cheese", "met", "fox")
    given = Record({**record.values, "keywords": "crow, bear"}, "here")
    assert next(iter(Summarize().read(given))).keywords == ("crow",)
    assert shared_keywords("甲", "乙", "zh") == ()


def test_words_that_the_document_does_not_hold_are_struck_out(parrot: Callable[..., Any]) -> None:
    plan = write_plan(
        parrot(lambda _: "鱼<|sep|>大象<|sep|>鱼<|summary|>大象。"), CAT.document, "zh"
    )
    assert plan.keywords == ("鱼",)
    assert plan.invented == ("大象",)


def test_a_plan_without_any_word_of_the_document_falls_back_on_counting(
    parrot: Callable[..., Any],
) -> None:
    plan = write_plan(parrot(lambda _: "大象<|summary|>"), "小猫喜欢鱼。小猫吃了鱼。", "zh")
    assert set(plan.keywords) >= {"小猫", "鱼"}


def test_who_knows_it_by_heart_scores_in_full(
    bpe: Tokenizer, parrot: Callable[..., Any], stories: list[Story]
) -> None:
    task, rng = Summarize(), random.Random(1)
    examples = [one for story in stories for one in task.invent(story, "en", rng)]
    figures = task.measure(parrot(taught(task, examples, bpe)), examples).figures
    assert figures["exact"] == figures["rouge_1"] == figures["given"]["coverage"] == 1
    assert figures["given"]["kendall_tau"] == 1
    assert figures["invented_keywords"] == 0
    assert figures["controls"]["first_sentence"]["rouge_1"] < 1


def test_the_swap_test_sees_whether_order_leads(parrot: Callable[..., Any]) -> None:
    def obedient(prompt: str) -> str:
        plan = prompt.rpartition("<|keywords|>")[2]
        return (
            f"{plan.replace('<|sep|>', '').replace('<|summary|>', '')}。"
            if plan
            else "鱼<|summary|>"
        )

    assert Summarize().measure(parrot(obedient), [CAT]).figures["swapped"]["followed"] == 1
    stubborn = parrot(lambda prompt: "小猫看鱼。" if "<|summary|>" in prompt else "鱼<|summary|>")
    assert Summarize().measure(stubborn, [CAT]).figures["swapped"]["followed"] == 0


@pytest.mark.parametrize(("order", "tau"), [([0, 2, 1], 1 / 3), ([3, 2, 1, 0], -1), ([1], None)])
def test_kendall_tau_by_hand(order: list[int], tau: float | None) -> None:
    assert kendall_tau(order) == pytest.approx(tau)


def test_a_drilled_story_has_its_plan_given_and_its_summary_in_that_order(
    bpe: Tokenizer, stories: list[Story]
) -> None:
    rng = random.Random(3)
    for story in stories:
        (example,) = Summarize().drill(story, "en", rng)
        order = mention_order(example.keywords, example.summary)
        assert order == list(range(len(example.keywords)))
        (learnt,) = Summarize().encode(example, bpe).answers()
        assert bpe.decode(learnt).strip() == example.summary


def test_an_english_keyword_is_the_token_that_the_document_has(bpe: Tokenizer) -> None:
    example = Abstract("Then the cat saw a dog.", "A cat.", ("cat",), "en")
    ids = Summarize().encode(example, bpe).ids
    assert list(ids).count(bpe.encode(" cat")[0]) >= 2


def test_long_documents_are_measured_beside_their_first_part(
    bpe: Tokenizer, parrot: Callable[..., Any], stories: list[Story]
) -> None:
    task, rng = Summarize(), random.Random(1)
    examples = [one for story in stories[:8] for one in task.invent(story, "zh", rng)]
    engine = parrot(taught(task, examples, bpe))
    # Room for one of the longer stories, so that each long document has to be cut.
    config = engine.model.config.model_copy(update={"context_length": 256})
    engine.model = SimpleNamespace(config=config)
    figures = task.measure(engine, examples).figures
    assert figures["long"]["examples"] == 2
    assert figures["long"]["parts"] > 1
    assert figures["long"]["events"] > figures["long"]["first_part"]["events"]
