from __future__ import annotations

import json
import math
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hanlin.errors import DataError, ModelError, RecipeError, TokenizerError
from hanlin.models.ngram import DirichletCounts, InterpolatedNgram, KneserNey, load_ngram
from hanlin.models.ngram.counts import count_levels, join_documents
from hanlin.models.ngram.kneser_ney import FALLBACK_DISCOUNTS, estimate_discounts

EOT = 0
Gram = tuple[int, ...]
BOTH = pytest.mark.parametrize("kind", [KneserNey, DirichletCounts])


def write_documents(seed: int, *, num: int = 12, vocab_size: int = 12) -> list[np.ndarray]:
    """Documents of a skewed first-order chain that leaves the last two tokens unused."""
    rng = np.random.default_rng(seed)
    steps = [rng.zipf(1.4, rng.integers(1, 60)) for _ in range(num)]
    return [1 + np.cumsum(step) % (vocab_size - 3) for step in steps]


def count_grams(documents: Sequence[Sequence[int]], order: int) -> list[Counter[Gram]]:
    """Counts of the n-grams of length 1..order, in plain dictionaries; the reference."""
    counts: list[Counter[Gram]] = [Counter() for _ in range(order + 1)]
    for document in documents:
        tokens = [EOT, *map(int, document), EOT]
        for end in range(1, len(tokens)):
            for length in range(1, order + 1):
                if end - length + 1 >= 0:
                    counts[length][tuple(tokens[end - length + 1 : end + 1])] += 1
    return counts


def slow_kneser_ney(
    documents: Sequence[Sequence[int]], order: int, vocab_size: int
) -> Callable[[int, Gram], float]:
    """Modified Kneser-Ney straight from its formulae, one probability at a time."""
    adjusted = count_grams(documents, order)
    for length in range(1, order):
        left = defaultdict(set)
        for gram in adjusted[length + 1]:
            left[gram[1:]].add(gram[0])
        for gram in adjusted[length]:
            if length == 1 or gram[0] != EOT:
                adjusted[length][gram] = len(left[gram])
    discounts = [
        estimate_discounts(np.array(list(level.values()) or [0])) if level else FALLBACK_DISCOUNTS
        for level in adjusted
    ]

    def probability(token: int, history: Gram) -> float:
        lower = probability(token, history[1:]) if history else 1 / vocab_size
        level = adjusted[len(history) + 1]
        followers = {gram[-1]: count for gram, count in level.items() if gram[:-1] == history}
        if not followers:
            return lower
        taken = {w: discounts[len(history) + 1][min(c, 3) - 1] for w, c in followers.items()}
        total = sum(followers.values())
        own = followers[token] - taken[token] if token in followers else 0.0
        return (own + sum(taken.values()) * lower) / total

    return probability


def history_of(document: Sequence[int], position: int, order: int) -> Gram:
    tokens = (EOT, *map(int, document))[: position + 1]
    return tokens[max(0, len(tokens) - order + 1) :] if order > 1 else ()


@pytest.mark.parametrize("order", [1, 2, 3, 5])
def test_kneser_ney_equals_a_plain_dictionary_version(order: int) -> None:
    documents = write_documents(0)
    model = KneserNey.fit(documents, order, 12)
    slow = slow_kneser_ney(documents, order, 12)
    unseen = np.array([11, 3, 10, 1, 1, 2])
    for document in [*documents[:4], unseen]:
        expected = [
            math.log(slow(int(token), history_of(document, i, order)))
            for i, token in enumerate(document)
        ]
        np.testing.assert_allclose(model.logprobs(document), expected, rtol=1e-5)


@pytest.mark.parametrize("order", [1, 2, 4])
def test_dirichlet_equals_a_plain_dictionary_version(order: int) -> None:
    documents = write_documents(1)
    model = DirichletCounts.fit(documents, order, 12)
    counts = count_grams(documents, order)
    strengths = model.settings["strengths"]

    def slow(token: int, history: Gram) -> float:
        lower = slow(token, history[1:]) if history else 1 / 12
        alpha, level = strengths[len(history)], counts[len(history) + 1]
        total = sum(count for gram, count in level.items() if gram[:-1] == history)
        return (level[(*history, token)] + alpha * lower) / (total + alpha)

    for document in [*documents[:4], np.array([11, 3, 10, 1, 1])]:
        expected = [
            math.log(slow(int(token), history_of(document, i, order)))
            for i, token in enumerate(document)
        ]
        np.testing.assert_allclose(model.logprobs(document), expected, rtol=1e-5)


