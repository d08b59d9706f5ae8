import dagster as dg

from dagster_project.definitions import defs
from jobs import all_jobs

GRAPH = defs.get_repository_def().asset_graph


def leading_to(asset: str) -> set[str]:
    """The asset and everything that it is made from, near and far."""
    found: set[dg.AssetKey] = set()
    waiting = [dg.AssetKey(asset)]
    while waiting:
        key = waiting.pop()
        found.add(key)
        waiting += GRAPH.get(key).parent_keys - found
    return {key.to_user_string() for key in found}


def selected(job: str) -> set[str]:
    keys = defs.resolve_job_def(job).asset_layer.executable_asset_keys
    return {key.to_user_string() for key in keys}


def test_the_main_job_makes_everything_that_the_report_is_made_from() -> None:
    # Stages and decisions are shown where there are any; the report does not wait for them.
    baseline = leading_to("baseline_detector")
    stages = leading_to("continual_checkpoints") - baseline
    others = stages | {"released_detector"}
    assert selected("evaluate_domains") == leading_to("evaluation_report") - others
    assert {"task_sequence", "meta_trained_detector"} < stages
    assert selected("make_fewshot_set") < leading_to("fewshot_dataset")
    assert selected("refresh_knowledge") == leading_to("vector_db")


def test_every_asset_is_in_a_job() -> None:
    every = {key.to_user_string() for key in GRAPH.executable_asset_keys}
    assert every == set().union(*(selected(job.name) for job in all_jobs))


def test_a_new_domain_neither_trains_nor_touches_what_all_domains_share() -> None:
    assert selected("evaluate_new_domain") == {"domain_manifest", "domain_audit", "domain_metrics"}


def test_every_job_tells_what_it_does_and_imports_torch_once() -> None:
    for job in all_jobs:
        assert job.description
        assert defs.resolve_job_def(job.name).executor_def.name == "in_process"
