"""Evidence as sentences that can be quoted, each with its passage, and their vectors.

Which may be quoted: whole ones, in prose, about the matter, and addressed to nobody. A passage may
be a table, a command, a list of papers, or text that wants something from its reader. None of that
is a statement about fakes. What is left out here cannot get into a report.
"""

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from deepward.agents.schemas import Evidence
from deepward.knowledge.embedding import Encoder, Vectors

__all__ = ["Sentence", "SentenceVectors", "is_prose", "quotable", "split_prose"]

_LEAST_WORDS, _MOST_WORDS = 6, 60
_MOST_CHARACTERS = 420
_ABBREVIATION = re.compile(
    r"(?:\b(?:et al|e\.g|i\.e|cf|vs|approx|Fig|Figs|Eq|Sec|Tab|No|Nos|Dr|Mr|Mrs|Prof|St|resp|etc"
    r"|[A-Z])\.)$"
)
_END = re.compile(r"(?<=[.!?])[\"'”’)]*\s+(?=[\"'“‘(]?[A-Z0-9])")
# Signs of code, markup, tables, references and addresses.
_NO_PROSE = re.compile(
    r"[|`{}<>\\^~=@#$%]{2}|[|`{}<>\\=@#→✓✔©®]|\w_\w|://|\bwww\.|\barxiv\b|\bdoi\b|\bisbn\b"
    r"|\b[\w/-]+\.(?:py|sh|md|txt|ipynb|json|ya?ml|exe|zip|pth|pkl|jpe?g|png|gif|mp4|com|org|io|net)\b"
    r"|--\w|\bpp?\. ?\d|\bvol\.|\bproceedings of\b|\[[^\]]*[a-z][^\]]*\]|\.{3}|…|\bTODO\b"
    r"|\(\s*\)|\d+ ?GB\b|\*\*|!\[|[A-Za-z0-9+/]{40,}",
    re.IGNORECASE,
)
# First and second person, and words by which a text speaks to its reader or to a machine.
_ADDRESSED = re.compile(
    r"\b(?:i|we|us|our|ours|my|mine|you|your|yours|yourself|let's|please|welcome|thanks?|sorry"
    r"|click|readme|repo|repository|github|license|licence|pull request|changelog|pip|conda|docker"
    r"|this (?:paper|section|article|document|page|project|code|work|folder|script|guide|tutorial)"
    r"|assistant|chatbot|as an? (?:ai|language model)|system prompt|chunk|chunk_ids?|tool calls?"
    r"|(?:ignore|disregard|forget|obey|override) (?:\w+ )?(?:your|all|any|every|previous|prior"
    r"|earlier|these|those|instructions?|rules?|orders?|above)|must (?:cite|answer|respond|call"
    r"|write|output)|cite|figure|fig\.|equation|eq\.|appendix|as follows|(?:see|shown|listed"
    r"|described) (?:above|below))\b",
    re.IGNORECASE,
)
_IMPERATIVE = re.compile(
    r"^(?:use|run|install|download|clone|see|set|make sure|note|check|try|copy|open|unzip|refer|add"
    r"|create|build|start|stop|choose|select|enter|type|press|read|write|fetch|call|decode|go|do"
    r"|don't|never|always|remember|consider|ensure|put|place|move|delete|remove|save|extract|train"
    r"|edit|change|update|upgrade|specify|follow|contact|join|visit|star|report|if you|to do so"
    r"|cite|return|print|load|take|keep|let|give|send|answer|reply|tell|say|pretend|act)\b"
    r"(?!\w|-| edits?| traces?| images?| faces?)",
    re.IGNORECASE,
)
# A sentence that leans on the one before it says little on its own.
_LEANING = re.compile(
    r"^(?:it|its|they|their|them|he|she|his|her|this|these|those|such|both|here|there|then|but"
    r"|and|or|however|therefore|thus|hence|also|moreover|furthermore|instead|otherwise|besides|finally"
    r"|additionally|similarly|likewise|nevertheless|consequently|as a result|in addition"
    r"|for example|for instance|the (?:former|latter|same|above)|that (?!\w+ (?:is|are|was)\b)"
    r"|which|so|yet)\b",
    re.IGNORECASE,
)
_VERB = re.compile(
    r"\b(?:is|are|was|were|be|been|has|have|had|can|could|may|might|must|will|would|should|does|do|did"
    r"|\w{2,}(?:s|ed|es)|leave|show|change|keep|remain|make|look|lie|lose|fail|bend|break|carry|melt"
    r"|disagree|differ|occur|replace|use|need|give|come|become|find|fit|work|tend|appear|merge)\b"
)
_LONGEST_HEADING = 90  # characters
_KEPT = 20_000  # vectors in memory: 30 MB


