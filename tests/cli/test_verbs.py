"""Each verb, used once on a real run."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from hanlin.cli import main
from hanlin.generation.native import is_available


def _json(capsys: pytest.CaptureFixture[str]) -> dict[str, object]:
    result: dict[str, object] = json.loads(capsys.readouterr().out)
    return result


def test_generate_continues_the_prompt(tiny_run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["generate", str(tiny_run), "--prompt", "小猫", "--max-tokens", "8", "--seed", "1"]
    assert main(arguments) == 0
    assert capsys.readouterr().out.startswith("小猫")


def test_generate_streams_what_it_returns_whole(
    tiny_run: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["generate", str(tiny_run), "--max-tokens", "20", "--seed", "3"]
    assert main(arguments) == 0
    streamed = capsys.readouterr().out.rstrip("\n")
    assert main([*arguments, "--json"]) == 0
    assert _json(capsys)["text"] == streamed


def test_score_shows_both_models(tiny_run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["score", str(tiny_run), "小猫在公园里。", "--json"]) == 0
    (sentence,) = _json(capsys)["sentences"]  # type: ignore[misc]
    assert sentence["gpt_bits"] > 0
    assert sentence["ngram_bits"] > 0
    assert main(["score", str(tiny_run), "小猫在公园里。"]) == 0
    assert "GPT p" in capsys.readouterr().out


def test_eval_measures_by_language(
    tiny_run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "zh.txt").write_text("小猫在公园里看见一只小狗。" * 5, encoding="utf-8")
    (tmp_path / "en.txt").write_text("The cat saw a dog in the park. " * 5, encoding="utf-8")
    arguments = ["eval", str(tiny_run), "--text", str(tmp_path), "--samples", "2", "--json"]
    assert main(arguments) == 0
    result = _json(capsys)
    assert set(result["by_language"]) == {"zh", "en"}  # type: ignore[arg-type, call-overload]
    assert main(arguments[:-1]) == 0
    assert "uniform" in capsys.readouterr().out


def test_eval_scores_suites(
    tiny_run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pairs = '{"good": "小猫在公园里。", "bad": "小猫公园里在。", "phenomenon": "order"}\n'
    (tmp_path / "zhoblimp_zh.jsonl").write_text(pairs * 3, encoding="utf-8")
    own = tmp_path / "own.jsonl"
    question = '{"context": "小猫在", "choices": ["公园里", "吃"], "answer": 0}\n'
    own.write_text(question * 4, encoding="utf-8")
    verb = ["eval", str(tiny_run), "--data-dir", str(tmp_path), "--suite", "zhoblimp"]
    assert main([*verb, "--limit", "2", "--json"]) == 0
    suites = _json(capsys)["suites"]
    zhoblimp = suites["zhoblimp"]  # type: ignore[index, call-overload]
    assert set(zhoblimp["by_scorer"]) == {"gpt", "ngram"}
    assert zhoblimp["measured"] == 2
    assert main(verb) == 0
    assert "chance 50.0%" in capsys.readouterr().out
    assert main(["eval", str(tiny_run), "--suite", str(own), "--shots", "1"]) == 0
    assert "3 of 4 items, 1 examples" in capsys.readouterr().out
    assert main(["eval", str(tiny_run)]) == 2
    assert main([*verb, "--shots", "1"]) == 2
    assert "--shots 0" in capsys.readouterr().err


def test_tokenizer_trains_encodes_and_decodes(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = tmp_path / "text.txt"
    text.write_text("小猫在公园里看见一只小狗。The cat saw a dog. " * 50, encoding="utf-8")
    folder = str(tmp_path / "tokenizer")
    assert main(["tokenizer", "train", folder, "--text", str(text), "--vocab-size", "380"]) == 0
    capsys.readouterr()
    assert main(["tokenizer", "encode", folder, "小猫 cat", "--json"]) == 0
    ids = [str(number) for number in _json(capsys)["ids"]]  # type: ignore[attr-defined]
    assert main(["tokenizer", "decode", folder, *ids]) == 0
    assert capsys.readouterr().out == "小猫 cat\n"


def test_data_inspect_names_what_was_kept(
    tiny_run: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["data", "inspect", str(tiny_run), "--json"]) == 0
    assert "main" in _json(capsys)["parts"]  # type: ignore[operator]
    assert main(["data", "inspect", str(tiny_run)]) == 0


def test_runs_list_show_and_report(tiny_run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["runs", "list", str(tiny_run.parent), "--json"]) == 0
    (found,) = _json(capsys)["runs"]  # type: ignore[misc]
    assert found["state"] == "finished"
    assert main(["runs", "show", str(tiny_run)]) == 0
    assert "step 8 of 8" in capsys.readouterr().out
    assert main(["runs", "report", str(tiny_run)]) == 0
    assert capsys.readouterr().out.strip().endswith("report.html")


def test_new_plan_and_doctor(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "text").mkdir()
    for number in range(30):
        text = f"第{number}篇。小猫在公园里看见了第{number * 7}只小狗，很高兴。" * 20
        (tmp_path / "text" / f"{number}.txt").write_text(text, encoding="utf-8")
    folder = tmp_path / "mine"
    assert main(["new", str(folder), "--text", str(tmp_path / "text"), "--minutes", "1"]) == 0
    assert main(["new", str(folder), "--text", str(tmp_path / "text")]) == 2
    capsys.readouterr()
    assert main(["plan", str(folder / "recipe.toml"), "--no-probe", "--json"]) == 0
    assert _json(capsys)
    assert main(["doctor", "--json"]) == 0
    assert _json(capsys)["checks"]


@pytest.mark.parametrize("path", ["none", "recipe"])
def test_what_is_no_model_is_refused(
    path: str, tiny_recipe: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    place = tmp_path / "none" if path == "none" else tiny_recipe.parent
    assert main(["generate", str(place)]) == 2
    assert str(place) in capsys.readouterr().err


@pytest.mark.parametrize("flags", [["--lookup"], ["--draft", "RUN", "--proposals", "3"]])
def test_generate_with_proposals_writes_the_same_and_counts_them(
    tiny_run: Path, capsys: pytest.CaptureFixture[str], flags: list[str]
) -> None:
    given = [str(tiny_run) if flag == "RUN" else flag for flag in flags]
    plain = ["generate", str(tiny_run), "--json", "--max-tokens", "12", "--temperature", "0"]
    assert main(plain) == main([*plain, *given]) == 0
    alone, proposed = map(json.loads, capsys.readouterr().out.splitlines())
    assert proposed["ids"] == alone["ids"] and proposed["speculation"]["passes"] >= 1


@pytest.mark.parametrize(
    ("flags", "count"),
    [
        (["--samples", "3", "--seed", "1"], 3),
        (["--search", "beam", "--beams", "4", "--groups", "2"], 4),
        (["--search", "contrastive", "--alpha", "0.4"], 1),
    ],
)
def test_generate_writes_several_texts_and_searches(
    tiny_run: Path, capsys: pytest.CaptureFixture[str], flags: list[str], count: int
) -> None:
    assert main(["generate", str(tiny_run), "--json", "--max-tokens", "6", *flags]) == 0
    texts = json.loads(capsys.readouterr().out)["texts"]
    assert len(texts) == count and all(text["ids"] for text in texts)


@pytest.mark.parametrize("engine", ["auto", "torch"])
def test_generate_writes_several_prompts_as_each_alone(
    tiny_run: Path, capsys: pytest.CaptureFixture[str], engine: str
) -> None:
    flags = ["--json", "--max-tokens", "12", "--device", "cpu", "--engine", engine]
    many = ["--prompt", "小猫", "--prompt", "The cat", "--samples", "2", "--seed", "4"]
    assert main(["generate", str(tiny_run), *flags, *many]) == 0
    texts = json.loads(capsys.readouterr().out)["texts"]
    assert [text["prompt"] for text in texts] == ["小猫", "小猫", "The cat", "The cat"]
    for row, text in enumerate(texts):
        alone = ["--prompt", text["prompt"], "--seed", str(4 + row)]
        assert main(["generate", str(tiny_run), *flags, *alone]) == 0
        assert _json(capsys) == text


def test_several_prompts_go_with_drawn_texts_alone(
    tiny_run: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    flags = ["--prompt", "a", "--prompt", "b", "--search", "beam"]
    assert main(["generate", str(tiny_run), *flags]) == 2
    assert "several --prompt and --search exclude each other" in capsys.readouterr().err


def test_generate_keeps_to_choices_and_returns_logprobs(
    tiny_run: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    flags = ["--choices", "小猫", "小狗", "--logprobs", "2", "--seed", "1"]
    assert main(["generate", str(tiny_run), "--json", *flags]) == 0
    written = json.loads(capsys.readouterr().out)
    assert written["text"] in ("小猫", "小狗")
    assert len(written["logprobs"]) == len(written["ids"]) and written["logprobs"][0]["bytes"]


def test_generate_refuses_two_ways_of_writing(
    tiny_run: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["generate", str(tiny_run), "--lookup", "--search", "beam"]) == 2
    assert "--lookup and --search exclude each other" in capsys.readouterr().err


def test_both_engines_of_generate_write_the_same(
    tiny_run: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["generate", str(tiny_run), "--prompt", "小猫", "--max-tokens", "24", "--json"]
    for more in (["--temperature", "0"], ["--seed", "5"]):
        found = []
        for engine in ("auto", "torch"):
            assert main([*arguments, *more, "--device", "cpu", "--engine", engine]) == 0
            found.append(_json(capsys))
        assert found[0] == found[1]


def test_the_native_engine_says_what_it_cannot(
    tiny_run: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["generate", str(tiny_run), "--engine", "native"]
    for more in (["--reverse"], ["--device", "cuda"], ["--expansion", "law"]):
        assert main([*arguments, *more]) == 2
        assert "--engine native is not possible" in capsys.readouterr().err


@pytest.mark.skipif(not is_available(), reason="the native core is not built here")
def test_generate_loads_no_torch(tiny_run: Path) -> None:
    code = (
        "import sys; from hanlin.cli import main\n"
        "assert main(['generate', sys.argv[1], '--max-tokens', '4', '--device', 'cpu']) == 0\n"
        "assert 'torch' not in sys.modules, 'torch was loaded'"
    )
    subprocess.run([sys.executable, "-c", code, str(tiny_run)], check=True, capture_output=True)


@pytest.mark.skipif(not is_available(), reason="the native core is not built here")
@pytest.mark.parametrize("weights", ["fp32", "int4"])
def test_bench_decode_measures_both_engines(
    weights: str, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["bench", "decode", "--preset", "1m", "--weights", weights, "--rounds", "1"]
    assert main([*arguments, "--prompt-tokens", "4", "--max-tokens", "4", "--json"]) == 0
    result = _json(capsys)
    assert result["weights"] == weights
    assert result["cache_bits"] == (32 if weights == "fp32" else 16)
    for table in (result, result["torch"]):
        assert table["tokens_per_second"] > 0  # type: ignore[index, operator]
        assert table["p50_ms"] <= table["p99_ms"]  # type: ignore[index, operator]
    assert result["share_of_bandwidth"] > 0  # type: ignore[operator]
    assert main(["bench", "decode", "--max-tokens", "1"]) == 2
    assert main(["bench", "decode", "--preset", "1m", "--prompt-tokens", "512"]) == 2
    assert "context is 256" in capsys.readouterr().err
