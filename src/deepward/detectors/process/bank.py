"""The bank: described samples, not pictures, that heads are fitted on, domain after domain."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from itertools import pairwise
from typing import Any, Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from deepward.errors import DetectorFileError

__all__ = ["Bank"]

_TEXTS = ("domains", "techniques", "groups", "keys")


@dataclass(frozen=True)
class Bank:
    """N rows and what is known of each, in one order whatever the order they came in.

    Attributes:
        rows: (N, D) float16, as a frame makes them.
        labels: (N,) 0 real, 1 fake.
        twin: (N,) described after laundering, by one of many ways.
        domains, techniques, groups: (N,) text; a technique is "" where unknown.
        keys: (N,) content hash of the sample.
    """

    rows: NDArray[np.float16]
    labels: NDArray[np.int64]
    twin: NDArray[np.bool_]
    domains: NDArray[Any]
    techniques: NDArray[Any]
    groups: NDArray[Any]
    keys: NDArray[Any]

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, chosen: NDArray[Any] | slice) -> "Bank":
        return Bank(**{f.name: getattr(self, f.name)[chosen] for f in fields(self)})

    @classmethod
    def join(cls, banks: Sequence[Self]) -> "Bank":
        """All rows, ordered by domain, sample and twin; a sample known twice stands once."""
        whole = Bank(
            **{
                f.name: np.concatenate([getattr(bank, f.name) for bank in banks])
                for f in fields(cls)
            }
        )
        order = np.lexsort((whole.twin, whole.keys, whole.domains))
        ordered = whole[order]
        same = (
            (ordered.keys[1:] == ordered.keys[:-1])
            & (ordered.domains[1:] == ordered.domains[:-1])
            & (ordered.twin[1:] == ordered.twin[:-1])
        )
        return ordered[np.append(True, ~same)] if len(ordered) else ordered

    def evenly(self, most: int) -> NDArray[np.int64]:
        """At most `most` rows, as evenly as possible from every cell, in their order.

        A cell is what was learned of one technique of one domain, clean or laundered. Within it
        rows come by their keys: content hashes, as good as random, and the same whatever was
        learned first.
        """
        if len(self) <= most:
            return np.arange(len(self))
        names = (self.domains, self.techniques, self.twin, self.labels)
        cells = np.zeros(len(self), np.int64)
        for column in names:
            _, codes = np.unique(column, return_inverse=True)
            cells = cells * (int(codes.max()) + 1) + codes
        order = np.lexsort((self.keys, cells))
        turn = np.empty(len(self), np.int64)  # place of each row in its own cell
        starts = np.flatnonzero(np.append(True, cells[order][1:] != cells[order][:-1]))
        for first, last in pairwise([*starts.tolist(), len(self)]):
            turn[order[first:last]] = np.arange(last - first)
        return np.sort(np.lexsort((self.keys, cells, turn))[:most])

    def source_classes(self) -> list[tuple[str, str]]:
        """(domain, technique) of the fakes, in order."""
        fake = self.labels == 1
        pairs = zip(self.domains[fake].tolist(), self.techniques[fake].tolist(), strict=True)
        return sorted(set(pairs))

    def tensors(self) -> dict[str, Tensor]:
        """Named for a detector file: a part "bank-<domain>" per domain, always the same bytes."""
        named = {}
        for domain in sorted(set(self.domains.tolist())):
            part = self[self.domains == domain]
            texts = {name: getattr(part, name).tolist() for name in _TEXTS}
            note = np.frombuffer(json.dumps(texts, ensure_ascii=False).encode(), np.uint8)
            start = f"bank-{domain}/"
            named[f"{start}rows"] = torch.from_numpy(np.ascontiguousarray(part.rows))
            named[f"{start}labels"] = torch.from_numpy(part.labels.astype(np.int8))
            named[f"{start}twin"] = torch.from_numpy(part.twin)
            named[f"{start}texts"] = torch.from_numpy(note.copy())
        return named

    @classmethod
    def restore(cls, tensors: Mapping[str, Tensor]) -> "Bank":
        """Reads what `tensors` gave.

        Raises:
            DetectorFileError: a part lacks rows or texts.
        """
        banks = []
        for name in sorted(tensors):
            if not name.startswith("bank-") or not name.endswith("/rows"):
                continue
            start = name.removesuffix("rows")
            rows = tensors[name].numpy()
            try:
                texts = json.loads(bytes(tensors[f"{start}texts"].numpy()))
                labels = tensors[f"{start}labels"].numpy().astype(np.int64)
                twin = tensors[f"{start}twin"].numpy().astype(bool)
                columns = {key: np.array(texts[key], dtype=np.str_) for key in _TEXTS}
            except (KeyError, ValueError) as error:
                message = f"The bank's part {start!r} is damaged ({error})."
                raise DetectorFileError(message) from error
            lengths = {len(rows), len(labels), len(twin), *map(len, columns.values())}
            if len(lengths) != 1:
                raise DetectorFileError(f"The bank's part {start!r} has columns of {lengths} rows.")
            banks.append(cls(rows=rows, labels=labels, twin=twin, **columns))
        if not banks:
            raise DetectorFileError("The bank holds no rows.")
        return cls.join(banks)
