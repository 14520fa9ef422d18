"""An expand stage: the core is kept as it is, and what is new lies beside it."""

from __future__ import annotations

import filecmp
import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch

import hanlin
from hanlin.cli import main
from hanlin.config import ExpandConfig
from hanlin.errors import ModelError, QualityGateError, RecipeError, RunError, UserError
from hanlin.models import flops_per_token, load_release, step_flops_per_token
from hanlin.models.expansion import begin_expansion
from hanlin.records import read_jsonl
from hanlin.training import read_snapshot
from stage_runs import read_result, run_small, small_recipe

LATER = """
[[corpus.sources]]
name = "later"
part = "late"
world = { stories = 120, seed = 9 }
"""
RECIPE = small_recipe(
    "grown",
    model="num_layers = 2\ncontext_length = 48",
    training="steps = 6, batch_tokens = 480, eval_every = 2, eval_tokens = 400",
    sources=LATER,
)

TRAINING = (
    "training = { steps = 6, batch_tokens = 480, log_every = 1, eval_every = 3, eval_tokens = 400, "
    "sample_every = 0, checkpoint = { every_steps = 2 } }\n"
)
LAW = f"""
[[stages]]
name = "law"
kind = "expand"
from = "base"
parts = ["late"]
expand = {{ method = "blocks", blocks = 2 }}
{TRAINING}"""
NOTES = f"""
[[stages]]
name = "notes"
kind = "expand"
from = "law"
parts = ["late"]
expand = {{ method = "lora", rank = 2, name = "short" }}
{TRAINING}"""
AFTER = f"""
[[stages]]
name = "after"
kind = "language"
from = "law"
parts = ["late"]
{TRAINING}"""
STACKED = f"""
[[stages]]
name = "stacked"
kind = "expand"
from = "law"
parts = ["late"]
expand = {{ method = "layers", layers = [3], over = "merged" }}
{TRAINING}"""


def run(folder: Path, *stages: str, **options: Any) -> Path:
    """Run the recipe with further stages in `folder`/run."""
    return run_small(folder, RECIPE, *stages, **options)


@torch.no_grad()
def logits(folder: Path, expansion: str | None = None) -> torch.Tensor:
    return load_release(folder, expansion=expansion)(torch.arange(100, 140)[None])


