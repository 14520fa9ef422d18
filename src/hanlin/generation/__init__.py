"""Generation: sampling, streams, the engine that joins them, and the scheduler of many texts."""

from hanlin.generation.counts import Statistics
from hanlin.generation.draft import Completion, FinishReason
from hanlin.generation.engine import Engine, Prompt
from hanlin.generation.job import Job
from hanlin.generation.logprobs import TokenLogprob
from hanlin.generation.proposers import LookupProposer, ModelProposer, Proposal, Proposer
from hanlin.generation.sampling import TokenHistory, sample_token
from hanlin.generation.scheduler import Scheduler
from hanlin.generation.speculative import Speculation
from hanlin.generation.stream import TextStream
from hanlin.generation.worker import BatchWorker, Handle

__all__ = [
    "BatchWorker",
    "Completion",
    "Engine",
    "FinishReason",
    "Handle",
    "Job",
    "LookupProposer",
    "ModelProposer",
    "Prompt",
    "Proposal",
    "Proposer",
    "Scheduler",
    "Speculation",
    "Statistics",
    "TextStream",
    "TokenHistory",
    "TokenLogprob",
    "sample_token",
]
