"""What the numbers say, in sentences: the verdict on a detector, and warnings before its use."""

from collections.abc import Container, Mapping, Sequence
from typing import Any

from deepward.evaluation.domain_metrics import DomainMetrics
from deepward.evaluation.media_words import in_words_of
from deepward.media import NOUNS
from deepward.metrics.intervals import Estimate

__all__ = ["cautions", "few_pictures", "number", "percent", "signed", "verdict"]

FEW = 100  # below this many pictures of a class, intervals are wide and TPR at low FPR is unknown
MANY_INCONCLUSIVE = 0.25
NEW, TRAINED = ("is new to it", "are new to it"), ("it was trained on", "it was trained on")
LEARNED_FROM = {"train": "learn from", "val": "are tuned on"}
# The lower end of the AUC's interval on the worst domain -> what may be said of all of them.
_STRENGTHS = ((0.9, "reliably"), (0.75, "well"), (0.5, "better than chance"))


def number(value: float) -> str:
    """A metric between 0 and 1, as it is written in sentences and tables."""
    return f"{value:.3f}"


def percent(value: float) -> str:
    """A share, with a decimal only where it tells something."""
    return f"{100 * value:.1f} %"


def signed(value: float) -> str:
    """A difference, with its sign."""
    return f"{value:+.3f}".replace("-", "\u2212")


def verdict(
    results: Sequence[DomainMetrics], learned: Container[str] = (), medium: str = "image"
) -> list[str]:
    """Three sentences on a detector: on origins new to it, on known ones, and at its threshold.

    Domains that the detector has learned from and domains new to it are never taken together, nor
    are pictures as they are and laundered ones.

    Args:
        results: of one detector, one per domain.
        learned: domains that it has learned from; empty where that is not known.
        medium: that it judges.
    """
    if not results:
        return [in_words_of(medium, "Nothing could be measured on these pictures.")]
    new = [found for found in results if found.domain not in learned]
    trained = [found for found in results if found.domain in learned]
    if not learned:
        return [
            _tells_apart(new, None, medium),
            "Which of these domains it has learned from is not known.",
            _at_threshold([(new, "")]),
        ]
    return [
        _tells_apart(new, NEW, medium),
        _tells_apart(trained, TRAINED, medium),
        _at_threshold([(new, "domains that are new to it"), (trained, "those it was trained on")]),
    ]


def _tells_apart(
    results: Sequence[DomainMetrics], kind: tuple[str, str] | None, medium: str
) -> str:
    """How well fakes are told from reals on domains of one kind; None: it is not known which."""
    both = [found for found in results if found.metrics["auc"].value is not None]
    if not both:
        files = in_words_of(medium, "No domain with real and fake pictures")
        none = "No domain" if not results else files
        return f"{none}{f' that {kind[0]}' if kind else ''} was measured."
    if len(both) == 1:
        where = f"On {both[0].domain}" + (f", which {kind[0]}," if kind else "")
    else:
        where = f"On {len(both)} domains" + (f" that {kind[1]}" if kind else "")
    aucs = [found.metrics["auc"] for found in both]
    laundered = [f.laundered["auc"] for f in both if f.laundered["auc"].value is not None]
    sentence = f"{where} it tells fakes from reals {_strength(aucs)}: {_range('AUC', aucs)}"
    if laundered:
        after = in_words_of(medium, "after the pictures were halved and saved again")
        sentence += f"; {after}, {_range('AUC', laundered)}"
    return f"{sentence}; it {_gain(both, medium)}."


def _strength(aucs: Sequence[Estimate]) -> str:
    """No stronger a word than the interval of the worst domain allows."""
    ends = [e.value if e.low is None else e.low for e in aucs]
    least, most = (pick(end for end in ends if end is not None) for pick in (min, max))
    for floor, word in _STRENGTHS:
        if least > floor:
            return word
    if most > _STRENGTHS[-1][0]:
        return "in part, on some no better than chance may"
    return "no better than chance may"


