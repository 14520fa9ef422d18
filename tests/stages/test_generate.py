"""The generate stage chooses a sampler, compares it on other prompts, and proposes it."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

import hanlin
from hanlin.cli import main
from hanlin.config import SamplingConfig
from hanlin.errors import DataError, ModelError, RecipeError
from hanlin.evaluation import (
    Continuation,
    NgramScorer,
    UniformScorer,
    distance_to_human,
    measure_likeness,
)
from hanlin.models import propose_sampling, read_proposal
from hanlin.records import read_ledger
from stage_runs import read_result, run_recipe, with_stages

STAGE = """
[[stages]]
name = "decode"
kind = "generate"
from = "base"

[stages.generate]
temperature = [0.0, 0.6, 1.0]
top_p = [1.0]
min_p = [0.0]
repetition_penalty = [1.3]
prompts = 4
prompt_tokens = 6
max_tokens = 24
draws = 2
"""


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory, tiny_run: Path, tiny_text: str) -> Path:
    """The tiny run with a generate stage after it."""
    folder = tmp_path_factory.mktemp("generate")
    return run_recipe(with_stages(tiny_run, tiny_text, folder, STAGE))


def _result(run: Path) -> dict[str, Any]:
    return read_result(run, "2-decode")


def test_the_nearest_to_human_text_is_chosen(run: Path) -> None:
    result = _result(run)
    tried = {tuple(s[k] for k in result["sampling"]): s["distance"] for s in result["samplers"]}
    assert len(tried) == 4  # three of the grid and the recipe's own
    assert tried[tuple(result["sampling"].values())] == min(tried.values())
    assert {"zh", "en"} == set(result["samplers"][0]["by_language"])


def test_the_release_proposes_what_was_chosen_and_keeps_the_weights(run: Path) -> None:
    chosen = _result(run)["sampling"]
    proposed = read_proposal(run / "model")
    assert proposed.temperature == chosen["temperature"]
    assert proposed.repetition_penalty == chosen["repetition_penalty"]
    first, last = (run / f"stages/{name}/model" for name in ("1-base", "2-decode"))
    assert (first / "model.safetensors").read_bytes() == (last / "model.safetensors").read_bytes()
    assert (first / "tokenizer.json").read_bytes() == (last / "tokenizer.json").read_bytes()


def test_the_comparison_with_the_recipes_sampling_stands_in_the_ledger(run: Path) -> None:
    (entry,) = (e for e in read_ledger(run / "ledger.jsonl") if e.stage == "decode")
    comparison = _result(run)["comparison"]
    assert list(entry.values) == comparison["chosen"]
    assert list(entry.control_values) == comparison["default"]
    assert len(entry.values) == len(entry.seeds) == 2
    assert entry.verdict in ("held", "failed")
    assert entry.flops > 0


def test_speed_and_samples_are_recorded(run: Path) -> None:
    result = _result(run)
    assert result["speed"]["seconds_to_first_token"] > 0
    assert result["speed"]["tokens_per_second_batched"] > 0
    assert {sample["language"] for sample in result["samples"]} == {"zh", "en"}


def test_what_predictions_rest_on_is_studied(run: Path) -> None:
    study = _result(run)["study"]
    assert set(study["zh"]) == {
        "bits_per_token",
        "last_token_adds",
        "older_context_adds",
        "positions_adds",
        "places",
    }


def test_a_run_with_it_is_shown_and_reported(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["runs", "show", str(run)]) == 0
    shown = capsys.readouterr().out
    assert "decode: generate, finished" in shown
    assert main(["runs", "list", str(run.parent)]) == 0
    assert "finished" in capsys.readouterr().out
    assert main(["runs", "report", str(run)]) == 0
    report = (run / "report.md").read_text(encoding="utf-8")
    assert "o decode (generate), from base" in report
    assert "Ways of drawing that were compared" in report
    assert "With the chosen sampling" in report
    assert "What predictions rest on" in report


def test_a_model_is_drawn_from_as_it_proposes_unless_told_otherwise(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "model"
    shutil.copytree(run / "model", folder)
    propose_sampling(folder, SamplingConfig(temperature=0, max_tokens=5))
    model = hanlin.load(folder)
    assert model.proposed.temperature == 0
    assert model.generate("小") == model.generate("小")

    def tokens(*flags: str) -> int:
        assert main(["generate", str(folder), "--prompt", "小", "--json", *flags]) == 0
        return len(json.loads(capsys.readouterr().out)["ids"])

    assert tokens() <= 5
    assert tokens("--max-tokens", "2") <= 2


def test_a_proposal_keeps_what_it_does_not_speak_of(tmp_path: Path) -> None:
    path = tmp_path / "generation_config.json"
    path.write_text(json.dumps({"eos_token_id": [0], "min_p": 0.3, "do_sample": True}))
    sampling = SamplingConfig(
        temperature=0.7,
        top_p=0.9,
        max_tokens=50,
        repetition_penalty=1.1,
        no_repeat_ngram=4,
        typical_p=0.8,
        min_tokens=10,
    )
    propose_sampling(tmp_path, sampling)
    assert json.loads(path.read_text())["eos_token_id"] == [0]
    assert read_proposal(tmp_path) == sampling
    assert read_proposal(tmp_path / "nothing") == SamplingConfig()
    path.write_text('{"temperature": -3}')
    with pytest.raises(ModelError, match="impossible way of drawing"):
        read_proposal(tmp_path)


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        (("ngram_order = 3", "ngram_order = 0"), RecipeError, "ngram_order is 0"),
        (("prompt_tokens = 6", "prompt_tokens = 900"), DataError, "long enough for prompts"),
    ],
)
def test_what_cannot_be_compared_is_refused(
    tiny_run: Path,
    tiny_text: str,
    tmp_path: Path,
    change: tuple[str, str],
    error: type[Exception],
    message: str,
) -> None:
    recipe = with_stages(tiny_run, tiny_text, tmp_path, STAGE)
    recipe.write_text(recipe.read_text().replace(*change))
    with pytest.raises(error, match=message):
        run_recipe(recipe)


def test_too_short_documents_are_refused_before_anything_is_trained(
    tiny_text: str, tmp_path: Path
) -> None:
    stage = STAGE.replace("prompt_tokens = 6", "prompt_tokens = 900")
    recipe = tmp_path / "recipe.toml"
    recipe.write_text(tiny_text.replace("[evaluation]", f"{stage}\n[evaluation]"))
    with pytest.raises(DataError, match="'decode' finds no two validation documents"):
        hanlin.run(recipe, folder=tmp_path / "run", quiet=True)
    assert not (tmp_path / "run/stages").exists()


def test_human_text_is_at_no_distance_from_itself_and_a_loop_is_far(run: Path) -> None:
    texts = ["the cat sat on a mat and then it ran", "a dog came by one day to play with her"]
    human = [Continuation([1], list(text.encode()), text) for text in texts]
    loop = [Continuation([1], list(b"so it goes " * 4), "so it goes " * 4)] * 2
    scorer = UniformScorer(256)
    mine = {"en": measure_likeness(human, "en", scorer)}
    assert distance_to_human(mine, mine) == 0
    assert distance_to_human({"en": measure_likeness(loop, "en", scorer)}, mine) > 1
    empty = {"en": measure_likeness([Continuation([1], [], "")] * 2, "en", scorer)}
    assert distance_to_human(empty, mine) == float("inf")


def test_only_the_continuation_is_scored(run: Path) -> None:
    from hanlin.runs import RunFolder, load_ngram

    ngram = load_ngram(RunFolder(run))
    assert ngram is not None
    ids = [100, 101, 102, 103]
    whole = NgramScorer(ngram).score([ids])[0]  # type: ignore[list-item]
    found = measure_likeness([Continuation(ids[:2], ids[2:], "ab")], "en", NgramScorer(ngram))
    assert found.log_probability == pytest.approx(float(whole[2:].sum()) / 2)
