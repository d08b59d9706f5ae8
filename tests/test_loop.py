"""The training loop: it learns, it resumes to the same weights, it stops when told."""

from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from deepward.errors import TrainingError
from deepward.loop import Batch, LoopConfig, fit
from deepward.progress import Advance


def batches(step: int) -> Batch:
    generator = torch.Generator().manual_seed(step)
    x = torch.randn(16, 4, generator=generator)
    return {"x": x, "y": x @ torch.tensor([1.0, -2.0, 0.5, 3.0])}


def squared_error(model: nn.Module, batch: Batch) -> Tensor:
    return (model(batch["x"]).squeeze(1) - batch["y"]).square().mean()


def new_model() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(4, 8), nn.Dropout(0.1), nn.Linear(8, 1))


def weights(model: nn.Module) -> Tensor:
    return torch.cat([p.detach().flatten() for p in model.parameters()])


def test_the_loss_falls() -> None:
    model = nn.Linear(4, 1)
    config = LoopConfig(steps=200, learning_rate=0.1, weight_decay=0.0)
    result = fit(model, batches, {"loss": squared_error}, config)
    assert result.steps == 200
    assert result.losses["loss"] < 0.05
    assert torch.allclose(model.weight[0], torch.tensor([1.0, -2.0, 0.5, 3.0]), atol=0.1)


class Killed(Exception):
    pass


@pytest.mark.parametrize("moment", [1, 7, 19])
def test_a_killed_run_resumes_to_the_same_weights(tmp_path: Path, moment: int) -> None:
    config = LoopConfig(steps=20, learning_rate=0.05, checkpoint_every=0.0, seed=3)
    undisturbed = new_model()
    fit(undisturbed, batches, {"loss": squared_error}, config)

    def kill(advance: Advance) -> None:
        if advance.done == moment:
            raise Killed

    checkpoint = tmp_path / "state.safetensors"
    with pytest.raises(Killed):
        fit(
            new_model(),
            batches,
            {"loss": squared_error},
            config,
            checkpoint=checkpoint,
            progress=kill,
        )
    resumed = new_model()
    done: list[float] = []
    fit(
        resumed,
        batches,
        {"loss": squared_error},
        config,
        checkpoint=checkpoint,
        progress=lambda advance: done.append(advance.done),
    )
    assert done[0] == moment  # what was saved was not done again
    assert torch.equal(weights(resumed), weights(undisturbed))


def test_a_checkpoint_of_another_run_is_not_taken_up(tmp_path: Path) -> None:
    checkpoint = tmp_path / "state.safetensors"
    terms = {"loss": squared_error}
    fit(new_model(), batches, terms, LoopConfig(steps=5), checkpoint=checkpoint)
    other = fit(new_model(), batches, terms, LoopConfig(steps=6), checkpoint=checkpoint)
    assert other.seconds > 0
    checkpoint.write_bytes(b"half a file")
    assert fit(new_model(), batches, terms, LoopConfig(steps=5), checkpoint=checkpoint).steps == 5


def test_early_stopping_keeps_the_best_weights() -> None:
    values = iter([0.1, 0.9, 0.5, 0.4, 0.3, 0.2])
    seen: list[Tensor] = []

    def validate(model: nn.Module) -> float:
        seen.append(weights(model).clone())
        return next(values)

    model = new_model()
    config = LoopConfig(steps=100, validate_every=2, patience=3)
    result = fit(model, batches, {"loss": squared_error}, config, validate=validate)
    assert result.stopped_early
    assert result.best == 0.9
    assert torch.equal(weights(model), seen[1])


def test_a_budget_of_seconds_ends_in_time() -> None:
    result = fit(new_model(), batches, {"loss": squared_error}, LoopConfig(seconds=0.2))
    assert result.steps > 1
    assert 0.2 <= result.seconds < 2.0


def test_divergence_is_an_error_that_says_what_to_do() -> None:
    def infinite(model: nn.Module, batch: Batch) -> Tensor:
        return squared_error(model, batch) * float("nan")

    with pytest.raises(TrainingError, match="learning rate"):
        fit(new_model(), batches, {"loss": infinite}, LoopConfig(steps=3))


def test_a_budget_must_be_given() -> None:
    with pytest.raises(TrainingError, match="budget"):
        fit(new_model(), batches, {"loss": squared_error}, LoopConfig())
