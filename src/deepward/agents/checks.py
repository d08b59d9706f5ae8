"""Checks that no model takes part in. What they find is said in words the worker can act on.

Each check returns a `Checked`: the work without what could not be proved, what was removed and
why, and what is missing even so. A worker hears all of it and may try again; on its last attempt
the work without the removed parts goes on, unless something is missing.
"""

import re
from collections.abc import Collection, Mapping, Sequence

from deepward.agents.parsing import Checked
from deepward.agents.schemas import (
    FLOW,
    AgentName,
    Report,
    Review,
    Section,
    SubQueries,
    ToolCalls,
)
from deepward.knowledge.embedding import Encoder
from deepward.techniques.specs import AttackPattern, AttackPatterns, Brief, EditSpec, PromptSet
from deepward.techniques.taxonomy import Taxonomy, load_taxonomy

__all__ = [
    "MOST_SIMILAR",
    "carries_out",
    "check_calls",
    "check_patterns",
    "check_prompts",
    "check_queries",
    "check_report",
    "check_review",
    "prompt_text",
]

MOST_SIMILAR = 0.95  # cosine of two prompts' embeddings
_SAID = 0.5  # share of a target's words that a prompt has to say
_SMALL = frozenset(("and", "are", "for", "from", "into", "that", "the", "this", "was", "with"))
_STEM = 5  # letters by which two forms of a word are one


def check_queries(queries: SubQueries) -> Checked[SubQueries]:
    """Sub-queries ask different things."""
    first: dict[str, int] = {}
    kept, removed = [], []
    for number, query in enumerate(queries.queries):
        earlier = first.setdefault(" ".join(query.query.casefold().split()), number)
        if earlier == number:
            kept.append(query)
        else:
            removed.append(f"Sub-query {number} repeats sub-query {earlier}: ask something else.")
    return Checked(SubQueries(queries=tuple(kept)), tuple(removed))


def check_calls(
    calls: ToolCalls, queries: SubQueries, tools: Collection[str]
) -> Checked[ToolCalls]:
    """Only tools that are allowed are called, for sub-queries that exist."""
    kept, removed = [], []
    for number, call in enumerate(calls.calls):
        if call.tool not in tools:
            removed.append(
                f"Call {number} names the tool {call.tool!r}; there are: "
                f"{', '.join(sorted(tools))}."
            )
        elif call.sub_query >= len(queries.queries):
            removed.append(
                f"Call {number} is for sub-query {call.sub_query}; they are numbered 0 to "
                f"{len(queries.queries) - 1}."
            )
        else:
            kept.append(call)
    missing = () if kept else ("No call is left: name at least one allowed tool.",)
    work = ToolCalls(calls=tuple(kept)) if kept else None
    return Checked(work, tuple(removed), missing)


def check_report(report: Report, citable: Collection[str]) -> Checked[Report]:
    """Every claim cites evidence of this run; what cites none is removed."""
    sections, removed = [], []
    for section in report.sections:
        claims = []
        for claim in section.claims:
            known = _known(claim.chunk_ids, citable)
            if known:
                claims.append(claim.model_copy(update={"chunk_ids": known}))
            removed += _unresolved(f"The claim {_short(claim.text)}", claim.chunk_ids, known)
        if claims:
            sections.append(Section(heading=section.heading, claims=tuple(claims)))
    if not sections:
        return Checked(None, tuple(removed), ("The report makes no claim that cites evidence.",))
    return Checked(report.model_copy(update={"sections": tuple(sections)}), tuple(removed))


def check_patterns(
    patterns: AttackPatterns, brief: Brief, citable: Collection[str]
) -> Checked[AttackPatterns]:
    """Patterns are cited, have ids of their own, keep to the technique and cover the regions."""
    kept: dict[str, AttackPattern] = {}
    removed: list[str] = []
    for pattern in patterns.patterns:
        name = f"The pattern {pattern.id}"
        known = _known(pattern.chunk_ids, citable)
        removed += _unresolved(name, pattern.chunk_ids, known)
        if not known:
            continue
        if pattern.id in kept:
            removed.append(f"{name} is given twice: each needs an id of its own.")
        elif brief.technique and pattern.technique != brief.technique:
            removed.append(
                f"{name} is about {pattern.technique}; the brief is about {brief.technique}."
            )
        else:
            kept[pattern.id] = pattern.model_copy(update={"chunk_ids": known})
    covered = [_region(pattern.region) for pattern in kept.values()]
    missing = [
        f"No pattern covers the region {region!r} that the brief asks for."
        for region in brief.regions
        if not any(_region(region) <= words for words in covered)
    ]
    if not kept:
        missing.insert(0, "No attack pattern with evidence is left.")
        return Checked(None, tuple(removed), tuple(missing))
    return Checked(AttackPatterns(patterns=tuple(kept.values())), tuple(removed), tuple(missing))


def prompt_text(spec: EditSpec) -> str:
    """What two prompts are compared by."""
    return spec.positive_prompt


