"""Everything that Dagster loads, on one screen."""

import dagster as dg

from assets import (
    attack_intelligence,
    continual,
    domains,
    evaluation,
    generalization,
    knowledge,
    learning,
    meta_learning,
    monitoring,
    release,
    robustness,
    synthesis,
    teaching,
)
from dagster_project.environments import profile_resources
from jobs import all_jobs, all_schedules
from sensors import all_sensors

defs = dg.Definitions(
    assets=dg.load_assets_from_modules(
        [
            knowledge,
            attack_intelligence,
            synthesis,
            domains,
            learning,
            meta_learning,
            continual,
            evaluation,
            generalization,
            robustness,
            teaching,
            release,
            monitoring,
        ]
    ),
    jobs=all_jobs,
    schedules=all_schedules,
    sensors=all_sensors,
    resources=profile_resources(),
    # One process per run: PyTorch is imported once, not once per step.
    executor=dg.in_process_executor,
)
