"""GGUF files, read back by gguf's own reader."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from hanlin.compression import quantise
from hanlin.config import QuantisationConfig
from hanlin.errors import ModelError, TokenizerError
from hanlin.interop.gguf import gguf_tensors, write_gguf
from hanlin.interop.vocabulary import vocabulary_of
from hanlin.tokenizers import train_tokenizer

gguf = pytest.importorskip("gguf")

TEXT = ["小猫在公园里看见一只小狗。The cat saw a dog. " * 20]
FAMILIES = ["gpt2", "llama", "qwen2", "qwen3"]


@pytest.fixture(scope="module")
def tokenizer():
    return train_tokenizer("bpe", TEXT, 360)


def model_for(make, tokenizer, family: str, **changes: object):
    return make(family, vocab_size=384, **changes)


def fields(reader) -> dict[str, object]:
    return {name: field.contents() for name, field in reader.fields.items()}


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("tied", [True, False])
def test_names_are_those_of_the_architecture_and_weights_are_ours(
    make, tokenizer, tmp_path, family, tied
):
    model = model_for(make, tokenizer, family, tie_embeddings=tied)
    write_gguf(tmp_path / "model.gguf", model, tokenizer, kind="f32")
    reader = gguf.GGUFReader(tmp_path / "model.gguf")
    stored = {tensor.name: tensor for tensor in reader.tensors}
    arch = next(a for a, name in gguf.MODEL_ARCH_NAMES.items() if name == family)
    known = {gguf.TENSOR_NAMES[kind] for kind in gguf.MODEL_TENSORS[arch]}
    for name in stored:
        root = name.rpartition(".")[0]
        parts = root.split(".")
        template = root if parts[0] != "blk" else f"blk.{{bid}}.{'.'.join(parts[2:])}"
        assert template in known, name
    assert ("output.weight" in stored) is not tied
    for name, values in gguf_tensors(model):
        np.testing.assert_array_equal(stored[name].data.reshape(values.shape), values)
    total = sum(parameter.numel() for parameter in model.parameters())
    assert sum(int(tensor.n_elements) for tensor in stored.values()) == total


@pytest.mark.parametrize("family", FAMILIES)
def test_metadata_tells_the_shape(make, tokenizer, tmp_path, family):
    model = model_for(make, tokenizer, family)
    write_gguf(tmp_path / "model.gguf", model, tokenizer, name="小")
    found, config = fields(gguf.GGUFReader(tmp_path / "model.gguf")), model.config
    assert found["general.architecture"] == family and found["general.name"] == "小"
    assert found[f"{family}.context_length"] == config.context_length
    assert found[f"{family}.embedding_length"] == config.hidden_size
    assert found[f"{family}.block_count"] == config.num_layers
    assert found[f"{family}.feed_forward_length"] == config.resolved_intermediate_size
    assert found[f"{family}.attention.head_count"] == config.num_heads
    assert found[f"{family}.attention.head_count_kv"] == config.resolved_kv_heads
    if family == "gpt2":
        epsilon = found["gpt2.attention.layer_norm_epsilon"]
    else:
        epsilon = found[f"{family}.attention.layer_norm_rms_epsilon"]
        assert found[f"{family}.rope.freq_base"] == config.rope_theta
        assert found[f"{family}.rope.dimension_count"] == config.resolved_head_dim
        assert found[f"{family}.attention.key_length"] == config.resolved_head_dim
    assert epsilon == pytest.approx(config.norm_eps)


def test_the_tokenizer_goes_along(make, tokenizer, tmp_path):
    write_gguf(tmp_path / "model.gguf", model_for(make, tokenizer, "qwen3"), tokenizer)
    found = fields(gguf.GGUFReader(tmp_path / "model.gguf"))
    assert found["tokenizer.ggml.model"] == "gpt2"
    assert found["tokenizer.ggml.pre"] == "kimi-k2"
    assert found["tokenizer.ggml.bos_token_id"] == tokenizer.eot_id
    assert found["tokenizer.ggml.eot_token_id"] == tokenizer.control["<|im_end|>"]
    assert found["tokenizer.ggml.add_bos_token"] is True
    assert found["tokenizer.chat_template"] == tokenizer.chat_template
    tokens, types = found["tokenizer.ggml.tokens"], found["tokenizer.ggml.token_type"]
    assert len(tokens) == len(types) == 384 == len(set(tokens))
    assert tokens[0] == "<|endoftext|>" and types[0] == 3
    assert types[86] == 1 and types[359] == 1 and types[360:] == [5] * 24
    assert len(found["tokenizer.ggml.merges"]) == 360 - 86 - 256


@pytest.mark.parametrize(
    ("kind", "matrix", "table"),
    [("f16", "F16", "F16"), ("q8_0", "Q8_0", "Q8_0"), ("q4_0", "Q4_0", "Q8_0")],
)
@pytest.mark.parametrize("family", ["gpt2", "qwen3"])
def test_types_are_as_asked_and_weights_lie_near(
    make, tokenizer, tmp_path, kind, matrix, table, family
):
    model = model_for(make, tokenizer, family)
    write_gguf(tmp_path / "model.gguf", model, tokenizer, kind=kind)
    stored = {t.name: t for t in gguf.GGUFReader(tmp_path / "model.gguf").tensors}
    assert stored["blk.0.ffn_up.weight"].tensor_type.name == matrix
    assert stored["token_embd.weight"].tensor_type.name == table
    assert stored["output_norm.weight"].tensor_type.name == "F32"
    steps = {"F32": 0.0, "F16": 1e-3, "Q8_0": 0.01, "Q4_0": 0.15}
    for name, values in gguf_tensors(model):
        kept = stored[name]
        back = gguf.quants.dequantize(kept.data, kept.tensor_type).reshape(values.shape)
        assert np.abs(back - values).max() <= steps[kept.tensor_type.name] * np.abs(values).max()


def test_rows_that_blocks_do_not_divide_stay_in_float16(make, tokenizer, tmp_path):
    model = model_for(make, tokenizer, "llama", hidden_size=40)
    write_gguf(tmp_path / "model.gguf", model, tokenizer, kind="q4_0")
    stored = {t.name: t for t in gguf.GGUFReader(tmp_path / "model.gguf").tensors}
    assert stored["blk.0.ffn_up.weight"].tensor_type.name == "F16"
    assert stored["blk.0.ffn_down.weight"].tensor_type.name == "Q4_0"


def test_turning_neighbours_in_the_llama_order_is_turning_halves_in_ours(make, tokenizer):
    model = model_for(make, tokenizer, "llama")
    tensors = dict(gguf_tensors(model))
    ours = model.blocks[0].attention.qkv.weight.detach()
    dim, angle = model.config.resolved_head_dim, 0.3
    x = torch.randn(32, generator=torch.Generator().manual_seed(1))
    angles = angle * torch.arange(1, dim // 2 + 1)
    q = (ours @ x)[: 4 * dim].view(4, 2, dim // 2)
    k = (ours @ x)[4 * dim : 6 * dim].view(2, 2, dim // 2)
    turned = torch.stack(
        (
            q[:, 0] * angles.cos() - q[:, 1] * angles.sin(),
            q[:, 1] * angles.cos() + q[:, 0] * angles.sin(),
        ),
        1,
    )
    wanted = turned.reshape(2, 2, dim) @ k.reshape(2, dim, 1)  # two queries a key head
    q2 = (torch.from_numpy(tensors["blk.0.attn_q.weight"]) @ x).view(4, dim // 2, 2)
    k2 = (torch.from_numpy(tensors["blk.0.attn_k.weight"]) @ x).view(2, dim)
    neighbours = torch.stack(
        (
            q2[..., 0] * angles.cos() - q2[..., 1] * angles.sin(),
            q2[..., 1] * angles.cos() + q2[..., 0] * angles.sin(),
        ),
        -1,
    )
    found = neighbours.reshape(2, 2, dim) @ k2.reshape(2, dim, 1)
    torch.testing.assert_close(found, wanted)


def test_what_llama_cpp_has_no_place_for_is_refused(make, tokenizer, tmp_path):
    with pytest.raises(ModelError, match="banded"):
        write_gguf(tmp_path / "a", model_for(make, tokenizer, "gpt2-banded"), tokenizer)
    packed = quantise(make(), QuantisationConfig())
    with pytest.raises(ModelError, match="Export its original"):
        write_gguf(tmp_path / "a", packed, tokenizer)
    with pytest.raises(TokenizerError, match="kind = 'bpe'"):
        vocabulary_of(train_tokenizer("char", TEXT, 360), 384)
    assert not (tmp_path / "a").exists()


def test_tokenizers_of_others_are_known_by_their_rule(tokenizer, tmp_path):
    import json

    from hanlin.tokenizers import load_tokenizer

    tokenizer.save(tmp_path)
    content = tokenizer.to_json()
    config = {"eos_token": "<|endoftext|>"}
    (tmp_path / "tokenizer_config.json").write_text(json.dumps(config), encoding="utf-8")
    split, bytewise = content["pre_tokenizer"]["pretokenizers"]
    rule = (
        r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}"
        r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
    )
    wanted = {
        "gpt-2": {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True},
        "qwen2": {
            "type": "Sequence",
            "pretokenizers": [{**split, "pattern": {"Regex": rule}}, bytewise],
        },
    }
    for name, cutter in wanted.items():
        content["pre_tokenizer"] = {"use_regex": True, **cutter}
        (tmp_path / "tokenizer.json").write_text(json.dumps(content), encoding="utf-8")
        found = vocabulary_of(load_tokenizer(tmp_path), 384)
        assert (found.pre, found.begins) == (name, False)
    content["pre_tokenizer"]["pretokenizers"][0]["pattern"] = {"Regex": r"\w+"}
    (tmp_path / "tokenizer.json").write_text(json.dumps(content), encoding="utf-8")
    with pytest.raises(TokenizerError, match="no tokenizer like this one"):
        vocabulary_of(load_tokenizer(tmp_path), 384)
