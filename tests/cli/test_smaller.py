"""`hanlin quantize` on a real run, and every verb on what it makes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import hanlin
from hanlin.cli import main


@pytest.fixture(scope="module")
def small(tiny_run: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("small") / "int4"
    assert main(["quantize", str(tiny_run), str(out), "--bits", "4", "--group", "32"]) == 0
    return out


@pytest.mark.parametrize(
    "flags",
    [["--bits", "8"], ["--bits", "4", "--method", "gptq", "--calibration-rows", "4"]],
)
def test_quantize_says_true_bytes_and_what_changed(tiny_run, tmp_path, capsys, flags):
    out = tmp_path / "out"
    assert main(["quantize", str(tiny_run), str(out), *flags, "--json"]) == 0
    result = json.loads(capsys.readouterr().out)
    assert result["bytes"]["smaller"] == (out / "model.safetensors").stat().st_size
    assert set(result["by_language"]) == {"zh", "en"}
    for found in result["by_language"].values():
        assert abs(found["bits_per_byte"]["change"]) < 0.1
        assert found["kl_nats"] >= 0


def test_quantize_compares_on_files_and_renders(tiny_run, tmp_path, capsys):
    (tmp_path / "zh.txt").write_text("小猫在公园里看见一只小狗。" * 5, encoding="utf-8")
    arguments = ["quantize", str(tiny_run / "model"), str(tmp_path / "out")]
    assert main(arguments) == 0
    assert "No text to compare on" in capsys.readouterr().out
    assert main([*arguments, "--text", str(tmp_path / "zh.txt")]) == 0
    assert "zh" in capsys.readouterr().out


def test_quantize_refuses_with_2(tiny_run, tmp_path, capsys):
    (tmp_path / "note.txt").write_text("mine", encoding="utf-8")
    assert main(["quantize", str(tiny_run), str(tmp_path)]) == 2
    assert "did not make it" in capsys.readouterr().err
    assert (tmp_path / "note.txt").read_text(encoding="utf-8") == "mine"
    model, out = str(tiny_run / "model"), str(tmp_path / "out")
    assert main(["quantize", model, out, "--bits", "4", "--method", "gptq"]) == 2
    assert "--calibration" in capsys.readouterr().err
    assert main(["quantize", model, out, "--bits", "8", "--method", "hqq"]) == 2
    assert not (tmp_path / "out").exists()


def test_every_verb_takes_a_quantised_model(small, tmp_path, capsys):
    (tmp_path / "zh.txt").write_text("小猫在公园里看见一只小狗。" * 5, encoding="utf-8")
    capsys.readouterr()
    assert main(["generate", str(small), "--prompt", "小猫", "--max-tokens", "8"]) == 0
    assert capsys.readouterr().out.startswith("小猫")
    assert main(["score", str(small), "小猫在公园里。", "--json"]) == 0
    assert main(["eval", str(small), "--text", str(tmp_path), "--samples", "2", "--json"]) == 0
    assert main(["quantize", str(small), str(tmp_path / "again")]) == 2
    assert "quantised already" in capsys.readouterr().err


def test_a_batch_of_a_quantised_model_writes_what_single_prompts_do(small):
    from hanlin.config import SamplingConfig

    model = hanlin.load(small, device="cpu")
    both = model.engine.generate_batch(["小猫", "The cat"], SamplingConfig(seed=5, max_tokens=12))
    alone = [
        model.engine.generate(prompt, SamplingConfig(seed=5 + row, max_tokens=12))
        for row, prompt in enumerate(["小猫", "The cat"])
    ]
    assert [completion.ids for completion in both] == [completion.ids for completion in alone]


@pytest.fixture(scope="module")
def pruned(tiny_run: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("pruned") / "narrow"
    assert main(["prune", str(tiny_run), str(out), "--mlp", "0.25", "--calibration-rows", "4"]) == 0
    return out


def test_a_pruned_model_is_an_ordinary_release(pruned, tiny_run, capsys):
    before, after = hanlin.load(tiny_run), hanlin.load(pruned)
    assert after.decoder.config.resolved_intermediate_size == 72
    assert after.tokenizer.fingerprint == before.tokenizer.fingerprint
    assert after.proposed == before.proposed
    assert "Pruned by Hanlin" in (pruned / "README.md").read_text(encoding="utf-8")


def test_a_distil_stage_teaches_a_pruned_model_again(pruned, small, tiny_run, tiny_text, tmp_path):
    head, _, rest = tiny_text.partition("[[stages]]")
    training = rest.partition("[stages.training]")[2].partition("[evaluation]")[0]
    stage = (
        f'[tokenizer]\npath = "{tiny_run / "tokenizer"}"\n\n[[stages]]\nname = "again"\n'
        f'kind = "distil"\nfrom = "{pruned}"\nteachers = ["{tiny_run / "model"}", "{small}"]\n\n'
        f"[stages.training]{training}"
    )
    recipe = tmp_path / "again.toml"
    head = head.partition("[tokenizer]")[0]
    tail = "[evaluation]" + rest.partition("[evaluation]")[2]
    recipe.write_text(head + stage + tail, encoding="utf-8")
    folder = hanlin.run(recipe, folder=tmp_path / "run", quiet=True)
    assert hanlin.load(folder).decoder.config.resolved_intermediate_size == 72


def test_prune_refuses_with_2(tiny_run, tmp_path, capsys):
    run, out = str(tiny_run), str(tmp_path / "out")
    assert main(["prune", run, out]) == 2
    assert main(["prune", run, out, "--layers", "1", "--mlp", "0.5"]) == 2
    assert main(["prune", run, out, "--layers", "1"]) == 2  # the model has one layer
    assert main(["prune", str(tiny_run / "model"), out, "--mlp", "0.5"]) == 2
    assert "--calibration FILES" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_a_stage_does_not_learn_from_quantised_weights(small):
    from hanlin.errors import ModelError
    from hanlin.models import load_release

    with pytest.raises(ModelError, match="nothing can be learnt"):
        load_release(small, to_learn=True)
