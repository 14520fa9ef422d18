"""A model loaded with the native engine: the same texts as torch's, one or many at once."""

from __future__ import annotations

from pathlib import Path

import pytest

import hanlin
from hanlin.errors import UserError
from hanlin.generation.native import is_available

pytestmark = pytest.mark.skipif(not is_available(), reason="the native core is not built here")


def test_many_prompts_are_written_as_each_alone_by_either_engine(tiny_run: Path) -> None:
    plain = hanlin.load(tiny_run, device="cpu", expansion="")
    fast = hanlin.load(tiny_run, device="cpu", expansion="", engine="native")
    prompts = ["小猫", "The cat", ""]
    asked = {"max_tokens": 12, "temperature": 0.9}
    alone = [fast.generate(p, seed=3 + row, **asked) for row, p in enumerate(prompts)]
    assert fast.generate(prompts, seed=3, **asked) == alone
    assert plain.generate(prompts, seed=3, **asked) == alone
    assert "".join(fast.stream("小猫", seed=3, **asked)) == alone[0]
    first, _ = fast.samples("小猫", count=2, seed=3, **asked)
    assert first.text == alone[0]
    assert fast.generate([]) == []


def test_what_the_native_engine_cannot_is_refused(tiny_run: Path) -> None:
    fast = hanlin.load(tiny_run, device="cpu", expansion="", engine="native")
    with pytest.raises(UserError, match="does not follow the setting best_of"):
        fast.generate(["a"], best_of=2)
    with pytest.raises(UserError, match="computes on the CPU, not on cuda"):
        hanlin.load(tiny_run, device="cuda", engine="native")
    with pytest.raises(UserError, match="there are 2 prompts"):
        plain = hanlin.load(tiny_run, device="cpu", expansion="")
        plain.generate(["a", "b"], speculation=plain.speculate())
