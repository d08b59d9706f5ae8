"""The artefacts that detectors come from: news and few-shot sets, domains, stages, versions."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from assets.findings import StoredDetector
from assets.synthesis import PREFIX
from deepward.home import of_medium
from deepward.inbox import Inbox
from deepward.learning.continual.ledger import Ledger
from deepward.media import MEDIA
from deepward.release.champion import Releases
from resources import ArtifactStore

if TYPE_CHECKING:
    from deepward.evaluation.lineage import Box, Lineage

MOST = 6  # versions that are drawn, the latest


def lineage_of(store: ArtifactStore, shown: "Sequence[tuple[str, StoredDetector]]") -> "Lineage":
    """What the shown detectors stand on: the chain of stages where one of them is a stage.

    Args:
        store: where it all lies.
        shown: role and detector of those that the report shows.
    """
    from deepward.evaluation.lineage import Box, Lineage, domain_box

    sources = _sources(store, [stored.name for _, stored in shown])
    roles = {stored.name: role for role, stored in shown}
    origins = _origins(store)
    domains: dict[str, Box] = {}
    detectors: dict[str, Box] = {}
    for name, made_from in sources.items():
        facts = StoredDetector(store, name).facts
        for domain, counts in facts["lineage"]["domains"].items():
            origin = [origins[domain].key] if domain in origins else []
            domains.setdefault(domain, domain_box(domain, counts, origin))
        detectors[facts["content_hash"]] = Box(
            f"detector/{name}",
            "detector",
            name,
            facts["content_hash"][:12],
            made_from,
            roles.get(name, ""),
        )
    came = [origins[name] for name in domains if name in origins]
    versions = _versions(store, detectors)
    return Lineage([*came, *domains.values(), *detectors.values(), *versions])


def _sources(store: ArtifactStore, shown: Sequence[str]) -> dict[str, tuple[str, ...]]:
    """Detector -> keys of what it was made from, those ahead of the chain first."""
    chain = []
    for medium in MEDIA:
        stages = Ledger(store.path(of_medium("stages", medium))).chain()
        chain += stages if {entry.detector for entry in stages} & set(shown) else []
    learned = {
        entry.detector: (
            *(f"domain/{name}" for name in entry.domains if not entry.forgot),
            *([f"detector/{entry.parent}"] if entry.parent else []),
        )
        for entry in chain
    }
    others = dict.fromkeys([*(entry.parent for entry in chain if entry.parent), *shown])
    ahead = {
        name: tuple(f"domain/{d}" for d in sorted(StoredDetector(store, name).learned))
        for name in others
        if name not in learned and (store.path(f"detectors/{name}") / "detector.json").is_file()
    }
    return {**ahead, **learned}


def _origins(store: ArtifactStore) -> "dict[str, Box]":
    """Domain -> the note that brought its specimens, or the prompts that it was made by."""
    from deepward.evaluation.lineage import Box

    found = {}
    for answer in Inbox(store.folder).answers():
        if answer.domain:
            detail = f"{answer.specimens} specimens, {answer.reals} reals"
            key = f"origin/{answer.slug}"
            found[answer.domain] = Box(key, "origin", f"Note: {answer.name}", detail)
    for folder in sorted(store.path("fewshot").glob(f"{PREFIX}*")):
        card = store.card(f"fewshot/{folder.name}")
        if card is not None:
            made = f"{card.summary['made']} fakes from {card.config['base_domain']}"
            title = f"Prompts: {folder.name.removeprefix(PREFIX)}"
            found[folder.name] = Box(f"origin/{folder.name}", "origin", title, made)
    return found


def _versions(store: ArtifactStore, detectors: "Mapping[str, Box]") -> "list[Box]":
    """Versions that were released of these detectors, and those that were refused last.

    Args:
        store: where the releases are.
        detectors: content hash -> its box.
    """
    from deepward.evaluation.lineage import Box

    boxes = []
    for medium in MEDIA:
        releases = Releases(store.folder, medium)
        now = releases.champion()
        latest: dict[str, Any] = {entry.content_hash: entry for entry in releases.entries()}
        for digest, entry in latest.items():
            if digest not in detectors:
                continue
            title = f"Version {entry.version}" if entry.released else "Refused"
            look = "" if entry.released else "refused"
            if now is not None and entry.released and entry.version == now.version:
                title, look = f"{title}: champion", "champion"
            key, day = of_medium(f"version/{entry.number}", medium), entry.made_at[:10]
            boxes.append(Box(key, "version", title, day, (detectors[digest].key,), look))
    return boxes[-MOST:]
