"""Lists of literature: passages that name works on a subject and say nothing of it."""

import re

__all__ = ["is_bibliography"]

_HEADING = re.compile(
    r"\s*(?:\d+\.?\s+)?(references|bibliography|literature|works cited)\s*$", re.I
)
_MARK = re.compile(
    r"\b(?:19|20)\d\d[a-z]?\b|\bet al\.|\barXiv:|\bdoi:|\bpp?\.\s?\d|\bvol\.|https?://"
    r"|\b(?:proceedings|transactions|journal|conference|workshops?|preprint|CVPR|ICCV|ECCV|NeurIPS"
    r"|ICLR|ICML|AAAI|USENIX|Interspeech|ICASSP)\b",
    re.I,
)
_DENSE = 25.0  # characters a mark, in lists; prose has one in some hundreds


def is_bibliography(text: str) -> bool:
    """Whether a passage is a list of literature: by its heading, or by marks of citation."""
    first, _, rest = text.partition("\n")
    if rest and _HEADING.match(first):
        return True
    marks = len(_MARK.findall(text))
    return marks >= 6 and len(text) < _DENSE * marks
