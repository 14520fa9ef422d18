from __future__ import annotations

import pytest
import torch


@pytest.fixture
def rows() -> torch.Tensor:
    """Return calibration rows."""
    return torch.randint(0, 96, (24, 24), generator=torch.Generator().manual_seed(5))
