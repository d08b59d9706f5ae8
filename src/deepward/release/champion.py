"""The champion, and what became of each challenger.

    releases/entries/000000.json   one decision per file, in the order of deciding; never changed
    releases/versions/<n>/         the detector of version n, as it was released
    detectors/champion/            the detector that judges where none is named

Each medium has its own, named as `deepward.home.of_medium` says. An entry is the truth; the folder
of the champion follows from the last release. A kill between the
two is mended when the releases are next opened.
"""

import json
import shutil
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from deepward.errors import UsageError, WorkError
from deepward.files import atomic_folder, locked, printable, write_json
from deepward.home import DEFAULT_DETECTOR, of_medium
from deepward.learning.continual.ledger import Ledger

if TYPE_CHECKING:
    from deepward.release.decision import Decision

__all__ = ["Release", "Releases", "challengers", "contenders"]

GATE, FORCED, ROLLBACK = "gate", "forced", "rollback"


@dataclass(frozen=True)
class Release:
    """What became of one challenger.

    Attributes:
        number: of the decision, from 0.
        version: of the detector that judges from then on; 0 where nothing was ever released.
        released: whether this challenger became champion.
        how: "gate", "forced" or "rollback".
        detector: name that the challenger goes by.
        content_hash: of the challenger, as its file says.
        champion: content hash of what it was compared with; "" for none.
        subject: technique or domain that it answers; "" where none was named.
        reasons: sentences: what speaks against it, or for it.
        checks: each question and its answer.
        evidence: version of what it was measured on.
        time_to_defence: seconds from the news to this decision, where that is known; a defence only
            where it was released.
        made_at: UTC time.
    """

    number: int
    version: int
    released: bool
    how: str
    detector: str
    content_hash: str
    champion: str
    subject: str
    reasons: tuple[str, ...]
    checks: tuple[Mapping[str, Any], ...] = ()
    evidence: str = ""
    time_to_defence: float | None = None
    made_at: str = ""

    def as_dict(self) -> dict[str, Any]:
        """Values fit for JSON."""
        return asdict(self)

    @classmethod
    def of(cls, values: Mapping[str, Any]) -> Self:
        """Reads back what `as_dict` gave."""
        return cls(**{**values, **{name: tuple(values[name]) for name in ("reasons", "checks")}})


def challengers(home: Path, medium: str = "image") -> list[Path]:
    """Detectors that may challenge the champion of a medium, the most advanced first.

    The newest stage, what meta-training made, the baseline: those that are there.
    """
    head = Ledger(Path(home) / of_medium("stages", medium)).head()
    names = [of_medium(name, medium) for name in ("meta", DEFAULT_DETECTOR)]
    names = [*([head.detector] if head else []), *names]
    places = [Path(home) / "detectors" / name for name in names]
    return [place for place in places if (place / "detector.json").is_file()]


def contenders(home: Path, medium: str = "image") -> dict[str, Path]:
    """Who stands for election: role -> folder of the detector, the one in use first.

    "champion", or "baseline" where there is none, and "challenger": the newest stage, unless it is
    the champion itself. What is not there is left out.
    """
    folder, releases = Path(home) / "detectors", Releases(home, medium)
    now, baseline = releases.champion(), folder / of_medium(DEFAULT_DETECTOR, medium)
    found = {"champion": releases.place(now)} if now else {"baseline": baseline}
    head = Ledger(Path(home) / of_medium("stages", medium)).head()
    if head is not None and (now is None or head.content_hash != now.content_hash):
        found["challenger"] = folder / head.detector
    return {role: place for role, place in found.items() if (place / "detector.json").is_file()}


