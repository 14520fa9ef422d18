"""Recipe types: what a run needs, as frozen and checked settings.

Names are imported when they are first asked for: building all types takes a quarter of a second,
and who writes a text needs three of them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from hanlin.lazy import import_lazily

if TYPE_CHECKING:
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

_PLACES = {
    "AdversarialConfig": "hanlin.config.adversarial",
    "AttackFamily": "hanlin.config.adversarial",
    "AttackNorm": "hanlin.config.adversarial",
    "AugmentConfig": "hanlin.config.augment",
    "BatchingConfig": "hanlin.config.batching",
    "Bits": "hanlin.config.quantisation",
    "CheckpointConfig": "hanlin.config.training",
    "CheckpointStageConfig": "hanlin.config.checkpointing",
    "CleaningConfig": "hanlin.config.corpus",
    "CorpusConfig": "hanlin.config.corpus",
    "DistilConfig": "hanlin.config.distil",
    "EmbeddingAttack": "hanlin.config.adversarial",
    "EvaluationConfig": "hanlin.config.recipe",
    "ExpandConfig": "hanlin.config.expand",
    "ExpandMethod": "hanlin.config.expand",
    "Family": "hanlin.config.model",
    "GenerateConfig": "hanlin.config.generate",
    "HeadConfig": "hanlin.config.tasks",
    "LanguageConfig": "hanlin.config.language",
    "LevelConfig": "hanlin.config.level",
    "ModelConfig": "hanlin.config.model",
    "OptimizerConfig": "hanlin.config.training",
    "PreferenceConfig": "hanlin.config.preference",
    "QuantisationConfig": "hanlin.config.quantisation",
    "QuantisationMethod": "hanlin.config.quantisation",
    "Recipe": "hanlin.config.recipe",
    "ReplayConfig": "hanlin.config.replay",
    "RewardsConfig": "hanlin.config.language",
    "SamplingConfig": "hanlin.config.sampling",
    "ScheduleConfig": "hanlin.config.training",
    "SearchConfig": "hanlin.config.search",
    "Seq2SeqConfig": "hanlin.config.seq2seq",
    "ServingConfig": "hanlin.config.serving",
    "SourceConfig": "hanlin.config.corpus",
    "StageConfig": "hanlin.config.stages",
    "StageKind": "hanlin.config.stages",
    "Strict": "hanlin.config._strict",
    "TaskConfig": "hanlin.config.tasks",
    "TaskStageConfig": "hanlin.config.tasks",
    "TokenizerConfig": "hanlin.config.recipe",
    "TrainingConfig": "hanlin.config.training",
    "WorldConfig": "hanlin.config.corpus",
    "dump_recipe": "hanlin.config.loading",
    "load_recipe": "hanlin.config.loading",
    "parse_recipe": "hanlin.config.loading",
    "telling_settings": "hanlin.config.sampling",
    "with_absolute_paths": "hanlin.config.paths",
}

__getattr__ = import_lazily(__name__, _PLACES)
