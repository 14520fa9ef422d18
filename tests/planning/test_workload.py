"""What stages are planned to take is what their results say that they took."""

from __future__ import annotations

from pathlib import Path

import pytest

from hanlin.config import Recipe, load_recipe, parse_recipe
from hanlin.models import forward_flops_per_token, read_config
from hanlin.planning import Hardware
from hanlin.planning.shapes import list_shapes
from hanlin.planning.workload import list_workloads
from stage_runs import read_result, run_small, small_recipe

TRAINING = (
    "training = { steps = 4, batch_tokens = 480, eval_every = 4, eval_tokens = 200, "
    "sample_every = 0 }\n"
)
CHAIN = f"""
[[stages]]
name = "student"
kind = "distil"
from = "base"
teachers = ["base"]
model = {{ hidden_size = 48, num_layers = 4 }}
distil = {{ on_policy = 0.3, on_policy_tokens = 8, until_share = 0.75 }}
{TRAINING}
[[stages]]
name = "polish"
kind = "language"
from = "student"
language = {{ policy = 0.3, group = 3, prefix_tokens = 8, new_tokens = 12, row_share = 1.0, \
rewards = {{ critic = 0.1 }}, fluency_order = 3 }}
{TRAINING}
[[stages]]
name = "law"
kind = "expand"
from = "polish"
{TRAINING}
[[stages]]
name = "beside"
kind = "expand"
from = "law"
expand = {{ method = "mlp", mlp_factor = 1.5 }}
{TRAINING}
[[stages]]
name = "taught"
kind = "task"
from = "law"
task = {{ method = "lora", rank = 2, held_out = 2, tasks = [ {{ name = "translate", \
world = {{ stories = 40 }} }} ] }}
{TRAINING}
[[stages]]
name = "hardened"
kind = "task"
from = "student"
task = {{ held_out = 2, adversarial = {{ method = "fgm" }}, tasks = [ {{ name = "translate", \
world = {{ stories = 40 }} }} ] }}
{TRAINING}"""
TEXT = small_recipe(
    "priced",
    model="num_layers = 2\ncontext_length = 96",
    training="steps = 4, batch_tokens = 480, eval_every = 4, eval_tokens = 200",
)
NAMES = ("base", "student", "polish", "law", "beside", "taught", "hardened")


@pytest.fixture(scope="module")
def priced(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a finished run of every kind of stage that learns."""
    return run_small(tmp_path_factory.mktemp("priced"), TEXT, CHAIN)


def test_the_operations_of_every_kind_of_stage_are_planned_within_a_tenth(priced: Path) -> None:
    works = list_workloads(load_recipe(priced / "recipe.toml"), 600)
    planned = {work.stage.name: work.flops for work in works}
    spent = {n: read_result(priced, f"{i}-{n}")["flops"] for i, n in enumerate(NAMES, start=1)}
    assert planned == {name: pytest.approx(flops, rel=0.1) for name, flops in spent.items()}


def test_teachers_and_own_text_are_told_apart(priced: Path) -> None:
    works = list_workloads(load_recipe(priced / "recipe.toml"), 600)
    extra = {work.stage.name: work.extra_flops for work in works}
    assert extra["student"] == read_result(priced, "2-student")["extra_flops"]
    assert extra["polish"] == pytest.approx(read_result(priced, "3-polish")["extra_flops"], rel=0.1)
    assert extra["base"] == extra["law"] == extra["taught"] == 0
    assert [len(work.teachers) for work in works] == [0, 1, 1, 0, 0, 0, 0]


def test_kept_targets_are_priced_on_disk_and_free_the_memory_of_teachers(priced: Path) -> None:
    kept = "distil = { until_share = 0.75, cache_top_k = 16 }"
    old = "distil = { on_policy = 0.3, on_policy_tokens = 8, until_share = 0.75 }"
    path = priced.parent / "kept.toml"
    path.write_text(f"{TEXT}\n{CHAIN.replace(old, kept)}", encoding="utf-8")
    base, student, *_ = list_workloads(load_recipe(path), 600)
    assert student.cache_bytes == 3 * 480 * (4 * 16 + 4)
    assert (student.held_bytes, base.cache_bytes) == (0, 0)
    assert student.teacher_bytes > 0
    forward = forward_flops_per_token(base.shape, student.row_tokens)
    assert student.teaching_flops == 3 * 480 * forward


def test_the_shape_of_every_release_is_known_before(priced: Path) -> None:
    shapes = list_shapes(load_recipe(priced / "recipe.toml"), 600)
    for number, name in enumerate(NAMES, start=1):
        written = read_config(priced / f"stages/{number}-{name}/model")
        assert shapes[name].core.model_dump() == written.model_dump()
    assert shapes["law"].whole.num_layers == shapes["law"].core.num_layers + 1
    assert shapes["beside"].core == shapes["polish"].whole


@pytest.mark.parametrize("loss", ["dpo", "simpo"])
def test_only_a_preference_with_a_reference_pays_for_it(priced: Path, loss: str) -> None:
    task = f"{{ preference = {{ path = 'pairs.jsonl', loss = '{loss}' }} }}"
    stage = f"[[stages]]\nname = 'liked'\nkind = 'task'\nfrom = 'base'\ntask = {task}\n{TRAINING}"
    path = priced.parent / f"{loss}.toml"
    path.write_text(f"{TEXT}\n{stage}", encoding="utf-8")
    base, liked = list_workloads(load_recipe(path), 600)
    forward = forward_flops_per_token(base.shape, liked.row_tokens)
    paid = forward * liked.tokens if loss == "dpo" else 0
    assert (liked.extra_flops, len(liked.teachers)) == (paid, int(loss == "dpo"))


def test_a_release_from_elsewhere_brings_its_shape(priced: Path) -> None:
    folder = str(priced / "stages/4-law/model")
    text = f"{TEXT}\n[[stages]]\nname = 'on'\nkind = 'language'\nfrom = '{folder}'\n{TRAINING}"
    path = priced.parent / "elsewhere.toml"
    path.write_text(text, encoding="utf-8")
    assert list_shapes(load_recipe(path), 600)["on"].whole.num_layers == 5


def _gpt3() -> Recipe:
    training = {"tokens": 300_000_000_000, "batch_tokens": 3_200_000}
    return parse_recipe(
        {
            "name": "gpt3",
            "corpus": {"sources": [{"path": "text"}]},
            "tokenizer": {"vocab_size": 50_257},
            "model": {"preset": "gpt3-175b"},
            "stages": [{"name": "base", "kind": "language", "training": training}],
        },
        where="test",
    )


def test_gpt3_takes_the_papers_operations_and_decades_on_one_device() -> None:
    (work,) = list_workloads(_gpt3(), 50_257)
    # Table D.1 gives 3.14e23 for 6 N D; attention over 2,048 tokens comes on top.
    assert work.flops == pytest.approx(3.14e23, rel=0.04)
    one = Hardware(peak_flops=989e12, mfu=0.4)
    many = Hardware(peak_flops=989e12, mfu=0.4, devices=1024)
    assert 24 < work.flops / one.flops_per_second / (365 * 86_400) < 28
    assert 8 < work.flops / many.flops_per_second / 86_400 < 10
