"""Every error that Deepward raises on purpose.

    DeepwardError
    ├── UsageError              the request itself is wrong (the command exits with 2)
    │   └── CannotUnlearn       a member has no exact way to forget
    └── WorkError               the request was right, the work failed (the command exits with 1)
        ├── DomainError         a data set on disk cannot be used as it is
        ├── DetectorFileError   a detector file is missing, damaged, or newer than this code
        ├── TrainingError       training cannot start or has diverged
        ├── AgentError          the agents could not finish: a backend failed, or a budget ended
        ├── EvaluationError     a metric cannot be computed from what was given
        ├── KnowledgeError      the knowledge base cannot be built, opened or asked
        ├── DriftError          traffic cannot be logged, read or compared
        ├── InboxError          what was put into the inbox cannot be understood
        ├── SynthesisError      fakes cannot be made from these prompts, pictures or models
        └── UnreadableFile      one file gives nothing that can be used; carries the reason
            ├── UnreadableImage     it is no picture that can be trusted
            ├── UnreadableSound     it is no sound that can be judged
            ├── UnreadableVideo     it is no video that can be judged
            └── UnreadableDocument  it gives no text

Messages are sentences for people: what was found, where, and what to do.
"""

__all__ = [
    "AgentError",
    "CannotUnlearn",
    "DeepwardError",
    "DetectorFileError",
    "DomainError",
    "DriftError",
    "EvaluationError",
    "InboxError",
    "KnowledgeError",
    "SynthesisError",
    "TrainingError",
    "UnreadableDocument",
    "UnreadableFile",
    "UnreadableImage",
    "UnreadableSound",
    "UnreadableVideo",
    "UsageError",
    "WorkError",
]


class DeepwardError(Exception):
    """Base of all deliberate errors; its text is fit to be shown to a user."""


class UsageError(DeepwardError):
    """The request itself is wrong: an option, a path or a combination that makes no sense."""


class CannotUnlearn(UsageError):
    """A member cannot take out exactly what it learned; an earlier stage must be gone back to."""


class WorkError(DeepwardError):
    """The request was right but the work could not be done."""


class DomainError(WorkError):
    """A domain folder is missing, empty, or not laid out as a domain."""


class UnreadableFile(WorkError):
    """One file from outside gives nothing that can be used.

    Attributes:
        reason: short stable code for tables and counts, a key of `intake.reasons.REASONS`.
    """

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason


class UnreadableImage(UnreadableFile):
    """One file is not a picture that can be trusted."""


class UnreadableSound(UnreadableFile):
    """One file is not a sound that can be judged."""


class UnreadableVideo(UnreadableFile):
    """One file is not a video that can be judged."""


class DetectorFileError(WorkError):
    """A detector file is missing, damaged, or was written by a newer version."""


class TrainingError(WorkError):
    """Training cannot start with this data, or has diverged."""


class EvaluationError(WorkError):
    """A metric cannot be computed from what was given."""


class KnowledgeError(WorkError):
    """The knowledge base cannot be built, opened or asked."""


class DriftError(WorkError):
    """Traffic that was scored cannot be logged, read, or compared with what is known."""


class InboxError(WorkError):
    """What was put into the inbox cannot be understood."""


class UnreadableDocument(UnreadableFile):
    """One file or page gives no text that can be used."""


class AgentError(WorkError):
    """The agents could not finish: a backend failed, or a budget ended."""


class SynthesisError(WorkError):
    """Fakes cannot be made from these prompts, pictures or models."""
