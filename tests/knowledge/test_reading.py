"""Reading one document: clean text, what it says of itself, and why it gives none."""

import re
import unicodedata

import pytest

from deepward.errors import UnreadableDocument
from deepward.files import sha256_bytes
from deepward.intake.reasons import REASONS
from deepward.knowledge.documents import Document
from deepward.knowledge.reading import read_bytes, read_file
from deepward.knowledge.reading.paragraphs import join_pages
from tests.knowledge import samples
from tests.knowledge.made import read_document

FACTS = {"origin": "folder:/papers", "kind": "local"}


def read(data: bytes | str, name: str = "/papers/note.md", **facts) -> Document:
    data = data.encode() if isinstance(data, str) else data
    return read_bytes(data, **{"source": name} | FACTS | facts)


def text(data: bytes | str, name: str = "/papers/note.md", **facts) -> str:
    (page,) = read(data, name, **facts).pages
    assert page.number is None
    return page.text


def reason(data: bytes | str, name: str = "/papers/note.md", **facts) -> str:
    with pytest.raises(UnreadableDocument) as raised:
        read(data, name, **facts)
    assert raised.value.reason in REASONS
    assert str(raised.value).endswith(".")
    return raised.value.reason


# Markdown


def test_a_readme_with_badges_and_html_comes_out_as_clean_text():
    document = read(samples.README)
    assert document.title == "A detector"
    assert document.pages[0].text == "\n".join(
        [
            *("# A detector", "", "Paper of 2020", "second line", ""),
            *("It finds fake pictures, see our paper, with a small network.", "", "# Use", ""),
            *("- Install it.", "- Run it:", "- on a file", "- on a folder", ""),
            *("python detect.py \\", "--input a.png", "", "Set | AUC", "A | 0.9"),
        ]
    )


def test_front_matter_gives_title_date_techniques_and_references():
    document = read(
        "---\ntitle: 'StyleGAN3: no aliasing'\ndate: 2024-05-01\ntechniques: [StyleGAN3, gan]\n"
        "url: https://arxiv.org/abs/2106.12423\nreferences:\n- Karras et al., 2021\n---\n\n"
        "## How\n\nIt filters every feature map.\n"
    )
    assert (document.title, document.date) == ("StyleGAN3: no aliasing", "2024-05-01")
    assert document.techniques == ("stylegan3", "gan")
    assert document.pages[0].text == (
        "# How\n\nIt filters every feature map.\n\n# References\n\n"
        "- https://arxiv.org/abs/2106.12423\n- Karras et al., 2021"
    )


@pytest.mark.parametrize(
    ("value", "date"),
    [
        ("2024-05-01T10:00:00", "2024-05-01"),
        ("2024-05", "2024-05"),
        ("2024", "2024"),
        ("2024-13-01", None),
        ("May", None),
        ("20240501", None),
    ],
)
def test_a_date_is_taken_only_where_it_is_one(value, date):
    assert read(f"---\ndate: {value}\n---\n\nWords.\n").date == date


@pytest.mark.parametrize(
    "front",
    ["title: [", "- a\n- b", "!!python/object/apply:os.system ['true']", "a: &x [*x, *x]\n: :"],
)
def test_front_matter_that_is_none_is_text_and_runs_nothing(front):
    document = read(f"---\n{front}\n---\n\n# A heading\n\nWords.\n")
    assert "Words." in document.pages[0].text
    assert document.techniques == ()


def test_what_a_document_lacks_is_taken_from_the_caller():
    given = {"title": "Given", "date": "2020-01-02", "techniques": ("inpainting",)}
    document = read("Only words.", **given)
    assert (document.title, document.date, document.techniques) == tuple(given.values())
    own = read("---\ntitle: Own\ndate: 2021-01-01\ntechniques: gan\n---\nWords.", **given)
    assert (own.title, own.date, own.techniques) == ("Own", "2021-01-01", ("gan",))
    assert read("Only words.", "/papers/some-name.md").title == "some-name"


# HTML


def test_a_page_gives_its_main_text_title_and_date():
    html = samples.ARTICLE.format(extra="")
    document = read(html, "https://example.org/swap", content_type="text/html")
    assert (document.title, document.date) == ("How a face swap works", "2024-03-05")
    assert document.language == "en"
    assert document.content_hash == sha256_bytes(html.encode())
    body = document.pages[0].text
    assert "All articles" not in body and "Copyright" not in body
    paragraphs = body.split("\n\n")
    assert paragraphs[0] == "# How a face swap works"
    assert paragraphs[2] == "# Training"
    assert paragraphs[1].startswith("A face swap") and "\n" not in paragraphs[1]
    assert "- The encoder sees both faces.\n- Each decoder knows one face." in paragraphs
    assert "Detector | AUC\nXception | 0.94" in paragraphs