def check_prompts(
    prompts: PromptSet,
    brief: Brief,
    patterns: AttackPatterns,
    citable: Collection[str],
    encoder: Encoder,
) -> Checked[PromptSet]:
    """As many prompts as wanted, unlike each other, each carrying out a pattern by its evidence."""
    by_id = {pattern.id: pattern for pattern in patterns.patterns}
    kept: dict[str, EditSpec] = {}
    removed: list[str] = []
    for spec in prompts.prompts:
        name = f"The prompt {spec.id}"
        known = _known(spec.chunk_ids, citable)
        removed += _unresolved(name, spec.chunk_ids, known)
        if not known:
            continue
        fault = _untraceable(spec, by_id)
        if spec.id in kept:
            fault = "is given twice: each needs an id of its own"
        if fault:
            removed.append(f"{name} {fault}.")
        else:
            kept[spec.id] = spec.model_copy(update={"chunk_ids": known})
    distinct, alike = _distinct(list(kept.values()), encoder)
    removed += alike
    for spec in distinct[brief.prompts :]:
        removed.append(f"The prompt {spec.id} is one more than the {brief.prompts} wanted.")
    chosen = tuple(distinct[: brief.prompts])
    missing: tuple[str, ...] = ()
    if len(chosen) < brief.prompts:
        missing = (f"{brief.prompts} distinct prompts are wanted; {len(chosen)} can be used.",)
    return Checked(PromptSet(prompts=chosen) if chosen else None, tuple(removed), missing)


def check_review(review: Review, agent: AgentName) -> Checked[Review]:
    """A review of the work of `agent` accepts it, or names who can do better and says how."""
    before = FLOW[: FLOW.index(agent)]
    missing = []
    if review.accepted and review.send_back_to is not None:
        missing.append("The review accepts the work and sends it back; do one of both.")
    if not review.accepted and review.send_back_to not in (None, agent, *before):
        missing.append(
            f"Work of {agent} cannot be sent back to {review.send_back_to}; name one of "
            f"{', '.join((*before, agent))}."
        )
    if not review.accepted and not review.reasons:
        missing.append("The review sends the work back without a reason; say what is wrong.")
    return Checked(review, missing=tuple(missing))


def carries_out(spec: EditSpec, pattern: AttackPattern, taxonomy: Taxonomy) -> str:
    """Why a prompt does not do what its pattern describes; "" when it does.

    It changes the same region by an operation that comes near to the technique there, names the
    region, and says what that is changed into: half of the words of the target or more.
    """
    region = taxonomy.region(pattern.region)
    if _region(spec.region) != _region(pattern.region):
        return f"changes the {spec.region}, but its pattern changes the {pattern.region}"
    known = taxonomy.resolve(pattern.technique).operations_on(region.kind)
    if spec.operation not in known:
        return (
            f"plans to {spec.operation} the {pattern.region}; what comes near to "
            f"{pattern.technique} there is: {', '.join(known)}"
        )
    if not region.mentions.search(spec.positive_prompt):
        return f"does not name the {pattern.region} that it changes"
    wanted = _stems(pattern.target_state) - _stems(pattern.region)
    if len(wanted & _stems(spec.positive_prompt)) < _SAID * len(wanted):
        return (
            f"does not say what its pattern changes the {pattern.region} into: "
            f"{_short(pattern.target_state)}"
        )
    return ""


def _stems(text: str) -> set[str]:
    """The beginnings of the words that carry its meaning."""
    return {word[:_STEM] for word in re.findall(r"\w{3,}", text.casefold())} - _SMALL


def _untraceable(spec: EditSpec, patterns: Mapping[str, AttackPattern]) -> str:
    """What is wrong with the way from a prompt to its pattern; "" when nothing is."""
    pattern = patterns.get(spec.pattern)
    if pattern is None:
        return f"names the pattern {spec.pattern}, which does not exist"
    if spec.technique != pattern.technique:
        return f"is about {spec.technique}, but its pattern is about {pattern.technique}"
    if not set(spec.chunk_ids) & set(pattern.chunk_ids):
        return f"cites none of the evidence of its pattern {spec.pattern}"
    return carries_out(spec, pattern, load_taxonomy())


def _distinct(specs: Sequence[EditSpec], encoder: Encoder) -> tuple[list[EditSpec], list[str]]:
    """Those unlike every one before, and a sentence for each of the others."""
    if not specs:
        return [], []
    vectors = encoder.encode([prompt_text(spec) for spec in specs])  # (N, D)
    cosines = vectors @ vectors.T  # (N, N)
    chosen: list[int] = []
    alike = []
    for number, spec in enumerate(specs):
        near = [c for c in chosen if cosines[number, c] > MOST_SIMILAR]
        if near:
            alike.append(
                f"The prompt {spec.id} says nearly the same as {specs[near[0]].id} (cosine "
                f"{cosines[number, near[0]]:.3f}; at most {MOST_SIMILAR} is allowed)."
            )
        else:
            chosen.append(number)
    return [specs[c] for c in chosen], alike


def _known(chunk_ids: Sequence[str], citable: Collection[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(chunk for chunk in chunk_ids if chunk in citable))


def _unresolved(name: str, cited: Sequence[str], known: Sequence[str]) -> list[str]:
    unknown = [chunk for chunk in dict.fromkeys(cited) if chunk not in known]
    if not unknown:
        return []
    sentence = f"{name} cites {_short(unknown[0])}, which is no evidence of this run"
    return [f"{sentence}." if known else f"{sentence}; it was left without a citation."]


def _region(words: str) -> frozenset[str]:
    return frozenset(re.findall(r"\w+", words.casefold()))


def _short(text: str) -> str:
    return repr(text if len(text) <= 80 else text[:79] + "…")
