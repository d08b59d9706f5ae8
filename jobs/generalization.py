"""How a detector fares on what it was not made for, and detectors that are made to generalize."""

import dagster as dg

measure_robustness = dg.define_asset_job(
    "measure_robustness",
    selection=dg.AssetSelection.assets("robustness_report"),
    description="Judge test pictures by the champion, or the baseline, after degradations and "
    "adversarial attacks.",
    executor_def=dg.in_process_executor,
)
train_adversarial = dg.define_asset_job(
    "train_adversarial",
    selection=dg.AssetSelection.assets("domain_adversarial_detector"),
    description="Train a network that unlearns which domain a picture is from, on the domains that "
    "were scanned.",
    executor_def=dg.in_process_executor,
)
train_experts = dg.define_asset_job(
    "train_experts",
    selection=dg.AssetSelection.assets("cluster_folds", "expert_ensemble"),
    description="Cluster the training pictures, deal the clusters out to folds, and train an "
    "expert for each.",
    executor_def=dg.in_process_executor,
)
generalization_jobs = [measure_robustness, train_adversarial, train_experts]
