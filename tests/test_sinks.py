"""Words of strangers where people see them: a terminal, Markdown, HTML. One function makes them
fit for each, and nothing gets there without it.
"""

import ast
import re
import unicodedata
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from assets.metadata import listed, picture, table, written
from deepward.commands.console import coloured, out, print_table, say
from deepward.evaluation.embedding import as_html, inline_svg
from deepward.evaluation.model_card import model_card
from deepward.files import printable, visible
from deepward.progress import Advance, log_lines, progress_bars

ROOT = Path(__file__).parents[1]
CODE = ("src", "assets", "resources", "sensors", "jobs", "dagster_project")
HOSTILE = (
    "a\x1b[2J\x1b]0;title\x07\r\n\x9b31m\u202etxt.exe\u2066\u200b\u2028\ufeff\udc80\ud83d\x00",
    "<script>alert(1)</script><img src=x onerror=y>",
    "![p](http://evil.example/p.png) [l](http://evil.example) <http://evil.example>",
    "a | b\n| --- |\n# h\n- i\n```\n",
    "tag\U000e0041 soft\u00ad hyphen \u061c \u2067 \u180e",
)
texts = st.text(max_size=80)


def hostile(test):
    for text in HOSTILE:
        test = example(text)(test)
    return given(texts)(test)


def shown_only(text: str) -> bool:
    """Whether a reader sees all of it, in the order in which it stands."""
    return all(unicodedata.category(c) not in ("Cc", "Cf", "Co", "Cs", "Cn") for c in text)


def trees() -> Iterator[tuple[str, ast.Module]]:
    for folder in CODE:
        for file in sorted((ROOT / folder).rglob("*.py")):
            yield str(file.relative_to(ROOT)), ast.parse(file.read_text("utf-8"))


# The terminal


@hostile
def test_a_terminal_gets_one_line_of_seen_signs(text):
    shown = printable(text)
    shown.encode()  # no halves of signs
    assert shown.isprintable() and printable(shown) == shown
    assert text.isprintable() == (shown == text)


@pytest.mark.parametrize("text", HOSTILE)
def test_every_way_to_the_terminal_is_free_of_steering(text, capfd):
    out(text, text)
    say(text)
    print_table([text, "b"], [[text, None], ["x", 0.5]])
    lines: list[str] = []
    log_lines(lines.append)(Advance(text, 1, 2, "file", text))
    with progress_bars() as tell:
        tell(Advance(text, 0, 2, "file", text))
        tell(Advance(text, 2, 2, "file", text))
    written_out, written_err = capfd.readouterr()
    assert written_out.count("\n") == 4 and len(lines) == 1
    # A bar goes back to the beginning of its line, and up and down between lines.
    ours = re.sub(r"\r|\n|\x1b\[A", "", written_out + written_err + lines[0])
    assert ours.isprintable()


def test_a_screen_gets_no_other_escapes_than_colours(monkeypatch, capfd):
    monkeypatch.setattr("sys.stdout.isatty", lambda: True, raising=False)
    for text in HOSTILE:
        out(coloured(text, "red"), coloured(text, None))
    shown = capfd.readouterr().out
    assert shown.count("\x1b[31m") == len(HOSTILE)
    assert re.sub(r"\x1b\[(31|0)m|\n", "", shown).isprintable()


# Markdown


def rendered(text: str) -> tuple[list[str], set[str]]:
    """Kinds of blocks, and kinds of what stands in them, as GitHub and Dagster render them."""
    tokens = MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"]).parse(text)
    inline = {child.type for token in tokens for child in token.children or ()}
    return [token.type for token in tokens], inline


@hostile
def test_a_cell_is_a_cell_whatever_stands_in_it(text):
    honest, _ = rendered(table(["name", "n"], [["a", 1], [None, 0.5]]).md_str)
    found = table([text or "-", "n"], [[text, 1], [None, 0.5]]).md_str
    blocks, inline = rendered(found)
    assert blocks == honest and inline <= {"text", "text_special"}
    assert shown_only(found.replace("\n", "").replace("\u2060", ""))


