"""Data sets of pictures on disk: layout, manifest, cache of decoded pictures, audit, demo.

The names below are loaded when first used, so that a worker process that only decodes does not
import tables and learners.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from deepward.domains.audit import Audit, audit_domain
    from deepward.domains.cache import PixelCache, build_cache
    from deepward.domains.decode import Decoded, decode_image
    from deepward.domains.demo import make_demo_domains
    from deepward.domains.images import ImageSet, load_images
    from deepward.domains.layout import SPLITS, find_domains
    from deepward.domains.manifest import MANIFEST_COLUMNS, Manifest
    from deepward.domains.reasons import NOTES, REASONS
    from deepward.domains.scan import scan_domain

__all__ = [
    "MANIFEST_COLUMNS",
    "NOTES",
    "REASONS",
    "SPLITS",
    "Audit",
    "Decoded",
    "ImageSet",
    "Manifest",
    "PixelCache",
    "audit_domain",
    "build_cache",
    "decode_image",
    "find_domains",
    "load_images",
    "make_demo_domains",
    "scan_domain",
]

_HOMES = {
    "Audit": "audit",
    "Decoded": "decode",
    "ImageSet": "images",
    "MANIFEST_COLUMNS": "manifest",
    "Manifest": "manifest",
    "NOTES": "reasons",
    "PixelCache": "cache",
    "REASONS": "reasons",
    "SPLITS": "layout",
    "audit_domain": "audit",
    "build_cache": "cache",
    "decode_image": "decode",
    "find_domains": "layout",
    "load_images": "images",
    "make_demo_domains": "demo",
    "scan_domain": "scan",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"deepward.domains.{_HOMES[name]}"), name)
