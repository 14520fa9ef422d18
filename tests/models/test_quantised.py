"""Packed layers against the matrices that they stand for, and the folders they are kept in."""

from __future__ import annotations

import json
import shutil

import pytest
import torch
from safetensors.torch import load_file, save_file

from hanlin.compression import quantise, round_to_nearest, save_quantised
from hanlin.config import QuantisationConfig
from hanlin.errors import ModelError, UserError
from hanlin.models import load_release, read_config, read_quantisation, save_release
from hanlin.models.quantised import QuantisedLinear, QuantisedTable

SHAPES = ["gpt2", "gpt2-untied", "gpt2-banded", "llama", "qwen2", "qwen3", "qwen3-banded"]
IDS = torch.randint(0, 96, (2, 17), generator=torch.Generator().manual_seed(3))


def packed_layer(rows: int, columns: int, bits: int, kind=QuantisedLinear, **options):
    weight = torch.randn(rows, columns, generator=torch.Generator().manual_seed(1))
    layer = kind(rows, columns, bits=bits, group=32, **options)
    layer.fill(round_to_nearest(weight, bits=bits, group=32))
    return layer.float()


@pytest.mark.parametrize("bits", [8, 4])
def test_a_layer_computes_with_the_matrix_that_it_stands_for(bits):
    layer = packed_layer(6, 33, bits, bias=True)
    x = torch.randn(2, 3, 33, generator=torch.Generator().manual_seed(2))
    torch.testing.assert_close(layer(x), x @ layer.weight.T + layer.bias)


@pytest.mark.parametrize("bits", [8, 4])
@pytest.mark.parametrize(("rows", "columns"), [(16, 32), (64, 96), (48, 64), (5, 37), (7, 64)])
@pytest.mark.parametrize("count", [1, 5])
def test_torchs_kernels_agree_with_the_plain_product(bits, rows, columns, count):
    layer = packed_layer(rows, columns, bits, bias=False).bfloat16()
    x = torch.randn(count, columns, generator=torch.Generator().manual_seed(2)).bfloat16()
    plain = x.float() @ layer.float().weight.T
    quick = layer.bfloat16()(x).float()
    torch.testing.assert_close(quick, plain, rtol=0.02, atol=0.02 * float(plain.abs().max()))


def test_kernels_run_only_where_their_shapes_and_types_allow():
    fits, odd = packed_layer(16, 64, 8, bias=False), packed_layer(16, 36, 8, bias=False)
    wide = torch.ones(1, 64)
    assert not fits._has_kernel(wide)
    assert fits.bfloat16()._has_kernel(wide.bfloat16())
    assert not odd.bfloat16()._has_kernel(torch.ones(1, 36).bfloat16())


@pytest.mark.parametrize("bits", [8, 4])
def test_a_table_gives_the_rows_of_its_matrix(bits):
    table = packed_layer(10, 33, bits, kind=QuantisedTable)
    assert torch.equal(table(torch.tensor([[3, 1]])), table.weight[torch.tensor([[3, 1]])])
    assert torch.equal(table(slice(2, 5)), table.weight[2:5])


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("bits", [8, 4])
def test_a_packed_decoder_is_the_decoder_of_its_packed_weights(make, shape, bits):
    model = make(shape)
    packed = quantise(model, QuantisationConfig(bits=bits, table_bits=bits, group=32))
    plain = make(shape)
    with torch.no_grad():
        for name, module in plain.named_modules():
            if isinstance(module, torch.nn.Linear | torch.nn.Embedding):
                module.weight.copy_(packed.get_submodule(name).weight)
    torch.testing.assert_close(packed(IDS), plain(IDS), rtol=1e-4, atol=1e-4)
    cache = packed.new_cache(2, 17)
    steps = [packed(IDS[:, t : t + 1], cache=cache) for t in range(17)]
    torch.testing.assert_close(torch.cat(steps, 1), packed(IDS), rtol=1e-4, atol=1e-4)


@pytest.fixture
def folder(make, tmp_path):
    model = make("qwen3", dropout=0.1)
    save_release(tmp_path / "model", model, card="# 卡\n", learnt=["infill"])
    settings = QuantisationConfig(bits=4, group=32, method="hqq")
    save_quantised(tmp_path / "small", quantise(model, settings), tmp_path / "model")
    return tmp_path / "small"


