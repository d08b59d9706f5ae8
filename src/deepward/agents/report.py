"""The report: typed, with everything it cites, and as Markdown for people.

Nothing in either depends on the time or the place of the run: the same work gives the same bytes.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from deepward.agents.backends.base import EXTRACTIVE
from deepward.agents.schemas import FLOW, AgentName, Report
from deepward.agents.state import RunState
from deepward.markdown import bullets, escaped, quoted, table
from deepward.techniques.specs import AttackPatterns, Brief, Message, PromptSet

__all__ = ["CitedReport", "Results", "Source", "render_report", "results_of"]

Numbers = dict[str, int]  # of the passages, in the order in which they are cited


class Source(Message):
    """Where a cited passage stands."""

    chunk_id: str
    title: str
    source: str
    page: int | None
    date: str | None


class CitedReport(Message):
    """What the agents found out, with all that a reader must know of how it came about.

    Attributes:
        queries: what was looked for.
        report: as refined, or as far as the run came.
        sources: the passages of the run's evidence that report, patterns or prompts cite.
        removed: how many parts of their work the checks removed, by agent.
        models: what wrote each agent's last answer.
        ended: why the run ended before its end, or "".
        missing: what it did not get to, in words; empty when it is complete.
    """

    brief: Brief
    queries: tuple[str, ...]
    report: Report
    sources: tuple[Source, ...]
    removed: dict[AgentName, int]
    models: dict[AgentName, str]
    ended: str
    missing: tuple[str, ...]


@dataclass(frozen=True)
class Results:
    """What a run has; what cites passages is read from here, never from the Markdown."""

    report: CitedReport | None
    patterns: AttackPatterns | None
    prompts: PromptSet | None

    @property
    def cited(self) -> tuple[str, ...]:
        """Ids of all passages that anything cites, each once, in the order of reading."""
        written = self.report.report if self.report else None
        return _cited(written, self.patterns, self.prompts)


def results_of(state: RunState, missing: Sequence[str]) -> Results:
    """What a run has at its end; `missing` says in words what it did not get to."""
    report = state.refined or state.report
    if report is None:
        return Results(None, state.patterns, state.prompts)
    cited = _cited(report, state.patterns, state.prompts)
    evidence = {e.chunk_id: e for e in state.evidence or ()}
    found = [evidence[chunk] for chunk in cited if chunk in evidence]
    stored = CitedReport(
        brief=state.brief,
        queries=tuple(query.query for query in state.queries.queries) if state.queries else (),
        report=report,
        sources=tuple(Source(**e.model_dump(include=set(Source.model_fields))) for e in found),
        removed=state.removed,
        models=state.models,
        ended=state.ended,
        missing=tuple(missing),
    )
    return Results(stored, state.patterns, state.prompts)


def render_report(results: Results) -> str | None:
    """`report.md` of a run; None where no report was written yet."""
    if results.report is None:
        return None
    stored, report = results.report, results.report.report
    numbers = {chunk: number for number, chunk in enumerate(results.cited, start=1)}
    parts = [f"# {escaped(report.title)}", _writers(stored)]
    if stored.missing:
        parts += ["## Not finished", escaped(stored.ended), bullets(stored.missing)]
    parts += ["## What was asked", _asked(stored.brief)]
    if stored.queries:
        parts += ["It was looked for:", bullets(stored.queries)]
    for section in report.sections:
        parts.append(f"## {escaped(section.heading)}")
        lines = [f"- {escaped(c.text)} {_cite(c.chunk_ids, numbers)}" for c in section.claims]
        parts.append("\n".join(lines) if lines else "Nothing is claimed here.")
    parts += ["## Contradictions"]
    parts += [bullets(report.contradictions) if report.contradictions else "None were found."]
    parts += _patterns(results.patterns, numbers) if results.patterns else []
    parts += _prompts(results.prompts, numbers) if results.prompts else []
    parts += ["## What was left out", _left_out(stored)]
    parts += ["## Sources", _sources(stored, numbers)]
    return "\n\n".join(parts) + "\n"


def _cited(
    report: Report | None, patterns: AttackPatterns | None, prompts: PromptSet | None
) -> tuple[str, ...]:
    """Each passage once, in the order in which a reader comes upon it."""
    cites = (
        [claim.chunk_ids for section in report.sections for claim in section.claims]
        if report
        else []
    )
    cites += [pattern.chunk_ids for pattern in patterns.patterns] if patterns else []
    cites += [prompt.chunk_ids for prompt in prompts.prompts] if prompts else []
    return tuple(dict.fromkeys(chunk for chunk_ids in cites for chunk in chunk_ids))


def _asked(brief: Brief) -> str:
    lines = [
        f"- Brief: {escaped(brief.words)}",
        f"- Technique: {escaped(brief.technique) if brief.technique else 'any'}",
        f"- Regions: {', '.join(map(escaped, brief.regions)) or 'any'}",
        f"- Prompts: {brief.prompts:d}",
    ]
    return "\n".join(lines)


def _cite(chunk_ids: Sequence[str], numbers: Numbers) -> str:
    return " ".join(f"[{number:d}]" for number in sorted({numbers[chunk] for chunk in chunk_ids}))


def _sources(stored: CitedReport, numbers: Numbers) -> str:
    known = {source.chunk_id: source for source in stored.sources}
    lines = []
    for chunk, number in numbers.items():
        parts = ["not among the evidence"]
        if (s := known.get(chunk)) is not None:
            parts = [f"**{escaped(s.title, 300)}**"]
            parts += [f"page {s.page:d}"] if s.page is not None else []
            parts += [escaped(s.date, 40)] if s.date else []
            parts += [quoted(s.source)]
        lines.append(f"- [{number:d}] " + ", ".join([*parts, f"chunk {quoted(chunk, 100)}"]))
    return "\n".join(lines)


def _patterns(patterns: AttackPatterns, numbers: Numbers) -> list[str]:
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
            _cite(p.chunk_ids, numbers),
        ]
        for p in patterns.patterns
    ]
    note = "`existing` is described in the sources; `predicted` combines what they describe."
    return ["## Attack patterns", note, table([*head, "Sources"], rows)]


def _prompts(prompts: PromptSet, numbers: Numbers) -> list[str]:
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
            _cite(p.chunk_ids, numbers),
        ]
        for p in prompts.prompts
    ]
    return ["## Prompts", table([*head, "Sources"], rows)]


def _left_out(stored: CitedReport) -> str:
    dropped = stored.report.removed
    lines = [f"- Repetitions and claims that the agents dropped themselves: {dropped:d}"]
    lines += [
        f"- Parts of the work of {_name(agent)} that the checks removed: {stored.removed[agent]:d}"
        for agent in FLOW
        if stored.removed.get(agent)
    ]
    return "\n".join(lines)


def _writers(stored: CitedReport) -> str:
    if set(stored.models.values()) == {EXTRACTIVE}:
        return (
            "No language model wrote this report: algorithms chose, ordered and joined sentences "
            "of the sources, and filled in patterns and prompts from them. A sentence may need "
            "the context that its source gives it."
        )
    lines = [
        f"- {_name(agent)}: "
        + ("an algorithm, no language model" if model == EXTRACTIVE else quoted(model))
        for agent, model in sorted(stored.models.items())
    ]
    opening = "Language models wrote parts of this report; the checks see to the citations alone."
    return "\n".join([opening, "", *lines])


def _name(agent: str) -> str:
    return agent.replace("_", " ")
