"""Constrained output: every text fits, in Chinese too, whatever the model would like to write."""

from __future__ import annotations

import json
import re
import sys
from typing import Any

import pytest

from hanlin.config import ModelConfig, SamplingConfig
from hanlin.errors import MissingExtraError, TokenizerError, UserError
from hanlin.generation import Engine, LookupProposer, ModelProposer, Speculation
from hanlin.models import build_model, resolve_model
from hanlin.tokenizers import Tokenizer, train_tokenizer

TEXT = [
    '从前有一只小猫，住在{"家":"北京","岁":3}里。',
    '{"name": "cat", "age": 12, "likes": ["fish", "sun"]} 小猫爱吃鱼，也爱太阳。',
] * 30
WARM = SamplingConfig(temperature=1.0, top_p=1.0, max_tokens=60, seed=1)


def an_object(**properties: Any) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }


SCHEMAS: list[dict[str, Any]] = [
    an_object(答案={"type": "string"}),
    an_object(名字={"type": "string", "maxLength": 6}, 岁={"type": "integer"}),
    an_object(情感={"enum": ["正面", "负面", "中性"]}, 理由={"type": "string", "minLength": 2}),
    an_object(items={"type": "array", "items": {"type": "integer"}, "minItems": 2}),
    an_object(a={"type": "boolean"}, b={"type": ["string", "null"]}, c={"type": "number"}),
    an_object(人=an_object(姓={"type": "string"}, 名={"type": "string"}), n={"type": "integer"}),
    {"type": "array", "items": {"type": "string"}, "minItems": 1, "maxItems": 3},
    {"type": "string", "minLength": 3, "maxLength": 8},
    {"enum": ["北京", "上海", 3, None]},
    {"anyOf": [an_object(对={"type": "boolean"}), {"type": "integer"}]},
]
"""What an untrained model is bound to, in few tokens."""


@pytest.fixture(scope="module")
def engines() -> dict[str, Engine]:
    return {
        "bpe": an_engine(train_tokenizer("bpe", TEXT, 400)),
        "char": an_engine(train_tokenizer("char", TEXT, 380)),
    }


def an_engine(tokenizer: Tokenizer, seed: int = 1) -> Engine:
    shape = {"context_length": 160, "hidden_size": 16, "num_layers": 1, "num_heads": 2}
    config = resolve_model(ModelConfig(family="qwen3", **shape), tokenizer.vocab_size)
    return Engine(build_model(config, seed=seed), tokenizer)


def fits(value: Any, schema: dict[str, Any]) -> bool:
    """Whether a value fits the part of JSON Schema that is used here."""
    if "enum" in schema:
        return value in schema["enum"]
    if "anyOf" in schema:
        return any(fits(value, one) for one in schema["anyOf"])
    kinds = schema["type"] if isinstance(schema["type"], list) else [schema["type"]]
    if not any(_is_kind(value, kind) for kind in kinds):
        return False
    if isinstance(value, dict):
        parts = schema["properties"]
        return set(value) == set(parts) and all(fits(value[k], part) for k, part in parts.items())
    if isinstance(value, list):
        least, most = schema.get("minItems", 0), schema.get("maxItems", 999)
        return least <= len(value) <= most and all(fits(v, schema["items"]) for v in value)
    if isinstance(value, str):
        return schema.get("minLength", 0) <= len(value) <= schema.get("maxLength", 999)
    return True


def _is_kind(value: Any, kind: str) -> bool:
    is_bool = isinstance(value, bool)
    return {
        "object": isinstance(value, dict),
        "array": isinstance(value, list),
        "string": isinstance(value, str),
        "boolean": is_bool,
        "null": value is None,
        "integer": isinstance(value, int) and not is_bool,
        "number": isinstance(value, int | float) and not is_bool,
    }[kind]


def count_valid(engine: Engine, seeds: int) -> int:
    valid = 0
    for schema in SCHEMAS:
        config = SamplingConfig(**{**WARM.model_dump(), "json_schema": schema})
        for text in engine.samples("小猫", config, seeds):
            assert "\ufffd" not in text.text
            valid += fits(json.loads(text.text), schema)
    return valid


