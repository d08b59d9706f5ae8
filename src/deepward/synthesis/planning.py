"""Who meets whom: samples from bases and edit specs, in chunks that any process can make."""

import math
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from deepward.files import canonical_json, sha256_bytes
from deepward.synthesis.bases import ListedBase
from deepward.synthesis.config import SynthesisConfig, engine_for
from deepward.techniques.specs import EditSpec

__all__ = ["CHUNKS", "Plan"]

CHUNKS = "chunks"  # folder of the rows of chunks that are done
BASES_PER_CHUNK = 8  # that a worker takes at a time; donors come from the same chunk
ATTEMPTS = 4  # samples tried per fake wanted before giving up
_ENOUGH = 4  # bases in a chunk that find a donor among themselves
_LENT = 3  # bases that are lent to a smaller chunk
_LEARN_FROM = 48  # bases; more make a network no better


class Plan:
    """The samples of one run.

    Attributes:
        engines: names of those that are needed, sorted.
        learned: folder of what engines learned from the bases.
    """

    def __init__(
        self,
        config: SynthesisConfig,
        specs: Sequence[EditSpec],
        bases: Sequence[ListedBase],
        work: Path,
    ) -> None:
        self.config = config
        self.specs = specs
        self.bases = bases
        self.work = work
        self.engines = sorted({engine_for(spec.operation, config) for spec in specs})
        self.learned = work / "learned"
        self._first: dict[str | None, int] = {}  # content hash to the first base with it
        for index, base in enumerate(bases):
            if base.reason is None:
                self._first.setdefault(base.sha256, index)

    def teachers(self) -> list[dict[str, Any]]:
        """Bases for engines to learn from: never those of the query, if there are others.

        `learned` is named by their content from here on.
        """
        support: list[dict[str, Any]] = []
        query: list[dict[str, Any]] = []
        for index in range(len(self.bases)):
            facts = self._facts(index)
            if facts["reason"] is None:
                (query if facts["split"] == "test" else support).append(facts)
            if len(support) == _LEARN_FROM:
                break
        found = support or query[:_LEARN_FROM]
        key = canonical_json([facts["sha256"] for facts in found])
        self.learned = self.work / f"learned-{sha256_bytes(key.encode())[:16]}"
        return found

    def numbers(self) -> tuple[int, int]:
        """Fakes wanted, and samples to try at most; no base meets a spec twice."""
        usable, pairs = len(self.bases), len(self.bases) * len(self.specs)
        if self.config.max is None:
            once = max(usable, len(self.specs))
            return once, once
        wanted = min(self.config.max, pairs)
        return wanted, min(wanted * ATTEMPTS, pairs)

    def _pair(self, sample: int) -> tuple[int, int]:
        """Base i mod n and spec i mod m; shifted by one whenever the pairs begin to repeat."""
        count, specs = len(self.bases), len(self.specs)
        period = count * specs // math.gcd(count, specs)
        return sample % count, (sample + sample // period) % specs

    def chunks(self, number: int, samples: range) -> list[dict[str, Any]]:
        """The chunks of one round: bases of one split, each with all its samples."""
        by_base: dict[int, list[dict[str, Any]]] = {}
        for sample in samples:
            base, spec = self._pair(sample)
            plan = {"sample": sample, "spec": self.specs[spec].model_dump(mode="json")}
            by_base.setdefault(base, []).append(plan)
        by_split: dict[str, list[int]] = {}
        for base in by_base:
            by_split.setdefault(self._facts(base)["split"] or "", []).append(base)
        chunks = []
        for split in sorted(by_split):
            members = by_split[split]
            chunks += [
                members[first : first + BASES_PER_CHUNK]
                for first in range(0, len(members), BASES_PER_CHUNK)
            ]
        return [
            self._task(f"{number}-{index}", chunk, by_base) for index, chunk in enumerate(chunks)
        ]

    def _task(
        self, name: str, chunk: list[int], by_base: dict[int, list[dict[str, Any]]]
    ) -> dict[str, Any]:
        neighbours = [] if len(chunk) >= _ENOUGH else self._neighbours(chunk)
        task: dict[str, Any] = {
            "config": asdict(self.config),
            "engines": self.engines,
            "bases": [self._facts(base) for base in [*chunk, *neighbours]],
            "samples": [
                plan | {"base": index} for index, base in enumerate(chunk) for plan in by_base[base]
            ],
        }
        facts = [{**base, "path": None} for base in task["bases"]]
        task["key"] = sha256_bytes(canonical_json({**task, "bases": facts}).encode())
        task["learned"] = str(self.learned)
        task["out"] = str(self.work)
        task["result"] = str(self.work / CHUNKS / f"{name}.json")
        return task

    def _neighbours(self, chunk: list[int]) -> list[int]:
        """Bases of the same split that lend a face where a chunk is too small to do so."""
        split = self._facts(chunk[0])["split"]
        found: list[int] = []
        for offset in range(1, len(self.bases)):
            base = (chunk[-1] + offset) % len(self.bases)
            facts = self._facts(base)
            if base not in chunk and facts["reason"] is None and facts["split"] == split:
                found.append(base)
            if len(found) == _LENT:
                break
        return found

    def _facts(self, index: int) -> dict[str, Any]:
        """What is known of a base without decoding it.

        A copy of a base that comes earlier is not used: one base, one set of samples.
        """
        base = self.bases[index]
        facts = asdict(base)
        if base.reason is None and self._first[base.sha256] < index:
            facts["reason"] = "duplicate"
        return facts
