"""What the numbers say, in sentences: the report's headline, its warnings and its glossary."""

from collections.abc import Container, Mapping, Sequence
from typing import Any

from deepward.evaluation.domain_metrics import DomainMetrics
from deepward.metrics.intervals import Estimate

__all__ = ["GLOSSARY", "METRIC_TITLES", "cautions", "headline"]

FEW = 100  # below this many pictures of a class, intervals are wide and TPR at low FPR is unknown
MANY_INCONCLUSIVE = 0.25
NEW, TRAINED = ("is new to it", "are new to it"), ("it was trained on", "it was trained on")
LEARNED_FROM = {"train": "learn from", "val": "are tuned on"}

METRIC_TITLES: dict[str, str] = {
    "auc": "AUC",
    "ap": "Average precision",
    "eer": "Equal error rate",
    "accuracy": "Accuracy",
    "balanced_accuracy": "Balanced accuracy",
    "f1": "F1",
    "precision": "Precision",
    "recall_real": "Recall of reals",
    "recall_fake": "Recall of fakes",
    "tpr_at_fpr_1e-2": "Fakes found at 1 % false alarms",
    "tpr_at_fpr_5e-3": "Fakes found at 0.5 % false alarms",
    "tpr_at_fpr_1e-3": "Fakes found at 0.1 % false alarms",
    "log_loss": "Log loss",
    "ece": "Calibration error",
    "control_auc": "AUC of the control",
    "gain_over_control": "Gain over the control",
    "false_alarm": "Reals with verdict fake",
    "caught": "Fakes with verdict fake",
    "inconclusive_real": "Reals left open",
    "inconclusive_fake": "Fakes left open",
}

GLOSSARY: dict[str, str] = {
    "Domain": "one set of pictures of one origin: one generator, platform or collection.",
    "AUC": "how often a fake picture scores higher than a real one, taken over all pairs."
    " 1 is perfect, 0.5 is tossing a coin. It needs no threshold.",
    "95 % interval": "the range below a value. The pictures were drawn again many times, with"
    " replacement; pictures that share an origin stay together. In 95 of 100 such draws the value"
    " falls into this range. Two values whose ranges overlap widely may not differ at all.",
    "Laundered": "the same pictures after both real and fake ones were halved in size and saved as"
    " JPEG again, as happens on the way through the web. What is left shows how much of the AUC"
    " came from the files' history.",
    "Thumbnail control": "a simple classifier that sees each picture only as a tiny thumbnail. It"
    " can tell what is shown, but no traces of forgery. Its AUC is what content alone gives away.",
    "Gain": "AUC of the detector minus AUC of the control, on the same pictures. Only what is above"
    " zero by more than the interval is shown to be detection.",
    "Threshold": "the probability from which a picture is called fake. It was set beforehand, on"
    " other pictures, and never adjusted to these.",
    "Inconclusive": "no verdict: the probability lies in the uncertain band, or the picture is"
    " unlike anything the detector was trained on.",
    "False alarms": "share of real pictures that got the verdict fake.",
    "Recall": "share of the real (or of the fake) pictures on the right side of the threshold,"
    " with those that would be inconclusive counted by their probability.",
    "Equal error rate": "error at the threshold where reals and fakes are mistaken equally often."
    " 0 is perfect, 50 % is tossing a coin.",
    "Balanced accuracy": "mean of the two recalls; unlike plain accuracy it cannot be raised by"
    " always answering what is more frequent.",
    "Calibration error": "how far the stated probabilities are from the share that is truly fake.",
    "Shortcut audit": "a classifier that sees no picture, only size, format and the like of the"
    " file. If it can tell real from fake, the domain is flagged: a detector may have learned just"
    " that.",
}


def number(value: float) -> str:
    """A metric between 0 and 1, as it is written in sentences and tables."""
    return f"{value:.3f}"


def percent(value: float) -> str:
    """A share, with a decimal only where it tells something."""
    return f"{100 * value:.1f} %"


def signed(value: float) -> str:
    """A difference, with its sign."""
    return f"{value:+.3f}".replace("-", "\u2212")


