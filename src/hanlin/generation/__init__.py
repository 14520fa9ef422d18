"""Generation: sampling, streams of whole characters, and the engine that joins them."""

from hanlin.generation.draft import Completion, FinishReason
from hanlin.generation.engine import Engine, Prompt
from hanlin.generation.logprobs import TokenLogprob
from hanlin.generation.proposers import LookupProposer, ModelProposer, Proposal, Proposer
from hanlin.generation.sampling import TokenHistory, sample_token
from hanlin.generation.speculative import Speculation
from hanlin.generation.stream import TextStream

__all__ = [
    "Completion",
    "Engine",
    "FinishReason",
    "LookupProposer",
    "ModelProposer",
    "Prompt",
    "Proposal",
    "Proposer",
    "Speculation",
    "TextStream",
    "TokenHistory",
    "TokenLogprob",
    "sample_token",
]
