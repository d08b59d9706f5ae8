"""Data sets of pictures on disk: layout, manifest, cache of decoded pictures, audit.

The names below are loaded when first used, so that a worker process that only decodes does not
import tables and learners.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from deepward.domains.audit import Audit, audit_domain
    from deepward.domains.cache import PixelCache, build_cache
    from deepward.domains.images import ImageSet, SoundSet, load_images
    from deepward.domains.layout import SPLITS, find_domains
    from deepward.domains.manifest import MANIFEST_COLUMNS, Manifest
    from deepward.domains.scan import scan_domain

__all__ = [
    "MANIFEST_COLUMNS",
    "SPLITS",
    "Audit",
    "ImageSet",
    "Manifest",
    "PixelCache",
    "SoundSet",
    "audit_domain",
    "build_cache",
    "find_domains",
    "load_images",
    "scan_domain",
]

_HOMES = {
    "Audit": "audit",
    "ImageSet": "images",
    "MANIFEST_COLUMNS": "manifest",
    "Manifest": "manifest",
    "PixelCache": "cache",
    "SPLITS": "layout",
    "SoundSet": "images",
    "audit_domain": "audit",
    "build_cache": "cache",
    "find_domains": "layout",
    "load_images": "images",
    "scan_domain": "scan",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"deepward.domains.{_HOMES[name]}"), name)
