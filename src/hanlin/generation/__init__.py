"""Generation: sampling, streams, the engine that joins them, and the scheduler of many texts.

Names are imported when they are first asked for: most need torch, and what does without, such as
the native engine, must not wait for it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from hanlin.lazy import import_lazily

if TYPE_CHECKING:
    from hanlin.generation.counts import Statistics
    from hanlin.generation.draft import Completion, FinishReason, TokenLogprob
    from hanlin.generation.engine import Engine
    from hanlin.generation.job import Job
    from hanlin.generation.prompts import Prompt
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

_PLACES = {
    "BatchWorker": "hanlin.generation.worker",
    "Completion": "hanlin.generation.draft",
    "Engine": "hanlin.generation.engine",
    "FinishReason": "hanlin.generation.draft",
    "Handle": "hanlin.generation.worker",
    "Job": "hanlin.generation.job",
    "LookupProposer": "hanlin.generation.proposers",
    "ModelProposer": "hanlin.generation.proposers",
    "Prompt": "hanlin.generation.prompts",
    "Proposal": "hanlin.generation.proposers",
    "Proposer": "hanlin.generation.proposers",
    "Scheduler": "hanlin.generation.scheduler",
    "Speculation": "hanlin.generation.speculative",
    "Statistics": "hanlin.generation.counts",
    "TextStream": "hanlin.generation.stream",
    "TokenHistory": "hanlin.generation.sampling",
    "TokenLogprob": "hanlin.generation.draft",
    "sample_token": "hanlin.generation.sampling",
}

__getattr__ = import_lazily(__name__, _PLACES)
