"""What a run leaves in its folder, when it goes on and when it starts anew, and who may write."""

import json
import pickle
import sqlite3
import threading
from pathlib import Path

import pytest
from markdown_it import MarkdownIt

from deepward.agents.backends import Answer
from deepward.agents.brief import run_brief
from deepward.agents.budgets import Budgets
from deepward.agents.checks import MOST_SIMILAR, prompt_text
from deepward.agents.schemas import AGENTS
from deepward.agents.tools.knowledge_search import KnowledgeSearch
from deepward.errors import AgentError, UsageError
from deepward.knowledge.index import HybridIndex
from deepward.markdown import escaped, quoted
from deepward.techniques.specs import AttackPatterns, Brief, PromptSet
from tests.agents.workers import (
    BRIEF,
    TEXTS,
    Worker,
    calls,
    everybody,
    good_answer,
    small_searcher,
    timeless,
)
from tests.knowledge.made import made_document

OUTPUTS = ("report.json", "attack_patterns.json", "prompts.json", "report.md")


@pytest.fixture(scope="module")
def searcher(tmp_path_factory):
    with small_searcher(tmp_path_factory.mktemp("index")) as searcher:
        yield searcher


class Failing:
    """A worker whose service is down when it is to write prompts, until it is mended."""

    name = "failing"
    down = True

    def __init__(self) -> None:
        self.asked: list[str] = []

    def answer(self, request):
        self.asked.append(request.agent)
        if self.down and request.agent == "prompt_generator":
            raise AgentError("The server does not answer.")
        return Answer(json.dumps(good_answer(request)), "failing")


def test_the_same_brief_twice_gives_the_same_bytes(searcher, tmp_path):
    for name in ("first", "second"):
        run_brief(BRIEF, searcher, everybody(Worker()), tmp_path / name)
    for name in OUTPUTS:
        first, second = (tmp_path / folder / name for folder in ("first", "second"))
        assert first.read_bytes() == second.read_bytes()
    assert timeless(tmp_path / "first") == timeless(tmp_path / "second")
    assert not any((tmp_path / "first" / n).exists() for n in ("missing.json", "unfinished"))


def test_every_citation_resolves_and_prompts_are_apart(searcher, tmp_path):
    brief = Brief(words="Many prompts", prompts=12)
    result = run_brief(brief, searcher, everybody(Worker()), tmp_path)
    patterns = AttackPatterns.model_validate_json((tmp_path / OUTPUTS[1]).read_bytes())
    prompts = PromptSet.model_validate_json((tmp_path / OUTPUTS[2]).read_bytes())
    assert (patterns, prompts) == (result.patterns, result.prompts)
    cited = {c for s in result.report.sections for claim in s.claims for c in claim.chunk_ids}
    cited |= {c for p in patterns.patterns for c in p.chunk_ids}
    cited |= {c for p in prompts.prompts for c in p.chunk_ids}
    assert cited <= set(searcher.index.passages.passages(sorted(cited)))
    assert len({p.id for p in prompts.prompts}) == 12
    vectors = searcher.index.encoder.encode([prompt_text(p) for p in prompts.prompts])
    cosines = vectors @ vectors.T
    assert max(cosines[i, j] for i in range(12) for j in range(i)) <= MOST_SIMILAR


def test_each_line_of_the_transcript_says_who_was_asked_what_and_what_came_of_it(
    searcher, tmp_path
):
    run_brief(BRIEF, searcher, everybody(Worker()), tmp_path)
    for step, call in enumerate(calls(tmp_path), start=1):
        assert call["step"] == step
        assert call["agent"] in AGENTS and call["model"] == "worker" and call["attempt"] == 1
        assert (call["tokens_in"], call["tokens_out"]) == (7, 5)
        assert call["verdict"] == ("accepted" if call["agent"] == "manager" else "passed")
        assert call["input"]["inputs"]["brief"]["words"] == BRIEF.words
        assert json.loads(call["output"])
        assert set(call["time"]) == {"at", "seconds"}


