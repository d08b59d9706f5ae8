import pytest
import torch

from deepward.errors import UsageError
from resources import Compute

without_gpu = pytest.mark.skipif(torch.cuda.is_available(), reason="has a CUDA device")


@without_gpu
def test_auto_is_the_cpu_where_there_is_nothing_else() -> None:
    assert Compute().open() == "cpu"


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_auto_takes_the_gpu() -> None:
    assert Compute().open() == "cuda"
    assert Compute(device="cpu").open() == "cpu"


@without_gpu
def test_a_demanded_gpu_that_is_not_there_is_an_error_that_names_the_setting() -> None:
    with pytest.raises(UsageError, match=r"DEEPWARD_PROFILE.*compute\.device"):
        Compute(device="cuda").setup_for_execution(None)


def test_threads_are_set() -> None:
    before = torch.get_num_threads()
    try:
        Compute(device="cpu", threads=1).open()
        assert torch.get_num_threads() == 1
    finally:
        torch.set_num_threads(before)
