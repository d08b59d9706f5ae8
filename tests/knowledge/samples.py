"""Small real documents, written for the tests that read them."""

import io
import zlib
from collections.abc import Sequence

from pypdf import PdfWriter
from pypdf.generic import DictionaryObject, NameObject, StreamObject

ARTICLE = """<!doctype html>
<html lang="en"><head><title>How a face swap works</title>
<meta property="article:published_time" content="2024-03-05T10:00:00Z"></head>
<body><nav><a href="/">Home</a> <a href="/all">All articles of this site</a></nav>
<article><h1>How a face swap works</h1>
<p>A face swap replaces the identity of a person by another one's, while the expression and the
pose stay as they were in the original picture.</p>
<h2>Training</h2>
<p>Two decoders are trained behind one shared encoder, one for each of the two identities, and at
the time of inference they change places.</p>
<ul><li>The encoder sees both faces.</li><li>Each decoder knows <b>one</b> face.</li></ul>
<table><tr><th>Detector</th><th>AUC</th></tr><tr><td>Xception</td><td>0.94</td></tr></table>
{extra}
</article><footer>Copyright of the site, all rights reserved, imprint</footer></body></html>"""

README = """# A detector <img src="https://img.shields.io/badge/build-passing.svg" alt="badge">

[![Build](https://ci.example/badge.svg)](https://ci.example) ![](teaser.png)

<p align="center"><a href="https://arxiv.org/abs/1">Paper</a> of <em>2020</em><br>second line</p>

It finds `fake` pictures, see [our paper](https://arxiv.org/abs/2), with a **small** network.

## Use

1. Install it.
2. Run it:
   - on a file
   - on a folder

```sh
python detect.py \\
    --input a.png
```

| Set | AUC |
|-----|-----|
| A   | 0.9 |

<!-- not for readers -->
"""


def make_pdf(pages: Sequence[Sequence[str]], *, size: int = 11, **info: str) -> bytes:
    """A PDF with the given lines on its pages, the first one larger; `info` such as `Title`."""
    return written(with_streams([page_stream(lines, size) for lines in pages], **info))


def page_stream(lines: Sequence[str], size: int = 11) -> bytes:
    shown = []
    for number, line in enumerate(lines):
        escaped = line.replace("\\", r"\\").replace("(", r"\(").replace(")", r"\)")
        font = f"/F1 {2 * size if number == 0 else size} Tf"
        shown.append(f"BT {font} 72 {720 - 20 * number} Td ({escaped}) Tj ET")
    return "\n".join(shown).encode("cp1252")


def with_streams(streams: Sequence[bytes], **info: str) -> PdfWriter:
    """A writer that holds one page for each content stream."""
    writer = PdfWriter()
    kind = {"/Type": "/Font", "/Subtype": "/Type1", "/BaseFont": "/Helvetica"}
    font = DictionaryObject({NameObject(k): NameObject(v) for k, v in kind.items()})
    font[NameObject("/Encoding")] = NameObject("/WinAnsiEncoding")
    for data in streams:
        page = writer.add_blank_page(612, 792)
        fonts = DictionaryObject({NameObject("/F1"): font})
        page[NameObject("/Resources")] = DictionaryObject({NameObject("/Font"): fonts})
        stream = StreamObject()
        stream.set_data(data)
        page[NameObject("/Contents")] = writer._add_object(stream)
    writer.add_metadata({f"/{name}": value for name, value in info.items()})
    return writer


def written(writer: PdfWriter) -> bytes:
    buffer = io.BytesIO()
    writer.write(buffer)
    return buffer.getvalue()


def locked_pdf(password: str) -> bytes:
    """A PDF that opens with a password; with an empty one everybody can read it."""
    writer = with_streams([page_stream(["A locked paper", "It tells of deepfakes and of masks."])])
    writer.encrypt(password, "the owner's", algorithm="AES-256")
    return written(writer)


def bomb_pdf(megabytes: int) -> bytes:
    """A PDF of some kilobytes whose page unpacks to many megabytes of blanks."""
    return _packed_pdf(b" " * 2**20, megabytes)


def endless_pdf() -> bytes:
    """A small PDF, all valid, whose pages take minutes to go through."""
    return _packed_pdf(b"q 1 0 0 1 0 0 cm Q\n" * 30_000, 100, pages=40)


def _packed_pdf(block: bytes, times: int, pages: int = 1) -> bytes:
    packer = zlib.compressobj(9)
    packed = b"".join(packer.compress(block) for _ in range(times)) + packer.flush()
    stream = StreamObject()
    stream._data = packed
    stream[NameObject("/Filter")] = NameObject("/FlateDecode")
    writer = with_streams([b""] * pages)
    shared = writer._add_object(stream)
    for page in writer.pages:
        page[NameObject("/Contents")] = shared
    return written(writer)
