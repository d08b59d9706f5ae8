"""What agents write and synthesis reads: attack patterns and edit specs."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

__all__ = [
    "AttackPattern",
    "AttackPatterns",
    "Brief",
    "Difficulty",
    "EditSpec",
    "Line",
    "Message",
    "Modality",
    "Operation",
    "PromptSet",
    "Slug",
]

Modality = Literal["image", "video", "audio"]
Difficulty = Literal["easy", "moderate", "hard"]
# What the synthesis engines can do to a region.
Operation = Literal["swap", "self_blend", "resynthesize", "splice", "retouch", "inpaint"]
Line = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=600)]
Slug = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9._-]{0,79}$")]


class Message(BaseModel):
    """Frozen; unknown fields are errors, so that a model's inventions are seen."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Brief(Message):
    """What a user asks for.

    Attributes:
        words: in the user's own words.
        technique: slug that the work is limited to, such as `face-swap`; None leaves it open.
        prompts: how many edit specs are wanted.
        regions: regions that the patterns must cover; empty leaves the choice.
        seed: of every random choice.
    """

    words: Annotated[str, StringConstraints(strip_whitespace=True, min_length=3, max_length=2000)]
    technique: Slug | None = None
    prompts: int = Field(default=15, ge=1, le=200)
    regions: tuple[Line, ...] = ()
    seed: int = Field(default=0, ge=0)


class AttackPattern(Message):
    """What a technique changes, into what, with the evidence for it.

    Attributes:
        id: unique in its list, such as `face-swap-mouth-1`.
        technique: slug of the technique.
        region: what is changed: `face`, `eyes`, `mouth`, `hair`, `background`, `voice` …
        source_state, target_state: what it is before and after.
        artefacts: traces to expect.
        status: described in the evidence, or predicted from it (a new combination).
    """

    id: Slug
    technique: Slug
    modality: Modality
    region: Line
    source_state: Line
    target_state: Line
    artefacts: tuple[Line, ...] = Field(min_length=1)
    difficulty: Difficulty
    status: Literal["existing", "predicted"]
    chunk_ids: tuple[str, ...] = Field(min_length=1)


class AttackPatterns(Message):
    """Answer of the AttackPatternSynthesizer."""

    patterns: tuple[AttackPattern, ...] = Field(min_length=1)


class EditSpec(Message):
    """One planned manipulation; synthesis takes it as it is.

    Attributes:
        region: what to find in the picture.
        operation: what to do to it.
        positive_prompt: what the region shows after the edit, for a text-guided engine; what the
            rest of the picture shows is added when it is known which picture that is.
        negative_prompt: what must not be seen.
        strength: from 0 (nothing) to 1 (all of the region is made anew).
        seed: of the engine.
        pattern: id of the attack pattern it carries out.
    """

    id: Slug
    technique: Slug
    region: Line
    operation: Operation
    positive_prompt: Line
    negative_prompt: Line
    strength: float = Field(gt=0, le=1)
    seed: int = Field(ge=0)
    pattern: Slug
    chunk_ids: tuple[str, ...] = Field(min_length=1)


class PromptSet(Message):
    """Answer of the PromptGenerator."""

    prompts: tuple[EditSpec, ...] = Field(min_length=1)