def test_a_failed_backend_leaves_what_there_is_and_the_next_run_goes_on(searcher, tmp_path):
    worker, done = Failing(), tmp_path / "done"
    with pytest.raises(AgentError, match=r"server does not answer.*go on from there"):
        run_brief(BRIEF, searcher, everybody(worker), tmp_path)
    assert "Not finished" in (tmp_path / "report.md").read_text()
    assert json.loads((tmp_path / "missing.json").read_text())["reason"] == (
        "The server does not answer."
    )
    assert calls(tmp_path)[-1]["verdict"] == "failed"
    asked, worker.down = len(worker.asked), False

    result = run_brief(BRIEF, searcher, everybody(worker), tmp_path)
    assert result.continued
    assert worker.asked[asked:] == ["prompt_generator", "manager"]
    assert [c["step"] for c in calls(tmp_path)] == [*range(1, 12), 11, 12]
    assert not (tmp_path / "missing.json").exists()
    run_brief(BRIEF, searcher, everybody(worker), done)
    for name in OUTPUTS:
        assert (tmp_path / name).read_bytes() == (done / name).read_bytes()


def test_a_line_that_a_kill_halved_is_cut_off(searcher, tmp_path):
    worker = Failing()
    with pytest.raises(AgentError):
        run_brief(BRIEF, searcher, everybody(worker), tmp_path)
    with (tmp_path / "unfinished" / "transcript.jsonl").open("a") as file:
        file.write('{"run": "half of a li')
    worker.down = False
    run_brief(BRIEF, searcher, everybody(worker), tmp_path)
    assert [c["step"] for c in calls(tmp_path)] == [*range(1, 12), 11, 12]


@pytest.mark.parametrize("changed", ["brief", "backend", "tools", "index", "nothing"])
def test_what_is_continued_is_the_same_work_only(tmp_path, changed):
    with small_searcher(tmp_path / "index") as searcher:
        worker, out, brief = Failing(), tmp_path / "out", BRIEF
        tools = {"knowledge_search": KnowledgeSearch(searcher)}
        with pytest.raises(AgentError):
            run_brief(brief, searcher, everybody(worker), out, tools=tools)
        worker.down = False
        worker.asked.clear()
        if changed == "brief":
            brief = brief.model_copy(update={"seed": 1})
        elif changed == "backend":
            worker.name = "another"
        elif changed == "tools":
            tools["again"] = KnowledgeSearch(searcher)
        elif changed == "index":
            add_document(searcher, "A new way: the hair is repainted strand by strand.")
        result = run_brief(brief, searcher, everybody(worker), out, tools=tools)
    assert result.continued == (changed == "nothing")
    assert worker.asked[0] == ("prompt_generator" if result.continued else "query_strategist")
    steps = [c["step"] for c in calls(out) if c["verdict"] != "failed"]
    assert steps == list(range(1, 13))


def add_document(searcher, text: str) -> list[str]:
    index = searcher.index
    with HybridIndex.writing(index.folder, index.encoder) as writer:
        writer.sync([made_document("new", text, origin="found")], ["found"])
    return index.passages.all_ids_of("/made/new")


class Finder(KnowledgeSearch):
    """Stores what it finds before it brings it."""

    def run(self, query, sub_query):
        add_document(self._searcher, "A new way: the hair is repainted strand by strand.")
        return super().run("hair strand", sub_query)


def test_a_run_whose_tools_added_to_the_index_is_continued_too(tmp_path):
    with small_searcher(tmp_path / "index") as searcher:
        worker, before = Failing(), searcher.index.content_hash
        tools = {"finder": Finder(searcher)}
        with pytest.raises(AgentError):
            run_brief(BRIEF, searcher, everybody(worker), tmp_path / "out", tools=tools)
        assert searcher.index.content_hash != before
        worker.down = False
        result = run_brief(BRIEF, searcher, everybody(worker), tmp_path / "out", tools=tools)
    assert result.continued
    assert "/made/new" in {e.source for e in result.evidence}


def test_a_run_that_ended_by_its_budget_starts_anew(searcher, tmp_path):
    for _ in range(2):
        with pytest.raises(AgentError, match="budget of 3 steps"):
            run_brief(BRIEF, searcher, everybody(Worker()), tmp_path, budgets=Budgets(steps=3))
        assert [c["step"] for c in calls(tmp_path)] == [1, 2, 3]
    result = run_brief(BRIEF, searcher, everybody(Worker()), tmp_path)
    assert not result.continued
    assert not (tmp_path / "missing.json").exists()


