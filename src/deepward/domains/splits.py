"""Which pictures belong together, which are copies, and who goes into which split.

A group is one base image with everything made from it. Two pictures fall into one group when
- `metadata` names the same group for both,
- their bytes are the same, or they look alike (`hashes`: re-encoded, resized, toned, mirrored,
  turned by quarters),
- one is a crop of the other (`keypoints`; searched for in flat domains, where splits are derived),
- their names say so: `x_crop2.jpg`, `x-copy.png` or `x (1).jpg` beside an `x.jpg` in one folder.

Copies are set aside, never both kept where they could leak or count twice:
- same bytes, or the same picture saved anew (`copies`), under both labels: all of them,
  `duplicate_with_other_label`;
- same bytes, or looking alike under the same label, in two declared splits: test stays, then val;
  the others are `duplicate_across_splits`;
- same bytes inside one split: the first by path stays, the others are `duplicate`.
Other pictures that look alike under different labels are both kept: a fake made from a real looks
like it, and that is what a detector has to tell apart. They share a group.
"""

import posixpath
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from deepward.domains.layout import SPLITS
from deepward.files import sha256_bytes
from deepward.pictures.hashes import near_pairs, read_hashes
from deepward.sounds.copies import near_sounds

__all__ = ["SPLIT_SHARES", "Looks", "arrange", "split_of_group"]

SPLIT_SHARES: dict[str, float] = {"train": 0.6, "val": 0.2, "test": 0.2}
_MOST_COMPARED = 8  # pictures of the other label that one is compared with, pixel by pixel
_DERIVED_NAME = re.compile(
    r"(.+?)(?:[ _.-]+(?:crop(?:ped)?|copy|resized?|scaled?|jpe?g|q|quality|recompressed"
    r"|flip(?:ped)?|rot(?:ated)?|thumb(?:nail)?)[ _-]?\d*| ?\(\d+\))+"
)


def split_of_group(group: str) -> str:
    """The split of a group in a domain without declared splits: a function of its name alone."""
    position = int(sha256_bytes(group.encode())[:12], 16) / 16**12
    for split, share in SPLIT_SHARES.items():
        position -= share
        if position < 0:
            return split
    return SPLITS[-1]


@dataclass(frozen=True)
class Looks:
    """Which usable pictures look alike.

    Attributes:
        good: (G,) numbers of the rows that are usable so far.
        look_of: (G,) number of the look of each.
        pairs: (P, 2) looks that are near each other.
        count: of the looks.
    """

    good: NDArray[np.int64]
    look_of: NDArray[np.int64]
    pairs: NDArray[np.int64]
    count: int

    @classmethod
    def of(cls, rows: pd.DataFrame, medium: str = "image") -> "Looks":
        """Compares the rows by `perceptual_hash`; quarantined ones are left out."""
        good = np.flatnonzero(rows["quarantine"].isna().to_numpy())
        hashes = read_hashes(rows["perceptual_hash"].iloc[good].tolist())
        looks, look_of = np.unique(hashes, axis=0, return_inverse=True)
        near = near_sounds if medium == "audio" else near_pairs
        return cls(good, look_of.reshape(-1), near(looks), len(looks))

    def across_labels(self, rows: pd.DataFrame) -> list[tuple[int, int]]:
        """Pairs of rows (real, fake) that look alike; few for each, as looks may be very common."""
        labels = rows["label"].to_numpy(dtype=np.int64, na_value=-1)
        members: dict[int, tuple[list[int], list[int]]] = {}
        for row, look in zip(self.good.tolist(), self.look_of.tolist(), strict=True):
            members.setdefault(look, ([], []))[labels[row]].append(row)
        own = [(look, look) for look in members]
        found: set[tuple[int, int]] = set()
        taken: Counter[int] = Counter()
        for first, second in [*own, *self.pairs.tolist()]:
            for one, other in ((first, second), (second, first)):
                for real in members[one][0]:
                    for fake in members[other][1]:
                        if taken[fake] == _MOST_COMPARED:
                            continue
                        if taken[real] == _MOST_COMPARED:
                            break
                        if (real, fake) not in found:
                            found.add((real, fake))
                            taken.update((real, fake))
        return sorted(found)


