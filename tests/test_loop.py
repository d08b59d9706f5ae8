"""The training loop: it learns, it resumes to the same weights, it descends as it is told."""

import copy
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from deepward.errors import TrainingError, UsageError
from deepward.loop import Batch, LoopConfig, Shared, Step, fit
from deepward.progress import Advance

TRUTH = torch.tensor([1.0, -2.0, 0.5, 3.0])


def batches(step: int) -> Batch:
    generator = torch.Generator().manual_seed(step)
    x = torch.randn(16, 4, generator=generator)
    return {"inputs": x, "targets": x @ TRUTH}


def squared_error(shared: Shared[Tensor]) -> Tensor:
    return (shared.output.squeeze(1) - shared.batch["targets"]).square().mean()


TERMS = {"loss": squared_error}


def new_model() -> nn.Module:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return nn.Sequential(nn.Linear(4, 8), nn.BatchNorm1d(8), nn.Dropout(0.1), nn.Linear(8, 1))


def weights(model: nn.Module) -> Tensor:
    return torch.cat([t.detach().double().flatten() for t in model.state_dict().values()])


@pytest.mark.parametrize(
    "config",
    [
        LoopConfig(steps=200, learning_rate=0.1, weight_decay=0.0),
        LoopConfig(steps=200, learning_rate=0.05, weight_decay=0.0, optimizer="sgd", momentum=0.1),
        LoopConfig(steps=200, learning_rate=0.05, weight_decay=0.0, schedule="constant"),
    ],
    ids=["adamw", "sgd", "constant"],
)
def test_the_loss_falls(config: LoopConfig) -> None:
    model = nn.Linear(4, 1)
    result = fit(model, batches, TERMS, config)
    assert result.steps == 200
    assert result.losses["loss"] < 0.05
    assert torch.allclose(model.weight[0], TRUTH, atol=0.1)


def test_a_plain_step_is_that_of_the_optimizer_alone() -> None:
    config = LoopConfig(
        steps=3, learning_rate=0.1, schedule="constant", warmup=0.0, ema=0.0, optimizer="sgd"
    )
    model = nn.Linear(4, 1)
    reference = copy.deepcopy(model)
    fit(model, batches, TERMS, config)
    optimizer = torch.optim.SGD(
        [
            {"params": [reference.weight], "weight_decay": config.weight_decay},
            {"params": [reference.bias], "weight_decay": 0.0},
        ],
        lr=0.1,
        momentum=config.momentum,
    )
    for step in range(3):
        batch = batches(step)
        loss = (reference(batch["inputs"]).squeeze(1) - batch["targets"]).square().mean()
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(reference.parameters(), config.clip_norm)
        optimizer.step()
    assert torch.allclose(weights(model), weights(reference), atol=1e-6)


@pytest.mark.parametrize(
    ("schedule", "rates"),
    [("cosine", [0.0, 0.5, 1.0, 0.75, 0.25]), ("constant", [0.0, 0.5, 1.0, 1.0, 1.0])],
)
def test_the_learning_rate_warms_up_and_then_follows_the_schedule(
    schedule: str, rates: list[float]
) -> None:
    config = LoopConfig(steps=5, learning_rate=1.0, schedule=schedule, warmup=0.4)
    seen: list[float] = []

    def descend(step: Step[Tensor]) -> dict[str, float]:
        seen.append(step.learning_rate)
        return {}

    fit(new_model(), batches, TERMS, config, descend=descend)
    assert seen == pytest.approx(rates, abs=3e-3)


def test_all_terms_of_a_step_see_one_forward() -> None:
    calls: list[nn.Module] = []
    outputs: list[tuple[int, Tensor]] = []

    def forward(model: nn.Module, batch: Batch) -> Tensor:
        calls.append(model)
        output: Tensor = model(batch["inputs"])
        return output

    def term(shared: Shared[Tensor]) -> Tensor:
        outputs.append((shared.step, shared.output))
        return squared_error(shared)

    fit(new_model(), batches, {"a": term, "b": term}, LoopConfig(steps=3), forward=forward)
    assert len(calls) == 3
    assert [step for step, _ in outputs] == [0, 0, 1, 1, 2, 2]
    assert all(outputs[2 * i][1] is outputs[2 * i + 1][1] for i in range(3))