@pytest.mark.parametrize("kind", ["bpe", "char"])
def test_every_text_fits_its_schema_within_the_limit(engines, kind):
    assert count_valid(engines[kind], 2) == 2 * len(SCHEMAS)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["bpe", "char"])
def test_five_hundred_texts_of_schemas_and_seeds_all_fit(engines, kind):
    assert count_valid(engines[kind], 50) == 500


def test_a_regular_expression_is_matched_as_a_whole(engines):
    pattern = r"(周[一二三四五]|Sunday) [0-9]{2}:[0-9]{2}"
    config = WARM.model_copy(update={"regex": pattern})
    for text in engines["bpe"].samples("", config, 4):
        assert re.fullmatch(pattern, text.text) and text.finish_reason == "stop"


def test_choices_are_all_that_is_written(engines):
    choices = ("小猫", '“引”"号"', "a b")
    config = WARM.model_copy(update={"choices": choices})
    found = {text.text for text in engines["char"].samples("", config, 12)}
    assert found <= set(choices) and len(found) > 1


def test_a_grammar_is_followed(engines):
    grammar = 'start: "(" start ")" | WORD\nWORD: /[猫狗]{1,3}/'
    config = WARM.model_copy(update={"grammar": grammar, "max_tokens": 30})
    for text in engines["bpe"].samples("", config, 4):
        assert re.fullmatch(r"\(*[猫狗]{1,3}\)*", text.text)
        assert text.text.count("(") == text.text.count(")")


def test_a_list_that_never_wants_to_end_is_closed_in_time(engines):
    schema = {"type": "array", "items": {"enum": ["小猫小猫"]}, "minItems": 2}
    bias = {",": 50.0}
    fields = {**WARM.model_dump(), "json_schema": schema, "logit_bias": bias, "max_tokens": 25}
    text = engines["char"].generate("", SamplingConfig(**fields))
    assert json.loads(text.text)[:2] == ["小猫小猫"] * 2 and 18 <= len(text.ids) <= 25


def test_streams_and_proposals_obey_the_constraint(engines):
    config = SamplingConfig(**{**WARM.model_dump(), "json_schema": SCHEMAS[2]})
    engine = engines["bpe"]
    alone = engine.generate("小猫", config)
    assert "".join(engine.stream("小猫", config)) == alone.text
    assert engine.generate("小猫", config, Speculation(LookupProposer(shortest=1))) == alone
    drafted = Speculation(ModelProposer(an_engine(engine.tokenizer, seed=2), engine, sureness=0))
    assert fits(json.loads(engine.generate("小猫", config, drafted).text), SCHEMAS[2])


def test_a_constraint_wins_over_a_ban(engines):
    config = WARM.model_copy(update={"choices": ("小猫",), "banned": ("猫",)})
    assert engines["char"].generate("", config).text == "小猫"


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"json_schema": "{x"}, "json_schema is no JSON"),
        ({"json_schema": '{"type": "nonsense"}'}, "cannot be used: .*nonsense"),
        ({"regex": "[a"}, "cannot be used"),
        ({"grammar": "start: other"}, "unknown name"),
        ({"choices": ("小猫" * 40,)}, "takes 80 tokens or so, and there is room for 60"),
    ],
)
def test_what_cannot_be_followed_is_refused(engines, fields, message):
    with pytest.raises(UserError, match=message):
        engines["char"].generate("", WARM.model_copy(update=fields))


def test_a_word_tokenizer_is_refused():
    engine = an_engine(train_tokenizer("word", TEXT, 92))
    with pytest.raises(TokenizerError, match=r"Constrained output needs .* word tokenizer"):
        engine.generate("", WARM.model_copy(update={"choices": ("a",)}))


def test_without_the_extra_the_way_to_it_is_named(engines, monkeypatch):
    monkeypatch.setitem(sys.modules, "llguidance", None)
    engine = an_engine(engines["char"].tokenizer)
    with pytest.raises(MissingExtraError, match=r"pip install 'hanlin\[constrain\]'"):
        engine.generate("", WARM.model_copy(update={"choices": ("a",)}))


def test_two_constraints_exclude_each_other():
    with pytest.raises(ValueError, match="regex and choices exclude each other"):
        SamplingConfig(regex="a", choices=("b",))
