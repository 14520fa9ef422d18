"""Recipe types: what a run needs, as frozen and checked settings."""

from hanlin.config._strict import Strict
from hanlin.config.adversarial import (
    AdversarialConfig,
    AttackFamily,
    AttackNorm,
    EmbeddingAttack,
)
from hanlin.config.augment import AugmentConfig
from hanlin.config.batching import BatchingConfig
from hanlin.config.checkpointing import CheckpointStageConfig
from hanlin.config.corpus import CleaningConfig, CorpusConfig, SourceConfig, WorldConfig
from hanlin.config.distil import DistilConfig
from hanlin.config.expand import ExpandConfig, ExpandMethod
from hanlin.config.generate import GenerateConfig
from hanlin.config.language import LanguageConfig, RewardsConfig
from hanlin.config.level import LevelConfig
from hanlin.config.loading import dump_recipe, load_recipe, parse_recipe
from hanlin.config.model import Family, ModelConfig
from hanlin.config.paths import with_absolute_paths
from hanlin.config.preference import PreferenceConfig
from hanlin.config.quantisation import Bits, QuantisationConfig, QuantisationMethod
from hanlin.config.recipe import EvaluationConfig, Recipe, TokenizerConfig
from hanlin.config.replay import ReplayConfig
from hanlin.config.sampling import SamplingConfig, telling_settings
from hanlin.config.search import SearchConfig
from hanlin.config.seq2seq import Seq2SeqConfig
from hanlin.config.serving import ServingConfig
from hanlin.config.stages import StageConfig, StageKind
from hanlin.config.tasks import HeadConfig, TaskConfig, TaskStageConfig
from hanlin.config.training import (
    CheckpointConfig,
    OptimizerConfig,
    ScheduleConfig,
    TrainingConfig,
)

__all__ = [
    "AdversarialConfig",
    "AttackFamily",
    "AttackNorm",
    "AugmentConfig",
    "BatchingConfig",
    "Bits",
    "CheckpointConfig",
    "CheckpointStageConfig",
    "CleaningConfig",
    "CorpusConfig",
    "DistilConfig",
    "EmbeddingAttack",
    "EvaluationConfig",
    "ExpandConfig",
    "ExpandMethod",
    "Family",
    "GenerateConfig",
    "HeadConfig",
    "LanguageConfig",
    "LevelConfig",
    "ModelConfig",
    "OptimizerConfig",
    "PreferenceConfig",
    "QuantisationConfig",
    "QuantisationMethod",
    "Recipe",
    "ReplayConfig",
    "RewardsConfig",
    "SamplingConfig",
    "ScheduleConfig",
    "SearchConfig",
    "Seq2SeqConfig",
    "ServingConfig",
    "SourceConfig",
    "StageConfig",
    "StageKind",
    "Strict",
    "TaskConfig",
    "TaskStageConfig",
    "TokenizerConfig",
    "TrainingConfig",
    "WorldConfig",
    "dump_recipe",
    "load_recipe",
    "parse_recipe",
    "telling_settings",
    "with_absolute_paths",
]
