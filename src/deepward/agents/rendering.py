"""The report as Markdown: claims with numbered citations, patterns, prompts, sources.

Nothing in it depends on the time or the place of the run: the same work gives the same bytes.
"""

from collections.abc import Sequence

from deepward.agents.markdown import escaped, quoted, table
from deepward.agents.schemas import Evidence, Report
from deepward.agents.state import FLOW, RunState
from deepward.techniques.specs import Brief

__all__ = ["render_report"]

_EXTRACTIVE = "extractive"


class _Sources:
    """Numbers passages in the order in which they are cited."""

    def __init__(self, evidence: Sequence[Evidence]) -> None:
        self._evidence = {e.chunk_id: e for e in evidence}
        self._numbers: dict[str, int] = {}

    def cite(self, chunk_ids: Sequence[str]) -> str:
        numbers = [
            self._numbers.setdefault(chunk, len(self._numbers) + 1)
            for chunk in chunk_ids
            if chunk in self._evidence
        ]
        return " ".join(f"[{number}]" for number in sorted(set(numbers)))

    def listed(self) -> list[str]:
        lines = []
        for chunk, number in self._numbers.items():
            e = self._evidence[chunk]
            parts = [f"**{escaped(e.title, 300)}**"]
            parts += [f"page {e.page}"] if e.page is not None else []
            parts += [escaped(e.date, 40)] if e.date else []
            parts += [quoted(e.source), f"chunk {quoted(chunk, 100)}"]
            lines.append(f"- [{number}] " + ", ".join(parts))
        return lines


def render_report(state: RunState, missing: Sequence[str] = ()) -> str | None:
    """`report.md` of a run; None where no report was written yet.

    Args:
        state: at the end of the run.
        missing: what the run did not get to, in words; empty when it is complete.
    """
    report = state.refined or state.report
    if report is None:
        return None
    sources = _Sources(state.evidence or ())
    parts = [f"# {escaped(report.title)}"]
    if missing:
        parts += ["## Not finished", escaped(state.ended), _bullets(missing)]
    parts += ["## What was asked", _asked(state.brief)]
    if state.queries:
        parts += ["It was looked for:", _bullets([q.query for q in state.queries.queries])]
    parts += _claims(report, sources)
    parts += ["## Contradictions"]
    parts += [_bullets(report.contradictions) if report.contradictions else "None were found."]
    parts += _patterns(state, sources)
    parts += _prompts(state, sources)
    parts += ["## What was left out", _left_out(state, report)]
    parts += ["## Sources", "\n".join(sources.listed())]
    parts += ["## Who wrote this", _writers(state)]
    return "\n\n".join(parts) + "\n"


def _asked(brief: Brief) -> str:
    lines = [
        f"- Brief: {escaped(brief.words)}",
        f"- Technique: {escaped(brief.technique) if brief.technique else 'any'}",
        f"- Regions: {', '.join(map(escaped, brief.regions)) or 'any'}",
        f"- Prompts: {brief.prompts}",
    ]
    return "\n".join(lines)


def _claims(report: Report, sources: _Sources) -> list[str]:
    parts = []
    for section in report.sections:
        parts.append(f"## {escaped(section.heading)}")
        lines = [f"- {escaped(c.text)} {sources.cite(c.chunk_ids)}" for c in section.claims]
        parts.append("\n".join(lines) if lines else "Nothing is claimed here.")
    return parts


def _patterns(state: RunState, sources: _Sources) -> list[str]:
    if state.patterns is None:
        return []
    head = ["Pattern", "Technique", "Region", "From", "To", "Artefacts", "Difficulty", "Status"]
    rows = [
        [
            escaped(p.id),
            escaped(p.technique),
            escaped(f"{p.region} ({p.modality})" if p.modality != "image" else p.region),
            escaped(p.source_state),
            escaped(p.target_state),
            escaped("; ".join(p.artefacts)),
            p.difficulty,
            p.status,
            sources.cite(p.chunk_ids),
        ]
        for p in state.patterns.patterns
    ]
    note = "`existing` is described in the sources; `predicted` combines what they describe."
    return ["## Attack patterns", note, table([*head, "Sources"], rows)]


def _prompts(state: RunState, sources: _Sources) -> list[str]:
    if state.prompts is None:
        return []
    head = ["Prompt", "Pattern", "Region", "Operation", "Scene", "Not seen", "Strength", "Seed"]
    rows = [
        [
            escaped(p.id),
            escaped(p.pattern),
            escaped(p.region),
            escaped(p.operation),
            escaped(p.positive_prompt),
            escaped(p.negative_prompt),
            f"{p.strength:g}",
            str(p.seed),
            sources.cite(p.chunk_ids),
        ]
        for p in state.prompts.prompts
    ]
    return ["## Prompts", table([*head, "Sources"], rows)]


def _left_out(state: RunState, report: Report) -> str:
    lines = [f"- Repetitions and claims that the agents dropped themselves: {report.removed}"]
    lines += [
        f"- Parts of the work of {_name(agent)} that the checks removed: {state.removed[agent]}"
        for agent in FLOW
        if state.removed.get(agent)
    ]
    return "\n".join(lines)


def _writers(state: RunState) -> str:
    if set(state.models.values()) == {_EXTRACTIVE}:
        return (
            "No language model wrote this report: algorithms chose, ordered and joined sentences "
            "of the sources, and filled in patterns and prompts from them. A sentence may need "
            "the context that its source gives it."
        )
    lines = [
        f"- {_name(agent)}: "
        + ("an algorithm, no language model" if model == _EXTRACTIVE else quoted(model))
        for agent, model in sorted(state.models.items())
    ]
    opening = "Language models wrote parts of this report; the checks see to the citations alone."
    return "\n".join([opening, "", *lines])


def _name(agent: str) -> str:
    return agent.replace("_", " ")


def _bullets(lines: Sequence[str]) -> str:
    return "\n".join(f"- {escaped(line)}" for line in lines)
