"""The names of metrics, and the words and numbers of the report explained."""

__all__ = ["GLOSSARY", "METRIC_TITLES"]

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