@pytest.mark.parametrize(
    "hidden",
    [
        "<!-- SECRET -->",
        "<p hidden>SECRET</p>",
        '<p aria-hidden="true">SECRET</p>',
        '<p style="display : none">SECRET</p>',
        '<span style="color:red; visibility:hidden">SECRET</span>',
        '<div style="font-size:0">SECRET <p>SECRET</p></div>',
        '<div style="height:0px;overflow:hidden">SECRET</div>',
        '<div style="position:absolute;left:-9999px">SECRET</div>',
        '<p style="opacity:0.0">SECRET</p>',
        "<template>SECRET</template><script>SECRET</script><noscript>SECRET</noscript>",
        "<p>visible<span style='display:none'>SECRET</span></p>",
    ],
)
@pytest.mark.parametrize("name", ["page.html", "page.md"])
def test_hidden_text_is_left_out_in_html_and_in_markdown(hidden, name):
    page = samples.ARTICLE.format(extra=hidden) if name == "page.html" else f"Words.\n\n{hidden}\n"
    found = text(page + "tail", name)
    assert "SECRET" not in found
    assert "Words." in found or "A face swap" in found


def test_small_text_is_not_taken_for_hidden_text():
    small = '<p style="font-size:0.8em; line-height:0; width:0.5px">Small but visible text.</p>'
    assert "Small but visible text." in text(samples.ARTICLE.format(extra=small), "a.html")


def test_characters_that_nobody_sees_are_taken_out():
    odd = "fa\u200bke\u202e pic\u00adture\ufeff \U000e0041\U000e0042 cafe\u0301\u00a0x\ufe0f\x07 ok"
    assert text(odd, "a.txt") == "fake picture café x ok"
    assert text(f"<p>{odd}</p>", "a.html") == "fake picture café x ok"
    assert text("# " + odd).startswith("# fake picture café x")
    for document in (read(odd, "a.txt", title="t\u202eitle"), read("# a\u200bb\n\nc")):
        assert all(unicodedata.category(c)[0] != "C" for c in document.title)
    assert text("ﬁne ½", "a.txt") == "ﬁne ½"  # what can be seen stays as it was written


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "cp1252", "utf-8-sig"])
def test_text_in_other_encodings_is_read(encoding):
    words = "Für die Erkennung gefälschter Bilder müssen Prüfverfahren größer gedacht werden. "
    assert text((words * 5).encode(encoding), "a.txt") == (words * 5).strip()
    page = f"<html><body><p>{words * 5}</p></body></html>".encode(encoding)
    assert words.strip() in text(page, "a.html")


def test_a_wrong_declaration_of_the_encoding_is_found_out():
    page = ("<html><body><p>" + "Fälschungen über Gesichter prüfen. " * 9).encode("cp1252")
    found = text(page, "https://a.example/", content_type="text/html; charset=utf-8")
    assert "Fälschungen über Gesichter" in found


def test_languages_are_told_apart_and_too_little_text_has_none():
    assert read("Un visage est remplacé par un autre dans cette vidéo truquée.").language == "fr"
    assert read("Ein Gesicht wird in diesem Video durch ein anderes ersetzt.").language == "de"
    assert read("GAN 2020").language is None
    assert read("---\nlang: it\n---\nGAN 2020").language == "it"


@pytest.mark.timeout(60)
@pytest.mark.parametrize(
    "page",
    [
        "<div>" * 50_000 + "x",
        "<ul><li>a" * 3_000,
        "<b>" * 5_000 + "x",
        "<table><tr><td>" * 2_000 + "x",
        "> " * 20_000 + "x",
        "[" * 20_000,
        "<!---->" * 600 + "x",
        "*a **b " * 5_000,
        "- " * 5_000 + "x",
    ],
)
def test_a_page_that_nests_without_end_ends(page):
    for name in ("a.html", "a.md"):
        try:
            read(page, name)
        except UnreadableDocument as error:
            assert error.reason in ("no_text", "too_complex", "damaged")


# PDF


def test_a_pdf_gives_numbered_pages_with_lines_joined():
    first = [
        "Seams in face swaps",
        "A swapped face is blended into the picture, and the seam between the two is the artefact",
        "that most detec-",
        "tors look for, at least in state-of-",
        "the-art work.",
        "1 Introduction",
        "Blending leaves traces in the frequency domain that survive some degree of recoding.",
        "\u2022 one",
        "\u2022 two",
    ]
    document = read(samples.make_pdf([first, [], ["Second", "The end."]]), "/papers/x.pdf")
    assert [page.number for page in document.pages] == [1, 2, 3]
    assert document.pages[0].text.split("\n\n")[1:] == [
        "A swapped face is blended into the picture, and the seam between the two is the artefact"
        " that most detectors look for, at least in state-of-the-art work.",
        "# 1 Introduction",
        "Blending leaves traces in the frequency domain that survive some degree of recoding.",
        "- one\n- two",
    ]
    assert document.pages[1].text == ""
    assert document.title == "Seams in face swaps"


