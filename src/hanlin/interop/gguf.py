"""Write a model as GGUF, the one file that llama.cpp and its relatives read.

A GGUF file (github.com/ggml-org/ggml, docs/gguf.md) holds the shape, the tokenizer and the weights.
Matrices lie there as here, outputs by inputs. Two things differ:

- `llama` turns neighbouring pairs (x_2i, x_2i+1) where we turn halves (x_i, x_i+D/2), so the rows
  of q and k are put in that order; `qwen2` and `qwen3` turn halves as we do;
- norms, biases and learned positions are float32 whatever the type of the matrices is. Blocks of 32
  weights share a scale; a matrix whose rows 32 does not divide stays in float16.

The tokenizer goes by the name under which llama.cpp knows its pre-tokenizer: `kimi-k2` for ours.

Shapes: N rows, K columns, H heads, D head dim, F units of an MLP.

    python -m hanlin.interop.gguf FOLDER OUT
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from hanlin.config import ModelConfig
from hanlin.errors import ModelError, require
from hanlin.interop.vocabulary import Vocabulary, vocabulary_of
from hanlin.models import Decoder, QuantisedDecoder
from hanlin.records import atomic_file
from hanlin.tokenizers import Tokenizer

__all__ = ["GgufType", "gguf_tensors", "write_gguf"]

GgufType = Literal["f32", "f16", "q8_0", "q4_0"]
_BLOCK = 32
_KINDS = {"f32": "F32", "f16": "F16", "q8_0": "Q8_0", "q4_0": "Q4_0"}
_FILE_TYPES = {"f32": "ALL_F32", "f16": "MOSTLY_F16", "q8_0": "MOSTLY_Q8_0", "q4_0": "MOSTLY_Q4_0"}

_WHOLE = {
    "embedding": "token_embd",
    "positions": "position_embd",
    "norm": "output_norm",
    "unembedding": "output",
}
_IN_BLOCK = {
    "attention_norm": "attn_norm",
    "attention.output": "attn_output",
    "attention.query_norm": "attn_q_norm",
    "attention.key_norm": "attn_k_norm",
    "mlp_norm": "ffn_norm",
    "mlp.up": "ffn_up",
    "mlp.down": "ffn_down",
}


def write_gguf(
    path: Path, model: Decoder, tokenizer: Tokenizer, *, kind: GgufType = "f16", name: str = ""
) -> None:
    """Write one file that takes the place of `path` once it is whole.

    Raises:
        ModelError: llama.cpp has no place for the model (banded attention), or it is quantised.
        TokenizerError: llama.cpp does not know the tokenizer.
        MissingExtraError: the package `gguf` is not installed.
    """
    _check(model)
    vocabulary = vocabulary_of(tokenizer, model.config.vocab_size)
    gguf = require("gguf", extra="export", purpose="Writing GGUF")
    with atomic_file(path) as temporary:
        writer = gguf.GGUFWriter(temporary, model.config.family)
        writer.add_name(name or path.stem)
        writer.add_file_type(gguf.LlamaFileType[_FILE_TYPES[kind]])
        if kind.startswith("q"):
            writer.add_quantization_version(gguf.GGML_QUANT_VERSION)
        _add_shape(writer, model.config)
        _add_vocabulary(writer, vocabulary)
        for tensor_name, values in gguf_tensors(model):
            stored = gguf.GGMLQuantizationType[_kind_of(tensor_name, values, kind)]
            data = gguf.quants.quantize(values, stored)
            writer.add_tensor(tensor_name, data, raw_dtype=stored)
        writer.write_header_to_file()
        writer.write_kv_data_to_file()
        writer.write_tensors_to_file()
        writer.close()


def gguf_tensors(model: Decoder) -> Iterator[tuple[str, NDArray[np.float32]]]:
    """Yield a model's tensors by their names in GGUF, in float32."""
    for name, tensor in model.state_dict().items():
        for theirs, part in _translate(name, tensor.detach().float().cpu(), model.config):
            yield theirs, np.ascontiguousarray(part.numpy())


