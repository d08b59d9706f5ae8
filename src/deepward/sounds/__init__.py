"""Sounds: decoding, preparation, laundering, and what tells copies of a recording."""
