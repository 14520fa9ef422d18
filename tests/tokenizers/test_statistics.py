from __future__ import annotations

from hanlin.tokenizers import BpeTokenizer, Tokenizer, measure_tokenizer


def test_characters_and_bytes_a_token_are_counted_by_language(char: Tokenizer) -> None:
    found = measure_tokenizer(char, [("zh", "小猫"), ("en", "cat"), ("zh", "河")])
    assert list(found) == ["zh", "en"]
    assert found["zh"].texts == 2
    assert found["zh"].characters_per_token == 1
    assert found["zh"].bytes_per_token == 3
    assert found["en"].restored_share == 1


def test_tokens_that_end_inside_a_character_are_counted() -> None:
    bytes_only = BpeTokenizer([])
    found = measure_tokenizer(bytes_only, [("zh", "中a")])["zh"]
    assert (found.tokens, found.broken) == (4, 2)
    assert found.broken_share == 0.5


def test_losses_are_seen(word: Tokenizer) -> None:
    assert measure_tokenizer(word, [("en", "The zebra")])["en"].restored_share == 0


def test_an_empty_text_has_no_rates(bpe: BpeTokenizer) -> None:
    empty = measure_tokenizer(bpe, [("en", "")])["en"]
    assert (empty.characters_per_token, empty.bytes_per_token, empty.broken_share) == (0, 0, 0)


def test_bpe_beats_characters_on_its_own_text(
    bpe: BpeTokenizer, char: Tokenizer, texts: tuple[str, ...]
) -> None:
    pairs = [("all", text) for text in texts]
    better, plain = (measure_tokenizer(tokenizer, pairs)["all"] for tokenizer in (bpe, char))
    assert better.characters_per_token > 1.5 * plain.characters_per_token
