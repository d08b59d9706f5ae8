"""The QueryStrategist and the DataCollector: a brief as questions, and which tool is asked them."""

import re
from collections.abc import Sequence

from deepward.agents.extractive.review import quoted, regions_missing
from deepward.agents.schemas import (
    CollectionInputs,
    StrategyInputs,
    SubQueries,
    SubQuery,
    ToolCall,
    ToolCalls,
)
from deepward.errors import AgentError
from deepward.techniques.taxonomy import Taxonomy, Technique

__all__ = ["key_phrases", "plan_calls", "plan_queries"]

_MOST = 30  # questions; five passages of each are plenty to read
_REGIONS = 5  # of one technique that are asked about
_BESIDE = 3
_FIRST_TOOL = "knowledge_search"
_PER_TOOL = 3  # questions that a further tool is asked: the sources it brings are long
_MOST_CALLS = 80
# Words of a brief that say what is to be made, not what it is about.
_TASK = re.compile(
    r"write|make|create|generate|give|list|produce|prepare|find|show|tell|describe|explain|need|want"
    r"|prompts?|few|shot|few-shot|examples?|samples?|novel|new|different|distinct|report|brief"
    r"|please|some|several|many|good|realistic|high|quality|set|number"
)


def key_phrases(words: str) -> list[str]:
    """Runs of telling words, as in RAKE (Rose et al., 2010): cut at stop words and signs."""
    from sklearn.feature_extraction.text import ENGLISH_STOP_WORDS

    phrases: list[list[str]] = [[]]
    for token in re.findall(r"[\w-]+|[^\w\s]", words.casefold()):
        is_word = re.fullmatch(r"\w[\w-]*", token) is not None
        if not is_word or token in ENGLISH_STOP_WORDS or _TASK.fullmatch(token) or token.isdigit():
            phrases.append([])
        else:
            phrases[-1].append(token[:60])
    return list(dict.fromkeys(" ".join(phrase[:8]) for phrase in phrases if phrase))


def plan_queries(inputs: StrategyInputs, feedback: Sequence[str], taxonomy: Taxonomy) -> SubQueries:
    """Questions from the brief's own words, then from what the taxonomy knows of its subjects."""
    brief = inputs.brief
    subjects = taxonomy.subjects(brief, inputs.techniques)
    planned: list[SubQuery] = []
    if phrases := key_phrases(brief.words):
        slug = _filter(subjects[0], inputs.techniques) if brief.technique else None
        planned.append(
            SubQuery(query=", ".join(phrases[:5]), purpose="The brief's own words", technique=slug)
        )
    regions = tuple(dict.fromkeys((*brief.regions, *regions_missing(feedback))))
    if len(subjects) == 1:
        planned += _about_one(subjects[0], regions, inputs.techniques, taxonomy)
    else:
        planned += _about_several(subjects, inputs.techniques)
    for region in regions:
        name = _asked(region)
        planned.append(SubQuery(query=f"artefacts in {name} of fakes", purpose=f"Region: {name}"))
    for span in quoted(feedback):
        if words := " ".join(key_phrases(span)[:4]):
            planned.append(SubQuery(query=words, purpose="What was found missing"))
    once = {query.query.casefold(): query for query in reversed(planned)}
    order = dict.fromkeys(query.query.casefold() for query in planned)
    return SubQueries(queries=tuple(once[words] for words in order)[:_MOST])


def plan_calls(inputs: CollectionInputs) -> ToolCalls:
    """One call of retrieval per sub-query, then the first sub-queries for each other search.

    Page fetching is left alone: it wants an address, and addresses come from strangers' text.

    Raises:
        AgentError: there is no tool that can be asked in words.
    """
    names = [tool.name for tool in inputs.tools if "fetch" not in tool.name]
    if not names:
        raise AgentError(
            "The DataCollector has no search tool. Give it at least `knowledge_search`."
        )
    first = _FIRST_TOOL if _FIRST_TOOL in names else names[0]
    queries = inputs.queries.queries
    calls = [
        ToolCall(tool=first, query=query.query[:300], sub_query=number)
        for number, query in enumerate(queries)
    ]
    for name in sorted(set(names) - {first}):
        calls += [
            ToolCall(tool=name, query=query.query[:300], sub_query=number)
            for number, query in enumerate(queries[:_PER_TOOL])
        ]
    return ToolCalls(calls=tuple(calls[:_MOST_CALLS]))


def _about_one(
    technique: Technique, regions: Sequence[str], available: Sequence[str], taxonomy: Taxonomy
) -> list[SubQuery]:
    slug = _filter(technique, available)
    exact = slug == technique.slug
    name = technique.name
    planned = []
    for topic in taxonomy.topics:
        query = f"{name}: {topic.question}"
        planned.append(SubQuery(query=query, purpose=topic.heading, technique=slug))
        if not exact:  # its own name may stand in documents that are filed under another one
            planned.append(SubQuery(query=f"{name} {topic.slug}", purpose=topic.heading))
    for region in dict.fromkeys((*map(_asked, regions), *technique.regions[:_REGIONS])):
        planned.append(
            SubQuery(
                query=f"{name}: artefacts in {region}", purpose=f"Region: {region}", technique=slug
            )
        )
    planned += _beside(technique, taxonomy)
    for kind in technique.kinds[:2]:
        above = taxonomy.techniques[kind]
        planned.append(
            SubQuery(
                query=f"{above.name}: {taxonomy.topics[2].question}",
                purpose=f"What holds for every {above.name}",
                technique=kind if kind in available else None,
            )
        )
    return planned


def _beside(technique: Technique, taxonomy: Taxonomy) -> list[SubQuery]:
    """Regions that other techniques are known to change: new combinations come from there."""
    audio = technique.modality == "audio"
    regions = [r.name for r in taxonomy.regions.values() if r.audio == audio]
    new = [name for name in regions if name not in technique.regions] or regions
    return [
        SubQuery(query=f"traces in the {name} of a fake", purpose=f"New combinations: {name}")
        for name in new[:_BESIDE]
    ]


def _about_several(subjects: Sequence[Technique], available: Sequence[str]) -> list[SubQuery]:
    questions = (
        ("how it works and what it changes", "What it is and what it changes"),
        ("traces and artefacts", "Traces to expect"),
        ("how easy to make, how hard to detect, and how it is detected", "How hard it is"),
    )
    each = max(1, min(len(questions), _MOST // len(subjects)))
    return [
        SubQuery(
            query=f"{technique.name}: {question}",
            purpose=purpose,
            technique=_filter(technique, available),
        )
        for technique in subjects
        for question, purpose in questions[:each]
    ]


def _filter(technique: Technique, available: Sequence[str]) -> str | None:
    """The nearest slug that the sources name."""
    for slug in (technique.slug, technique.like, *technique.kinds):
        if slug in available:
            return slug
    return None


def _asked(region: str) -> str:
    """A region of a brief in plain words: it becomes part of a question."""
    return " ".join(re.findall(r"[\w-]+", region))[:60] or "the face"
