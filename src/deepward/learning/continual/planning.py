"""Which order, and which groups: what was asked for, dates, names, or likeness."""

from collections.abc import Container, Sequence
from pathlib import Path

from deepward.errors import UsageError
from deepward.learning.continual.sequences import Sequenced, by_date, read_sequence, startable
from deepward.learning.continual.similarity import Similarity

__all__ = ["plan_sequence"]


def plan_sequence(
    folders: Sequence[Path],
    both: Container[str],
    likeness: Similarity | None = None,
    *,
    sequence: str = "",
    by_similarity: bool = False,
    most_apart: float | None = None,
) -> Sequenced:
    """The stages in their order.

    Args:
        folders: of the domains.
        both: domains that have reals and fakes to learn from; one of them comes first.
        likeness: of the domains, where it was measured.
        sequence: what a user wrote; it goes before all else.
        by_similarity: what is nearest to what is known comes next, instead of dates and names.
        most_apart: domains that are closer than that in the tree of likeness are learned together;
            none: each by itself.

    Raises:
        UsageError: likeness is needed and was not measured, or the sequence makes no sense.
    """
    if sequence:
        return read_sequence(sequence, [folder.name for folder in folders])
    dated = by_date(folders)
    if not by_similarity and most_apart is None:
        return startable(dated, both)
    if likeness is None:
        raise UsageError("Order or groups by similarity need it measured: allow some pictures.")
    groups: list[tuple[str, ...]] = [(name,) for name in dated.order]
    origin = dated.origin
    if most_apart is not None:
        first = {name: place for place, name in enumerate(dated.order)}
        found = likeness.groups(most_apart)
        groups = sorted(found, key=lambda group: min(first[name] for name in group))
        origin = f"{origin}, grouped by similarity"
    if by_similarity:
        groups = likeness.ordered(groups)
        origin = "similarity" if most_apart is None else "similarity, grouped"
    return startable(Sequenced(tuple(groups), (), origin), both)
