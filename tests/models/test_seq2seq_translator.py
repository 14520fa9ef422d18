"""From ids to text and back, and the two folders in which a model's halves live apart."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from hanlin.config import Seq2SeqConfig
from hanlin.errors import DataError, ModelError, TokenizerError
from hanlin.models.seq2seq import (
    LstmState,
    Translator,
    Vocabulary,
    build_seq2seq,
    load_decoder,
    load_encoder,
)
from hanlin.tokenizers import KerasTokenizer, train_tokenizer
from hanlin.tokenizers.keras import KEEP_MARKERS
from hanlin.tokenizers.word import segment

ZH = ["小猫来到了公园。", "小明看见了一个大篮子。", "小猫看见了小明。"]
EN = ["The cat came to the park.", "Ming saw a big basket.", "The cat saw Ming."]


def words(texts: list[str], *, markers: bool = False, **settings: object) -> Vocabulary:
    tokenizer = KerasTokenizer(analyzer=segment, **settings)
    parted = [segment(text) for text in texts]
    tokenizer.fit_on_texts(["<start>", *text, "<end>"] if markers else text for text in parted)
    return Vocabulary(tokenizer)


def build(kind: str = "lstm", *, seed: int = 1) -> Translator:
    """Return a translator with fresh weights and strong opinions."""
    source, target = words(ZH), words(EN, markers=True)
    config = Seq2SeqConfig(
        kind=kind,
        source_vocab_size=source.size,
        target_vocab_size=target.size,
        start_id=target.start_id,
        end_id=target.end_id,
        context_length=12,
        hidden_size=16,
        num_heads=2,
    )
    model = build_seq2seq(config, seed=seed)
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.4 * torch.randn(parameter.shape, generator=generator))
    return Translator(model.encoder, model.decoder, source, target)


@pytest.mark.parametrize("beam", [1, 3])
def test_an_lstm_gives_back_text_h_and_c(beam: int) -> None:
    translator = build()
    text, (h, c) = translator.decode_sequence(translator.source.encode(ZH[0]), beam=beam)
    assert isinstance(text, str) and h.shape == c.shape == (2, 1, 16)


def test_the_loop_by_hand_writes_what_decode_sequence_writes() -> None:
    translator = build()
    ids = translator.source.encode(ZH[0])
    text, state = translator.decode_sequence(ids)
    with torch.no_grad():
        memory = translator.encoder(torch.tensor([ids]))
        h, c = memory.final
        word, written = translator.target.start_id, []
        for _ in range(12):
            logits, (h, c) = translator.decoder.step(torch.tensor([word]), LstmState(h, c), memory)
            logits[:, [0, translator.target.start_id]] = float("-inf")
            word = int(logits.argmax())
            if word == translator.target.end_id:
                break
            written.append(word)
    assert text == translator.target.decode(written)
    assert torch.equal(h, state.h) and torch.equal(c, state.c)


@pytest.mark.parametrize("kind", ["lstm", "transformer"])
def test_padding_of_any_form_changes_nothing(kind: str) -> None:
    translator = build(kind)
    ids = translator.source.encode(ZH[1])
    text, _ = translator.decode_sequence(ids)
    for padded in ([0, 0, *ids], [*ids, 0], np.array([[*ids, 0]]), torch.tensor([ids])):
        assert translator.decode_sequence(padded)[0] == text


@pytest.mark.parametrize("kind", ["lstm", "transformer"])
@pytest.mark.parametrize("beam", [1, 3])
def test_a_batch_gives_what_single_sequences_give_in_their_order(kind: str, beam: int) -> None:
    translator = build(kind)
    alone = [translator.decode_sequence(translator.source.encode(t), beam=beam)[0] for t in ZH]
    assert translator.translate(ZH, beam=beam, batch_size=2) == alone
    found = translator.decode_batch([translator.source.encode(text) for text in ZH], beam=beam)
    assert [translator.target.decode(each.ids) for each in found] == alone
    assert all(each.state is None and each.logprob < 0 for each in found)


@pytest.mark.parametrize(
    ("sequence", "message"),
    [
        ([0, 0], "input sequence is empty"),
        ([[3, 4], [5, 0]], "several sequences"),
        ([3, 999], "ids from 3 to 999"),
    ],
)
def test_an_input_that_is_none_is_refused(sequence: list[int], message: str) -> None:
    with pytest.raises(DataError, match=message):
        build().decode_sequence(sequence)


@pytest.mark.parametrize("kind", ["lstm", "transformer"])
def test_halves_saved_and_read_apart_translate_as_before(kind: str, tmp_path: Path) -> None:
    translator = build(kind)
    translator.save(tmp_path)
    again = Translator.load(tmp_path / "encoder", tmp_path / "decoder")
    assert again.translate(ZH, beam=2) == translator.translate(ZH, beam=2)
    config = json.loads((tmp_path / "decoder/config.json").read_text(encoding="utf-8"))
    assert config["model_type"] == "hanlin-seq2seq" and config["part"] == "decoder"
    assert load_encoder(tmp_path / "encoder").vocabulary.encode(ZH[0]) == (
        translator.source.encode(ZH[0])
    )
    assert load_decoder(tmp_path / "decoder").vocabulary.start_id == translator.target.start_id


def test_equal_models_are_equal_files(tmp_path: Path) -> None:
    for name in ("one", "other"):
        build().save(tmp_path / name)
    for file in ("model.safetensors", "config.json", "keras_tokenizer.json"):
        first, second = tmp_path / "one/encoder" / file, tmp_path / "other/encoder" / file
        assert first.read_bytes() == second.read_bytes()


def test_halves_of_two_trainings_are_not_joined(tmp_path: Path) -> None:
    build(seed=1).save(tmp_path / "one")
    build(seed=2).save(tmp_path / "other")
    with pytest.raises(ModelError, match="were not trained together"):
        Translator.load(tmp_path / "one/encoder", tmp_path / "other/decoder")


def test_folders_in_the_wrong_order_are_refused(tmp_path: Path) -> None:
    build().save(tmp_path)
    with pytest.raises(ModelError, match="holds the decoder of a model where its encoder"):
        Translator.load(tmp_path / "decoder", tmp_path / "encoder")


def test_a_folder_of_another_kind_or_none_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"config.json is missing"):
        load_encoder(tmp_path)
    (tmp_path / "config.json").write_text('{"model_type": "qwen3"}', encoding="utf-8")
    with pytest.raises(ModelError, match="type 'qwen3', not 'hanlin-seq2seq'"):
        load_encoder(tmp_path)


def _alter_weights(folder: Path) -> None:
    tensors = load_file(folder / "model.safetensors")
    tensors["embedding.weight"][1, 1] += 1
    save_file(tensors, folder / "model.safetensors")


def _alter_bytes(folder: Path) -> None:
    path = folder / "model.safetensors"
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(bytes(content))


def _alter_shape(folder: Path) -> None:
    path = folder / "config.json"
    path.write_text(path.read_text(encoding="utf-8").replace('"dropout": 0.0', '"dropout": 0.5'))


def _alter_tokenizer(folder: Path) -> None:
    path = folder / "keras_tokenizer.json"
    path.write_text(path.read_text(encoding="utf-8").replace('"lower": true', '"lower": false'))


@pytest.mark.parametrize("alter", [_alter_weights, _alter_bytes, _alter_shape, _alter_tokenizer])
def test_an_altered_folder_is_refused(alter: object, tmp_path: Path) -> None:
    build().save(tmp_path)
    alter(tmp_path / "encoder")  # type: ignore[operator]
    with pytest.raises(ModelError, match="was altered"):
        load_encoder(tmp_path / "encoder")


def test_missing_weights_or_tokenizer_are_named(tmp_path: Path) -> None:
    build().save(tmp_path)
    (tmp_path / "encoder/keras_tokenizer.json").unlink()
    with pytest.raises(TokenizerError, match=r"keras_tokenizer.json cannot be read"):
        load_encoder(tmp_path / "encoder")
    (tmp_path / "decoder/model.safetensors").unlink()
    (tmp_path / "decoder/model.bin").write_bytes(b"")
    with pytest.raises(ModelError, match="a pickle"):
        load_decoder(tmp_path / "decoder")


def test_default_filters_that_eat_the_markers_are_found_out() -> None:
    tokenizer = KerasTokenizer()
    tokenizer.fit_on_texts(["<start> the cat <end>"])
    with pytest.raises(TokenizerError, match="KEEP_MARKERS"):
        _ = Vocabulary(tokenizer).start_id
    kept = KerasTokenizer(filters=KEEP_MARKERS)
    kept.fit_on_texts(["<start> the cat <end>"])
    assert Vocabulary(kept).encode_target("the cat") == [1, 2, 3, 4]


def test_markers_of_ones_own_and_a_vocabulary_cut_short() -> None:
    tokenizer = KerasTokenizer(char_level=True)
    tokenizer.fit_on_texts(["\t小猫\n", "\t小狗\n"])
    vocabulary = Vocabulary(tokenizer, start="\t", end="\n")
    assert vocabulary.decode(vocabulary.encode_target("小狗")) == "小狗"
    tokenizer.num_words = 3
    with pytest.raises(TokenizerError, match="is missing"):
        _ = Vocabulary(tokenizer, start="\t", end="\n").end_id


def test_words_are_joined_as_their_language_joins_them() -> None:
    chinese, english = words(ZH), words(EN)
    assert chinese.decode([*chinese.encode(ZH[1]), 0, 0]) == ZH[1]
    assert english.decode(english.encode(EN[0])) == "the cat came to the park."


@pytest.mark.parametrize("kind", ["char", "word"])
def test_a_tokenizer_of_hanlin_serves_and_is_stored(kind: str, tmp_path: Path) -> None:
    size = {"char": 360, "word": 95}[kind]
    vocabulary = Vocabulary(train_tokenizer(kind, EN, size))
    ids = vocabulary.encode_target("the cat saw ming.")
    assert 0 not in ids and vocabulary.decode(ids).startswith("the cat")
    vocabulary.save(tmp_path)
    again = Vocabulary.load(tmp_path, vocabulary.describe())
    assert again.fingerprint == vocabulary.fingerprint and again.start_id == vocabulary.start_id


def test_what_no_file_could_bring_back_is_refused() -> None:
    tokenizer = KerasTokenizer(analyzer=str.split)
    tokenizer.fit_on_texts(["a b"])
    with pytest.raises(TokenizerError, match="analyzer of its own"):
        Vocabulary(tokenizer)
    with pytest.raises(TokenizerError, match="knows no word"):
        Vocabulary(KerasTokenizer())


def test_tokenizers_of_another_model_are_refused() -> None:
    translator = build()
    with pytest.raises(ModelError, match="asks for vocabularies"):
        Translator(translator.encoder, translator.decoder, words(EN), translator.target)