@hostile
def test_a_list_has_as_many_items_as_lines(text):
    blocks, inline = rendered(listed([text, "b"]).md_str)
    assert blocks.count("list_item_open") == 2 and inline <= {"text", "text_special"}


@hostile
def test_a_picture_is_the_picture_and_nothing_else(text):
    blocks, inline = rendered(picture(b"\x89PNG", text).md_str)
    assert blocks == ["paragraph_open", "inline", "paragraph_close"] and inline == {"image"}
    _, large = rendered(picture(bytes(200_000), text).md_str)
    assert large <= {"text", "text_special"}


@hostile
def test_a_model_card_is_as_long_as_that_of_an_honest_name(text):
    def card(name: str) -> str:
        validation = {"auc": {"value": 0.9, "interval": None}, name: {"value": 0.5}}
        lineage = {"domains": {name: {"train real": 1}}, "validation": validation}
        return model_card(name, {"content_hash": name, "lineage": lineage})

    (blocks, inline), (honest, _) = rendered(card(text)), rendered(card("name"))
    if any(sign.isprintable() and not sign.isspace() for sign in text):
        assert blocks == honest
    assert inline <= {"text", "text_special", "code_inline"}
    assert shown_only(re.sub("[\n\u2060]", "", card(text)))


def test_a_report_is_cut_between_lines():
    assert written("# One\n\n- two\n- three\n", 16).md_str == "# One\n\n- two\n"
    assert written("# One\n", 16).md_str == "# One\n"


# HTML


class Tags(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        assert all(name in ("class", "title") for name, _ in attrs)


@hostile
def test_html_shows_what_a_reader_sees_and_no_tag_of_anybody(text):
    shown = as_html(text)
    page = Tags()
    page.feed(f'<p class="{shown}" title="{shown}">{shown}</p>')
    page.close()
    assert page.tags == ["p"] and shown_only(shown) and "\n" not in shown
    assert as_html(shown) == shown and as_html(3) == 3
    assert visible(visible(text)) == visible(text)


@pytest.mark.parametrize("text", HOSTILE)
def test_a_figure_hides_nothing_in_its_words(text):
    from deepward.evaluation.grids import heat_map
    from deepward.evaluation.matrices import TransferMatrix
    from deepward.metrics.intervals import Estimate

    half = Estimate(0.5, None)
    name = text.replace("\x00", "").encode("utf-8", "replace").decode()
    drawn = heat_map(TransferMatrix("made", (name, "b"), (name, "b"), ((half, half),) * 2), "svg")
    shown = inline_svg(drawn, "f", text)
    assert shown_only(shown) and "<script" not in shown and "<img" not in shown


# Every sink


def test_nothing_prints_but_the_console():
    direct = []
    for name, tree in trees():
        if name == "src/deepward/commands/console.py":
            continue
        for node in ast.walk(tree):
            if isinstance(node, ast.Call):
                called = ast.unparse(node.func)
                if called in ("print", "typer.echo", "click.echo", "tqdm.write", "typer.secho"):
                    direct.append(f"{name}:{node.lineno}: {called}")
            if isinstance(node, ast.Attribute) and ast.unparse(node) in (
                "sys.stdout.write",
                "sys.stderr.write",
                "sys.stdout.buffer",
            ):
                direct.append(f"{name}:{node.lineno}: {ast.unparse(node)}")
    assert direct == []


def test_what_dagster_logs_is_said_by_constants_or_made_printable():
    unfit = []
    for name, tree in trees():
        for node in ast.walk(tree):
            if not isinstance(node, ast.Call) or ".log." not in ast.unparse(node.func):
                continue
            for value in node.args:
                parts = value.values if isinstance(value, ast.JoinedStr) else [value]
                for part in parts:
                    inner = part.value if isinstance(part, ast.FormattedValue) else part
                    if not _fit(inner, {"printable", "send_failure"}):
                        unfit.append(f"{name}:{node.lineno}: {ast.unparse(inner)}")
    assert unfit == []


# Whose words stand in Markdown only after one of these.
ESCAPING = {"escaped", "quoted", "bullets", "table", "markdown.table", "markdown.bullets"}
# Modules that write Markdown, and functions in them that write plain text.
WRITERS = {
    "src/deepward/agents/report.py": set(),
    "src/deepward/evaluation/model_card.py": {"training_data"},
}


def test_markdown_of_dagster_is_made_in_one_place():
    direct = [
        f"{name}:{node.lineno}"
        for name, tree in trees()
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute | ast.Name)
        and ast.unparse(node).endswith(("MetadataValue.md", "MarkdownMetadataValue("))
        and name != "assets/metadata/__init__.py"
    ]
    assert direct == []