def reptile(inner_rate: float) -> Callable[[Step[Tensor]], dict[str, float]]:
    """Inner steps on a copy over a task's batches, then a step towards it (Nichol et al., 2018)."""

    def descend(step: Step[Tensor]) -> dict[str, float]:
        learner = copy.deepcopy(step.model)
        inner = torch.optim.SGD(learner.parameters(), lr=inner_rate)
        values = {}
        for part in range(len(step.batch["inputs"])):
            losses = step.losses(learner, {k: v[part] for k, v in step.batch.items()})
            inner.zero_grad()
            torch.stack(list(losses.values())).sum().backward()
            inner.step()
            values = {name: float(loss.detach()) for name, loss in losses.items()}
        with torch.no_grad():
            for slow, fast in zip(step.model.parameters(), learner.parameters(), strict=True):
                slow.lerp_(fast, step.learning_rate)
        return values

    return descend


def test_reptile_is_a_way_to_descend_and_moves_as_its_formula_says() -> None:
    def tasks(step: int) -> Batch:
        parts = [batches(10 * step + inner) for inner in range(5)]
        return {k: torch.stack([part[k] for part in parts]) for k in parts[0]}

    config = LoopConfig(steps=4, learning_rate=0.5, schedule="constant", warmup=0.0, ema=0.0)
    model = nn.Linear(4, 1).double()
    weight, bias = model.weight.detach().clone()[0], model.bias.detach().clone()
    terms = {"half": lambda s: 0.5 * squared_error(s), "rest": lambda s: 0.5 * squared_error(s)}

    def doubled(step: int) -> Batch:
        return {k: v.double() for k, v in tasks(step).items()}

    result = fit(model, doubled, terms, config, descend=reptile(0.05))
    for step in range(4):  # the same in closed form: the gradient of a mean square
        w, b = weight.clone(), bias.clone()
        for x, y in zip(doubled(step)["inputs"], doubled(step)["targets"], strict=True):
            error = x @ w + b - y
            w, b = w - 0.05 * 2 * x.T @ error / len(x), b - 0.05 * 2 * error.mean()
        weight, bias = weight + 0.5 * (w - weight), bias + 0.5 * (b - bias)
    assert torch.allclose(model.weight[0], weight, atol=1e-6)
    assert torch.allclose(model.bias, bias, atol=1e-6)
    assert set(result.losses) == {"half", "rest"}


class Killed(Exception):
    pass


def killed_at(moment: int) -> Callable[[Advance], None]:
    def kill(advance: Advance) -> None:
        if advance.done == moment:
            raise Killed

    return kill


@pytest.mark.parametrize("optimizer", ["adamw", "sgd"])
@pytest.mark.parametrize("moment", [1, 7, 19])
def test_a_killed_run_resumes_to_the_same_weights(
    tmp_path: Path, moment: int, optimizer: str
) -> None:
    config = LoopConfig(
        steps=20, learning_rate=0.05, optimizer=optimizer, checkpoint_every=0.0, seed=3
    )
    undisturbed = new_model()
    fit(undisturbed, batches, TERMS, config)
    kept: dict[str, Any] = {"checkpoint": tmp_path / "state.safetensors", "key": "a"}
    with pytest.raises(Killed):
        fit(new_model(), batches, TERMS, config, progress=killed_at(moment), **kept)
    torch.manual_seed(moment)  # wherever the global generator stands
    resumed = new_model()
    done: list[float] = []
    fit(resumed, batches, TERMS, config, progress=lambda a: done.append(a.done), **kept)
    assert done[0] == moment  # what was saved was not done again
    assert torch.equal(weights(resumed), weights(undisturbed))


def test_a_finished_run_is_not_done_again(tmp_path: Path) -> None:
    kept: dict[str, Any] = {"checkpoint": tmp_path / "state.safetensors", "key": "a"}
    first, second = new_model(), new_model()
    fit(first, batches, TERMS, LoopConfig(steps=5), **kept)

    def none_wanted(step: int) -> Batch:
        raise AssertionError(f"step {step} was done again")

    fit(second, none_wanted, TERMS, LoopConfig(steps=5), **kept)
    assert torch.equal(weights(first), weights(second))


