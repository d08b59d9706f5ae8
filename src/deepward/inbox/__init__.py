"""News of techniques that people put in: notes, specimens, and what the system asks of people."""

from deepward.inbox.box import Answer, Inbox
from deepward.inbox.notes import Note, read_note

__all__ = ["Answer", "Inbox", "Note", "read_note"]
