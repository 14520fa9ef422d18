"""The software and the machine that a run was made with, for its report.

python -m hanlin.runs.environment
"""

from __future__ import annotations

import os
import platform
from importlib import metadata
from typing import Any

import torch

__all__ = ["describe_environment"]


def describe_environment() -> dict[str, Any]:
    """Return versions, processor and threads; no names of hosts, users or folders."""
    return {
        "hanlin": metadata.version("hanlin"),
        "python": platform.python_version(),
        "torch": torch.__version__,
        "system": f"{platform.system()} {platform.machine()}",
        "cores": os.cpu_count(),
        "threads": torch.get_num_threads(),
        "vector_instructions": torch.backends.cpu.get_cpu_capability(),
    }


if __name__ == "__main__":
    print(describe_environment())