def _translate(name: str, tensor: Tensor, config: ModelConfig) -> Iterator[tuple[str, Tensor]]:
    module, _, leaf = name.rpartition(".")
    if module in _WHOLE:
        yield f"{_WHOLE[module]}.{leaf}", tensor
        return
    _, layer, inner = module.split(".", 2)
    root = f"blk.{layer}"
    if inner == "mlp.gate_up":
        gate, up = tensor.chunk(2)
        yield f"{root}.ffn_gate.{leaf}", gate
        yield f"{root}.ffn_up.{leaf}", up
    elif inner == "attention.qkv":
        yield from _attention(root, leaf, tensor, config)
    else:
        yield f"{root}.{_IN_BLOCK[inner]}.{leaf}", tensor


def _attention(
    root: str, leaf: str, tensor: Tensor, config: ModelConfig
) -> Iterator[tuple[str, Tensor]]:
    if config.family == "gpt2":
        yield f"{root}.attn_qkv.{leaf}", tensor
        return
    heads, pairs, dim = config.num_heads, config.resolved_kv_heads, config.resolved_head_dim
    q, k, v = torch.split(tensor, [heads * dim, pairs * dim, pairs * dim])
    if config.family == "llama":
        q, k = _interleave(q, heads), _interleave(k, pairs)
    yield f"{root}.attn_q.{leaf}", q
    yield f"{root}.attn_k.{leaf}", k
    yield f"{root}.attn_v.{leaf}", v


def _interleave(rows: Tensor, heads: int) -> Tensor:
    """Return the rows (H D, K) of heads with the two halves of each taking turns."""
    halves = rows.view(heads, 2, -1, rows.shape[-1])  # (H, 2, D/2, K)
    return halves.transpose(1, 2).reshape(rows.shape)


def _kind_of(name: str, values: NDArray[np.float32], kind: GgufType) -> str:
    if values.ndim == 1 or name.startswith("position_embd"):
        return "F32"
    if kind.startswith("q") and values.shape[-1] % _BLOCK:
        return "F16"
    if kind == "q4_0" and name.startswith(("token_embd", "output.")):
        return "Q8_0"  # tables suffer most from four bits
    return _KINDS[kind]


def _add_shape(writer: Any, config: ModelConfig) -> None:
    writer.add_vocab_size(config.vocab_size)
    writer.add_context_length(config.context_length)
    writer.add_embedding_length(config.hidden_size)
    writer.add_block_count(config.num_layers)
    writer.add_feed_forward_length(config.resolved_intermediate_size)
    writer.add_head_count(config.num_heads)
    writer.add_head_count_kv(config.resolved_kv_heads)
    if config.family == "gpt2":
        writer.add_layer_norm_eps(config.norm_eps)
        return
    writer.add_layer_norm_rms_eps(config.norm_eps)
    writer.add_key_length(config.resolved_head_dim)
    writer.add_value_length(config.resolved_head_dim)
    writer.add_rope_dimension_count(config.resolved_head_dim)
    writer.add_rope_freq_base(config.rope_theta)


def _add_vocabulary(writer: Any, vocabulary: Vocabulary) -> None:
    writer.add_tokenizer_model("gpt2")  # byte-level BPE, whatever the model is
    writer.add_tokenizer_pre(vocabulary.pre)
    writer.add_token_list(list(vocabulary.tokens))
    writer.add_token_types(list(vocabulary.types))
    writer.add_token_merges(list(vocabulary.merges))
    writer.add_bos_token_id(vocabulary.end)
    writer.add_eos_token_id(vocabulary.end)
    writer.add_pad_token_id(vocabulary.end)
    if vocabulary.turn_end is not None:
        writer.add_eot_token_id(vocabulary.turn_end)
    writer.add_add_bos_token(vocabulary.begins)
    if vocabulary.template:
        writer.add_chat_template(vocabulary.template)


def _check(model: Decoder) -> None:
    if isinstance(model, QuantisedDecoder):
        raise ModelError(
            "The model is quantised in a way of Hanlin's own. Export its original, with --type "
            "q8_0 or q4_0."
        )
    if model.config.attention == "banded":
        raise ModelError(
            f"llama.cpp has no {model.config.family} model with banded attention. Export a model "
            "with attention = 'dense'."
        )


if __name__ == "__main__":
    import sys

    from hanlin.models import load_release
    from hanlin.tokenizers import load_tokenizer

    source, target = Path(sys.argv[1]), Path(sys.argv[2])
    write_gguf(target, load_release(source), load_tokenizer(source))
    print(f"{target.stat().st_size:,} bytes")
