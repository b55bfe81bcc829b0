"""`python -m newsletter` is the command `newsletter`."""

from __future__ import annotations

from newsletter.cli import main

main(prog_name="newsletter")
