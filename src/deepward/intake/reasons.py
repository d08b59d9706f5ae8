"""Why a file is set aside: every quarantine code, with the sentence that explains it.

The codes stand in manifests and counts, so they never change their meaning.
"""

__all__ = ["NOTES", "REASONS"]

REASONS: dict[str, str] = {
    # what the listing sees, without opening the file
    "dangling_link": "a link that leads nowhere, or round in a circle",
    "folder_link": "a link to a folder; its files are counted where they are",
    "folder_named_like_image": "a folder whose name ends like a picture's; what it holds is listed",
    "hidden_file": "a hidden file, or a file in a hidden folder",
    "link_outside_domain": "a link that leaves the domain's folder",
    "outside_class_folders": "not below a class folder (0_real, 1_fake), so it has no label",
    "special_file": "a pipe, socket or device",
    "system_file": "left by an operating system (Thumbs.db, desktop.ini)",
    # what opening it shows
    "damaged": "begins like a picture but cannot be decoded",
    "decoder_crashed": "crashed the process that decoded it",
    "decoder_hung": "was not decoded within the time allowed",
    "decompression_bomb": "declares more pixels than are ever decoded here",
    "empty": "holds no bytes",
    "not_an_image": "is no picture of any kind known here",
    "too_large": "is larger than any file that is read here",
    "too_much_memory": "needs more memory than a decoder is given",
    "too_small": "has a side too short to carry traces",
    "truncated": "ends before the picture is complete",
    "unreadable": "the file system reported an error while it was read",
    "unreadable_permission": "the permission to read it is missing",
    "unsupported_format": "is a picture or document of a kind not accepted here",
    "vanished": "was there when the folder was listed, and gone when it was read",
    # what comparing it with others shows
    "duplicate": "same bytes as an earlier file of the same split and label",
    "duplicate_across_splits": "copy or re-encoding of a picture in a split tested later",
    "duplicate_with_other_label": "same bytes stand under the other label too",
}

NOTES: dict[str, str] = {
    "alpha": "had transparency; composed over white",
    "animated": "has several frames; the first was taken",
    "cmyk": "was stored in print colours",
    "palette": "was stored with a palette",
    "progressive": "is a progressive JPEG",
    "rotated": "was turned upright as its EXIF orientation says",
    "sixteen_bit": "had more than 8 bits per channel",
    "wrong_extension": "its name's extension does not match what it holds",
}