def arrange(
    rows: pd.DataFrame,
    looks: Looks,
    declared: bool,
    named_groups: Sequence[str | None],
    crops: Iterable[tuple[int, int]] = (),
    contradictions: Iterable[tuple[int, int]] = (),
) -> pd.DataFrame:
    """Fills `group`, `split` and `quarantine` of a manifest's rows, sorted by path.

    Args:
        rows: `path`, `content_hash`, `label`, `split` (declared), `quarantine`.
        looks: of these rows.
        declared: whether the splits are the folder's own.
        named_groups: per row the group that the metadata names, or None.
        crops: numbers of rows known to show the same base image.
        contradictions: numbers of rows that hold one picture under two labels.
    """
    good, look_of = looks.good, looks.look_of
    contents = rows["content_hash"].to_numpy(dtype=object)[good]
    paths = rows["path"].to_numpy(dtype=object)[good]
    names = np.array(named_groups, dtype=object)[good]
    place = {int(row): number for number, row in enumerate(good)}
    pairs = [_representatives(look_of, looks.count)[looks.pairs]]
    pairs += [_chain(look_of), _chain(contents)]
    pairs += [_chain(names), _chain(_stems(paths))]
    known = [(place[a], place[b]) for a, b in crops if a in place and b in place]
    pairs.append(np.array(known, dtype=np.int64).reshape(-1, 2))
    groups = _name_groups(np.concatenate(pairs), contents, names)

    rows = rows.copy()
    group_column = np.full(len(rows), None, dtype=object)
    group_column[good] = groups
    rows["group"] = pd.array(group_column, dtype="str")
    if not declared:
        splits = np.full(len(rows), None, dtype=object)
        splits[good] = [split_of_group(group) for group in groups]
        rows["split"] = pd.array(splits, dtype="str")
    labels = rows["label"].to_numpy(dtype=np.int64, na_value=-1)[good]
    order = {split: rank for rank, split in enumerate(SPLITS)}
    ranks = np.array([order[split] for split in rows["split"].iloc[good].tolist()], dtype=np.int64)
    quarantine = rows["quarantine"].to_numpy(dtype=object).copy()
    quarantine[quarantine != quarantine] = None
    quarantine[good] = _exact_copies(contents, labels, ranks)
    disputed = set(rows["content_hash"].iloc[[row for pair in contradictions for row in pair]])
    quarantine[good[[content in disputed for content in contents]]] = "duplicate_with_other_label"
    if declared:
        kept = np.flatnonzero([reason is None for reason in quarantine[good]])
        leaking = _alike_in_later_split(look_of[kept], labels[kept], ranks[kept], looks.pairs)
        quarantine[good[kept[leaking]]] = "duplicate_across_splits"
    rows["quarantine"] = pd.array(quarantine, dtype="str")
    return rows


def _representatives(numbers: NDArray[np.int64], count: int) -> NDArray[np.int64]:
    """For each of `count` values one position in `numbers` where it stands."""
    first = np.zeros(count, dtype=np.int64)
    first[numbers[::-1]] = np.arange(len(numbers))[::-1]
    return first


def _chain(keys: NDArray[np.generic]) -> NDArray[np.int64]:
    """Pairs (earlier, later) that tie together the positions with equal keys; None ties nothing."""
    seen: dict[object, int] = {}
    pairs = [
        (seen.setdefault(key, position), position)
        for position, key in enumerate(keys.tolist())
        if key is not None
    ]
    return np.array([pair for pair in pairs if pair[0] != pair[1]], dtype=np.int64).reshape(-1, 2)


def _stems(paths: NDArray[np.object_]) -> NDArray[np.object_]:
    """Paths without extension, and without endings like `_crop2` where the plain name exists."""
    plain = [posixpath.splitext(path)[0] for path in paths]
    known = set(plain)
    stems = np.array(plain, dtype=object)
    for number, stem in enumerate(plain):
        folder, _, name = stem.rpartition("/")
        derived = _DERIVED_NAME.fullmatch(name)
        if derived and f"{folder}/{derived[1]}" in known:
            stems[number] = f"{folder}/{derived[1]}"
    return stems


def _name_groups(
    pairs: NDArray[np.int64], contents: NDArray[np.object_], names: NDArray[np.object_]
) -> list[str]:
    """One name per connected set: the least name given for a member, or its least content hash."""
    count = len(contents)
    graph = coo_array((np.ones(len(pairs), dtype=bool), (pairs[:, 0], pairs[:, 1])), (count, count))
    _, sets = connected_components(graph, directed=False)
    best: dict[int, tuple[bool, str]] = {}
    for number, content, name in zip(sets.tolist(), contents, names, strict=True):
        candidate = (True, content[:16]) if name is None else (False, name)
        best[number] = min(best.get(number, candidate), candidate)
    return [best[number][1] for number in sets.tolist()]


def _exact_copies(
    contents: NDArray[np.object_], labels: NDArray[np.int64], ranks: NDArray[np.int64]
) -> NDArray[np.object_]:
    """Reasons for the files whose bytes stand elsewhere too; rows come sorted by path."""
    members: dict[str, list[int]] = {}
    for position, content in enumerate(contents.tolist()):
        members.setdefault(content, []).append(position)
    reasons = np.full(len(contents), None, dtype=object)
    for positions in members.values():
        if len(positions) == 1:
            continue
        if len({int(labels[position]) for position in positions}) > 1:
            reasons[positions] = "duplicate_with_other_label"
            continue
        kept = max(positions, key=lambda position: (ranks[position], -position))
        for position in positions:
            if position != kept:
                same = ranks[position] == ranks[kept]
                reasons[position] = "duplicate" if same else "duplicate_across_splits"
    return reasons


def _alike_in_later_split(
    looks: NDArray[np.int64],
    labels: NDArray[np.int64],
    ranks: NDArray[np.int64],
    look_pairs: NDArray[np.int64],
) -> NDArray[np.bool_]:
    """Marks pictures that look like one of the same label in a split with a higher rank."""
    count = int(max(looks.max(initial=-1), look_pairs.max(initial=-1))) + 1
    own = np.full((count, 2), -1, dtype=np.int64)
    np.maximum.at(own, (looks, labels), ranks)
    best = own.copy()
    np.maximum.at(best, look_pairs[:, 0], own[look_pairs[:, 1]])
    np.maximum.at(best, look_pairs[:, 1], own[look_pairs[:, 0]])
    return best[looks, labels] > ranks
