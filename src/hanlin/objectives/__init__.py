"""What a training step minimises: objectives that plug into the one training loop."""

from hanlin.objectives.base import LanguageModel, Loss, Objective, StateDict, head_weight
from hanlin.objectives.cross_entropy import fused_cross_entropy, plain_cross_entropy
from hanlin.objectives.distillation import Distillation
from hanlin.objectives.hints import Bridges
from hanlin.objectives.next_token import NextToken, TokenBatch, token_batch
from hanlin.objectives.targets import Markers, hidden_targets

__all__ = [
    "Bridges",
    "Distillation",
    "LanguageModel",
    "Loss",
    "Markers",
    "NextToken",
    "Objective",
    "StateDict",
    "TokenBatch",
    "fused_cross_entropy",
    "head_weight",
    "hidden_targets",
    "plain_cross_entropy",
    "token_batch",
]