class Releases:
    """All decisions below one home; several processes may decide, one at a time.

    Args:
        home: `DEEPWARD_HOME`.
        medium: of the detectors that are decided about.
    """

    def __init__(self, home: Path, medium: str = "image") -> None:
        self.folder = Path(home) / of_medium("releases", medium)
        self.champion_folder = Path(home) / "detectors" / of_medium("champion", medium)

    def entries(self) -> list[Release]:
        """Every decision, in order.

        Raises:
            WorkError: one of them cannot be read.
        """
        return [_read(file) for file in sorted((self.folder / "entries").glob("[0-9]*.json"))]

    def champion(self) -> Release | None:
        """The decision that made the present champion."""
        return next((each for each in reversed(self.entries()) if each.released), None)

    def place(self, release: Release) -> Path:
        """Where a released detector lies: by the name that it was measured by, where it still is.

        Else it is the champion's folder.
        """
        named = self.champion_folder.with_name(release.detector)
        return named if _hash_of(named) == release.content_hash else self.champion_folder

    def decide(
        self,
        decision: "Decision",
        challenger: Path,
        content_hash: str,
        *,
        name: str,
        subject: str = "",
        evidence: str = "",
        since: float | None = None,
        force: str = "",
    ) -> Release:
        """Enters a decision, and makes the challenger champion where it says so.

        The same challenger on the same evidence against the same champion is decided once, so
        what was rolled back is not released again by itself.

        Args:
            decision: of the gate.
            challenger: folder of the detector.
            content_hash: of the detector.
            name: that it goes by.
            subject: technique or domain that it answers.
            evidence: version of what it was measured on.
            since: when the news came that it answers, seconds since the epoch.
            force: why it is released whatever the gate says; "" to keep to the gate.
        """
        with locked(self.folder / "releases.lock"):
            self._mend()
            now = self.champion()
            if now is not None and now.content_hash == content_hash:
                return now
            against = now.content_hash if now else ""
            released = decision.released or bool(force)
            for entry in self.entries():
                same = (content_hash, against, evidence)
                if same == (entry.content_hash, entry.champion, entry.evidence) and not force:
                    return entry
            moment = datetime.now(UTC)
            version = self._versions() + 1 if released else (now.version if now else 0)
            reasons = ([f"Released by hand: {force}"] if force else []) + decision.reasons
            entry = Release(
                number=len(self.entries()),
                version=version,
                released=released,
                how=FORCED if force else GATE,
                detector=name,
                content_hash=content_hash,
                champion=against,
                subject=subject,
                reasons=tuple(reasons),
                checks=tuple(asdict(check) for check in decision.checks),
                evidence=evidence,
                time_to_defence=(None if since is None else round(moment.timestamp() - since, 3)),
                made_at=moment.isoformat(timespec="seconds"),
            )
            if released:
                _copy(challenger, self.folder / "versions" / str(version))
            self._enter(entry)
            return entry

    def rollback(self, version: int | None = None, why: str = "") -> Release:
        """Makes an earlier version champion again; by default the one before.

        Raises:
            UsageError: there is no such version.
        """
        with locked(self.folder / "releases.lock"):
            self._mend()
            now = self.champion()
            known = {each.version: each for each in self.entries() if each.released}
            if version is None:
                earlier = [number for number in known if now and number < now.version]
                version = max(earlier, default=None)
            if now is None or version not in known or version == now.version:
                there = ", ".join(str(n) for n in sorted(known) if not now or n != now.version)
                raise UsageError(
                    f"There is no version {'before' if version is None else version} to go back "
                    f"to; there are: {there or 'none'}."
                )
            entry = replace(
                known[version],
                number=len(self.entries()),
                how=ROLLBACK,
                champion=now.content_hash,
                reasons=(why or f"Rolled back from version {now.version}.",),
                checks=(),
                time_to_defence=None,
                made_at=datetime.now(UTC).isoformat(timespec="seconds"),
            )
            self._enter(entry)
            return entry

    def mend(self) -> None:
        """Brings the champion's folder to what the last release says, after a kill."""
        with locked(self.folder / "releases.lock"):
            self._mend()

    def _enter(self, entry: Release) -> None:
        write_json(self.folder / "entries" / f"{entry.number:06d}.json", entry.as_dict())
        self._mend()

    def _versions(self) -> int:
        return max((each.version for each in self.entries()), default=0)

    def _mend(self) -> None:
        now = self.champion()
        if now is None or _hash_of(self.champion_folder) == now.content_hash:
            return
        source = self.folder / "versions" / str(now.version)
        if _hash_of(source) != now.content_hash:
            raise WorkError(
                f"The detector of version {now.version} at {source} is missing or was changed: put "
                "it back from a copy, or roll back to another version."
            )
        _copy(source, self.champion_folder)


def _copy(source: Path, target: Path) -> None:
    with atomic_folder(target) as partial:
        shutil.copytree(source, partial, dirs_exist_ok=True)


def _hash_of(folder: Path) -> str:
    try:
        card = json.loads((folder / "detector.json").read_text(encoding="utf-8"))
        return str(card["sha256"])
    except (OSError, ValueError, KeyError, TypeError):
        return ""


def _read(file: Path) -> Release:
    try:
        values = json.loads(file.read_text(encoding="utf-8"))
        return Release.of(values)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise WorkError(
            f"The entry {printable(file)} of the releases cannot be read ({error}): put it back "
            "from a copy."
        ) from None