def _gain(both: Sequence[DomainMetrics], medium: str) -> str:
    gains = [found.gain_over_control for found in both]
    clear = sum(1 for gain in gains if gain.low is not None and gain.low > 0)
    values = [gain.value for gain in gains if gain.value is not None]
    low, high = (signed(pick(values)) for pick in (min, max))
    spread = f"by {low}" if low == high else f"by {low} to {high}"
    if len(both) == 1:
        where = ""
    elif clear == len(both):
        where = " on each of them"
    else:
        where = f" on {clear} of the {len(both)}" if clear else " on any of them"
    control = in_words_of(medium, "the thumbnail control")
    if clear:
        return f"beats {control}{where} ({spread})"
    return f"is not shown to beat {control}{where} ({spread})"


def _at_threshold(sides: Sequence[tuple[Sequence[DomainMetrics], str]]) -> str:
    """Reals that are called fake, and fakes that are found, each side by itself."""
    found = [each for results, _ in sides for each in results]
    parts = []
    for metric, verb in (("false_alarm", "reals"), ("caught", "fakes")):
        told = []
        for results, whose in sides:
            shares = [e for r in results if (e := getattr(r, metric)).value is not None]
            if shares:
                told.append(_share_range(shares) + (f" on {whose}" if whose else ""))
        if told:
            parts.append(f"of the {verb}, {' and '.join(told)}")
    rates = {each.false_positive_rate for each in found}
    aim = f" (set for at most {percent(min(rates))} of the reals)" if len(rates) == 1 else ""
    return f"Called fake at its threshold{aim}: {'; '.join(parts)}."


def _range(name: str, estimates: Sequence[Estimate]) -> str:
    values = [e.value for e in estimates if e.value is not None]
    if len(values) == 1:
        low, high = estimates[0].low, estimates[0].high
        span = f" (95 % interval {number(low)} to {number(high)})" if low and high else ""
        return f"the {name} is {number(values[0])}{span}"
    return f"the {name} is {number(min(values))} to {number(max(values))}"


def _share_range(estimates: Sequence[Estimate]) -> str:
    values = [e.value for e in estimates if e.value is not None]
    low, high = percent(min(values)), percent(max(values))
    return low if low == high else f"{low} to {high}"


def cautions(
    results: Sequence[DomainMetrics],
    audits: Mapping[str, Mapping[str, Any]],
    medium: str = "image",
) -> dict[str, list[str]]:
    """What a reader should know before trusting a number: sentences by domain."""
    found: dict[str, list[str]] = {}
    for result in results:
        notes = []
        if result.split in LEARNED_FROM:
            notes.append(
                f"these are {NOUNS[medium]}s of its {result.split} split, which detectors"
                f" {LEARNED_FROM[result.split]}: the numbers flatter one that did."
            )
        if audits.get(result.domain, {}).get("flagged"):
            words = (
                "the shortcut audit flagged this domain: real and fake files can be told apart"
                " without looking at the picture, so its AUC may be too good."
            )
            notes.append(in_words_of(medium, words))
        gain = result.gain_over_control
        if gain.low is not None and gain.low <= 0:
            control = in_words_of(medium, "the thumbnail control")
            notes.append(
                f"the detector is not shown to beat {control} here: its interval includes no gain"
                " at all."
            )
        alarm = result.false_alarm
        if alarm.low is not None and alarm.low > result.false_positive_rate:
            notes.append(
                f"{percent(alarm.value or 0)} of the reals are called fake, more than the"
                f" {percent(result.false_positive_rate)} that the threshold was set for."
            )
        for name, share in (
            ("reals", result.inconclusive_real),
            ("fakes", result.inconclusive_fake),
        ):
            if share.value is not None and share.value > MANY_INCONCLUSIVE:
                notes.append(f"{percent(share.value)} of the {name} got no verdict (inconclusive).")
        if result.n_not_scored:
            noun, short = NOUNS[medium], "small" if medium == "image" else "short"
            notes.append(f"{result.n_not_scored} {noun}s are too {short} to be scored.")
        if notes:
            found.setdefault(result.domain, []).extend(notes)
    return found


def few_pictures(results: Sequence[DomainMetrics]) -> dict[str, str]:
    """Domain -> how many pictures it has, where these are so few that intervals are wide."""
    found = {}
    for result in results:
        counts = (("real", result.n_real), ("fake", result.n_fake))
        small = [f"{count} {name}" for name, count in counts if 0 < count < FEW]
        if small:
            found[result.domain] = " and ".join(small)
    return found
