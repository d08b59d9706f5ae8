"""The hybrid index: passages of documents that are found by meaning and by words, kept in step.

chunking, cutting, duplicates   documents become passages
tables, passages, bm25          SQLite, the authority, and the words in it
vectors                         Chroma
opening, hybrid                 all of it together, as `HybridIndex`
filters                         what a hit must be
"""

from deepward.knowledge.index.hybrid import Agreement, HybridIndex, SyncReport

__all__ = ["Agreement", "HybridIndex", "SyncReport"]