@pytest.mark.parametrize(
    "other", [{"key": "b"}, {"config": LoopConfig(steps=6)}, {"damaged": True}], ids=str
)
def test_a_checkpoint_of_another_run_is_not_taken_up(tmp_path: Path, other: dict[str, Any]) -> None:
    checkpoint = tmp_path / "state.safetensors"
    fit(new_model(), batches, TERMS, LoopConfig(steps=5), checkpoint=checkpoint, key="a")
    if other.get("damaged"):
        checkpoint.write_bytes(b"half a file")

    def elsewhere(step: int) -> Batch:
        return batches(step + 1000)

    config = other.get("config", LoopConfig(steps=5))
    anew, untouched = new_model(), new_model()
    done: list[float] = []
    fit(
        anew,
        elsewhere,
        TERMS,
        config,
        checkpoint=checkpoint,
        key=other.get("key", "a"),
        progress=lambda a: done.append(a.done),
    )
    fit(untouched, elsewhere, TERMS, config)
    assert done == list(range(1, 1 + (config.steps or 0)))
    assert torch.equal(weights(anew), weights(untouched))


def test_a_checkpoint_needs_a_key(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="key"):
        fit(new_model(), batches, TERMS, LoopConfig(steps=1), checkpoint=tmp_path / "state")


def test_global_generators_are_left_as_they_were() -> None:
    before = torch.get_rng_state()
    fit(new_model(), batches, TERMS, LoopConfig(steps=3))
    assert torch.equal(torch.get_rng_state(), before)
    torch.manual_seed(17)
    again, first = new_model(), new_model()
    fit(again, batches, TERMS, LoopConfig(steps=3))
    torch.manual_seed(18)
    fit(first, batches, TERMS, LoopConfig(steps=3))
    assert torch.equal(weights(again), weights(first))  # nor does dropout depend on them


def scripted(values: Iterator[float], seen: list[Tensor]) -> Callable[[nn.Module], float]:
    def validate(model: nn.Module) -> float:
        seen.append(weights(model).clone())
        return next(values)

    return validate


def test_early_stopping_keeps_the_best_weights() -> None:
    seen: list[Tensor] = []
    model = new_model()
    config = LoopConfig(steps=100, validate_every=2, patience=3)
    values = iter([0.1, 0.9, 0.5, 0.4, 0.3])
    result = fit(model, batches, TERMS, config, validate=scripted(values, seen))
    assert result.stopped_early
    assert result.best == 0.9
    assert result.steps == 10  # and no validation after the last of them
    assert torch.equal(weights(model), seen[1])


def test_a_run_that_is_killed_after_its_best_weights_still_ends_with_them(tmp_path: Path) -> None:
    seen: list[Tensor] = []
    config = LoopConfig(steps=10, validate_every=2, checkpoint_every=0.0)
    kept: dict[str, Any] = {"checkpoint": tmp_path / "state.safetensors", "key": "a"}
    with pytest.raises(Killed):
        first = scripted(iter([0.1, 0.9, 0.5]), seen)
        fit(new_model(), batches, TERMS, config, validate=first, progress=killed_at(7), **kept)
    model = new_model()
    rest = scripted(iter([0.4, 0.3]), seen)
    assert fit(model, batches, TERMS, config, validate=rest, **kept).best == 0.9
    assert torch.equal(weights(model), seen[1])


def test_a_budget_of_seconds_ends_in_time() -> None:
    result = fit(new_model(), batches, TERMS, LoopConfig(seconds=0.2))
    assert result.steps > 1
    assert 0.2 <= result.seconds < 2.0


def test_no_thread_outlives_a_run_that_fails() -> None:
    def infinite(shared: Shared[Tensor]) -> Tensor:
        return squared_error(shared) * float("nan")

    before = threading.active_count()
    with pytest.raises(TrainingError, match="learning rate"):
        fit(new_model(), batches, {"loss": infinite}, LoopConfig(steps=3))
    assert threading.active_count() == before


def test_a_budget_must_be_given() -> None:
    with pytest.raises(TrainingError, match="budget"):
        fit(new_model(), batches, TERMS, LoopConfig())


@pytest.mark.parametrize("setting", [{"optimizer": "adam"}, {"schedule": "step"}])
def test_an_unknown_setting_is_named_with_the_known_ones(setting: dict[str, Any]) -> None:
    with pytest.raises(UsageError, match="choose among"):
        fit(new_model(), batches, TERMS, LoopConfig(steps=1, **setting))
