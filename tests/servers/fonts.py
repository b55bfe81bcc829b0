"""The fonts of the browser tests, from npm packages. No font of the machine is used."""

from __future__ import annotations

from pathlib import Path

from servers.processes import ServerFailed

# The name of each set, the folder with its files in node_modules, and the family for every generic name.
FONT_SETS = {
    "opensans": ("open-sans-fonts/open-sans", "Open Sans"),
    "dejavu": ("dejavu-fonts-ttf/ttf", "DejaVu Sans"),
}
GENERIC = ("sans-serif", "serif", "monospace", "system-ui")


def font_configuration(name: str, modules: Path) -> Path:
    """Write a fontconfig file with the fonts of one set alone, and return its path."""
    folder, family = FONT_SETS[name]
    fonts, cache = modules / folder, modules / ".cache"
    if not any(fonts.rglob("*.ttf")):
        raise ServerFailed(f"no fonts in {fonts}: run `make browser`")
    cache.mkdir(parents=True, exist_ok=True)
    aliases = "".join(
        f"  <alias><family>{each}</family><prefer><family>{family}</family></prefer></alias>\n"
        for each in GENERIC
    )
    config = cache / f"fonts-{name}.conf"
    config.write_text(
        '<?xml version="1.0"?>\n<!DOCTYPE fontconfig SYSTEM "fonts.dtd">\n<fontconfig>\n'
        f"  <dir>{fonts}</dir>\n  <cachedir>{cache / 'font-cache'}</cachedir>\n{aliases}</fontconfig>\n"
    )
    return config