def test_the_dirichlet_strengths_maximise_the_leave_one_out_likelihood() -> None:
    documents = write_documents(2)
    strengths = DirichletCounts.fit(documents, 2, 12).settings["strengths"]
    counts = count_grams(documents, 2)

    def left_out(token: int, history: Gram, alphas: Sequence[float]) -> float:
        lower = left_out(token, history[1:], alphas) if history else 1 / 12
        alpha, level = alphas[len(history)], counts[len(history) + 1]
        total = sum(count for gram, count in level.items() if gram[:-1] == history)
        return (level[(*history, token)] - 1 + alpha * lower) / (total - 1 + alpha)

    def likelihood(alpha: float) -> float:
        alphas = [strengths[0], alpha]
        return sum(c * math.log(left_out(g[1], g[:1], alphas)) for g, c in counts[2].items())

    best = likelihood(strengths[1])
    assert best >= likelihood(strengths[1] * 1.5)
    assert best >= likelihood(strengths[1] / 1.5)


@BOTH
@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 30),
    order=st.integers(1, 7),
    history=st.lists(st.integers(0, 11), max_size=9),
)
def test_probabilities_sum_to_one_after_any_history(
    kind: type[InterpolatedNgram], seed: int, order: int, history: list[int]
) -> None:
    distribution = kind.fit(write_documents(seed), order, 12).next_distribution(history)
    assert distribution.shape == (12,)
    assert distribution.min() > 0  # tokens 10 and 11 occur in no document
    assert distribution.sum() == pytest.approx(1, abs=1e-6)


@BOTH
def test_scores_of_a_document_are_those_of_the_distributions(kind: type[InterpolatedNgram]) -> None:
    model = kind.fit(write_documents(3), 4, 12)
    document = np.array([3, 4, 11, 2, EOT, 5, 6, 1, EOT])
    expected = [
        math.log(model.next_distribution(document[:i])[token]) for i, token in enumerate(document)
    ]
    np.testing.assert_allclose(model.logprobs(document), expected, rtol=1e-6)


@BOTH
def test_scoring_documents_together_equals_scoring_them_alone(
    kind: type[InterpolatedNgram],
) -> None:
    model = kind.fit(write_documents(4), 5, 12)
    documents = [*write_documents(5, num=4), np.array([], dtype=np.int64), np.array([7])]
    for together, document in zip(model.score(documents), documents, strict=True):
        np.testing.assert_array_equal(together, model.logprobs(document))
        assert together.shape == document.shape


def test_history_does_not_cross_a_document_boundary() -> None:
    model = KneserNey.fit([np.array([1, 2, 3]), np.array([4, 5, 6])] * 3, 5, 8)
    np.testing.assert_array_equal(
        model.next_distribution([1, 2, 3, EOT]), model.next_distribution([])
    )
    stream = join_documents([np.array([1, 2]), np.array([3])], vocab_size=8, eot_id=EOT)
    for level in count_levels(stream, 4, vocab_size=8, eot_id=EOT):
        assert level.counts.sum() == [5, 5, 3, 1][level.length - 1]


def test_a_shard_with_inner_boundaries_counts_like_its_documents() -> None:
    documents = write_documents(6)
    shard = np.concatenate([np.append(document, EOT) for document in documents])
    apart = KneserNey.fit(documents, 4, 12)
    assert KneserNey.fit([shard.astype(np.uint16)], 4, 12).fingerprint == apart.fingerprint
    assert KneserNey.fit(documents[:-1], 4, 12).fingerprint != apart.fingerprint


def test_longer_orders_fit_the_training_text_better() -> None:
    rng = np.random.default_rng(7)
    follows = rng.integers(1, 20, size=(20, 20))
    document = [1, 2]
    for _ in range(4000):
        noise = rng.random() < 0.1
        document.append(int(rng.integers(1, 20) if noise else follows[*document[-2:]]))
    ids = np.array(document)
    losses = [
        -KneserNey.fit([ids[:3000]], order, 20).logprobs(ids[3000:]).mean() for order in (1, 2, 3)
    ]
    assert losses[0] > losses[1] > losses[2]
    uniform = math.log(20)
    assert losses[2] < 0.5 * uniform


