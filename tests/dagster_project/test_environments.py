from pathlib import Path

import pytest
import torch

from dagster_project.environments import PROFILES, profile_resources
from deepward.errors import UsageError

ROOT = Path(__file__).parents[2]


def test_without_a_word_the_embedded_profile_is_taken() -> None:
    assert profile_resources({})["compute"].device == "auto"
    assert profile_resources({"DEEPWARD_PROFILE": ""})["compute"].device == "auto"


def test_all_profiles_give_the_same_kinds_of_resources() -> None:
    kinds = [{name: type(r) for name, r in make().items()} for make in PROFILES.values()]
    assert all(kind == kinds[0] for kind in kinds)


def test_an_unknown_profile_is_refused_with_the_names_of_the_known() -> None:
    with pytest.raises(UsageError, match=r"DEEPWARD_PROFILE is 'fast'.*embedded, full"):
        profile_resources({"DEEPWARD_PROFILE": "fast"})


@pytest.mark.skipif(torch.cuda.is_available(), reason="has a CUDA device")
def test_the_full_profile_without_a_gpu_names_the_setting_before_any_work() -> None:
    compute = profile_resources({"DEEPWARD_PROFILE": "full"})["compute"]
    with pytest.raises(UsageError, match="DEEPWARD_PROFILE"):
        compute.setup_for_execution(None)


def test_the_profile_is_read_in_one_place() -> None:
    files = [
        file
        for folder in ("dagster_project", "sensors", "jobs", "assets", "resources", "src")
        for file in (ROOT / folder).rglob("*.py")
        if 'environment.get("DEEPWARD_PROFILE")' in file.read_text(encoding="utf-8")
        or 'environ["DEEPWARD_PROFILE"]' in file.read_text(encoding="utf-8")
    ]
    assert files == [ROOT / "dagster_project" / "environments.py"]
