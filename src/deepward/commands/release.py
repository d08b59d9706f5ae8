"""`deepward release`, `rollback` and `history`: which detector judges, and why."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from deepward.commands.console import out, print_json, print_table, say, shown_progress
from deepward.commands.datasets import domain_folders, images, scan
from deepward.commands.evaluate import evaluated
from deepward.commands.options import DomainNames, DomainsOption, JsonFlag, root_at
from deepward.errors import DetectorFileError, UsageError, WorkError
from deepward.home import champion_detector, descriptions_file, home
from deepward.media import MEDIA

if TYPE_CHECKING:
    import pandas as pd

    from deepward.detectors import Detector
    from deepward.domains import Manifest
    from deepward.evaluation import DomainMetrics
    from deepward.progress import Progress
    from deepward.release import Release

__all__ = ["history", "release", "rollback"]


def release(
    detector: Annotated[
        Path | None,
        typer.Option(
            "--detector",
            metavar="DIR",
            help="The challenger; by default the newest stage, else what meta-training made, else "
            "the baseline; of pictures where there is one.",
        ),
    ] = None,
    domains: DomainsOption = None,
    domain: DomainNames = None,
    subject: Annotated[
        str, typer.Option("--subject", help="Technique or domain that it answers.")
    ] = "",
    force: Annotated[
        bool, typer.Option("--force", help="Release it whatever the gate says; needs --why.")
    ] = False,
    why: Annotated[str, typer.Option("--why", help="Why it is forced; kept in the history.")] = "",
    as_json: JsonFlag = False,
) -> None:
    """Make a detector the champion if it passes the gate.

    Champion and challenger are measured on the same test files, clean and laundered. Refused is
    what may be worse on a domain that the champion knows, or where pictures are degraded, is not
    better on what it learned since, calls too many reals fake, or rests on synthesized fakes alone
    whose engines are not known to teach. Fails with 1 when it is refused.
    """
    if force and not why.strip():
        raise UsageError("--force needs --why: the reason is kept in the history.")
    place = _challenger(detector)
    root = root_at(domains)
    folders = domain_folders(root, domain)

    from deepward.detectors import Descriptions, load_detector
    from deepward.files import canonical_json, sha256_bytes
    from deepward.release import Releases, judge_challenger
    from deepward.release.evidence import read_lessons, synthesized_alone

    store = Descriptions(descriptions_file())
    challenger = load_detector(place, descriptions=store)
    medium = challenger.medium
    releases = Releases(home(), medium)
    releases.mend()
    now = releases.champion()
    champion = load_detector(champion_detector(medium), descriptions=store) if now else None
    with shown_progress() as progress:
        manifests = [scan(folder, progress, root) for folder in folders]
        manifests = [manifest for manifest in manifests if manifest.medium == medium]
        found = _measured(challenger, manifests, progress, place.name)
        before = _measured(champion, manifests, progress, "champion") if champion else []
        degraded = _degraded(challenger, champion, manifests, progress) if champion else None
    decision = judge_challenger(
        found,
        before,
        learned=challenger.lineage.get("domains", {}),
        learned_before=champion.lineage.get("domains", {}) if champion else (),
        card=challenger.lineage,
        flagged=_flagged(manifests),
        evidence=synthesized_alone(home(), manifests, read_lessons(home(), challenger.medium)),
        degraded=degraded,
    )
    evidence = sha256_bytes(canonical_json([m.content_hash for m in manifests]).encode())
    made = releases.decide(
        decision,
        place,
        challenger.content_hash,
        name=place.name,
        subject=subject,
        evidence=evidence,
        force=why.strip() if force else "",
    )
    if as_json:
        print_json(made.as_dict())
    else:
        _tell(made)
    if not made.released:
        raise WorkError("The challenger was refused; the champion stays.")


def rollback(
    version: Annotated[
        int | None, typer.Argument(metavar="[VERSION]", help="By default the one before.")
    ] = None,
    why: Annotated[str, typer.Option("--why", help="Kept in the history.")] = "",
    sounds: Annotated[
        bool, typer.Option("--sounds", help="Of the detector of sounds, not of pictures.")
    ] = False,
    as_json: JsonFlag = False,
) -> None:
    """Make an earlier version champion again."""
    from deepward.release import Releases

    made = Releases(home(), "audio" if sounds else "image").rollback(version, why.strip())
    if as_json:
        print_json(made.as_dict())
    else:
        _tell(made)


def history(as_json: JsonFlag = False) -> None:
    """Say what became of each challenger, and why: of pictures, then of sounds."""
    from deepward.release import Releases

    entries = [entry for medium in MEDIA for entry in Releases(home(), medium).entries()]
    if as_json:
        for entry in entries:
            print_json(entry.as_dict())
        return
    if not entries:
        say("Nothing was released or refused yet.")
        return
    rows = [
        [e.made_at, _word(e), e.version, e.detector, e.subject or "–", e.time_to_defence]
        for e in entries
    ]
    print_table(["when", "what", "champion", "detector", "answers", "seconds since the news"], rows)
    for entry in entries:
        for reason in entry.reasons:
            out(f"{entry.number}: {reason}")


def _challenger(detector: Path | None) -> Path:
    if detector is not None:
        if not detector.is_dir():
            raise UsageError(f"There is no detector folder at {detector}.")
        return detector
    from deepward.release import challengers

    if found := [place for medium in MEDIA for place in challengers(home(), medium)]:
        return found[0]
    raise DetectorFileError(
        f"No detector has been trained yet below {home()}: run `make demo` or `deepward train`, or "
        "name one with --detector."
    )


def _measured(
    detector: "Detector", manifests: "list[Manifest]", progress: "Progress", name: str
) -> "list[DomainMetrics]":
    return [found for _, found in evaluated(detector, manifests, "test", progress, name)]


def _degraded(
    challenger: "Detector",
    champion: "Detector",
    manifests: "list[Manifest]",
    progress: "Progress",
) -> "pd.DataFrame | None":
    """Scores of both on some test pictures of what the champion knows, degraded."""
    from deepward.release.degraded import degraded_scores, some_of

    learned = champion.lineage.get("domains", {})
    known = [
        images([manifest], "test", progress)
        for manifest in manifests
        if manifest.domain in learned and "test" in manifest.counts()
    ]
    some = some_of(known, seed=0)
    return None if some is None else degraded_scores(challenger, champion, some)


def _flagged(manifests: "list[Manifest]") -> dict[str, str]:
    from deepward.domains import audit_domain

    found = {manifest.domain: audit_domain(manifest) for manifest in manifests}
    return {domain: audit.reason for domain, audit in found.items() if audit.flagged}


def _word(entry: "Release") -> str:
    if entry.how == "rollback":
        return "rolled back"
    return ("forced" if entry.how == "forced" else "released") if entry.released else "refused"


def _tell(entry: "Release") -> None:
    out(f"{entry.detector} {entry.content_hash[:12]}: {_word(entry)}")
    for reason in entry.reasons:
        out(f"  {reason}")
    if entry.version:
        out(f"champion: version {entry.version}")
