"""torch.compile changes how fast a model learns, not what."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType

import pytest
import torch

from hanlin.errors import HanlinError
from hanlin.training import read_snapshot
from hanlin.training.compilation import compiled


def test_a_failing_compiler_names_the_setting(
    small: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise torch._dynamo.exc.InternalTorchDynamoError("no compiler")

    monkeypatch.setattr(torch, "compile", lambda function: fail)
    model = small.tiny_model()
    model.train()
    with (
        pytest.raises(HanlinError, match=r"training\.compile = false.*no compiler"),
        compiled(model),
    ):
        model.hidden(torch.zeros(1, 4, dtype=torch.long))
    assert model.hidden(torch.zeros(1, 4, dtype=torch.long)).shape == (1, 4, 24)


def test_evaluation_runs_as_written(small: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch, "compile", lambda function: None)
    model = small.tiny_model().eval()
    ids = torch.zeros(1, 4, dtype=torch.long)
    expected = model.hidden(ids)
    with compiled(model):
        assert torch.equal(model.hidden(ids), expected)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_a_compiled_training_ends_where_an_eager_one_does(
    small: ModuleType, tmp_path: Path
) -> None:
    weights = []
    for compile_ in (False, True):
        folder = tmp_path / str(compile_)
        config = small.settings(steps=10, compile=compile_)
        small.run(folder, config, model=small.tiny_model(dropout=0.0), evaluate=None, sample=None)
        weights.append(read_snapshot(folder / "checkpoints" / "step-00000010").weights)
    for name, weight in weights[0].items():
        torch.testing.assert_close(weight, weights[1][name], rtol=1e-3, atol=1e-4)
