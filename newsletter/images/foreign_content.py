"""Find content of another format in an image file, which some program might run. Pure.

A file can be a valid image and, at the same time, a valid page, script, PDF or archive. The image is encoded
again anyway. Such a file is refused because nobody makes one by accident.
"""

from __future__ import annotations

import re

# Compressed pixels contain any four bytes by chance, so each of these is longer or has a fixed place.
_MARKUP = re.compile(
    rb"<(?:script|html|body|iframe|object|embed)[\s>/]|<!doctype\s|<\?php\s|<svg[\s>]", re.IGNORECASE
)
_PDF_HEAD_BYTES = 1024
# The end of a ZIP archive is found by this record, which a comment of up to 65,535 bytes may follow.
_ZIP_END, _ZIP_TAIL_BYTES = b"PK\x05\x06", 22 + 65_535


def foreign_content(document: bytes) -> str:
    """Return what else a file is, in words that follow "holds"; "" if it is an image alone."""
    if b"%PDF-" in document[:_PDF_HEAD_BYTES]:
        return "a PDF document"
    at = document.rfind(_ZIP_END, max(0, len(document) - _ZIP_TAIL_BYTES))
    if at >= 0 and len(document) - at >= 22:
        return "an archive"
    if _MARKUP.search(document):
        return "a web page or a script"
    return ""