@pytest.fixture(scope="session")
def grown(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a finished run of all stages; tests must not change it."""
    return run(tmp_path_factory.mktemp("grown"), LAW, NOTES, AFTER, STACKED)


def test_the_core_is_repeated_byte_for_byte_and_gives_the_same_switched_off(grown: Path) -> None:
    base, law = grown / "stages/1-base/model", grown / "stages/2-law/model"
    files = [path.name for path in base.iterdir()]
    assert filecmp.cmpfiles(base, law, files, shallow=False)[0] == files
    assert torch.equal(logits(law, ""), logits(base))
    assert not torch.equal(logits(law), logits(base))


def test_two_expansions_lie_beside_one_core(grown: Path) -> None:
    law, both = grown / "stages/2-law/model", grown / "stages/3-notes/model"
    assert {p.name for p in (both / "expansions").iterdir()} == {"index.json", "law", "short"}
    assert torch.equal(logits(both, "law"), logits(law))
    assert torch.equal(logits(both), logits(both, "short"))
    assert torch.equal(logits(both, ""), logits(law, ""))
    assert not torch.equal(logits(both, "short"), logits(both, "law"))


def test_a_stage_after_it_starts_from_core_and_expansion_together(grown: Path) -> None:
    after = load_release(grown / "stages/4-after/model")
    assert after.config.num_layers == 4
    assert not (grown / "stages/4-after/model/expansions").exists()


def test_an_expansion_over_the_merged_model_has_that_as_its_core(grown: Path) -> None:
    stacked = grown / "stages/5-stacked/model"
    assert torch.equal(logits(stacked, ""), logits(grown / "stages/2-law/model"))
    assert load_release(stacked).config.num_layers == 4


def test_its_figures_say_what_learnt_and_what_became_of_old_and_new(grown: Path) -> None:
    found = read_result(grown, "2-law")
    expansion = found["expansion"]
    core, merged = (load_release(grown / "stages/2-law/model", expansion=e) for e in ("", None))
    sizes = [sum(p.numel() for p in model.parameters()) for model in (core, merged)]
    assert expansion["trained_parameters"] == sizes[1] - sizes[0]
    assert expansion["trained_share"] == pytest.approx(1 - sizes[0] / sizes[1])
    assert expansion["first_difference"] == 0
    assert expansion["switched_off_identical"] is True
    bits = expansion["bits_per_byte"]
    assert set(bits["before"]["old"]) == set(bits["after"]["new"]) == {"zh", "en"}
    assert bits["before"]["old"] != bits["after"]["old"]
    assert bits["after"]["new"]["zh"] == pytest.approx(
        found["evaluation"]["test"]["zh"]["bits_per_byte"]
    )


def test_its_operations_leave_out_the_gradients_of_what_is_frozen(grown: Path) -> None:
    found = read_result(grown, "2-law")
    core = load_release(grown / "stages/2-law/model", expansion="")
    module = begin_expansion(
        core, ExpandConfig(method="blocks", blocks=2), torch.Generator().manual_seed(1)
    )
    cost = step_flops_per_token(module, 48)
    assert cost < 0.75 * flops_per_token(module.config, 48)
    assert found["flops"] == found["tokens"] * cost


def test_checkpoints_hold_only_what_learns(grown: Path) -> None:
    snapshot = read_snapshot(grown / "stages/3-notes/checkpoints/step-00000006")
    assert all(".lora_" in name for name in snapshot.weights)
    assert all(".lora_" in name for name in snapshot.tensors)
    assert read_result(grown, "3-notes")["expansion"]["trained_parameters"] == sum(
        tensor.numel() for tensor in snapshot.weights.values()
    )


@pytest.mark.parametrize(("stage", "place"), [(LAW, "2-law"), (NOTES, "3-notes")])
def test_a_stage_that_was_stopped_ends_as_one_that_was_not(
    grown: Path, tmp_path: Path, stage: str, place: str
) -> None:
    shutil.copytree(grown, tmp_path / "run")
    folder = tmp_path / "run/stages" / place
    shutil.rmtree(folder / "model")
    for later in sorted((tmp_path / "run/stages").iterdir())[int(place[0]) :]:
        shutil.rmtree(later)
    (folder / "result.json").unlink()
    for step in (4, 6):
        shutil.rmtree(folder / f"checkpoints/step-{step:08d}", ignore_errors=True)
    shutil.copytree(
        grown / "stages" / place / "checkpoints/step-00000004", folder / "checkpoints/step-00000004"
    )
    stages = (LAW,) if stage == LAW else (LAW, NOTES)
    resumed = run(tmp_path, *stages)
    events = [r for r in read_jsonl(resumed / "events.jsonl") if r["event"] == "resumed"]
    assert events[-1]["step"] == 4
    name = "law" if stage == LAW else "short"
    file = f"stages/{place}/model/expansions/{name}/expansion.safetensors"
    assert (resumed / file).read_bytes() == (grown / file).read_bytes()

    def metrics(run: Path) -> list[dict[str, Any]]:
        found = [r for r in read_jsonl(run / "metrics.jsonl") if r["stage"] == place[2:]]
        return [{k: v for k, v in record.items() if k != "time"} for record in found]

    assert metrics(resumed) == metrics(grown)


def test_a_finished_expansion_is_not_learnt_again_and_a_changed_one_is_refused(
    grown: Path, tmp_path: Path
) -> None:
    stages = (LAW, NOTES, AFTER, STACKED)
    shutil.copytree(grown, tmp_path / "run")
    before = (tmp_path / "run/metrics.jsonl").read_bytes()
    run(tmp_path, *stages)
    assert (tmp_path / "run/metrics.jsonl").read_bytes() == before
    with pytest.raises(RunError, match=r"settings\.expand\.rank: 2 before, 3 now"):
        run(tmp_path, *stages, overrides=["stages.notes.expand.rank=3"])


def test_verbs_take_an_expansion_by_name_or_none(
    grown: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def bits(*flags: str) -> float:
        place = str(grown / "stages/3-notes/model")
        assert main(["score", place, "小猫在公园里。", "--json", *flags]) == 0
        found: float = json.loads(capsys.readouterr().out)["sentences"][0]["gpt_bits"]
        return found

    assert bits() == bits("--expansion", "short") != bits("--expansion", "off")
    assert bits("--expansion", "law") not in (bits(), bits("--expansion", "off"))
    with pytest.raises(ModelError, match="no expansion 'medicine'; it has law, short"):
        hanlin.load(grown / "stages/3-notes/model", expansion="medicine")


def trigger(level: float, **changes: Any) -> str:
    table = {"metric": '"bits_per_byte.zh"', "level": level, "times": 2, **changes}
    shown = ", ".join(f"{key} = {value}" for key, value in table.items())
    return LAW.replace("blocks = 2 }", f"blocks = 2, trigger = {{ {shown} }} }}")


def test_a_core_that_has_reached_its_level_is_expanded_and_one_that_has_not_is_refused(
    grown: Path, tmp_path: Path
) -> None:
    shutil.copytree(grown, tmp_path / "run")
    for stage in ("2-law", "3-notes", "4-after", "5-stacked"):
        shutil.rmtree(tmp_path / "run/stages" / stage)
    with pytest.raises(QualityGateError, match=r"zh <= 0\.5 in 2 evaluations in a row of 'base'"):
        run(tmp_path, trigger(0.5))
    assert not (tmp_path / "run/stages/2-law/checkpoints").exists()
    run(tmp_path, trigger(50))
    assert read_result(tmp_path / "run", "2-law")["expansion"]["name"] == "law"


@pytest.mark.parametrize(
    ("stage", "message"),
    [
        (trigger(0.5, metric='"rouge.zh"'), r"'rouge\.zh'; the evaluations measure bits"),
        (trigger(1, times=4), r"trigger\.times 4, but there are 3 evaluations"),
        (trigger(0), "level.*greater than 0"),
        (trigger(2, metric='"accuracy.zh"'), "a share, which never reaches 2"),
        (LAW.replace("blocks = 2", "blocks = 3"), r"2 layers .* expand\.blocks = 3"),
        (LAW.replace("blocks = 2", "rank = 2"), "`rank` has no meaning for method 'blocks'"),
        (LAW.replace("blocks = 2", 'name = "off"'), "'off', which means none"),
        (LAW.replace('name = "law"', 'name = "off"'), "'off', which means none"),
        (LAW.replace('"blocks", blocks = 2', '"layers"'), "method 'layers' needs `layers`"),
        (LAW.replace('"blocks", blocks = 2', '"layers", layers = [1, 1]'), "different numbers"),
    ],
)
def test_what_can_never_happen_is_refused_before_anything_is_written(
    tmp_path: Path, stage: str, message: str
) -> None:
    with pytest.raises(UserError, match=message):
        run(tmp_path, stage)
    assert not (tmp_path / "run").exists()


def test_a_language_that_is_not_held_out_is_refused_before_training(tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match=r"bits_per_byte\.fr, but .* hold out text of en, zh"):
        run(tmp_path, trigger(2, metric='"bits_per_byte.fr"'))
    assert not list((tmp_path / "run").glob("stages/*/checkpoints"))


def test_a_stage_that_ends_too_early_for_the_trigger_is_refused(tmp_path: Path) -> None:
    until = "stages.base.training.until={metric='bits_per_byte.zh', level=3.0, times=1}"
    with pytest.raises(RecipeError, match="waits for 2 evaluations of 'base' in a row"):
        run(tmp_path, trigger(2.5), overrides=[until])


def test_a_name_that_is_taken_is_refused_before_training(grown: Path, tmp_path: Path) -> None:
    shutil.copytree(grown, tmp_path / "run")
    for stage in ("3-notes", "4-after", "5-stacked"):
        shutil.rmtree(tmp_path / "run/stages" / stage)
    with pytest.raises(ModelError, match="second expansion 'law' beside the core"):
        run(tmp_path, LAW, NOTES.replace("short", "law"))


def test_a_folder_brings_no_evaluations_and_is_measured_once(grown: Path, tmp_path: Path) -> None:
    core = f"from = '{grown / 'stages/1-base/model'}'\nreplay = {{ parts = ['main'] }}"
    for level, error in ((0.5, QualityGateError), (50, None)):
        stage = trigger(level, times=1).replace('from = "base"', core)
        if error:
            with pytest.raises(error, match=r"in 1 evaluations .* the last were \d"):
                run(tmp_path, stage)
    with pytest.raises(RecipeError, match=r"Name the text to measure it on: replay\.parts"):
        run(tmp_path / "b", stage.replace("replay", "# replay"))


def test_a_stage_ends_at_its_level_and_is_refused_if_judged_otherwise(tmp_path: Path) -> None:
    until = "stages.base.training.until={metric='bits_per_byte.zh', level=50.0, times=2}"
    run(tmp_path, overrides=[until])
    assert read_result(tmp_path / "run", "1-base")["steps"] == 4
    with pytest.raises(RunError, match=r"learning\.eval_every: 2 before, 1 now"):
        run(tmp_path, overrides=[until, "stages.base.training.eval_every=1"])
