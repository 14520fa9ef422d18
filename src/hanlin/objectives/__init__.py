"""What a training step minimises: objectives that plug into the one training loop."""

from hanlin.objectives.base import LanguageModel, Loss, Objective, StateDict, head_weight
from hanlin.objectives.cross_entropy import fused_cross_entropy, plain_cross_entropy
from hanlin.objectives.distillation import Distillation
from hanlin.objectives.hints import Bridges
from hanlin.objectives.next_token import NextToken, TokenBatch

__all__ = [
    "Bridges",
    "Distillation",
    "LanguageModel",
    "Loss",
    "NextToken",
    "Objective",
    "StateDict",
    "TokenBatch",
    "fused_cross_entropy",
    "head_weight",
    "plain_cross_entropy",
]
