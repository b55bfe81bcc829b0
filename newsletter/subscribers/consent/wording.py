"""Every version of the consent wording, the sentence beside the sign-up button. Pure."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass


@dataclass(frozen=True)
class Wording:
    """One version of the sentence beside the sign-up button, exactly as the page shows it.

    `version` is a month and a language tag, such as 2026-11.en.
    """

    version: str
    text: str

    @property
    def hash(self) -> str:
        """SHA-256 of the text in hex. It proves that the version was not changed later."""
        return hashlib.sha256(self.text.encode()).hexdigest()

    @property
    def language(self) -> str:
        """The language tag of the text."""
        return self.version.partition(".")[2]


# The oldest is first. Never edit a version that people have agreed to; add a new one at the end, in every
# language whose sentence changes. Pages show the last one of their language.
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
    Wording(
        "2026-12.en",
        "I would like to receive the topics I chose by email. I confirm this with the link in the first "
        "email. I can unsubscribe at any time with the link in every email.",
    ),
    Wording(
        "2026-12.de",
        "Ich möchte die gewählten Themen per E-Mail erhalten. Das bestätige ich über den Link in der ersten "
        "E-Mail. Ich kann sie jederzeit über den Link in jeder E-Mail abbestellen.",
    ),
    Wording(
        "2026-12.ja",
        "選んだトピックをメールで受け取ることを希望します。最初のメールにあるリンクで確認します。"
        "どのメールにもあるリンクから、いつでも購読を解除できます。",
    ),
)

_CURRENT = {wording.language: wording for wording in WORDINGS}
_BY_VERSION = {wording.version: wording for wording in WORDINGS}


def current_wording(language: str = "en") -> Wording:
    """Return the wording that pages in `language` show now, or the English one if there is none."""
    return _CURRENT.get(language) or _CURRENT.get(language.partition("-")[0]) or _CURRENT["en"]


def find_wording(version: str) -> Wording | None:
    """Return the wording of a version, or None if there is no such version."""
    return _BY_VERSION.get(version)
