"""Growth: a larger model that begins where a smaller one ended, and the way back.

shape = target_shape(asked, model.config)
student = grow(model, shape, generator=torch.Generator().manual_seed(1))
"""

from hanlin.models.growth.growing import grow
from hanlin.models.growth.shape import Depth, check_growth, check_shrinkage, target_shape
from hanlin.models.growth.shrinking import shrink

__all__ = ["Depth", "check_growth", "check_shrinkage", "grow", "shrink", "target_shape"]
