"""Reading one document, of any of the formats known here, into plain text by page.

reader, formats              which reader is for which bytes
pdf, html, markdown          one format each (plain text stands in reader)
paragraphs, html_text        lines of print, and elements, to paragraphs
plaintext                    decoding, cleaning, language
"""

from deepward.knowledge.reading.formats import FORMATS, MOST_BYTES, format_of
from deepward.knowledge.reading.reader import assemble, extract, read_bytes, read_file

__all__ = [
    "FORMATS",
    "MOST_BYTES",
    "assemble",
    "extract",
    "format_of",
    "read_bytes",
    "read_file",
]
