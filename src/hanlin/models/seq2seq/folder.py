"""The encoder and the decoder as two released folders, each with the tokenizer of its side.

    config.json          model_type "hanlin-seq2seq", which half it is, the shape, a fingerprint
    model.safetensors    the weights, with their SHA-256
    keras_tokenizer.json of a Keras tokenizer, or the files of one of Hanlin's

Both halves carry the same `pair`, a SHA-256 over the weights of both, so that an encoder is never
read together with the decoder of another training. The fingerprint covers config, weights and
tokenizer. No pickle is ever opened.

    python -m hanlin.models.seq2seq.folder
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, Literal, TypeVar

import torch
from pydantic import ValidationError
from torch import Tensor, nn

from hanlin.config import Seq2SeqConfig
from hanlin.errors import ModelError
from hanlin.models.seq2seq.base import Seq2SeqDecoder, Seq2SeqEncoder
from hanlin.models.seq2seq.build import lay_out_decoder, lay_out_encoder
from hanlin.models.seq2seq.vocabulary import Vocabulary
from hanlin.models.weights import digest_tensors, read_weights, write_weights
from hanlin.records import atomic_directory, sha256_json, write_json

__all__ = ["MODEL_TYPE", "Half", "load_decoder", "load_encoder", "pair_of", "save_half"]

MODEL_TYPE = "hanlin-seq2seq"
_ANEW = "Copy the folder anew from where it came from."

Module = TypeVar("Module", bound=nn.Module)
Part = Literal["encoder", "decoder"]


@dataclass(frozen=True, slots=True)
class Half(Generic[Module]):
    """One half of a model, as a folder holds it."""

    module: Module
    vocabulary: Vocabulary
    pair: str
    """What it has in common with its other half."""


def pair_of(encoder: nn.Module, decoder: nn.Module) -> str:
    """Return the SHA-256 over the weights of both halves."""
    return digest_tensors(
        {f"encoder.{name}": tensor for name, tensor in _weights(encoder).items()}
        | {f"decoder.{name}": tensor for name, tensor in _weights(decoder).items()}
    )


def save_half(
    folder: Path,
    half: Half[Seq2SeqEncoder] | Half[Seq2SeqDecoder[Any]],
) -> None:
    """Write one half as a folder that takes the place of `folder` once it is whole."""
    module = half.module
    tensors = _weights(module)
    config: dict[str, Any] = {
        "model_type": MODEL_TYPE,
        "part": "encoder" if isinstance(module, Seq2SeqEncoder) else "decoder",
        "shape": module.config.model_dump(mode="json"),
        "tokenizer": half.vocabulary.describe(),
        "pair": half.pair,
    }
    config["fingerprint"] = _fingerprint(config, tensors, half.vocabulary)
    with atomic_directory(Path(folder)) as target:
        half.vocabulary.save(target)
        write_json(target / "config.json", config)
        write_weights(target, tensors)


def load_encoder(folder: Path, *, device: torch.device | str = "cpu") -> Half[Seq2SeqEncoder]:
    """Read an encoder, ready to read (`eval` mode).

    Raises:
        ModelError: the folder is missing, incomplete, altered, or holds something else.
        TokenizerError: its tokenizer cannot be read.
    """
    config, shape = _read_config(Path(folder), "encoder")
    with torch.device("meta"):
        module = lay_out_encoder(shape)
    return _fill(Path(folder), module, config, device)


def load_decoder(folder: Path, *, device: torch.device | str = "cpu") -> Half[Seq2SeqDecoder[Any]]:
    """Read a decoder, ready to write (`eval` mode); raises as `load_encoder` does."""
    config, shape = _read_config(Path(folder), "decoder")
    with torch.device("meta"):
        module = lay_out_decoder(shape)
    return _fill(Path(folder), module, config, device)


def _fill(
    folder: Path, module: Module, config: dict[str, Any], device: torch.device | str
) -> Half[Module]:
    """Return the half whose weights and tokenizer lie in a folder."""
    expected = {name: tuple(tensor.shape) for name, tensor in module.state_dict().items()}
    tensors = read_weights(folder, expected)
    vocabulary = Vocabulary.load(folder, config["tokenizer"])
    stated = config.pop("fingerprint")
    if stated != _fingerprint(config, tensors, vocabulary):
        raise ModelError(
            f"{folder} was altered: its config.json, weights and tokenizer do not match the "
            f"fingerprint that they were written with. {_ANEW}"
        )
    module.to_empty(device=device)
    module.load_state_dict(tensors)
    return Half(module.eval(), vocabulary, str(config["pair"]))


def _read_config(folder: Path, part: Part) -> tuple[dict[str, Any], Seq2SeqConfig]:
    path = folder / "config.json"
    try:
        config = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise ModelError(
            f"{folder} holds no {part}: config.json is missing. Give the folder `{part}` that "
            "`Translator.save` wrote."
        ) from error
    except (OSError, ValueError) as error:
        raise ModelError(f"{path} cannot be read: {error}. {_ANEW}") from error
    found = config.get("model_type") if isinstance(config, dict) else None
    if found != MODEL_TYPE:
        raise ModelError(
            f"{path} describes a model of the type {found!r}, not {MODEL_TYPE!r}. Give the folder "
            f"`{part}` that `Translator.save` wrote."
        )
    if config.get("part") != part:
        raise ModelError(
            f"{folder} holds the {config.get('part')} of a model where its {part} is asked for. "
            "Were the two folders given in the wrong order?"
        )
    if lacking := sorted({"shape", "tokenizer", "pair", "fingerprint"} - config.keys()):
        raise ModelError(f"{path} lacks {', '.join(lacking)}. {_ANEW}")
    try:
        return config, Seq2SeqConfig.model_validate(config["shape"])
    except ValidationError as error:
        raise ModelError(f"{path} describes an impossible shape: {error}. {_ANEW}") from error


def _fingerprint(config: dict[str, Any], tensors: dict[str, Tensor], vocabulary: Vocabulary) -> str:
    return sha256_json([config, digest_tensors(tensors), vocabulary.fingerprint])


def _weights(module: nn.Module) -> dict[str, Tensor]:
    return {
        name: tensor.detach().to("cpu", torch.float32).contiguous()
        for name, tensor in module.state_dict().items()
    }


if __name__ == "__main__":
    import tempfile

    from hanlin.models.seq2seq.build import build_seq2seq
    from hanlin.tokenizers import KerasTokenizer

    letters = KerasTokenizer(char_level=True)
    letters.fit_on_texts([["<start>", *"小猫来了", "<end>"]])
    side = Vocabulary(letters)
    tiny = build_seq2seq(
        Seq2SeqConfig(
            source_vocab_size=side.size,
            target_vocab_size=side.size,
            start_id=side.start_id,
            end_id=side.end_id,
        ),
        seed=1,
    )
    with tempfile.TemporaryDirectory() as directory:
        place = Path(directory) / "encoder"
        save_half(place, Half(tiny.encoder, side, pair_of(tiny.encoder, tiny.decoder)))
        print(sorted(file.name for file in place.iterdir()), load_encoder(place).module.config)
