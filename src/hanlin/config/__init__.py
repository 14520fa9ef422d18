"""Recipe types: what a run needs, as frozen and checked settings."""

from hanlin.config._strict import Strict
from hanlin.config.corpus import CleaningConfig, CorpusConfig, SourceConfig, WorldConfig
from hanlin.config.loading import dump_recipe, load_recipe, parse_recipe
from hanlin.config.model import Family, ModelConfig
from hanlin.config.recipe import (
    EvaluationConfig,
    Recipe,
    SamplingConfig,
    StageConfig,
    StageKind,
    TokenizerConfig,
)
from hanlin.config.training import (
    CheckpointConfig,
    OptimizerConfig,
    ScheduleConfig,
    TrainingConfig,
)

__all__ = [
    "CheckpointConfig",
    "CleaningConfig",
    "CorpusConfig",
    "EvaluationConfig",
    "Family",
    "ModelConfig",
    "OptimizerConfig",
    "Recipe",
    "SamplingConfig",
    "ScheduleConfig",
    "SourceConfig",
    "StageConfig",
    "StageKind",
    "Strict",
    "TokenizerConfig",
    "TrainingConfig",
    "WorldConfig",
    "dump_recipe",
    "load_recipe",
    "parse_recipe",
]