def headline(results: Sequence[DomainMetrics], learned: Container[str] = ()) -> list[str]:
    """What was found, in plain sentences, the most important first.

    Domains that the detector has learned from and domains new to it are never taken together, nor
    are pictures as they are and laundered ones.

    Args:
        results: of one detector, one per domain.
        learned: domains that it has learned from.
    """
    new = [found for found in results if found.domain not in learned]
    trained = [found for found in results if found.domain in learned]
    apart = bool(new and trained)
    sentences = []
    for part, kind in ((new, NEW), (trained, TRAINED)):
        sentences += _of_one_side(part, kind if trained else None, apart)
    if sentences and "AUC" in sentences[0]:
        sentences[0] = sentences[0].removesuffix(".") + "; 1 is perfect, 0.5 is tossing a coin."
    return sentences or ["Nothing could be measured on these pictures."]


def _of_one_side(
    results: Sequence[DomainMetrics], kind: tuple[str, str] | None, apart: bool
) -> list[str]:
    """Sentences on domains of one kind, None: unknown; `apart` when there is another kind."""
    sentences = []
    both = [found for found in results if found.metrics["auc"].value is not None]
    if both:
        if len(both) == 1:
            where = f"On {both[0].domain}" + (f", which {kind[0]}" if kind else "")
        else:
            where = f"On {len(both)} domains" + (f" that {kind[1]}" if kind else "")
        sentence = f"{where}, {_range('AUC', [f.metrics['auc'] for f in both])}"
        laundered = [f.laundered["auc"] for f in both if f.laundered["auc"].value is not None]
        if laundered:
            sentence += (
                f"; after the pictures were halved and saved again, {_range('AUC', laundered)}"
            )
        sentences += [f"{sentence}.", _gain_sentence(both)]
    alarms = [f.false_alarm for f in results if f.false_alarm.value is not None]
    if alarms:
        rates = {f.false_positive_rate for f in results}
        aim = f" (set for at most {percent(min(rates))})" if len(rates) == 1 else ""
        whose = f" of domains that {kind[1]}" if kind and apart else ""
        sentences.append(
            f"Of the real pictures{whose}, {_share_range(alarms)} were called fake{aim}."
        )
    return sentences


def _gain_sentence(both: Sequence[DomainMetrics]) -> str:
    gains = [found.gain_over_control for found in both]
    clear = sum(1 for gain in gains if gain.low is not None and gain.low > 0)
    if len(both) == 1:
        gain = gains[0]
        amount = signed(gain.value or 0.0)
        if gain.low is None or gain.high is None:
            return f"Against the thumbnail control the difference is {amount}, of unknown accuracy."
        interval = f"(95 % interval {signed(gain.low)} to {signed(gain.high)})"
        if clear:
            return f"It beats the thumbnail control by {amount} {interval}."
        return f"It is not shown to beat the thumbnail control: {amount} {interval}."
    values = [gain.value for gain in gains if gain.value is not None]
    spread = f"{signed(min(values))} to {signed(max(values))}"
    if clear == len(both):
        return f"It beats the thumbnail control on each of them, by {spread}."
    if clear == 0:
        return (
            f"It is not shown to beat the thumbnail control on any of them (difference {spread}):"
            " what it found may be content rather than forgery."
        )
    return (
        f"It is shown to beat the thumbnail control on {clear} of the {len(both)} (difference"
        f" {spread}); where it does not, what it found may be content rather than forgery."
    )


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
    results: Sequence[DomainMetrics], audits: Mapping[str, Mapping[str, Any]]
) -> dict[str, list[str]]:
    """What a reader should know before trusting a number: sentences by domain."""
    found: dict[str, list[str]] = {}
    for result in results:
        notes = []
        if result.split in LEARNED_FROM:
            notes.append(
                f"these are pictures of its {result.split} split, which detectors"
                f" {LEARNED_FROM[result.split]}: the numbers flatter one that did."
            )
        if audits.get(result.domain, {}).get("flagged"):
            notes.append(
                "the shortcut audit flagged this domain: real and fake files can be told apart"
                " without looking at the picture, so its AUC may be too good."
            )
        gain = result.gain_over_control
        if gain.low is not None and gain.low <= 0:
            notes.append(
                "the detector is not shown to beat the thumbnail control here: its interval"
                " includes no gain at all."
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
            notes.append(f"{result.n_not_scored} pictures are too small to be scored.")
        small = [
            f"{count} {name}"
            for name, count in (("real", result.n_real), ("fake", result.n_fake))
            if 0 < count < FEW
        ]
        if small:
            notes.append(f"it holds only {' and '.join(small)} pictures: its intervals are wide.")
        if notes:
            found.setdefault(result.domain, []).extend(notes)
    return found
