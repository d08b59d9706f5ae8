"""Labelled pictures ready to be read: what learning and evaluation take."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, overload

import numpy as np
from numpy.typing import NDArray

from deepward.domains.cache import PixelCache
from deepward.domains.manifest import Manifest
from deepward.errors import DomainError
from deepward.media import NOUNS

__all__ = ["ImageSet", "SoundSet", "load_images", "qualified_group"]


@dataclass(frozen=True)
class _CachedPixels(Sequence[NDArray[np.uint8]]):
    """Reads pictures from caches when they are asked for."""

    caches: tuple[PixelCache, ...]
    places: tuple[tuple[int, str], ...]  # number of the cache, content hash

    def __len__(self) -> int:
        return len(self.places)

    @overload
    def __getitem__(self, index: int) -> NDArray[np.uint8]: ...
    @overload
    def __getitem__(self, index: slice) -> "_CachedPixels": ...
    def __getitem__(self, index: int | slice) -> "NDArray[np.uint8] | _CachedPixels":
        if isinstance(index, slice):
            return _CachedPixels(self.caches, self.places[index])
        number, key = self.places[index]
        return self.caches[number][key]


@dataclass(frozen=True)
class _JoinedPixels(Sequence[NDArray[np.uint8]]):
    first: Sequence[NDArray[np.uint8]]
    second: Sequence[NDArray[np.uint8]]

    def __len__(self) -> int:
        return len(self.first) + len(self.second)

    @overload
    def __getitem__(self, index: int) -> NDArray[np.uint8]: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[NDArray[np.uint8]]: ...
    def __getitem__(self, index: int | slice) -> "NDArray[np.uint8] | Sequence[NDArray[np.uint8]]":
        if isinstance(index, slice):
            return [self[i] for i in range(*index.indices(len(self)))]
        if index < 0:
            index += len(self)
        return (
            self.first[index] if index < len(self.first) else self.second[index - len(self.first)]
        )


@dataclass(frozen=True)
class ImageSet:
    """N labelled pictures.

    Attributes:
        pixels: (H, W, 3) uint8 RGB each, read from the cache when indexed; read-only.
        labels: (N,) int64, 0 real, 1 fake.
        domains: (N,) name of each picture's domain.
        techniques: (N,) "" where unknown.
        groups: (N,) "<domain>/<group>": the unit to resample by; see `qualified_group`.
        paths: (N,) "<domain>/<path below the domain's folder>".
        hashes: (N,) SHA-256 of each picture's file, hex.
        splits: (N,) "train", "val" or "test".
    """

    pixels: Sequence[NDArray[np.uint8]]
    labels: NDArray[np.int64]
    domains: NDArray[np.str_]
    techniques: NDArray[np.str_]
    groups: NDArray[np.str_]
    paths: tuple[str, ...]
    hashes: tuple[str, ...]
    splits: tuple[str, ...]

    @property
    def medium(self) -> str:
        """ "image"."""
        return "image"

    def __len__(self) -> int:
        return len(self.paths)

    def joined(self, other: "ImageSet") -> "ImageSet":
        """The samples of both, these first.

        Raises:
            DomainError: they are of two media.
        """
        if self.medium != other.medium and len(self) and len(other):
            raise DomainError(
                f"{NOUNS[self.medium].capitalize()}s of {self.domains[0]} and "
                f"{NOUNS[other.medium]}s of {other.domains[0]} cannot be learned together: a "
                "detector is of one medium."
            )
        return type(self)(
            pixels=_JoinedPixels(self.pixels, other.pixels),
            labels=np.concatenate([self.labels, other.labels]),
            domains=np.concatenate([self.domains, other.domains]),
            techniques=np.concatenate([self.techniques, other.techniques]),
            groups=np.concatenate([self.groups, other.groups]),
            paths=self.paths + other.paths,
            hashes=self.hashes + other.hashes,
            splits=self.splits + other.splits,
        )

    def subset(self, index: NDArray[Any] | Sequence[int] | Sequence[bool] | slice) -> "ImageSet":
        """The pictures at some positions, in that order; a mask and a slice work too."""
        everything = np.arange(len(self))
        if isinstance(index, slice):
            chosen = everything[index]
        else:
            positions = np.asarray(index)
            chosen = everything[positions if positions.size else positions.astype(np.int64)]
        pixels: Sequence[NDArray[np.uint8]]
        if isinstance(self.pixels, _CachedPixels):
            places = tuple(self.pixels.places[i] for i in chosen)
            pixels = _CachedPixels(self.pixels.caches, places)
        else:
            pixels = [self.pixels[i] for i in chosen]
        return type(self)(
            pixels=pixels,
            labels=self.labels[chosen],
            domains=self.domains[chosen],
            techniques=self.techniques[chosen],
            groups=self.groups[chosen],
            paths=tuple(self.paths[i] for i in chosen),
            hashes=tuple(self.hashes[i] for i in chosen),
            splits=tuple(self.splits[i] for i in chosen),
        )


class SoundSet(ImageSet):
    """N labelled sounds: `pixels` holds (n,) int16 mono at 16 kHz each, prepared; see `media`."""

    @property
    def medium(self) -> str:
        """ "audio"."""
        return "audio"


def qualified_group(domain: str, group: str) -> str:
    """`<domain>/<group>`; a group with a slash in it is another domain's and says so itself.

    A few-shot set names the groups of the domain that its bases come from.
    """
    return group if "/" in group else f"{domain}/{group}"


def load_images(
    manifests: Sequence[Manifest], caches: Sequence[PixelCache], split: str | None
) -> ImageSet:
    """Joins the usable pictures of some domains, in the order of the manifests, by path in each.

    Args:
        manifests: one per domain.
        caches: the cache of each, in the same order.
        split: "train", "val" or "test"; None for all usable pictures.

    Raises:
        DomainError: the lists don't match, the domains are of two media, or a cache lacks a
            sample of its manifest.
    """
    if len(manifests) != len(caches):
        raise DomainError(f"{len(manifests)} manifests cannot go with {len(caches)} caches.")
    places: list[tuple[int, str]] = []
    labels, domains, techniques, groups, paths, splits = [], [], [], [], [], []
    for number, (manifest, cache) in enumerate(zip(manifests, caches, strict=True)):
        rows = manifest.usable(split)
        keys = [str(key) for key in rows["content_hash"]]
        lacking = [path for key, path in zip(keys, rows["path"], strict=True) if key not in cache]
        if lacking:
            raise DomainError(
                f"The cache of {manifest.domain} lacks {len(lacking)} pictures, "
                f"{lacking[0]} for one; build it again from this manifest."
            )
        places += [(number, key) for key in keys]
        labels += rows["label"].tolist()
        domains += [manifest.domain] * len(rows)
        techniques += rows["technique"].fillna("").tolist()
        groups += [qualified_group(manifest.domain, group) for group in rows["group"]]
        paths += [f"{manifest.domain}/{path}" for path in rows["path"]]
        splits += rows["split"].tolist()
    media = {manifest.medium: manifest.domain for manifest in manifests}
    if len(media) > 1:
        named = ", ".join(f"{domain} holds {NOUNS[medium]}s" for medium, domain in media.items())
        raise DomainError(f"{named}: name domains of one medium.")
    kind = SoundSet if "audio" in media else ImageSet
    return kind(
        pixels=_CachedPixels(tuple(caches), tuple(places)),
        labels=np.array(labels, dtype=np.int64),
        domains=np.array(domains, dtype=np.str_),
        techniques=np.array(techniques, dtype=np.str_),
        groups=np.array(groups, dtype=np.str_),
        paths=tuple(paths),
        hashes=tuple(key for _, key in places),
        splits=tuple(splits),
    )
