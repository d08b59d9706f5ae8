"""New results of a domain refresh the summary and the report, and nothing else."""

from typing import Any

import dagster as dg

from dagster_project.definitions import defs

SUMMARY = {dg.AssetKey("metrics"), dg.AssetKey("evaluation_report")}


def materialize(instance: dg.DagsterInstance, asset: str, partition: str | None = None) -> None:
    instance.report_runless_asset_event(dg.AssetMaterialization(asset, partition=partition))


def evaluate(
    instance: dg.DagsterInstance, cursor: Any = None
) -> dg.EvaluateAutomationConditionsResult:
    return dg.evaluate_automation_conditions(defs, instance, cursor=cursor)


def requested(found: dg.EvaluateAutomationConditionsResult) -> set[dg.AssetKey]:
    assets = [each.key for each in found.results if not each.true_subset.is_empty]
    return set(assets)


def test_metrics_and_report_follow_one_domain_though_another_has_no_results() -> None:
    with dg.DagsterInstance.ephemeral() as instance:
        instance.add_dynamic_partitions("domain", ["a", "b"])
        materialize(instance, "baseline_detector")
        before = evaluate(instance)
        assert requested(before) == set()
        materialize(instance, "domain_metrics", "a")
        after = evaluate(instance, before.cursor)
        assert requested(after) == SUMMARY
        assert requested(evaluate(instance, after.cursor)) == set()


def test_a_run_that_made_them_all_needs_no_refresh() -> None:
    with dg.DagsterInstance.ephemeral() as instance:
        instance.add_dynamic_partitions("domain", ["a"])
        before = evaluate(instance)
        materialize(instance, "domain_metrics", "a")
        materialize(instance, "metrics")
        materialize(instance, "evaluation_report")
        assert requested(evaluate(instance, before.cursor)) == set()


def test_scanning_or_training_alone_refreshes_nothing() -> None:
    with dg.DagsterInstance.ephemeral() as instance:
        instance.add_dynamic_partitions("domain", ["a"])
        before = evaluate(instance)
        materialize(instance, "domain_manifest", "a")
        materialize(instance, "domain_audit", "a")
        materialize(instance, "baseline_detector")
        assert requested(evaluate(instance, before.cursor)) == set()
