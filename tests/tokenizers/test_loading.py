from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import tokenizers
from hypothesis import given, settings
from tokenizers import decoders, models, normalizers, pre_tokenizers, trainers

from hanlin.errors import TokenizerError
from hanlin.tokenizers import BpeTokenizer, ForeignTokenizer, Tokenizer, load_tokenizer

from .conftest import tricky_text


@pytest.fixture(scope="session", autouse=True)
def _offline() -> Any:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HF_HUB_OFFLINE", "1")
        yield


@pytest.fixture(scope="session")
def gpt2(texts: tuple[str, ...], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that transformers wrote: byte-level, its end token last."""
    transformers = pytest.importorskip("transformers")
    inner = tokenizers.Tokenizer(models.BPE())
    inner.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    inner.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(vocab_size=400, initial_alphabet=alphabet, show_progress=False)
    inner.train_from_iterator(texts, trainer)
    fast = transformers.PreTrainedTokenizerFast(tokenizer_object=inner, eos_token="<|endoftext|>")
    fast.chat_template = "{% for m in messages %}{{ m['content'] + eos_token }}{% endfor %}"
    folder = tmp_path_factory.mktemp("gpt2")
    fast.save_pretrained(folder)
    return folder


@pytest.fixture(scope="session")
def llama(texts: tuple[str, ...], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that transformers wrote: spaces as a mark, bytes for what is unknown."""
    transformers = pytest.importorskip("transformers")
    special = ["<unk>", "<s>", "</s>", *(f"<0x{byte:02X}>" for byte in range(256))]
    inner = tokenizers.Tokenizer(models.BPE(unk_token="<unk>", byte_fallback=True, fuse_unk=True))
    inner.normalizer = normalizers.Replace(" ", "\u2581")
    inner.decoder = decoders.Sequence(
        [decoders.Replace("\u2581", " "), decoders.ByteFallback(), decoders.Fuse()]
    )
    trainer = trainers.BpeTrainer(vocab_size=500, special_tokens=special, show_progress=False)
    inner.train_from_iterator(texts, trainer)
    content = json.loads(inner.to_str())
    content["added_tokens"] = content["added_tokens"][:3]
    fast = transformers.PreTrainedTokenizerFast(
        tokenizer_object=tokenizers.Tokenizer.from_str(json.dumps(content)),
        eos_token="</s>",
        bos_token="<s>",
        unk_token="<unk>",
    )
    folder = tmp_path_factory.mktemp("llama")
    fast.save_pretrained(folder)
    return folder


@pytest.mark.parametrize("kind", ["bpe", "char"])
def test_transformers_loads_what_is_saved_with_the_same_ids(
    kind: str, texts: tuple[str, ...], tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    transformers = pytest.importorskip("transformers")
    tokenizer: Tokenizer = request.getfixturevalue(kind)
    tokenizer.save(tmp_path)
    # A model's configuration beside it must not make transformers take another tokenizer class.
    (tmp_path / "config.json").write_text('{"model_type": "qwen3"}', encoding="utf-8")
    auto = transformers.AutoTokenizer.from_pretrained(tmp_path)
    for text in texts[:7]:
        ids = auto(text, add_special_tokens=False)["input_ids"]
        assert ids == tokenizer.encode(text)
        assert auto.decode(ids) == text
    assert auto.eos_token_id == tokenizer.eot_id
    assert len(auto) == tokenizer.vocab_size
    assert auto("<|im_end|>")["input_ids"] == [2]


@pytest.mark.parametrize("folder", ["gpt2", "llama"])
def test_folders_of_transformers_give_the_same_ids(
    folder: str, texts: tuple[str, ...], request: pytest.FixtureRequest
) -> None:
    transformers = pytest.importorskip("transformers")
    path: Path = request.getfixturevalue(folder)
    tokenizer = load_tokenizer(path)
    auto = transformers.AutoTokenizer.from_pretrained(path)
    assert isinstance(tokenizer, ForeignTokenizer)
    assert tokenizer.eot_id == auto.eos_token_id
    assert tokenizer.vocab_size == len(auto)
    for text in (*texts[:7], "龘 unseen"):
        ids = tokenizer.encode(text)
        assert ids == auto(text, add_special_tokens=False)["input_ids"]
        assert tokenizer.decode(ids) == text
        assert b"".join(map(tokenizer.token_bytes, ids)) == text.encode()
        assert [ids.tolist() for ids in tokenizer.encode_batch([text])] == [ids]


def test_foreign_control_tokens_have_to_be_allowed(gpt2: Path) -> None:
    tokenizer = load_tokenizer(gpt2)
    assert tokenizer.eot_id not in tokenizer.encode("a<|endoftext|>")
    assert tokenizer.encode("<|endoftext|>", allow_control=True) == [tokenizer.eot_id]
    assert tokenizer.decode([tokenizer.eot_id]) == ""
    assert tokenizer.decode([tokenizer.eot_id], skip_control=False) == "<|endoftext|>"


def test_a_foreign_tokenizer_can_be_saved_again(gpt2: Path, tmp_path: Path) -> None:
    tokenizer = load_tokenizer(gpt2)
    tokenizer.save(tmp_path)
    again = load_tokenizer(tmp_path)
    assert again.fingerprint == tokenizer.fingerprint
    assert again.chat_template == tokenizer.chat_template is not None
    assert again.eot_id == tokenizer.eot_id


def test_ids_outside_a_foreign_vocabulary_are_refused(gpt2: Path) -> None:
    tokenizer = load_tokenizer(gpt2)
    for id in (-1, tokenizer.vocab_size):
        with pytest.raises(TokenizerError, match=f"token id {id} "):
            tokenizer.token_bytes(id)


@settings(deadline=None, max_examples=40)
@given(text=tricky_text)
def test_foreign_offsets_belong_to_the_text(gpt2: Path, text: str) -> None:
    ids, spans = load_tokenizer(gpt2).encode_with_offsets(text)
    assert len(ids) == len(spans)
    assert all(0 <= start <= end <= len(text) for start, end in spans)


def test_a_changed_file_of_our_own_is_run_as_it_is(bpe: BpeTokenizer, tmp_path: Path) -> None:
    bpe.save(tmp_path)
    content = bpe.to_json()
    content["normalizer"] = {"type": "NFC"}
    (tmp_path / "tokenizer.json").write_text(json.dumps(content), encoding="utf-8")
    tokenizer = load_tokenizer(tmp_path)
    assert isinstance(tokenizer, ForeignTokenizer)
    assert tokenizer.encode("小猫") == bpe.encode("小猫")


def test_a_folder_with_the_plain_template_is_read_with_the_one_it_was_taught_in(
    bpe: BpeTokenizer, tmp_path: Path
) -> None:
    plain = """\
{%- for message in messages %}
    {{- '<|im_start|>' + message['role'] + '\\n' }}
    {%- if message['role'] == 'assistant' %}
        {%- generation %}
            {{- message['content'] + '<|im_end|>' }}
        {%- endgeneration %}
        {{- '\\n' }}
    {%- else %}
        {{- message['content'] + '<|im_end|>\\n' }}
    {%- endif %}
{%- endfor %}
{%- if add_generation_prompt %}
    {{- '<|im_start|>assistant\\n' }}
{%- endif %}
"""
    bpe.save(tmp_path)
    (tmp_path / "chat_template.jinja").write_text(plain, encoding="utf-8")
    assert load_tokenizer(tmp_path).chat_template == bpe.chat_template


def test_an_edited_template_is_used(bpe: BpeTokenizer, tmp_path: Path) -> None:
    bpe.save(tmp_path)
    (tmp_path / "chat_template.jinja").write_text("{{ messages }}", encoding="utf-8")
    assert load_tokenizer(tmp_path).chat_template == "{{ messages }}"


def test_a_folder_without_a_tokenizer_is_refused(tmp_path: Path) -> None:
    with pytest.raises(TokenizerError, match=r"there is no tokenizer\.json"):
        load_tokenizer(tmp_path)


@pytest.mark.parametrize("content", ["", "{", "[]", '{"model": {"type": "Nonsense"}}'])
def test_a_damaged_file_is_refused(tmp_path: Path, content: str) -> None:
    (tmp_path / "tokenizer.json").write_text(content, encoding="utf-8")
    with pytest.raises(TokenizerError, match=r"tokenizer\.json"):
        load_tokenizer(tmp_path)


def test_the_model_can_name_the_end_token(gpt2: Path, tmp_path: Path) -> None:
    named = load_tokenizer(gpt2)
    shutil.copy(gpt2 / "tokenizer.json", tmp_path)
    config = json.dumps({"eos_token_id": [named.eot_id, 5]})
    (tmp_path / "config.json").write_text(config, encoding="utf-8")
    tokenizer = load_tokenizer(tmp_path)
    assert tokenizer.eot_id == named.eot_id
    tokenizer.save(tmp_path / "again")
    assert load_tokenizer(tmp_path / "again").eot_id == named.eot_id


def test_a_foreign_tokenizer_without_an_end_token_is_refused(
    bpe: BpeTokenizer, tmp_path: Path
) -> None:
    bpe.save(tmp_path)
    (tmp_path / "tokenizer_config.json").unlink()
    with pytest.raises(TokenizerError, match="no end-of-text token"):
        load_tokenizer(tmp_path)
