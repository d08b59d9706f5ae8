"""Named selections of assets, each run in one process."""

from jobs.attack_intelligence import make_fewshot_set, write_brief
from jobs.continual import learn_domain, learn_domains
from jobs.evaluation import (
    evaluate_domains,
    evaluate_new_domain,
    evaluation_jobs,
    refresh_report,
    scan_domains,
    train_baseline,
)
from jobs.generalization import (
    generalization_jobs,
    measure_robustness,
    train_adversarial,
    train_experts,
)
from jobs.knowledge import (
    read_feeds,
    refresh_documents,
    refresh_knowledge,
    refresh_knowledge_daily,
)
from jobs.meta_learning import meta_train
from jobs.monitoring import watch_traffic
from jobs.release import release_challenger
from jobs.respond import respond_to_technique

all_jobs = [
    *evaluation_jobs,
    *generalization_jobs,
    learn_domain,
    learn_domains,
    meta_train,
    refresh_knowledge,
    refresh_documents,
    read_feeds,
    write_brief,
    make_fewshot_set,
    release_challenger,
    respond_to_technique,
    watch_traffic,
]
all_schedules = [refresh_knowledge_daily]

__all__ = [
    "all_jobs",
    "all_schedules",
    "evaluate_domains",
    "evaluate_new_domain",
    "learn_domain",
    "learn_domains",
    "make_fewshot_set",
    "measure_robustness",
    "meta_train",
    "read_feeds",
    "refresh_documents",
    "refresh_knowledge",
    "refresh_knowledge_daily",
    "refresh_report",
    "release_challenger",
    "respond_to_technique",
    "scan_domains",
    "train_adversarial",
    "train_baseline",
    "train_experts",
    "watch_traffic",
    "write_brief",
]
