"""Links, titles and robots directives out of pages of any quality."""

import time

from deepward.crawling.outline import directives, outline

URL = "http://example.com/folder/page"


def links(text, most=100):
    return [link.url for link in outline(text, URL, most).links]


def test_links_are_absolute_distinct_and_for_the_web_only():
    text = """<a href=one>1</a>
    <a href='/two#x'>2</a><A HREF="//other.example/">3</A><a href="one#y">1
    </a><a href="mailto:a@b.c">mail</a><a href="javascript:x()">js</a><a>none</a>
    <a href="http://[bad">bad</a><a href="  four  ">unclosed"""
    assert links(text) == [
        "http://example.com/folder/one",
        "http://example.com/two",
        "http://other.example/",
        "http://example.com/folder/four",
    ]
    assert links("<base href='http://x.example/y/'><a href=z>z</a>") == ["http://x.example/y/z"]


def test_title_words_and_directives():
    found = outline(
        "<title> A \n B </title><svg><title>no</title></svg><meta name=Robots content='NoFollow'>"
        "<a href=x>click <b>here</b></a>",
        URL,
        5,
    )
    assert (found.title, found.robots) == ("A B", {"nofollow"})
    assert found.links[0].words == "click here"
    assert directives("none") >= {"noindex", "nofollow"}
    assert directives("googlebot: noindex, deepward: nofollow") == {"nofollow"}


def test_pages_without_end_or_sense_are_read_in_flat_time():
    begun = time.monotonic()
    found = outline("<a href=x>" * 300_000, URL, 10)
    assert len(found.links) == 1
    outline("<div>" * 500_000, URL, 10)
    assert outline("", URL, 10).links == outline("\x00\x01", URL, 10).links == ()
    many = outline("".join(f"<a href=/{n}>x</a>" for n in range(100_000)), URL, 10)
    assert (len(many.links), many.left_out) == (10, 99_990)
    assert time.monotonic() - begun < 10
