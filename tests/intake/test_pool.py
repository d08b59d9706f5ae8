"""Workers that crash or hang take only their own task with them."""

import pytest

from deepward.errors import WorkError
from deepward.intake.pool import Failure, run_tasks


def results(tasks, **options):
    found = {}
    for batch in run_tasks("builtins:eval", tasks, **options):
        for number, result in batch:
            assert number not in found
            found[number] = result
    return [found[number] for number in range(len(tasks))]


def test_all_tasks_come_back_with_their_numbers():
    tasks = [f"{number} ** 2" for number in range(50)]
    batches = [list(range(start, start + 5)) for start in range(0, 50, 5)]
    assert results(tasks, workers=3, batches=batches) == [number**2 for number in range(50)]
    assert results([]) == []


def test_a_crash_and_a_hang_cost_one_task_each():
    tasks = ["1", "__import__('os').abort()", "2", "__import__('time').sleep(60)", "3", "4"]
    found = results(tasks, workers=2, batches=[[0, 1, 2], [3, 4], [5]], patience=2.0)
    crash, hang = Failure("decoder_crashed"), Failure("decoder_hung")
    assert found == [1, crash, 2, hang, 3, 4]


def test_a_worker_that_eats_memory_is_stopped():
    (result,) = results(["bytearray(2**40) and 1 if 0 else 7"])
    assert result == 7
    with pytest.raises(WorkError, match="MemoryError"):
        results(["len(bytearray(2**40))"])


def test_a_function_that_raises_or_is_missing_is_an_error_of_ours():
    with pytest.raises(WorkError, match="ZeroDivisionError"):
        results(["1 / 0"])
    with pytest.raises(WorkError, match="cannot start"):
        list(run_tasks("deepward.intake.pool:absent", [1]))
