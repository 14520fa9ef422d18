"""Which folder a path means: a release itself, or a run's newest one.

python -m hanlin.models.finding PATH
"""

from __future__ import annotations

from pathlib import Path

from hanlin.errors import ModelError

__all__ = ["find_release"]


def find_release(path: Path) -> Path:
    """Return the folder with `config.json` that a path means: itself, or a run's `model/`."""
    for folder in (path, path / "model"):
        if (folder / "config.json").is_file():
            return folder.resolve()
    if (path / "recipe.toml").is_file():
        raise ModelError(
            f"The run {path} has no finished stage yet, so there is no model to load. "
            f"Go on with it: hanlin run {path / 'recipe.toml'} --run {path}"
        )
    found = "does not exist" if not path.exists() else "holds no config.json"
    raise ModelError(
        f"{path} is neither a released model nor a run: it {found}. "
        "`hanlin runs list` shows the runs here."
    )


if __name__ == "__main__":
    import sys

    print(find_release(Path(sys.argv[1])))
