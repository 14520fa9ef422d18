"""A task stage with heads, end to end: taught, frozen or not, resumed, released and used."""

from __future__ import annotations

import json
import signal
from pathlib import Path
from typing import Any

import pytest
import torch

import hanlin
from hanlin.api import Model
from hanlin.cli import main
from hanlin.compression import quantise, save_quantised
from hanlin.config import ExpandConfig, QuantisationConfig
from hanlin.errors import DataError, ModelError, RecipeError, StoppedError, UserError
from hanlin.models import list_heads, load_release, read_learnt, save_expansion
from hanlin.models.expansion import begin_expansion, extract_expansion
from hanlin.objectives import Labels
from hanlin.tasks import classify_texts
from stage_runs import small_recipe

RECIPE = small_recipe(
    "taught",
    model="num_layers = 1\ncontext_length = 128",
    training="steps = 2, batch_tokens = 512, eval_every = 2, eval_tokens = 300",
)

STAGE = """
[[stages]]
name = "tasks"
kind = "task"
from = "base"
training = { steps = 6, batch_tokens = 512, log_every = 1, eval_every = 3, eval_tokens = 300, \
sample_every = 0, checkpoint = { every_steps = 2 } }

[stages.task]
held_out = 2
"""

FROZEN = STAGE.replace("held_out = 2", 'held_out = 20\nmethod = "frozen"')
TUNED = STAGE.replace("held_out = 2", "held_out = 20")
MOOD = '[[stages.task.tasks]]\nname = "mood"\npath = "reviews.jsonl"\nhead = {}\n'
PAIRS = """
[[stages.task.tasks]]
name = "pairs"
path = "pairs.jsonl"
head = { pool = "last", layers = 1, smoothing = 0.1, balance = true }
"""
AGAIN = FROZEN.replace('"tasks"', '"more"', 1).replace('from = "base"', 'from = "tasks"')


def run(folder: Path, *stages: str) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "recipe.toml"
    path.write_text(RECIPE + "".join(stages), encoding="utf-8")
    moods = [
        {"text": f"{'小猫喜欢' if n % 2 else '小狗讨厌'}{n}条鱼。", "label": ["bad", "good"][n % 2]}
        for n in range(200)
    ]
    pairs = [{**one, "text2": f"{n}个球", "label": n % 2} for n, one in enumerate(moods)]
    for name, records in (("reviews", moods), ("pairs", pairs)):
        lines = [json.dumps(one, ensure_ascii=False) for one in records]
        (folder / f"{name}.jsonl").write_text("\n".join(lines), encoding="utf-8")
    return hanlin.run(path, folder=folder / "run", quiet=True)


def result(folder: Path) -> dict[str, Any]:
    text = (folder / "stages" / "2-tasks" / "result.json").read_text(encoding="utf-8")
    found: dict[str, Any] = json.loads(text)
    return found


