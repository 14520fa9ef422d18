"""Measures of a model: bits per byte, accuracy, repetition, novelty, suites, separation.

A measure asks a `Scorer` (a decoder, an n-gram model, the uniform baseline) or takes texts, and
returns a frozen result with `as_dict()`.
"""

from hanlin.evaluation.accuracy import next_character_accuracy
from hanlin.evaluation.bits import Bits, BitsReport, Saving, bits_per_byte, bits_saved
from hanlin.evaluation.closeness import (
    Continuation,
    Likeness,
    distance_to_human,
    measure_likeness,
)
from hanlin.evaluation.comparison import (
    Comparison,
    above,
    at_least,
    at_most,
    below,
    better_than_spread,
    no_better_than_spread,
    no_lower_by,
    spread_of,
)
from hanlin.evaluation.decoder_scorer import DecoderScorer
from hanlin.evaluation.heldout import HeldOutDocument, encode_documents, short_language
from hanlin.evaluation.intervals import Interval, Share, bootstrap_ratio, wilson_interval
from hanlin.evaluation.leakage import Leakage, fit_direction_scorers, measure_leakage
from hanlin.evaluation.likelihood import Likelihood, score_continuations
from hanlin.evaluation.novelty import Novelty, measure_novelty
from hanlin.evaluation.reliability import (
    calibration_error,
    fit_temperature,
    measure_calibration,
    reliability,
)
from hanlin.evaluation.repetition import Repetition, measure_repetition
from hanlin.evaluation.reversal import ReversalReport, measure_reversal
from hanlin.evaluation.robustness import AttackReport, RobustnessReport, measure_robustness
from hanlin.evaluation.rouge import rouge
from hanlin.evaluation.score import SentenceScore, TokenScore, score_sentence
from hanlin.evaluation.scorers import (
    MixtureScorer,
    NgramScorer,
    Scorer,
    UniformScorer,
)
from hanlin.evaluation.separation import Separation, measure_separation
from hanlin.evaluation.suites import (
    SUITES,
    Item,
    Suite,
    SuiteReport,
    choose_items,
    find_suite,
    measure_suite,
    read_items,
)
from hanlin.evaluation.translation import bleu, chrf
from hanlin.text.facts import Fact, make_facts

__all__ = [
    "SUITES",
    "AttackReport",
    "Bits",
    "BitsReport",
    "Comparison",
    "Continuation",
    "DecoderScorer",
    "Fact",
    "HeldOutDocument",
    "Interval",
    "Item",
    "Leakage",
    "Likelihood",
    "Likeness",
    "MixtureScorer",
    "NgramScorer",
    "Novelty",
    "Repetition",
    "ReversalReport",
    "RobustnessReport",
    "Saving",
    "Scorer",
    "SentenceScore",
    "Separation",
    "Share",
    "Suite",
    "SuiteReport",
    "TokenScore",
    "UniformScorer",
    "above",
    "at_least",
    "at_most",
    "below",
    "better_than_spread",
    "bits_per_byte",
    "bits_saved",
    "bleu",
    "bootstrap_ratio",
    "calibration_error",
    "choose_items",
    "chrf",
    "distance_to_human",
    "encode_documents",
    "find_suite",
    "fit_direction_scorers",
    "fit_temperature",
    "make_facts",
    "measure_calibration",
    "measure_leakage",
    "measure_likeness",
    "measure_novelty",
    "measure_repetition",
    "measure_reversal",
    "measure_robustness",
    "measure_separation",
    "measure_suite",
    "next_character_accuracy",
    "no_better_than_spread",
    "no_lower_by",
    "read_items",
    "reliability",
    "rouge",
    "score_continuations",
    "score_sentence",
    "short_language",
    "spread_of",
    "wilson_interval",
]