@pytest.mark.parametrize("shape", SHAPES)
def test_what_an_expansion_made_deeper_is_written_with_its_own_shape(make, tmp_path, shape):
    core = make(shape)
    save_release(tmp_path / "model", core)
    deeper = make(shape, num_layers=2 * core.config.num_layers)
    packed = quantise(deeper, QuantisationConfig(bits=8))
    save_quantised(tmp_path / "small", packed, tmp_path / "model")
    loaded = load_release(tmp_path / "small")
    assert loaded.config == deeper.config
    assert torch.equal(loaded(IDS), packed(IDS))


@pytest.mark.parametrize("shape", SHAPES)
def test_a_quantised_folder_is_read_like_any_other(make, tmp_path, shape):
    model = make(shape)
    save_release(tmp_path / "model", model)
    packed = quantise(model, QuantisationConfig(bits=4, group=32))
    save_quantised(tmp_path / "small", packed, tmp_path / "model")
    loaded = load_release(tmp_path / "small")
    assert loaded.config == model.config == read_config(tmp_path / "small")
    assert read_quantisation(tmp_path / "small") == packed.quantisation
    assert torch.equal(loaded(IDS), packed(IDS))
    quick = load_release(tmp_path / "small", dtype=torch.bfloat16)(IDS).float()
    scale = float(packed(IDS).abs().max())
    torch.testing.assert_close(quick, packed(IDS), rtol=0.1, atol=0.1 * scale)


def test_a_folder_keeps_what_lay_beside_the_weights(folder):
    assert (folder / "README.md").read_text(encoding="utf-8") == "# 卡\n"
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    assert config["model_type"] == "hanlin-qwen3"
    assert config["hanlin"]["dropout"] == 0.1
    generation = json.loads((folder / "generation_config.json").read_text(encoding="utf-8"))
    assert generation["hanlin"] == {"learnt": ["infill"]}
    original = (folder.parent / "model" / "model.safetensors").stat().st_size
    assert (folder / "model.safetensors").stat().st_size < original / 2


def test_altered_codes_are_noticed(folder):
    path = folder / "model.safetensors"
    data = bytearray(path.read_bytes())
    data[-40] ^= 1
    path.write_bytes(data)
    with pytest.raises(ModelError, match="altered"):
        load_release(folder)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"format": 9}, "another format"),
        ({"bits": 3}, "bits Input should be 4 or 8"),
        ({"bits": 8}, "cannot be read.*hqq"),
        ({"group": 64}, "shape"),
        ({"table_bits": 4}, "lack|shape"),
        ({"colour": 1}, "colour"),
    ],
)
def test_unknown_packings_are_refused_by_name(folder, change, message):
    path = folder / "config.json"
    config = json.loads(path.read_text(encoding="utf-8"))
    config["hanlin"]["quantisation"] |= change
    path.write_text(json.dumps(config), encoding="utf-8")
    with pytest.raises(ModelError, match=message):
        load_release(folder)


def test_a_hanlin_type_without_settings_is_refused(folder):
    path = folder / "config.json"
    config = json.loads(path.read_text(encoding="utf-8"))
    del config["hanlin"]
    path.write_text(json.dumps(config), encoding="utf-8")
    with pytest.raises(ModelError, match="another format"):
        read_config(folder)


def test_codes_of_another_type_are_refused(folder):
    path = folder / "model.safetensors"
    tensors = load_file(path)
    name = "blocks.0.mlp.down.codes"
    tensors[name] = tensors[name].to(torch.int16)
    save_file(tensors, path, metadata={"format": "pt"})
    with pytest.raises(ModelError, match=r"mlp\.down\.codes.*int16"):
        load_release(folder)


def test_nothing_is_learnt_or_built_from_packed_weights(make, folder, tmp_path):
    with pytest.raises(ModelError, match=r"quantised.*Take the folder"):
        load_release(folder, to_learn=True)
    with pytest.raises(ModelError, match="Release its original"):
        save_release(tmp_path / "again", load_release(folder))
    with pytest.raises(UserError, match="quantised already"):
        quantise(load_release(folder), QuantisationConfig())


def test_only_its_own_folders_are_written_over(make, folder, tmp_path):
    packed = load_release(folder)
    save_quantised(folder, packed, tmp_path / "model")
    (tmp_path / "empty").mkdir()
    save_quantised(tmp_path / "empty", packed, tmp_path / "model")
    with pytest.raises(UserError, match="did not make it"):
        save_quantised(tmp_path / "model", packed, tmp_path / "model")
    with pytest.raises(UserError, match="inside the model's own folder"):
        save_quantised(tmp_path / "model" / "small", packed, tmp_path / "model")
    shutil.rmtree(folder)
    save_quantised(folder, packed, tmp_path / "model")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["empty", "model", "small"]
