"""Released folders: what is written, what is read back, and what is refused."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from hanlin.config import SamplingConfig
from hanlin.errors import ModelError
from hanlin.models import load_release, read_config, save_release
from hanlin.models import weights as files

SHAPES = ["gpt2", "gpt2-untied", "gpt2-banded", "llama", "qwen2", "qwen3", "qwen3-banded"]


class StubTokenizer:
    eot_id = 0
    control = {"<|endoftext|>": 0, "<|im_end|>": 2}  # noqa: RUF012

    def save(self, folder: Path) -> None:
        (folder / "tokenizer.json").write_text("{}", encoding="utf-8")


@pytest.fixture
def released(make, tmp_path) -> Path:
    save_release(tmp_path / "model", make("qwen3"))
    return tmp_path / "model"


def read_json(path: Path) -> dict[str, object]:
    return json.loads(path.read_text(encoding="utf-8"))


def change_config(folder: Path, **changes: object) -> None:
    config = {**read_json(folder / "config.json"), **changes}
    config = {key: value for key, value in config.items() if value is not ...}
    (folder / "config.json").write_text(json.dumps(config), encoding="utf-8")


@pytest.mark.parametrize("shape", SHAPES)
def test_what_is_saved_is_loaded_again(make, tmp_path, shape):
    model = make(shape, dropout=0.1)
    save_release(tmp_path / "model", model)
    loaded = load_release(tmp_path / "model")
    assert loaded.config == model.config
    assert not loaded.training
    wanted = model.state_dict()
    for name, tensor in loaded.state_dict().items():
        exact = {"rtol": 1e-6, "atol": 0.0}  # GPT-Neo's scale goes out and comes back
        torch.testing.assert_close(tensor, wanted[name], **exact)
    loaded(torch.zeros(1, 4, dtype=torch.long)).sum().backward()


def test_a_folder_holds_what_hugging_face_expects(make, tmp_path):
    save_release(
        tmp_path / "model",
        make("qwen3"),
        tokenizer=StubTokenizer(),
        card="# 模型\n",
        sampling=SamplingConfig(temperature=0.7, min_p=0.1),
    )
    names = {file.name for file in (tmp_path / "model").iterdir()}
    assert names == {
        "README.md",
        "config.json",
        "generation_config.json",
        "model.safetensors",
        "tokenizer.json",
    }
    config = read_json(tmp_path / "model" / "config.json")
    assert config["architectures"] == ["Qwen3ForCausalLM"]
    assert (config["eos_token_id"], config["vocab_size"], config["dtype"]) == (0, 96, "float32")
    generation = read_json(tmp_path / "model" / "generation_config.json")
    assert generation["eos_token_id"] == [0, 2] and generation["min_p"] == 0.1
    assert (tmp_path / "model" / "README.md").read_text(encoding="utf-8") == "# 模型\n"


def test_tied_weights_are_stored_once(make, tmp_path):
    save_release(tmp_path / "model", make("qwen3"))
    assert "lm_head.weight" not in load_file(tmp_path / "model" / "model.safetensors")


def test_weights_can_be_stored_in_bf16_and_read_in_any_precision(make, tmp_path):
    model = make("qwen3")
    save_release(tmp_path / "model", model, dtype=torch.bfloat16)
    assert read_json(tmp_path / "model" / "config.json")["dtype"] == "bfloat16"
    loaded = load_release(tmp_path / "model")
    assert loaded.embedding.weight.dtype == torch.float32
    torch.testing.assert_close(
        loaded.embedding.weight, model.embedding.weight, rtol=0.01, atol=0.01
    )
    half = load_release(tmp_path / "model", dtype=torch.bfloat16)
    assert half.embedding.weight.dtype == torch.bfloat16


def test_shards_hold_the_same_weights(make, tmp_path, monkeypatch):
    monkeypatch.setattr(files.write_weights, "__kwdefaults__", {"max_bytes": 20_000})
    model = make("llama")
    save_release(tmp_path / "model", model)
    index = read_json(tmp_path / "model" / "model.safetensors.index.json")
    assert len(set(index["weight_map"].values())) > 2
    assert not (tmp_path / "model" / "model.safetensors").exists()
    loaded = load_release(tmp_path / "model").state_dict()
    assert all(torch.equal(tensor, loaded[name]) for name, tensor in model.state_dict().items())
    (tmp_path / "model" / sorted(set(index["weight_map"].values()))[1]).unlink()
    with pytest.raises(ModelError, match="model-00002-of-"):
        load_release(tmp_path / "model")


def test_a_failed_save_leaves_the_old_folder_whole(make, tmp_path):
    class Failing(StubTokenizer):
        def save(self, folder: Path) -> None:
            raise OSError("no space left on device")

    save_release(tmp_path / "model", make("qwen3", seed=1))
    before = load_release(tmp_path / "model").state_dict()
    with pytest.raises(OSError, match="no space"):
        save_release(tmp_path / "model", make("qwen3", seed=2), tokenizer=Failing())
    after = load_release(tmp_path / "model").state_dict()
    assert all(torch.equal(before[name], after[name]) for name in before)
    assert [path.name for path in tmp_path.iterdir()] == ["model"]


def test_a_missing_folder_is_refused(tmp_path):
    with pytest.raises(ModelError, match=r"holds no model: config\.json is missing"):
        load_release(tmp_path / "nothing")


def test_a_pickle_is_refused_with_the_way_out(released):
    (released / "model.safetensors").rename(released / "pytorch_model.bin")
    with pytest.raises(ModelError, match=r"only as pytorch_model\.bin, a pickle.*save_pretrained"):
        load_release(released)


def test_a_folder_without_weights_is_refused(released):
    (released / "model.safetensors").unlink()
    with pytest.raises(ModelError, match=r"model\.safetensors is missing"):
        load_release(released)


def test_truncated_weights_are_refused(released):
    path = released / "model.safetensors"
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(ModelError, match="truncated or altered"):
        load_release(released)


@pytest.mark.parametrize("place", [200, -3])
def test_a_changed_byte_is_noticed(released, place):
    path = released / "model.safetensors"
    data = bytearray(path.read_bytes())
    data[place] ^= 0x10
    path.write_bytes(data)
    with pytest.raises(ModelError, match=r"altered|lack|hold"):
        load_release(released)


def rewrite(folder: Path, change) -> None:
    path = folder / "model.safetensors"
    tensors = load_file(path)
    change(tensors)
    save_file(tensors, path, metadata={"format": "pt"})


def test_missing_surplus_and_misshapen_tensors_are_named(released, tmp_path):
    damaged = {
        "lack 1 tensors, model.norm.weight": lambda t: t.pop("model.norm.weight"),
        "1 tensors, model.extra": lambda t: t.update({"model.extra": torch.ones(1)}),
        r"model.norm.weight .* shape \(31,\).* asks for \(32,\)": lambda t: t.update(
            {"model.norm.weight": torch.ones(31)}
        ),
        "quantised weights": lambda t: t.update(
            {"model.norm.weight": torch.ones(32, dtype=torch.int8)}
        ),
    }
    for number, (message, change) in enumerate(damaged.items()):
        folder = tmp_path / str(number)
        shutil.copytree(released, folder)
        rewrite(folder, change)
        with pytest.raises(ModelError, match=message):
            load_release(folder)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"model_type": "bert"}, "model_type 'bert'.*gpt2, gpt_neo, llama, qwen2, qwen3"),
        ({"model_type": ...}, "model_type None"),
        ({"hidden_act": "relu"}, "hidden_act 'relu'.*only 'silu'"),
        ({"attention_bias": True}, "attention_bias True"),
        ({"rope_parameters": {"rope_type": "yarn", "rope_theta": 1e4}}, "Scaled.*yarn"),
        ({"rope_scaling": {"type": "linear", "factor": 2.0}, "rope_parameters": ...}, "Scaled"),
        ({"hidden_size": ...}, "hidden_size is missing"),
        ({"hidden_size": -4}, "hidden_size"),
        (
            {
                "use_sliding_window": True,
                "sliding_window": 4,
                "layer_types": ["sliding_attention"] * 3,
            },
            "layer_types.*alternate",
        ),
        ({"use_sliding_window": True, "max_window_layers": 1}, "layer_types.*alternate"),
    ],
)
def test_a_configuration_that_we_do_not_compute_is_refused_by_name(released, changes, message):
    change_config(released, **changes)
    with pytest.raises(ModelError, match=message):
        load_release(released)


@pytest.mark.parametrize("text", ["{", "[]", "\x00"])
def test_a_broken_configuration_is_refused(released, text):
    (released / "config.json").write_text(text, encoding="utf-8")
    with pytest.raises(ModelError, match=r"config\.json (cannot be read|holds list)"):
        read_config(released)


def test_a_window_that_is_switched_off_is_no_window(released):
    change_config(released, use_sliding_window=False, sliding_window=4096, max_window_layers=28)
    assert read_config(released).attention == "dense"


def test_names_without_a_prefix_and_stored_tables_are_read_as_gpt2_stores_them(make, tmp_path):
    model = make("gpt2")
    save_release(tmp_path / "model", model)

    def change(tensors: dict[str, torch.Tensor]) -> None:
        for name in list(tensors):
            tensors[name.removeprefix("transformer.")] = tensors.pop(name)
        tensors["h.0.attn.bias"] = torch.ones(1, 1, 4, 4)

    rewrite(tmp_path / "model", change)
    loaded = load_release(tmp_path / "model").state_dict()
    assert all(torch.equal(tensor, loaded[name]) for name, tensor in model.state_dict().items())
