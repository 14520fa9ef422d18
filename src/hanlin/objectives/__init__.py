"""What a training step minimises: objectives that plug into the one training loop."""

from hanlin.objectives.adversarial import Adversarial
from hanlin.objectives.answers import Answers
from hanlin.objectives.base import (
    Attackable,
    LanguageModel,
    Loss,
    Objective,
    Scores,
    StateDict,
    head_weight,
)
from hanlin.objectives.cached_targets import CachedTargets
from hanlin.objectives.critic import Critic
from hanlin.objectives.cross_entropy import fused_cross_entropy, plain_cross_entropy
from hanlin.objectives.distillation import Distillation
from hanlin.objectives.exemptions import count_tokens, exempt_tokens
from hanlin.objectives.hints import Bridges
from hanlin.objectives.judge import Judge
from hanlin.objectives.labels import LabelBatch, Labels, TextBatch, label_loss
from hanlin.objectives.mixture import LanguageMixture
from hanlin.objectives.next_token import NextToken, TokenBatch, token_batch
from hanlin.objectives.overuse import Overuse
from hanlin.objectives.preference import Preference
from hanlin.objectives.reward_book import RewardBook
from hanlin.objectives.rewriting import Rewriter
from hanlin.objectives.seq2seq import TeacherForcing
from hanlin.objectives.targets import Markers, hidden_targets
from hanlin.objectives.writer import Writer

__all__ = [
    "Adversarial",
    "Answers",
    "Attackable",
    "Bridges",
    "CachedTargets",
    "Critic",
    "Distillation",
    "Judge",
    "LabelBatch",
    "Labels",
    "LanguageMixture",
    "LanguageModel",
    "Loss",
    "Markers",
    "NextToken",
    "Objective",
    "Overuse",
    "Preference",
    "RewardBook",
    "Rewriter",
    "Scores",
    "StateDict",
    "TeacherForcing",
    "TextBatch",
    "TokenBatch",
    "Writer",
    "count_tokens",
    "exempt_tokens",
    "fused_cross_entropy",
    "head_weight",
    "hidden_targets",
    "label_loss",
    "plain_cross_entropy",
    "token_batch",
]
