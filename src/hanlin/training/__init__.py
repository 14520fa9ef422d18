"""The one training loop, its optimisers, its guards and its checkpoints."""

from hanlin.training.allocator import keep_buffers
from hanlin.training.backup import Backup
from hanlin.training.checkpoint import (
    CheckpointStore,
    Snapshot,
    find_fault,
    name_of,
    read_snapshot,
)
from hanlin.training.device import Placement, choose_placement, cpu_has_bf16, measure_peak_flops
from hanlin.training.distributed import World, join_world
from hanlin.training.level import LevelWatch, find_metric, has_reached
from hanlin.training.loop import train
from hanlin.training.muon import Muon, orthogonalise
from hanlin.training.optimizers import Optimizer, hidden_matrices
from hanlin.training.progress import Display, Quiet, Status, choose_display
from hanlin.training.schedule import learning_rate_share
from hanlin.training.session import Batches, TrainingResult

__all__ = [
    "Backup",
    "Batches",
    "CheckpointStore",
    "Display",
    "LevelWatch",
    "Muon",
    "Optimizer",
    "Placement",
    "Quiet",
    "Snapshot",
    "Status",
    "TrainingResult",
    "World",
    "choose_display",
    "choose_placement",
    "cpu_has_bf16",
    "find_fault",
    "find_metric",
    "has_reached",
    "hidden_matrices",
    "join_world",
    "keep_buffers",
    "learning_rate_share",
    "measure_peak_flops",
    "name_of",
    "orthogonalise",
    "read_snapshot",
    "train",
]
