"""Read 1 MB of HTML of several hostile kinds, and print the seconds of the processor that each takes.

`python -m benchmarks.hostile_pages`. Each must take at most 4 seconds.
"""

from __future__ import annotations

import sys
import time

from newsletter.errors import ReleaseUnreadable
from newsletter.ingest.pages.read import read_page

SIZE = 1_000_000
MOST_SECONDS = 4.0
HEAD = "<html><head><title>A title of a release</title></head><body><h1>A title of a release</h1>"
SENTENCE = "The harbour opened its third quay on Tuesday, and ferries use it from April. "
KINDS = {
    "prose": f"<p>{SENTENCE * 3}</p>",
    "short paragraphs": "<p>a</p>",
    "open elements": "<div>",
    "links": '<a href="/x">Link text of it</a> ',
    "one long text": "word ",
    "ampersands": "&",
    "angle brackets": "<",
    "items of a list": "<li>some text here</li>",
    "long classes": f'<p class="{" a-b" * 200}">some text here</p>',
    "dates": "<p>3 March 2026</p>",
    "headings": "<h1>Heading text number one</h1>",
    "linked headings": f'<h2><a href="/x">{SENTENCE}</a></h2>',
    "pictures": '<img src="a.jpg" alt="x">',
    "times": '<time datetime="2026-03-03">x</time>',
    "lines": f"{SENTENCE}<br>",
    "tables": f"<table><tr><td>{SENTENCE * 3}<td>{SENTENCE}</table>",
    "spans": f"{'<span>' * 60}{SENTENCE * 8}{'</span>' * 60}",
    "scripts": '<script type="application/ld+json">{"@type":"NewsArticle","headline":"x"}</script>',
}


def main() -> None:
    slowest = 0.0
    for name, part in KINDS.items():
        page = (HEAD + part * (SIZE // len(part))).encode()
        began = time.process_time()
        try:
            found = f"{len(read_page(page, '', 'https://port.example/1').body):,} characters"
        except ReleaseUnreadable as fault:
            found = fault.reason
        seconds = time.process_time() - began
        slowest = max(slowest, seconds)
        sys.stdout.write(f"{name:18} {seconds:5.2f} s  {found}\n")
    sys.stdout.write(f"{'slowest':18} {slowest:5.2f} s of {MOST_SECONDS:g}\n")
    sys.exit(slowest > MOST_SECONDS)


if __name__ == "__main__":
    main()
