"""The shapes of a decoder's parameters, by their names in `hanlin.models.Decoder`, without torch.

python -m hanlin.generation.native.shapes
"""

from __future__ import annotations

from hanlin.config import ModelConfig
from hanlin.models.packed_config import packed_shapes

__all__ = ["packed_names", "parameter_shapes"]


def parameter_shapes(config: ModelConfig) -> dict[str, tuple[int, ...]]:
    """Return the shape of each parameter of the model that `config` describes."""
    width, gpt2 = config.hidden_size, config.family == "gpt2"
    shapes: dict[str, tuple[int, ...]] = {"embedding.weight": (config.vocab_size, width)}
    if gpt2:
        shapes["positions.weight"] = (config.context_length, width)
    for layer in range(config.num_layers):
        block = _attention_shapes(config) | _mlp_shapes(config)
        shapes |= {f"blocks.{layer}.{name}": shape for name, shape in block.items()}
    shapes |= _norm_shapes("norm", config)
    if not config.tie_embeddings:
        shapes["unembedding.weight"] = (config.vocab_size, width)
    return shapes


def packed_names(
    config: ModelConfig, bits: int, table_bits: int, group: int
) -> tuple[dict[str, tuple[int, ...]], dict[str, str]]:
    """Return the shapes of all tensors of a packed folder, and the types of the codes."""
    shapes: dict[str, tuple[int, ...]] = {}
    codes: dict[str, str] = {}
    for name, shape in parameter_shapes(config).items():
        if len(shape) == 1:
            shapes[name] = shape
            continue
        root = name.removesuffix(".weight")
        width = bits if root.startswith("blocks.") else table_bits
        for leaf, packed in packed_shapes(shape[0], shape[1], width, group).items():
            shapes[f"{root}.{leaf}"] = packed
        codes[f"{root}.codes"] = "I8" if width == 8 else "U8"
    return shapes, codes


def _attention_shapes(config: ModelConfig) -> dict[str, tuple[int, ...]]:
    width, dim = config.hidden_size, config.resolved_head_dim
    rows = (config.num_heads + 2 * config.resolved_kv_heads) * dim
    shapes = _norm_shapes("attention_norm", config)
    shapes["attention.qkv.weight"] = (rows, width)
    dense_gpt2 = config.family == "gpt2" and config.attention == "dense"
    if config.family == "qwen2" or dense_gpt2:
        shapes["attention.qkv.bias"] = (rows,)
    shapes["attention.output.weight"] = (width, config.num_heads * dim)
    if config.family == "gpt2":
        shapes["attention.output.bias"] = (width,)
    if config.family == "qwen3":
        shapes["attention.query_norm.weight"] = (dim,)
        shapes["attention.key_norm.weight"] = (dim,)
    return shapes


def _mlp_shapes(config: ModelConfig) -> dict[str, tuple[int, ...]]:
    width, inner = config.hidden_size, config.resolved_intermediate_size
    shapes = _norm_shapes("mlp_norm", config)
    if config.family != "gpt2":
        shapes["mlp.gate_up.weight"] = (2 * inner, width)
        shapes["mlp.down.weight"] = (width, inner)
        return shapes
    shapes["mlp.up.weight"], shapes["mlp.up.bias"] = (inner, width), (inner,)
    shapes["mlp.down.weight"], shapes["mlp.down.bias"] = (width, inner), (width,)
    return shapes


def _norm_shapes(name: str, config: ModelConfig) -> dict[str, tuple[int, ...]]:
    shapes: dict[str, tuple[int, ...]] = {f"{name}.weight": (config.hidden_size,)}
    if config.family == "gpt2":
        shapes[f"{name}.bias"] = (config.hidden_size,)
    return shapes


if __name__ == "__main__":
    for name, shape in parameter_shapes(ModelConfig(vocab_size=512, num_layers=1)).items():
        print(f"{name:40} {shape}")