def test_kneser_ney_prefers_what_follows_many_contexts() -> None:
    # "6" is as frequent as "5", but only ever after "1": an unseen context should expect "5".
    text = [1, 6] * 8 + [2, 5, 3, 5, 4, 5, 7, 5, 8, 5, 9, 5, 10, 5, 11, 5]
    model = KneserNey.fit([np.array(text)], 2, 13)
    distribution = model.next_distribution([12])
    assert distribution[5] > 4 * distribution[6]


@BOTH
def test_generated_chains_follow_the_distribution(kind: type[InterpolatedNgram]) -> None:
    model = kind.fit(write_documents(8), 3, 12)
    rng = np.random.default_rng(0)
    drawn: Counter[int] = Counter()
    for _ in range(4000):
        token = model.generate(rng, 1, prompt=(3,))
        drawn[int(token[0]) if token.size else EOT] += 1
    shares = np.array([drawn[token] / 4000 for token in range(12)])
    np.testing.assert_allclose(shares, model.next_distribution([3]), atol=0.03)


def test_generation_is_a_function_of_its_generator_and_ends_at_endoftext() -> None:
    model = KneserNey.fit([np.array([1, 2, 3])] * 50, 4, 5)
    walk = model.generate(np.random.default_rng(1), 30)
    np.testing.assert_array_equal(walk, model.generate(np.random.default_rng(1), 30))
    lengths = [model.generate(np.random.default_rng(seed), 30).size for seed in range(50)]
    assert Counter(lengths).most_common(1)[0][0] == 3


@BOTH
def test_a_saved_model_loads_equal(kind: type[InterpolatedNgram], tmp_path: Path) -> None:
    model = kind.fit(write_documents(9), 4, 12)
    model.save(tmp_path / "ngram")
    loaded = load_ngram(tmp_path / "ngram")
    assert type(loaded) is kind
    assert loaded.fingerprint == model.fingerprint
    assert loaded.settings == json.loads(json.dumps(model.settings))
    ids = np.array([1, 5, 11, 2])
    np.testing.assert_array_equal(loaded.logprobs(ids), model.logprobs(ids))
    assert json.loads((tmp_path / "ngram/config.json").read_text())["model_type"] == "hanlin-ngram"


def test_an_altered_or_foreign_model_is_refused(tmp_path: Path) -> None:
    KneserNey.fit(write_documents(10), 3, 12).save(tmp_path / "ngram")
    with pytest.raises(ModelError, match="kneser-ney"):
        DirichletCounts.load(tmp_path / "ngram")
    weights = tmp_path / "ngram/model.safetensors"
    data = bytearray(weights.read_bytes())
    data[-1] ^= 1
    weights.write_bytes(bytes(data))
    with pytest.raises(ModelError, match="altered"):
        load_ngram(tmp_path / "ngram")
    weights.write_bytes(bytes(data[:100]))
    with pytest.raises(ModelError, match=r"model\.safetensors"):
        load_ngram(tmp_path / "ngram")
    with pytest.raises(ModelError, match=r"config\.json"):
        load_ngram(tmp_path / "absent")


def test_bad_input_is_refused_with_the_value() -> None:
    with pytest.raises(TokenizerError, match="12"):
        KneserNey.fit([np.array([1, 12])], 3, 12)
    with pytest.raises(DataError, match="no token"):
        KneserNey.fit([], 3, 12)
    with pytest.raises(RecipeError, match="8"):
        KneserNey.fit([np.array([1])], 8, 12)
    with pytest.raises(TokenizerError, match="99"):
        KneserNey.fit([np.array([1])], 2, 12).logprobs(np.array([99]))


def test_discounts_follow_chen_and_goodman() -> None:
    counts = np.array([1] * 8 + [2] * 4 + [3] * 2 + [4])
    d1, d2, d3 = estimate_discounts(counts)  # Y = 8 / 16
    assert (d1, d2, d3) == pytest.approx((0.5, 1.25, 2.0))
    assert estimate_discounts(np.array([5, 6])) == FALLBACK_DISCOUNTS
