"""`hanlin bench batch|prefill`: one JSON object with every figure that is promised."""

from __future__ import annotations

import json

import pytest

from hanlin.cli import main
from hanlin.generation.native import is_available

native = pytest.mark.skipif(not is_available(), reason="the native core is not built here")


@pytest.mark.parametrize(
    ("engine", "weights"),
    [
        ("torch", "bf16"),
        pytest.param("native", "int8", marks=native),
        pytest.param("native", "bf16", marks=native),
    ],
)
def test_bench_batch_compares_three_ways_at_each_size(
    engine: str, weights: str, capsys: pytest.CaptureFixture[str]
) -> None:
    sizes = ["--prompt-tokens", "4", "--max-tokens", "3", "--rounds", "1", "--rows", "1", "3"]
    flags = ["--preset", "1m", "--engine", engine, "--weights", weights]
    assert main(["bench", "batch", *flags, *sizes, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["engine"] == engine
    assert found["weights"] == weights and found["read_bandwidth"] > 0
    assert [result["batch"] for result in found["results"]] == [1, 3]
    for result in found["results"]:
        ways = ("tokens_per_second", "generate_batch", "one_at_a_time", "gigabytes_per_second")
        assert all(result[way] > 0 for way in ways) and result["share_of_bandwidth"] > 0
        assert 0 < result["p50_ms"] <= result["p99_ms"] and result["first_token_ms"] > 0
        assert set(result["uneven"]) == {"scheduler", "generate_batch"}


def test_bench_prefill_reads_a_prompt_both_ways(capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["bench", "prefill", "--preset", "1m", "--prompt-tokens", "40", "--rounds", "1"]
    assert main([*arguments, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["tokens_per_second"] > 0 and found["plain_cache"] > 0
    assert found["prompt_tokens"] == 40


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (["prefill", "--prompt-tokens", "256"], "context is 256"),
        (["prefill", "--rounds", "0"], "one round"),
        (["batch", "--rows", "0"], "one row"),
    ],
)
def test_impossible_sizes_are_refused(
    flags: list[str], words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["bench", *flags, "--preset", "1m"]) == 2
    assert words in capsys.readouterr().err
