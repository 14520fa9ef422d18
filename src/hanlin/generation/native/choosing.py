"""Whether the native engine can do what is asked, and if not, why: pure questions, without torch.

python -m hanlin.generation.native.choosing FOLDER
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from hanlin.config import SamplingConfig
from hanlin.errors import UserError
from hanlin.generation.native.compiled import load_core
from hanlin.generation.native.sampling import unknown_settings

__all__ = ["why_not_native"]


def why_not_native(
    folder: Path, sampling: SamplingConfig, *, device: str, expansion: str | None
) -> str:
    """Return why torch must generate from the release in `folder`; empty where it need not."""
    if device not in ("auto", "cpu"):
        return f"the native engine computes on the CPU, not on {device}"
    if device == "auto" and _has_accelerator():
        return "this machine has an accelerator, which --device cpu leaves aside"
    if _has_expansion(folder, expansion):
        return "an expansion beside the weights is merged by torch alone; --expansion off leaves it"
    if unknown := unknown_settings(sampling):
        return f"the native engine does not follow the setting {unknown[0]}"
    try:
        load_core()
    except UserError as error:
        return str(error)
    return ""


def _has_accelerator() -> bool:
    """Whether torch might find a device that is not the CPU, as far as is seen without it."""
    return sys.platform == "darwin" or any(Path("/dev").glob("nvidia[0-9]*"))


def _has_expansion(folder: Path, wanted: str | None) -> bool:
    """Whether an expansion is meant: one by name, or the folder's default."""
    if wanted is not None:
        return bool(wanted)
    index = folder / "expansions" / "index.json"
    try:
        return bool(json.loads(index.read_text(encoding="utf-8")).get("default"))
    except FileNotFoundError:
        return False
    except (OSError, ValueError, AttributeError):
        return True  # torch's path says what is wrong with it


if __name__ == "__main__":
    place = Path(sys.argv[1])
    print(why_not_native(place, SamplingConfig(), device="auto", expansion=None) or "native")
