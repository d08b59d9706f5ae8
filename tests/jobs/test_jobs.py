from dagster_project.definitions import defs
from jobs import all_jobs

ASSETS = {
    "domain_manifest",
    "domain_audit",
    "baseline_detector",
    "domain_metrics",
    "metrics",
    "evaluation_report",
}


def selected(job: str) -> set[str]:
    keys = defs.resolve_job_def(job).asset_layer.executable_asset_keys
    return {key.to_user_string() for key in keys}


def test_the_main_job_makes_everything() -> None:
    assert selected("evaluate_domains") == ASSETS


def test_a_new_domain_neither_trains_nor_touches_what_all_domains_share() -> None:
    assert selected("evaluate_new_domain") == {"domain_manifest", "domain_audit", "domain_metrics"}


def test_every_job_tells_what_it_does_and_imports_torch_once() -> None:
    for job in all_jobs:
        assert job.description
        assert defs.resolve_job_def(job.name).executor_def.name == "in_process"
