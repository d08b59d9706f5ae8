"""Why a file is set aside: every code, for pictures, documents and pages, with its sentence.

The codes stand in manifests, inventories and counts, so they never change their meaning.
"""

__all__ = ["NOTES", "REASONS", "TRANSIENT", "in_words"]


def in_words(code: str) -> str:
    """A reason as people read it: "truncated: ends before it is complete"."""
    return ": ".join(filter(None, (code.replace("_", " "), REASONS.get(code))))


REASONS: dict[str, str] = {
    # what the listing sees, without opening the file
    "dangling_link": "a link that leads nowhere, or round in a circle",
    "folder_link": "a link to a folder; its files are counted where they are",
    "folder_named_like_image": "a folder whose name ends like a picture's; what it holds is listed",
    "hidden_file": "a hidden file, or a file in a hidden folder",
    "link_outside_folder": "a link that leaves the folders that were named or allowed",
    "not_a_document": "its name or type says that it is no document of a kind read here",
    "other_medium": "a picture among sounds, or a sound among pictures: a domain is of one medium",
    "outside_class_folders": "not below a class folder (0_real, 1_fake), so it has no label",
    "special_file": "a pipe, socket or device",
    "system_file": "left by an operating system (Thumbs.db, desktop.ini)",
    # what opening it shows
    "binary": "holds binary data where text was expected",
    "changed": "is no longer what it was when the folder was scanned",
    "damaged": "begins like a file of its kind but cannot be decoded",
    "decompression_bomb": "has more megapixels than the setting DEEPWARD_MEGAPIXELS allows",
    "empty": "holds no bytes",
    "encrypted": "is locked with a password",
    "heic": "a HEIC picture: `pip install pi-heif` to have it read",
    "no_text": "holds no text: scanned, drawn, or blank",
    "no_video": "holds no pictures, at most sound",
    "no_decoder": "is a kind of sound that nothing here decodes: convert it to FLAC or WAV",
    "not_a_sound": "is no sound of any kind known here",
    "not_a_video": "is no video of any kind known here",
    "not_an_image": "is no picture of any kind known here",
    "not_finite": "holds values that are no numbers",
    "odd_rate": "has so few or so many samples per second that it is no recording of a voice",
    "silent": "holds no sound, or none in its first ten minutes",
    "too_complex": "nests too deeply or unfolds too far",
    "too_large": "is larger than any file that is read here",
    "too_many_channels": "has more channels than any recording of a voice that is judged here",
    "too_short": "holds too little sound, without its silent ends, to carry traces",
    "too_small": "has a side too short to carry traces",
    "truncated": "ends before it is complete",
    "unreadable": "the file system reported an error while it was read",
    "unreadable_permission": "the permission to read it is missing",
    "unsupported_format": "is a picture or document of a kind not accepted here",
    "vanished": "was there when the folder was listed, and gone when it was read",
    # what became of the process that opened it
    "reader_crashed": "crashed the process that read it",
    "reader_failed": "met an error of the program that reads it",
    "too_much_memory": "needs more memory than a reader is given",
    "too_slow": "was not read within the time allowed",
    # what a record of a data set from elsewhere shows
    "checksum": "does not fit its checksum",
    "damaged_length": "has a length that does not fit its checksum",
    "label_unknown": "has a label that was named neither as real nor as fake",
    "no_picture": "has no picture in the field that was named",
    "not_an_example": "is no tf.Example",
    "split_unknown": "has a split that is none of train, val and test",
    # what comparing it with others shows
    "duplicate": "same bytes as an earlier file of the same split and label",
    "duplicate_across_splits": "copy or re-encoding of a picture in a split tested later",
    "duplicate_with_other_label": "the same picture, saved anew or not, has the other label too",
    # in tables of earlier versions
    "decoder_crashed": "crashed the process that read it",
    "decoder_hung": "was not read within the time allowed",
}

TRANSIENT = frozenset({"unreadable", "vanished"})  # may be otherwise next time: not remembered

NOTES: dict[str, str] = {
    "alpha": "had transparency; composed over white",
    "animated": "has several frames; the first was taken",
    "cmyk": "was stored in print colours",
    "decoder_warned": "damaged: its decoder warned of a fault",
    "first_part_only": "is so long that only its first ten seconds of sound were listened to",
    "frames_end_early": "its frames end before its header says",
    "late_start": "begins with silence, which was passed over",
    "low_rate": "has fewer than 16,000 samples per second, so its highest frequencies are missing",
    "metadata_dropped": "its metadata is broken or too large and was left aside",
    "middle_only": "is so large that only its middle was looked at, at native resolution",
    "mixed_down": "had several channels; their mean was taken",
    "passages_only": "is so long, large or fast that only passages of it were looked at",
    "palette": "was stored with a palette",
    "part_missing": "damaged: part of it is missing",
    "progressive": "is a progressive JPEG",
    "rotated": "was turned upright as its EXIF orientation says",
    "sixteen_bit": "had more than 8 bits per channel",
    "wrong_extension": "its name's extension does not match what it holds",
}
