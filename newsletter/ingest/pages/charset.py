"""Tell a web page from other documents, and decode its bytes. Pure."""

from __future__ import annotations

import codecs
import re

LARGEST_BYTES = 4 * 1024 * 1024

_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_CHARSET = re.compile(r"charset\s*=\s*[\"']?\s*([\w:.-]{1,40})", re.IGNORECASE)
_META = re.compile(rb"<meta[^>]{0,300}?charset\s*=\s*[\"']?\s*([\w:.-]{1,40})", re.IGNORECASE)
# How browsers read these names (https://encoding.spec.whatwg.org/#names-and-labels).
_READ_AS = {
    "iso-8859-1": "cp1252", "latin1": "cp1252", "latin-1": "cp1252", "us-ascii": "cp1252", "ascii": "cp1252",
    "iso-8859-9": "cp1254", "tis-620": "cp874", "gb2312": "gb18030", "gbk": "gb18030", "x-gbk": "gb18030",
    "shift_jis": "cp932", "shift-jis": "cp932", "x-sjis": "cp932", "euc-kr": "cp949",
    "ks_c_5601-1987": "cp949",
    "x-euc-jp": "euc_jp", "windows-31j": "cp932", "unicode": "utf-8", "utf8": "utf-8",
}  # fmt: skip
_START = re.compile(
    rb"\s*(?:<\?xml[^>]{0,200}>\s*)?(?:<!--.{0,4000}?-->\s*)*<(?:!doctype\s+html|html|head|body)\b",
    re.IGNORECASE | re.DOTALL,
)


def is_page(data: bytes) -> bool:
    """Return whether `data` begins like a web page."""
    start = data[:8192]
    for mark, codec in _MARKS:
        if start.startswith(mark):
            start = start.removeprefix(mark).decode(codec, "ignore").encode()
    return _START.match(start) is not None


def decode_page(data: bytes, content_type: str = "") -> str:
    """Return the text of a page: by its byte order mark, the header's charset, or that of its `<meta>`.

    Text that is valid UTF-8 is UTF-8 whatever the page says, because no other text is by chance. Bytes that
    the charset does not have become replacement characters.
    """
    for mark, codec in _MARKS:
        if data.startswith(mark):
            return data[len(mark) :].decode(codec, "replace")
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        pass
    header, meta = _CHARSET.search(content_type), _META.search(data[:8192])
    named = [header[1] if header else "", meta[1].decode("latin-1") if meta else ""]
    codecs_named = [each for each in map(_codec, named) if each]
    for codec in codecs_named:
        try:
            return data.decode(codec)
        except UnicodeDecodeError:
            continue
    # A page that is cut inside a character, or has a few stray bytes.
    return data.decode(codecs_named[0] if codecs_named else "utf-8", "replace")


def _codec(name: str) -> str:
    low = name.lower()
    try:
        return codecs.lookup(_READ_AS.get(low, low)).name
    except LookupError:
        return ""
