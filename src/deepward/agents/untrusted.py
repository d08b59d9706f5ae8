"""Text of strangers, made fit to be shown to a model: no hidden characters, no template tokens.

Nothing here finds out what a text means. It takes away the means by which a text can look like
something else than text: characters that nobody sees, and the tokens by which chat templates tell
a system message, a turn or a tool call from words.
"""

import re
import unicodedata
from collections.abc import Collection

__all__ = ["MOST_CHARACTERS", "clean_line", "clean_untrusted"]

MOST_CHARACTERS = 4000  # of one text; a stored passage has about 1000
_PASSES = 8  # a token can be hidden in another; after these the brackets themselves go

# Invisible or reordering: control, format (zero width, bidi, tags), private, surrogate, unassigned.
_HIDDEN = frozenset(("Cc", "Cf", "Co", "Cs", "Cn"))
_SELECTORS = re.compile("[\ufe00-\ufe0f\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u3164\uffa0]")
_MANY_MARKS = re.compile(r"([\u0300-\u036f]{3})[\u0300-\u036f]+")
_COMMENT = re.compile(r"<!--.*?(?:-->|\Z)", re.DOTALL)
_PICTURE = re.compile(r"!\[([^\[\]]{0,200})\](?:\([^()\n]{0,2000}\)|\[[^\[\]]{0,200}\])")
_TOKENS = re.compile(
    r"<\|[^<>|\n]{0,80}\|>"  # ChatML, Llama 3, Zephyr, Phi
    r"|<</?SYS>>|\[/?INST\]"  # Llama 2, Mistral
    r"|\[/?(?:SYSTEM_PROMPT|TOOL_CALLS|TOOL_RESULTS|AVAILABLE_TOOLS|TOOL_CONTENT|ARGS|IMG)\]"
    r"|</?(?:s|bos|eos|pad|unk|mask|sep|cls|think|thinking|start_of_turn|end_of_turn)>"
    r"|</?(?:tools?|tool_calls?|tool_responses?|tool_results?|functions?|function_calls?|invoke"
    r"|parameter|system|assistant|user|extra_id_\d{1,4})(?:[ =:][^<>\n]{0,120})?>",
    re.IGNORECASE,
)
_ROLE = re.compile(
    r"(?im)^([\s>*#_-]{0,12})"
    r"(system|assistant|user|human|developer|tool|instructions?|response|ai)([ *_]{0,4}):"
)
_BRACKETS = str.maketrans("<>[]|{}", "()()/()")


def clean_untrusted(text: str, most: int = MOST_CHARACTERS, tokens: Collection[str] = ()) -> str:
    """What of a text a reader would see, without anything a chat template could take for its own.

    Cleaning twice changes nothing more.

    Args:
        text: of a stranger.
        most: characters that are kept.
        tokens: further special tokens, such as all of a model's tokenizer.
    """
    text = _visible(text[: 4 * most])
    text = _COMMENT.sub(" ", text)
    text = _neutralise(_PICTURE, text)
    own = [re.escape(token) for token in sorted(tokens, key=lambda t: (-len(t), t)) if token]
    if own:
        text = _neutralise(re.compile("|".join(own), re.IGNORECASE), text)
    text = _neutralise(_TOKENS, text)
    text = _ROLE.sub(r"\1\2\3 -", text)
    text = "\n".join(" ".join(line.split()) for line in text.splitlines())
    text = re.sub(r"\n{3,}", "\n\n", text).strip()
    return text if len(text) <= most else f"{text[: most - 3].rstrip()}..."


def clean_line(text: str, most: int = 300, tokens: Collection[str] = ()) -> str:
    """The same on one line: for titles, names, and reasons that quote a text."""
    return clean_untrusted(" ".join(clean_untrusted(text, 4 * most, tokens).split()), most)


def _visible(text: str) -> str:
    # Compatibility forms first: a full-width `＜｜` is a template's bracket to some tokenizers.
    text = unicodedata.normalize("NFKC", text)
    text = text.replace("\r\n", "\n").replace("\r", "\n").replace("\t", " ")
    text = text.replace("\u2028", "\n").replace("\u2029", "\n")
    kept = (c for c in text if c == "\n" or unicodedata.category(c) not in _HIDDEN)
    text = unicodedata.normalize("NFKC", _SELECTORS.sub("", "".join(kept)))
    return _MANY_MARKS.sub(r"\1", text)


def _neutralise(pattern: re.Pattern[str], text: str) -> str:
    """Turns the brackets of every match into round ones, also of those that this brings about."""
    for _ in range(_PASSES):
        changed = pattern.sub(_defused, text)
        if changed == text:
            return text
        text = changed
    return text.translate(_BRACKETS)


def _defused(match: re.Match[str]) -> str:
    token = match.group()
    if match.re is _PICTURE:
        return f"(picture: {match.group(1)})"
    inner = token.strip("<>[]|/ ").translate(_BRACKETS)
    return f"({inner})" if inner != token else f"{token[:1]} {token[1:]}"