def test_a_pdf_tells_title_and_date_unless_the_title_is_a_file_name():
    info = {"Title": "Traces of up-sampling", "CreationDate": "D:20200315120000Z"}
    lines = [["Large letters here", "and a sentence of the usual size."]]
    document = read(samples.make_pdf(lines, **info), "/papers/x.pdf")
    assert (document.title, document.date) == ("Traces of up-sampling", "2020-03-15")
    for name in ("Microsoft Word - final.docx", "untitled", "paper_v3", "thesis.dvi"):
        assert read(samples.make_pdf(lines, Title=name)).title == "Large letters here"


def test_running_headers_footers_and_page_numbers_are_dropped():
    pages = [
        ["Journal of Fakes, volume 3", f"Page {n} tells of matter {n * 'z'}.", f"{n}"]
        for n in range(1, 7)
    ]
    document = read(samples.make_pdf([[*page[:2], "Some body.", page[2]] for page in pages]))
    texts = [page.text for page in document.pages]
    assert "Journal of Fakes" in texts[0]
    assert not any("Journal" in text or re.search(r"^\d+$", text, re.M) for text in texts[1:])
    assert "matter zzzz." in texts[3]


def test_a_hyphen_stays_where_the_document_writes_the_word_with_one():
    lines = "a multi-scale network is a network of multi-\nscale layers and of convo-\nlutions"
    (page,) = join_pages([lines])
    assert page == "a multi-scale network is a network of multi-scale layers and of convolutions"


def test_an_encrypted_pdf_is_read_only_without_a_password():
    assert reason(samples.locked_pdf("secret"), "x.pdf") == "encrypted"
    assert "deepfakes" in read(samples.locked_pdf(""), "x.pdf").pages[0].text


def test_what_is_wrong_with_a_pdf_is_told():
    whole = samples.make_pdf([["A title", "And words enough to be a text of its own."]])
    assert reason(whole[: len(whole) // 2], "x.pdf") == "truncated"
    assert reason(whole[:-60], "x.pdf") == "truncated"
    assert reason(samples.make_pdf([[], []]), "x.pdf") == "no_text"
    assert reason("just words", "x.pdf") == "damaged"
    assert reason(b"%PDF-1.7\nrubbish\nstartxref\n99\n%%EOF", "x.pdf") == "damaged"
    assert reason(samples.bomb_pdf(200), "x.pdf") == "too_complex"
    scrambled = whole.replace(b"/Kids", b"/Kid5")
    assert reason(scrambled, "x.pdf") in ("damaged", "no_text")


# What the bytes are


def test_the_bytes_are_believed_before_the_name():
    pdf = samples.make_pdf([["A title", "And words enough to be a text of its own."]])
    assert read(pdf, "/papers/wrong.html").pages[0].number == 1
    assert text("<!DOCTYPE html><p>Words of it.</p>", "wrong.txt") == "Words of it."
    assert text("<p>1 < 2</p>", "right.txt") == "<p>1 < 2</p>"


def test_a_fetched_page_is_read_by_its_type():
    url = "https://example.org/list?id=3"
    assert text("<p>Words.</p>", url, content_type="text/html; charset=utf-8") == "Words."
    assert text("<p>Words.</p>", url, content_type="text/plain") == "<p>Words.</p>"
    assert text("**Words**.", "https://a.example/x.md", content_type="text/plain") == "Words."
    for kind in ("image/png", "application/json", "application/rss+xml", "text/css"):
        assert reason("x", url, content_type=kind) == "not_a_document"
    assert read("Words.", "https://a.example/").title == "a.example"


def test_what_is_no_text_is_refused():
    assert reason(b"", "a.txt") == "empty"
    assert reason(b" \n\t\n", "a.html") == "empty"
    assert reason("--- 123 ---", "a.txt") == "no_text"
    assert reason("<html><body><img src=a.png></body></html>", "a.html") == "no_text"
    for name in ("a.txt", "a.md", "a.html"):
        assert reason(bytes(range(256)) * 20, name) == "binary"


def test_a_document_is_the_same_after_json(tmp_path):
    (tmp_path / "note.md").write_text("# A note\n\nWords.\n")
    document = read_document(tmp_path / "note.md", "folder:x")
    assert (document.origin, document.kind, document.title) == ("folder:x", "local", "A note")
    assert Document.from_dict(document.as_dict()) == document
    with pytest.raises(UnreadableDocument, match="not there"):
        read_file(tmp_path / "absent.md")