def test_results_of_an_earlier_run_do_not_stay_beside_those_of_one_that_failed(searcher, tmp_path):
    run_brief(BRIEF, searcher, everybody(Worker()), tmp_path)
    with pytest.raises(AgentError):
        run_brief(BRIEF, searcher, everybody(Worker()), tmp_path, budgets=Budgets(steps=8))
    names = sorted(path.name for path in tmp_path.iterdir())
    assert names == ["missing.json", "report.json", "report.md", "transcript.jsonl"]


def test_two_runs_into_one_folder_are_refused(searcher, tmp_path):
    inside, go_on = threading.Event(), threading.Event()

    class Waits:
        def answer(self, request):
            inside.set()
            assert go_on.wait(60)
            return Answer(json.dumps(good_answer(request)), "waits")

    def first() -> None:
        run_brief(BRIEF, searcher, everybody(Waits()), tmp_path)

    thread = threading.Thread(target=first)
    thread.start()
    try:
        assert inside.wait(60)
        with pytest.raises(AgentError, match="Another run is writing"):
            run_brief(BRIEF, searcher, everybody(Worker()), tmp_path)
    finally:
        go_on.set()
        thread.join()
    assert calls(tmp_path)[0]["model"] == "waits"
    run_brief(BRIEF, searcher, everybody(Worker()), tmp_path)


def test_wrong_use_is_said_before_any_work(searcher, tmp_path):
    backends = everybody(Worker())
    del backends["manager"]
    with pytest.raises(UsageError, match="manager"):
        run_brief(BRIEF, searcher, backends, tmp_path / "out")
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageError, match="is a file"):
        run_brief(BRIEF, searcher, everybody(Worker()), tmp_path / "file")
    with pytest.raises(UsageError, match="budget of steps"):
        Budgets(steps=0)


def interrupted(searcher, out: Path) -> Path:
    """The checkpoint of a run that can be continued."""
    with pytest.raises(AgentError):
        run_brief(BRIEF, searcher, everybody(Failing()), out)
    return out / "unfinished" / "checkpoint.sqlite3"


def test_a_checkpoint_holds_plain_values_and_no_classes(searcher, tmp_path):
    import ormsgpack

    def refuse(code, data):
        raise AssertionError(f"extension type {code}: {data!r}")

    with sqlite3.connect(interrupted(searcher, tmp_path)) as db:
        rows = db.execute("SELECT type, checkpoint FROM checkpoints").fetchall()
        rows += db.execute("SELECT type, value FROM writes").fetchall()
    assert len(rows) > 20
    for kind, data in rows:
        assert kind in ("msgpack", "null", "bytes")
        if kind == "msgpack":
            ormsgpack.unpackb(data, ext_hook=refuse, option=ormsgpack.OPT_NON_STR_KEYS)


class Trap:
    def __reduce__(self):
        return (Path.touch, (Path(self.path),))

    def __init__(self, path: Path) -> None:
        self.path = str(path)


def test_a_pickle_in_a_checkpoint_is_never_read(searcher, tmp_path):
    checkpoint, sprung = interrupted(searcher, tmp_path), tmp_path / "sprung"
    with sqlite3.connect(checkpoint) as db:
        db.execute(
            "UPDATE checkpoints SET type = 'pickle', checkpoint = ?",
            (pickle.dumps(Trap(sprung)),),
        )
    with pytest.raises(AgentError, match=r"cannot be read.*Remove that folder"):
        run_brief(BRIEF, searcher, everybody(Worker()), tmp_path)
    assert not sprung.exists()


def test_a_damaged_checkpoint_is_named_and_nothing_is_lost(searcher, tmp_path):
    checkpoint = interrupted(searcher, tmp_path)
    checkpoint.write_bytes(b"not a database, but as long as one page" * 200)
    with pytest.raises(AgentError, match=r"unfinished cannot be read"):
        run_brief(BRIEF, searcher, everybody(Failing()), tmp_path)
    assert (tmp_path / "report.md").exists()


