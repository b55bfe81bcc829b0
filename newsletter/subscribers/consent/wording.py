"""The consent wordings beside the sign-up button: every version, word for word. Pure."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass


@dataclass(frozen=True)
class Wording:
    """One version of the sentence beside the sign-up button, as the page shows it.

    `version` is a month and a language tag: 2026-11.en.
    """

    version: str
    text: str

    @property
    def hash(self) -> str:
        """SHA-256 of the text, in hex: proof that a version was not reworded later."""
        return hashlib.sha256(self.text.encode()).hexdigest()

    @property
    def language(self) -> str:
        """The language it is in."""
        return self.version.partition(".")[2]


# Oldest first. A version that people have agreed to is never edited: add another one below it, in
# every language. The last one of a language is what its pages show.
WORDINGS = (
    Wording(
        "2026-11.en",
        "I would like to receive the topics I chose by e-mail. I confirm this by the link in the first "
        "mail, and I can leave at any time by the link in every mail.",
    ),
    Wording(
        "2026-11.lt",
        "Noriu el. paštu gauti pasirinktų temų naujienas. Tai patvirtinsiu nuoroda pirmajame laiške, o "
        "atsisakyti galėsiu bet kada: nuoroda yra kiekviename laiške.",
    ),
    Wording(
        "2026-11.de",
        "Ich möchte die gewählten Themen per E-Mail erhalten. Das bestätige ich über den Link in der ersten "
        "E-Mail, und ich kann mich jederzeit über den Link in jeder E-Mail wieder abmelden.",
    ),
    Wording(
        "2026-11.fr",
        "Je souhaite recevoir par e-mail les thèmes que j’ai choisis. Je le confirme par le lien du premier "
        "message, et je peux me désabonner à tout moment par le lien présent dans chaque message.",
    ),
    Wording(
        "2026-11.es",
        "Deseo recibir por correo electrónico los temas que he elegido. Lo confirmo con el enlace del primer "
        "mensaje y puedo darme de baja en cualquier momento con el enlace que lleva cada mensaje.",
    ),
    Wording(
        "2026-11.ja",
        "選んだトピックをメールで受け取ることを希望します。最初のメールにあるリンクで確認し、"
        "どのメールにもあるリンクからいつでも登録を解除できます。",
    ),
)

_CURRENT = {wording.language: wording for wording in WORDINGS}
_BY_VERSION = {wording.version: wording for wording in WORDINGS}


def current_wording(language: str = "en") -> Wording:
    """Return the wording that pages in `language` show today; the English one when it has none."""
    return _CURRENT.get(language) or _CURRENT.get(language.partition("-")[0]) or _CURRENT["en"]


def find_wording(version: str) -> Wording | None:
    """Return the wording of a version, or None when there never was one."""
    return _BY_VERSION.get(version)
