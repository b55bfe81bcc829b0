"""The consent wording, the sentence beside the sign-up button: the usual ones, and a newsletter's own."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.orm import Session

from newsletter.identity import Identity
from newsletter.models import NewsletterText


@dataclass(frozen=True)
class Wording:
    """One version of the sentence beside the sign-up button, exactly as the page shows it.

    `version` ends in a dot and the language tag. The usual wordings have a month before it, such as
    2026-11.en. A newsletter's own wording has the newsletter's id and version: n2-v5.en.
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

# The columns are integers of 64 and 32 bits, so a longer number names nothing.
_OWN = re.compile(r"n([0-9]{1,9})-v([0-9]{1,9})\.([A-Za-z0-9-]{1,16})", re.ASCII)
_CURRENT = {wording.language: wording for wording in WORDINGS}
_BY_VERSION = {wording.version: wording for wording in WORDINGS}


def current_wording(language: str = "en") -> Wording:
    """Return the wording that pages in `language` show now, or the English one if there is none."""
    return _CURRENT.get(language) or _CURRENT.get(language.partition("-")[0]) or _CURRENT["en"]


def newsletter_wording(identity: Identity, language: str) -> Wording:
    """Return the wording that a newsletter's pages show now: its own in this language, or the usual one."""
    texts = identity.texts.get(language)
    if texts is None or not texts.consent:
        return current_wording(language)
    return Wording(_version_of(identity.newsletter_id, texts.version, language), texts.consent)


def seen_wording(session: Session, identity: Identity, version: str, language: str) -> Wording:
    """Return the wording of a form that names this version.

    The newsletter may have another one since the form was opened. A version that is unknown or belongs to
    another newsletter gives the present wording.
    """
    now = newsletter_wording(identity, language)
    if version == now.version:
        return now
    found = find_wording(session, version)
    own = _OWN.fullmatch(version)
    if found is None or (own and int(own[1]) != identity.newsletter_id):
        return now
    return found


def find_wording(session: Session, version: str) -> Wording | None:
    """Return the wording of a version, or None if there is no such version."""
    if version in _BY_VERSION:
        return _BY_VERSION[version]
    own = _OWN.fullmatch(version)
    if own is None:
        return None
    text = session.scalar(
        select(NewsletterText.consent).where(
            NewsletterText.newsletter_id == int(own[1]),
            NewsletterText.version == int(own[2]),
            NewsletterText.language == own[3],
        )
    )
    return Wording(version, text) if text else None


def _version_of(newsletter_id: int, version: int, language: str) -> str:
    return f"n{newsletter_id}-v{version}.{language}"