@pytest.fixture(scope="session")
def headed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a run whose body is frozen while two heads learn; tests must not change it."""
    return run(tmp_path_factory.mktemp("headed"), FROZEN, MOOD, PAIRS)


def weights(folder: Path) -> dict[str, Any]:
    return load_release(folder).state_dict()


def test_a_frozen_body_stays_and_heads_are_measured(headed: Path) -> None:
    before, after = weights(headed / "stages/1-base/model"), weights(headed / "model")
    assert all(torch.equal(before[name], after[name]) for name in before)
    figures = result(headed)
    assert set(figures["tasks"]) == {"mood", "pairs"}
    assert sum(task["share"] for task in figures["tasks"].values()) == pytest.approx(1)
    mood = figures["tasks"]["mood"]
    assert mood["labels"].keys() == {"bad", "good"}
    assert (mood["calibrated_on"], mood["after"]["zh"]["examples"]) == (20, 20)
    assert {"accuracy", "macro_f1", "calibration", "controls"} <= set(mood["after"]["zh"])
    assert set(mood["after"]["zh"]["calibration"]) == {"before", "after"}
    assert read_learnt(headed / "model") == ()


def test_the_release_says_labels_with_probabilities(headed: Path) -> None:
    model: Model = hanlin.load(headed)
    assert model.heads == ["mood", "pairs"]
    found = model.classify("小猫喜欢3条鱼。", head="mood")
    assert found.probabilities.keys() == {"bad", "good"}
    assert sum(found.probabilities.values()) == pytest.approx(1)
    assert found.probability == max(found.probabilities.values())
    texts = ["小猫喜欢3条鱼。", "小狗讨厌4条鱼。" * 60, "鱼"]
    together = model.classify_batch(texts, head="mood")
    assert [one.cut > 0 for one in together] == [False, True, False]
    for text, one in zip(texts, together, strict=True):
        alone = model.classify(text, head="mood")
        assert alone.probabilities == pytest.approx(dict(one.probabilities), abs=1e-5)
    assert model.classify("小猫", "3个球", head="pairs").label in ("0", "1")
    with pytest.raises(UserError, match="number 1 is blank"):
        model.classify(" ", head="mood")
    with pytest.raises(ModelError, match="several heads"):
        model.classify("小猫")


def test_a_stopped_stage_ends_where_an_uninterrupted_one_does(
    headed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain, calls = Labels.loss, []

    def interrupted(self: Labels, *arguments: Any) -> Any:
        calls.append(1)
        if len(calls) == 3:
            signal.raise_signal(signal.SIGTERM)
        return plain(self, *arguments)

    with monkeypatch.context() as patch:
        patch.setattr(Labels, "loss", interrupted)
        with pytest.raises(StoppedError):
            run(tmp_path, FROZEN, MOOD, PAIRS)
    resumed = run(tmp_path, FROZEN, MOOD, PAIRS)
    for name in ("mood", "pairs"):
        place = f"model/heads/{name}/head.safetensors"
        assert (resumed / place).read_bytes() == (headed / place).read_bytes()
    assert result(resumed)["tasks"] == result(headed)["tasks"]


def test_heads_learn_beside_written_tasks_and_replay(tmp_path: Path) -> None:
    written = '[[stages.task.tasks]]\nname = "translate"\nworld = { stories = 40 }\n'
    blocks = MOOD.replace("head = {}", 'head = { layers = 1, kind = "blocks" }')
    folder = run(tmp_path, TUNED, blocks, written)
    before, after = weights(folder / "stages/1-base/model"), weights(folder / "model")
    assert not torch.equal(before["embedding.weight"], after["embedding.weight"])
    assert set(result(folder)["tasks"]) == {"mood", "translate"}
    assert read_learnt(folder / "model") == ("translate",)
    assert hanlin.load(folder).classify("小猫喜欢3条鱼。").label in ("bad", "good")
    low = TUNED.replace("held_out = 20", 'held_out = 20\nmethod = "lora"\nrank = 2')
    assert list_heads(run(tmp_path / "low", low, MOOD) / "model") == ["mood"]


def test_frozen_stages_add_heads_and_others_leave_them_out(tmp_path: Path) -> None:
    tuned = (
        AGAIN.replace('"more"', '"last"')
        .replace('method = "frozen"', "")
        .replace('from = "tasks"', 'from = "more"')
    )
    folder = run(tmp_path, FROZEN, MOOD, AGAIN, PAIRS, tuned, PAIRS)
    assert list_heads(folder / "stages/3-more/model") == ["mood", "pairs"]
    assert list_heads(folder / "stages/4-last/model") == ["pairs"]
    first, second = (hanlin.load(folder / f"stages/{s}/model") for s in ("2-tasks", "3-more"))
    text = "小猫喜欢3条鱼。"
    assert first.classify(text) == second.classify(text, head="mood")


def test_a_quantised_copy_keeps_its_heads(
    headed: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "int8"
    assert main(["quantize", str(headed), str(out), "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert said["heads"] == ["mood", "pairs"]
    assert said["left_behind"] == {"heads": [], "expansions": []}
    before: Model = hanlin.load(headed)
    after: Model = hanlin.load(out)
    for name in before.heads:
        first, second = before.released_head(name), after.released_head(name)
        assert (second.temperature, second.context) == (first.temperature, first.context)
        tensors = second.head.state_dict()
        assert all(torch.equal(tensors[key], t) for key, t in first.head.state_dict().items())
        for text in ("小猫喜欢3条鱼。", "小狗讨厌4条鱼。"):
            near = pytest.approx(dict(before.classify(text, head=name).probabilities), abs=0.02)
            assert after.classify(text, head=name).probabilities == near
    assert main(["classify", str(out), "小猫喜欢3条鱼。", "--head", "mood"]) == 0
    assert capsys.readouterr().out.startswith(("good", "bad"))


def test_saving_a_quantised_model_and_loading_it_changes_no_probability(
    headed: Path, tmp_path: Path
) -> None:
    plain: Model = hanlin.load(headed)
    packed = quantise(plain.decoder, QuantisationConfig(bits=8))
    assert save_quantised(tmp_path / "int8", packed, headed / "model") == ["mood", "pairs"]
    texts = ["小猫喜欢3条鱼。", "小狗讨厌4条鱼。"]
    for head in (plain.released_head(name) for name in plain.heads):
        kept = classify_texts(packed, plain.tokenizer, head, texts)
        loaded: Model = hanlin.load(tmp_path / "int8")
        assert loaded.classify_batch(texts, head=head.name) == kept


def test_copies_that_cannot_hold_heads_say_so(
    headed: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pruned = ["prune", str(headed), str(tmp_path / "thin"), "--mlp", "0.25"]
    assert main([*pruned, "--calibration-rows", "2"]) == 0
    assert "the heads mood, pairs; they were learnt on other weights" in capsys.readouterr().out
    pytest.importorskip("gguf")
    exported = ["export", str(headed), str(tmp_path / "one.gguf"), "--to", "gguf", "--json"]
    assert main(exported) == 0
    assert json.loads(capsys.readouterr().out)["left_behind"]["heads"] == ["mood", "pairs"]


def test_a_merged_expansion_parts_a_quantised_copy_from_its_heads(
    headed: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    core, grown = load_release(headed / "model"), tmp_path / "grown"
    config = ExpandConfig(method="lora", rank=2)
    expansion = extract_expansion(
        begin_expansion(core, config, torch.Generator().manual_seed(1)), config
    )
    save_expansion(grown, headed / "model", "law", expansion)
    assert main(["quantize", str(grown), str(tmp_path / "int8"), "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert (said["heads"], said["left_behind"]["heads"]) == ([], ["mood", "pairs"])
    assert list_heads(tmp_path / "int8") == []
    alone = ["quantize", str(grown), str(tmp_path / "core"), "--expansion", "off"]
    assert main(alone) == 0
    said_in_words = capsys.readouterr().out
    assert "Heads that came along: mood, pairs" in said_in_words
    assert "Left behind: the expansions law" in said_in_words


@pytest.mark.parametrize(
    ("tables", "message"),
    [
        (FROZEN + MOOD.replace("head = {}", ""), "teaches heads alone"),
        (FROZEN + "replay = 0.1\n" + MOOD, "forgets nothing"),
        (TUNED + MOOD.replace("{}", '{ pool = "most" }'), "pool"),
        (TUNED + MOOD + 'file = "own.py"\n', "a head and a file"),
    ],
)
def test_a_recipe_that_cannot_be_carried_out_is_refused(
    tmp_path: Path, tables: str, message: str
) -> None:
    with pytest.raises(RecipeError, match=message):
        run(tmp_path, tables)


def test_labels_that_cannot_be_learnt_are_refused_before_anything_is(tmp_path: Path) -> None:
    swapped = MOOD.replace("head = {}", 'head = { label = "text2" }').replace("reviews", "pairs")
    with pytest.raises(DataError, match="seem to be mixed up"):
        run(tmp_path, FROZEN, swapped)
    assert not (tmp_path / "run" / "corpus").exists()


def test_the_verb_prints_labels_and_compares_known_ones(
    headed: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    records = [{"text": "小猫喜欢3条鱼。", "label": "good"}, {"text": "鱼", "label": "new"}]
    file = tmp_path / "more.jsonl"
    file.write_text("\n".join(map(json.dumps, records)), encoding="utf-8")
    verb = ["classify", str(headed), "--head", "mood"]
    assert main([*verb, "小狗讨厌4条鱼。", "--file", str(file), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["head"], len(found["texts"])) == ("mood", 3)
    assert (found["compared"], found["unseen_labels"]) == (1, 1)
    assert 0 <= found["expected_calibration_error"] <= 1
    lines = tmp_path / "lines.txt"
    lines.write_text("小猫\n\n小狗\n", encoding="utf-8")
    assert main([*verb, "--file", str(lines)]) == 0
    assert len(capsys.readouterr().out.splitlines()) == 2
    assert main(verb) == 2
    assert main(["classify", str(headed / "stages/1-base/model"), "小猫"]) == 2
    assert "A stage of the kind `task` teaches it" in capsys.readouterr().err
