"""Recipes: what is accepted, what is refused, and in which words."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from hanlin.config import dump_recipe, load_recipe, parse_recipe
from hanlin.errors import RecipeError


def _table(**changes: Any) -> dict[str, Any]:
    table: dict[str, Any] = {
        "name": "test",
        "corpus": {"sources": [{"path": "a.txt"}]},
        "stages": [{"name": "base", "kind": "language", "training": {"steps": 10}}],
    }
    return table | changes


def _write(folder: Path, text: str) -> Path:
    path = folder / "recipe.toml"
    path.write_text(text, encoding="utf-8")
    return path


_TOML = """
name = "test"
[[corpus.sources]]
path = "a.txt"
[[stages]]
name = "base"
kind = "language"
training = { steps = 10 }
"""


def test_a_recipe_reads_back_as_it_was_written(tmp_path: Path) -> None:
    recipe = load_recipe(_write(tmp_path, _TOML))
    assert load_recipe(_write(tmp_path, dump_recipe(recipe))) == recipe


def test_a_written_recipe_leaves_to_the_preset_what_was_left_to_it(tmp_path: Path) -> None:
    recipe = load_recipe(_write(tmp_path, _TOML), ["model.preset=14m", "model.num_layers=3"])
    again = load_recipe(_write(tmp_path, dump_recipe(recipe)))
    assert again.model.model_fields_set == {"preset", "num_layers"}


def test_an_override_changes_one_key(tmp_path: Path) -> None:
    path = _write(tmp_path, _TOML)
    overrides = ["model.num_layers=8", "stages.base.training.steps=3", "stages.0.name=first"]
    recipe = load_recipe(path, overrides)
    assert recipe.model.num_layers == 8
    assert recipe.stages[0].training.steps == 3
    assert recipe.stages[0].name == "first"


def test_a_wrong_key_of_a_stage_is_told_alone(tmp_path: Path) -> None:
    with pytest.raises(RecipeError) as refused:
        load_recipe(_write(tmp_path, _TOML), ["stages.0.training.stepz=1"])
    assert len(str(refused.value).splitlines()) == 1
    assert "unknown key `stages.0.training.stepz`. Did you mean `steps`?" in str(refused.value)


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("model.num_layers", "has no value"),
        ("stages.other.training.steps=3", "no entry 'other'"),
        ("name.first=3", "is a single value"),
    ],
)
def test_an_impossible_override_is_refused(tmp_path: Path, override: str, message: str) -> None:
    with pytest.raises(RecipeError, match=message):
        load_recipe(_write(tmp_path, _TOML), [override])


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"model": {"hiden_size": 3}}, r"unknown key `model.hiden_size`. Did you mean `hidden_siz"),
        ({"modle": {}}, "unknown key `modle`. Did you mean `model`"),
        ({"model": {"hidden_size": 100, "num_heads": 3}}, "not divisible by num_heads 3; take"),
        ({"model": {"num_heads": 4, "num_kv_heads": 3}}, "not divisible by num_kv_heads 3"),
        ({"model": {"hidden_size": 36, "num_heads": 4}}, "head_dim 9 is odd"),
        ({"model": {"num_layers": 0}}, "`model.num_layers`: .*greater than or equal to 1"),
        ({"corpus": {"sources": []}}, "`corpus.sources`"),
        ({"corpus": {"sources": [{"path": "a"}, {"path": "b/a"}]}}, "two sources are named 'a'"),
        ({"stages": []}, "`stages`"),
        ({"corpus": {"sources": [{}]}}, "either a path or a world"),
    ],
)
def test_a_wrong_value_is_named_with_its_key(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(RecipeError, match=message):
        parse_recipe(_table(**changes), where="recipe.toml")


def test_a_stage_that_reads_an_unknown_part_is_refused() -> None:
    stage = {"name": "b", "kind": "language", "training": {"steps": 1}, "parts": ["late"]}
    with pytest.raises(RecipeError, match="reads part 'late'; the corpus has \\['main'\\]"):
        parse_recipe(_table(stages=[stage]), where="r.toml")


def test_a_stage_to_which_no_part_is_left_is_refused() -> None:
    named = {"name": "one", "kind": "language", "parts": ["main"], "training": {"steps": 1}}
    left = {"name": "two", "kind": "language", "training": {"steps": 1}}
    with pytest.raises(RecipeError, match="stage 'two' names no part"):
        parse_recipe(_table(stages=[named, left]), where="r.toml")


def test_steps_and_tokens_exclude_each_other() -> None:
    stage = {"name": "b", "kind": "language", "training": {"steps": 1, "tokens": 5}}
    with pytest.raises(RecipeError, match="either `steps` or `tokens`"):
        parse_recipe(_table(stages=[stage]), where="r.toml")


def test_a_missing_recipe_says_how_to_get_one(tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match="hanlin new"):
        load_recipe(tmp_path / "none.toml")


def test_broken_toml_names_the_line(tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match=r"not valid TOML.*line 2"):
        load_recipe(_write(tmp_path, "name = 1\nseed = ]\n"))