def test_tables_in_markdown_are_made_in_one_place():
    direct = [
        f"{name}:{node.lineno}: {node.value!r}"
        for name, tree in trees()
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant)
        and isinstance(node.value, str)
        and re.search(r"^\|.*\|$|\| -{3}", node.value)
        and name != "src/deepward/markdown.py"
    ]
    assert direct == []


def test_what_markdown_says_of_others_is_escaped_where_it_is_written():
    """In modules that write Markdown every f-string holds escaped words, numbers, or constants."""
    unfit, seen = [], 0
    for name, plain in WRITERS.items():
        tree = ast.parse((ROOT / name).read_text("utf-8"))
        tree.body = [node for node in tree.body if getattr(node, "name", "") not in plain]
        own = {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}
        for line, part in _formatted(tree):
            seen += 1
            # What the module's own functions return is looked at where they are written.
            if not part.format_spec and not _fit(part.value, ESCAPING | own):
                unfit.append(f"{name}:{line}: {ast.unparse(part.value)}")
    assert seen > 10 and unfit == []


def _formatted(node: ast.AST) -> Iterator[tuple[int, ast.FormattedValue]]:
    """What f-strings put together, but those that are escaped as a whole."""
    if isinstance(node, ast.Call) and ast.unparse(node.func) in ESCAPING:
        return
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.FormattedValue):
            yield child.lineno, child
        yield from _formatted(child)


def _fit(node: ast.expr, safe: set[str]) -> bool:
    """Whether an expression is a constant, or made of calls of `safe` functions."""
    if isinstance(node, ast.Constant) or (isinstance(node, ast.Name) and node.id.isupper()):
        return True
    if isinstance(node, ast.IfExp):
        return _fit(node.body, safe) and _fit(node.orelse, safe)
    if isinstance(node, ast.BoolOp):
        return all(_fit(value, safe) for value in node.values)
    if isinstance(node, ast.Call) and ast.unparse(node.func) == "', '.join":
        mapped = node.args[0]
        return isinstance(mapped, ast.Call) and ast.unparse(mapped).startswith("map(escaped, ")
    return isinstance(node, ast.Call) and ast.unparse(node.func) in safe


def test_pages_are_escaped_by_the_one_function():
    made = []
    for name, tree in trees():
        for node in ast.walk(tree):
            if not isinstance(node, ast.Call):
                continue
            called = ast.unparse(node.func)
            if called == "Environment":
                settings = {word.arg: ast.unparse(word.value) for word in node.keywords}
                assert settings["autoescape"] == "True" and settings["finalize"] == "as_html"
                made.append(name)
            if called == "Markup":
                made.append(name)
            assert called not in ("html.escape", "escape") or name.endswith("embedding.py")
    room = "src/deepward/evaluation/"
    assert set(made) == {f"{room}{file}.py" for file in ("report", "lineage", "embedding")}
    for template in (ROOT / room).glob("*.j2"):
        assert not re.search(r"\|\s*safe|autoescape", template.read_text("utf-8")), template
