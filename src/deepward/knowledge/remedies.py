"""What helps a document that was set aside; the reasons are those of `intake.reasons`."""

__all__ = ["NO_DOCUMENTS", "remedy"]

# Reasons of files that nobody took for documents: they are counted, not named.
NO_DOCUMENTS = frozenset({"hidden_file", "not_a_document", "special_file", "system_file"})

_REMEDIES = {
    "binary": "Save it as UTF-8 text, HTML or PDF.",
    "changed": "Ingest again.",
    "damaged": "Get it again, or open it and save it anew.",
    "dangling_link": "Mend the link, or put the document there.",
    "empty": "Get it again.",
    "encrypted": "Save a copy without the password, as `qpdf --decrypt` does.",
    "link_outside_folder": "Ingest the folder that it leads to.",
    "no_text": "Run OCR on it (`ocrmypdf --force-ocr`), or save the page as a browser shows it.",
    "reader_crashed": "Save it anew with another program.",
    "too_complex": "Save it anew with another program, or as text.",
    "too_large": "Split it.",
    "too_much_memory": "Split it, or save it as text.",
    "too_slow": "Split it, or save it as text.",
    "truncated": "Get it again: it was cut off.",
    "unreadable": "Look at the disk, then ingest again.",
    "unreadable_permission": "Give yourself the right to read it.",
    "unsupported_format": "Save it as PDF, HTML, Markdown or text.",
    "vanished": "Ingest again.",
}


def remedy(reason: str) -> str:
    """What to do about a document that was set aside for this reason, as a sentence."""
    return _REMEDIES.get(reason, "Save it anew as PDF, HTML, Markdown or text.")