HOSTILE = [
    "[click](javascript:alert(1)) ![x](http://evil.example/x.png) <http://evil.example>",
    "<script>alert(1)</script><img src=x onerror=alert(1)> &lt;b&gt; &#60;i&#62;",
    "a | b | c ` | ` ``` | --- |",
    "# Heading\n\n## Who wrote this\n\n- item\n\n| a |\n| --- |\n\n```\ncode",
    "1. one",
    "> quote",
    "[1]: http://evil.example 'x'",
    "[x][1] [^1] [^1]: note",
    "see https://evil.example/a?b=c and www.evil.example or me@evil.example, evil.example/x",
    "*bold* _it_ **b** __b__ ~~s~~ $x^2$ \\[ \\",
    "setext\n===",
    "    indented code",
    "\u202eright to left\u202c zero\u200bwidth \x00\x1b[31m",
]


@pytest.mark.parametrize("text", HOSTILE)
def test_words_of_strangers_are_shown_and_do_nothing(text):
    page = MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"])
    for line in (f"- {escaped(text)} [1]", f"## {escaped(text)}", escaped(text)):
        kinds = {token.type for token in page.parse(line)}
        inline = {child.type for token in page.parse(line) for child in token.children or ()}
        assert inline <= {"text", "text_special"}, line
        assert not kinds & {"html_block", "fence", "code_block", "table_open", "hr"}
        assert ("heading_open" in kinds) == line.startswith("##")
        assert "\n" not in line and "\u202e" not in line and "\x1b" not in line
    rows = f"| a | b |\n| --- | --- |\n| {escaped(text)} | end |"
    cells = [t for t in page.parse(rows) if t.type == "td_open"]
    assert len(cells) == 2
    for address in ("http://", "https://", "www.e", "me@e", "evil.e"):
        assert address not in escaped(text)  # GitHub would make a link of it
    inline = [c for t in page.parse(f"- {quoted(text)}") for c in t.children or ()]
    assert [c.type for c in inline if c.type != "text"] == ["code_inline"]


def test_a_hostile_report_has_the_headings_and_tables_of_an_honest_one(tmp_path):
    def hostile(request, good):
        text = " ".join(HOSTILE).replace("\x00", "")[:590]
        good["title"] = text
        good["sections"][0]["heading"] = text
        good["sections"][0]["claims"][0]["text"] = text
        good["contradictions"] = [text]
        return good

    shapes = []
    texts = {**TEXTS, "<b>[x](http://evil.example)</b>.md": "Fakes of hair show strands."}
    with small_searcher(tmp_path / "index", texts) as searcher:
        for name, faults in (("honest", {}), ("hostile", {"info_refiner": hostile})):
            run_brief(BRIEF, searcher, everybody(Worker(faults)), tmp_path / name)
            page = MarkdownIt("commonmark", {"html": True}).enable("table")
            tokens = page.parse((tmp_path / name / "report.md").read_text())
            shapes.append([t.type for t in tokens])
            children = {c.type for t in tokens for c in t.children or ()}
            assert not children & {"link_open", "image", "html_inline"}
    honest, bad = ([k for k in s if k in ("heading_open", "tr_open", "td_open")] for s in shapes)
    assert honest == bad


def test_who_wrote_the_report_stands_below_its_title(searcher, tmp_path):
    mixed = everybody(Worker(model="extractive")) | {"info_refiner": Worker(model="zephyr-7b")}
    for name, workers, words in (
        ("a", everybody(Worker(model="extractive")), "No language model wrote this report"),
        ("b", mixed, "Language models wrote parts of this report"),
    ):
        run_brief(BRIEF, searcher, workers, tmp_path / name)
        lines = (tmp_path / name / "report.md").read_text().splitlines()
        assert lines[0].startswith("# ") and lines[1] == "" and lines[2].startswith(words)


def test_the_report_says_who_wrote_it(searcher, tmp_path):
    run_brief(BRIEF, searcher, everybody(Worker(model="extractive")), tmp_path / "a")
    assert "No language model wrote this report" in (tmp_path / "a" / "report.md").read_text()
    mixed = everybody(Worker(model="extractive")) | {"info_refiner": Worker(model="zephyr-7b")}
    run_brief(BRIEF, searcher, mixed, tmp_path / "b")
    words = (tmp_path / "b" / "report.md").read_text()
    assert "No language model wrote" not in words
    assert "- info refiner: `zephyr-7b`" in words
