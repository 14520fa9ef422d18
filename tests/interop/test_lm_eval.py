"""The model inside lm-eval: the same numbers from the harness and from `hanlin eval --suite`."""

from __future__ import annotations

import random
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from hanlin.errors import require
from hanlin.evaluation import Item, SuiteReport, choose_items, measure_suite
from hanlin.evaluation.suites import Suite
from hanlin.evaluation.suites.readers import read_plain
from hanlin.interop.lm_eval import Harness, register

SUITE = Suite("own", "", "own", read_plain, joint=" ")


@pytest.fixture(scope="module")
def harness(tiny_run: Path) -> Harness:
    return Harness(tiny_run, device="cpu", batch_size="auto")


def requests(*arguments: tuple[Any, ...]) -> list[SimpleNamespace]:
    return [SimpleNamespace(args=each) for each in arguments]


def test_likelihoods_are_the_engines(harness: Harness) -> None:
    (found, greedy), (whole, _) = harness.loglikelihood(
        requests(("小猫", "在公园里"), ("", "小猫"))
    )
    ids = harness.tokenizer.encode("小猫在公园里")
    start = len(harness.tokenizer.encode("小猫"))
    alone = harness.engine.logprobs([harness.tokenizer.eot_id, *ids])
    assert found == pytest.approx(sum(alone[start:]), abs=1e-3)
    assert whole == pytest.approx(sum(alone[:start]), abs=1e-3)
    assert isinstance(greedy, bool)


def test_a_whole_text_is_scored_beyond_the_context(harness: Harness) -> None:
    text = "小猫在公园里看见一只小狗。" * 40
    (total,) = harness.loglikelihood_rolling(requests((text,)))
    ids = np.array(harness.tokenizer.encode(text))
    assert len(ids) > harness.scorer.context
    assert total == pytest.approx(harness.scorer.score([ids])[0].sum())


def test_what_is_written_is_likely_and_stops(harness: Harness) -> None:
    options = {"until": ["。"], "max_gen_toks": 12}
    asked = requests(("小猫", options), ("The cat", {"max_gen_toks": 4}), ("小猫" * 500, options))
    first, second, _ = harness.generate_until(asked)
    assert "。" not in first
    (known,) = harness.loglikelihood(requests(("The cat", second)))
    assert known[1] or not second


def items(count: int) -> list[Item]:
    rng = random.Random(5)
    words = ["猫", "狗", "公园", "球", "cat", "dog", "park", "ball", "the", "一只"]

    def text(length: int) -> str:
        return " ".join(rng.choices(words, k=length))

    return [
        Item(str(n), f"Q: {text(5)}\nA:", tuple(text(rng.randint(1, 4)) for _ in range(3)), n % 3)
        for n in range(count)
    ]


def ours(harness: Harness, count: int, shots: int) -> tuple[SuiteReport, list[Item], list[Item]]:
    shown, measured = choose_items(items(count), shots=shots)
    report = measure_suite(harness.scorer, harness.tokenizer, SUITE, measured, examples=shown)
    return report, shown, measured


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("shots", [0, 1, 5])
def test_the_harness_gives_the_same_numbers(
    shots: int, tiny_run: Path, harness: Harness, monkeypatch: pytest.MonkeyPatch
) -> None:
    require("lm_eval", extra="eval", purpose="This proof")
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    from datasets import Dataset
    from lm_eval import simple_evaluate
    from lm_eval.tasks import TaskManager

    register()
    report, shown, measured = ours(harness, 40, shots)

    def rows(chosen: list[Item]) -> Dataset:
        # Without an example to show, lm-eval still asks the split for one.
        return Dataset.from_list(
            [
                {"id": each.id, "q": each.context, "c": list(each.choices), "a": each.answer}
                for each in chosen or measured
            ]
        )

    task = {
        "task": "own",
        "custom_dataset": lambda **_: {"test": rows(measured), "shown": rows(shown)},
        "test_split": "test",
        "fewshot_split": "shown",
        "fewshot_config": {"sampler": "first_n"},
        "num_fewshot": shots,
        "output_type": "multiple_choice",
        "doc_to_text": "{{q}}",
        "doc_to_choice": "{{c}}",
        "doc_to_target": "a",
        "metric_list": [{"metric": name} for name in ("acc", "acc_norm", "acc_bytes")],
    }
    found = simple_evaluate(
        model="hanlin",
        model_args={"pretrained": str(tiny_run)},
        tasks=[task],
        device="cpu",
        bootstrap_iters=0,
        task_manager=TaskManager(include_defaults=False),
    )
    scores = found["results"]["own"]
    names = {"acc": "sum", "acc_norm": "characters", "acc_bytes": "bytes"}
    assert {norm: scores[f"{metric},none"] for metric, norm in names.items()} == {
        norm: report.scores[norm].value for norm in names.values()
    }
    samples = found["samples"]["own"]
    bits = (
        -sum(each["resps"][each["target"]][0][0] for each in samples)
        / np.log(2)
        / sum(len(item.choices[item.answer].encode("utf-8")) for item in measured)
    )
    assert bits == pytest.approx(report.bits_per_byte, rel=1e-6)