@dataclass(frozen=True)
class Sentence:
    """One statement of a passage.

    Attributes:
        passage: it stands in.
        heading: above it in the same passage; "" when the passage has none.
        order: place in the evidence, to restore the order of reading.
    """

    text: str
    passage: Evidence
    heading: str
    order: int

    @property
    def chunk_id(self) -> str:
        return self.passage.chunk_id


class SentenceVectors:
    """Vectors by text; a text goes through the encoder once."""

    def __init__(self, encoder: Encoder) -> None:
        self._encoder = encoder
        self._known: dict[str, Vectors] = {}

    def __call__(self, texts: Sequence[str]) -> NDArray[np.float64]:
        """Unit vectors (N, D), in the order of `texts`."""
        if len(self._known) > _KEPT:
            self._known.clear()
        new = [text for text in dict.fromkeys(texts) if text not in self._known]
        if new:
            self._known.update(zip(new, self._encoder.encode(new), strict=True))
        found = [self._known[text] for text in texts] or self._encoder.encode([""])[:0]
        return np.array(found, dtype=np.float64)


def quotable(evidence: Sequence[Evidence]) -> list[Sentence]:
    """Sentences of the passages that can stand as statements, in order, each text once."""
    seen: set[str] = set()
    found: list[Sentence] = []
    for passage in evidence:
        heading = ""
        for line in passage.text.splitlines():
            words = " ".join(line.split())
            if len(words) <= _LONGEST_HEADING and words and words[-1] not in ".!?:;,":
                heading = words
                continue
            for text in split_prose(words):
                if text.casefold() not in seen and is_prose(text):
                    seen.add(text.casefold())
                    found.append(Sentence(text, passage, heading, len(found)))
    return found


def split_prose(text: str) -> list[str]:
    """Pieces of a text between sentence ends; `et al.` and initials end none."""
    pieces: list[str] = []
    start = 0
    for match in _END.finditer(text):
        if _ABBREVIATION.search(text[start : match.start()].rstrip("\"'”’)")):
            continue
        pieces.append(text[start : match.end()].strip())
        start = match.end()
    pieces.append(text[start:].strip())
    return [piece for piece in pieces if piece]


def is_prose(text: str) -> bool:
    """Whether a piece is a sentence that can stand alone as a statement."""
    words = re.findall(r"[^\W\d_][\w'’-]*", text)
    if not _LEAST_WORDS <= len(words) <= _MOST_WORDS or len(text) > _MOST_CHARACTERS:
        return False
    if not re.match(r"[A-Z0-9\"“‘']", text) or not re.search(r"\.[\"'”’)]?$", text):
        return False
    if _hidden_or_mixed(text) or _NO_PROSE.search(text):
        return False
    if _ADDRESSED.search(text) or _IMPERATIVE.match(text) or _LEANING.match(text):
        return False
    lower = sum(word.islower() or word[1:].islower() for word in words)
    letters = sum(c.isalpha() or c.isspace() for c in text)
    balanced = text.count("(") == text.count(")") and text.count('"') % 2 == 0
    return (
        balanced
        and lower / len(words) >= 0.7
        and letters / len(text) >= 0.85
        and len({w.casefold() for w in words}) / len(words) >= 0.5
        and _VERB.search(text) is not None
    )


def _hidden_or_mixed(text: str) -> bool:
    """Characters that nobody sees, or letters of another script within a word."""
    if any(unicodedata.category(c) in ("Cc", "Cf", "Co", "Cs", "Cn") for c in text):
        return True
    return any(
        c.isalpha() and not unicodedata.name(c, "").startswith(("LATIN", "GREEK")) for c in text
    )
