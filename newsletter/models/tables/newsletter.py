"""Tables of newsletters: sender, languages and look, and the versions of each newsletter's texts."""

from __future__ import annotations

import enum
from datetime import datetime

from sqlalchemy import DDL, JSON, Enum, ForeignKey, LargeBinary, String, Text, event, text
from sqlalchemy.orm import Mapped, mapped_column

from newsletter.models.base import Base, BigId, UTCDateTime, choice
from newsletter.models.tables.subscription import Frequency

# The newsletter that every database begins with. `newsletter_column` has it as default.
FIRST_NEWSLETTER = 1


class EmailImages(enum.StrEnum):
    """Which images of releases the issues of a newsletter show: none, or the one of each release."""

    OFF = "off"
    LEAD = "lead"


class ClickCounting(enum.StrEnum):
    """Whether followed links of issues are counted: never, or for subscribers who agreed to it."""

    OFF = "off"
    AGREED = "agreed"


class StoredLogo(Base):
    """An image that a newsletter has or had as its logo, as this program encoded it.

    Rows are never changed or deleted: emails that were sent refer to them by their hash.
    """

    __tablename__ = "logo"

    # SHA-256 of `content`, in hex.
    hash: Mapped[str] = mapped_column(String(64), primary_key=True)
    media_type: Mapped[str] = mapped_column(String(32))
    width: Mapped[int]
    height: Mapped[int]
    content: Mapped[bytes] = mapped_column(LargeBinary)
    created_at: Mapped[datetime] = mapped_column(UTCDateTime)


class Newsletter(Base):
    """One newsletter: its sender, its languages, its look and its calendar.

    `version` is raised by every change of this row or of the texts, so that each process notices a change by
    reading one number. While it is 0, the row has no content yet, and the settings are used
    (newsletter/identity.py).
    """

    __tablename__ = "newsletter"

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    slug: Mapped[str] = mapped_column(String(64), unique=True)
    version: Mapped[int] = mapped_column(default=0)
    from_address: Mapped[str] = mapped_column(String(320), default="")
    # The name beside the From address; empty: the newsletter's name.
    from_name: Mapped[str] = mapped_column(Text, default="")
    reply_to: Mapped[str | None] = mapped_column(String(320))
    postal_address: Mapped[str] = mapped_column(Text, default="")
    # Language tags; the first is used for subscribers with any other language.
    languages: Mapped[list[str]] = mapped_column(JSON, default=list)
    time_zone: Mapped[str] = mapped_column(String(64), default="UTC")
    # CSS colours by the name of what they colour.
    colours: Mapped[dict[str, str]] = mapped_column(JSON, default=dict)
    logo_hash: Mapped[str | None] = mapped_column(ForeignKey("logo.hash"))
    default_frequency: Mapped[Frequency] = mapped_column(
        choice(Frequency, "default_frequency"), default=Frequency.WEEKLY
    )
    email_images: Mapped[EmailImages] = mapped_column(
        Enum(
            EmailImages, name="email_images", native_enum=False, create_constraint=False, length=24,
            values_callable=lambda members: [member.value for member in members],
        ),
        default=EmailImages.OFF, server_default=text("'off'"),
    )  # fmt: skip
    click_counting: Mapped[ClickCounting] = mapped_column(
        Enum(
            ClickCounting, name="click_counting", native_enum=False, create_constraint=False, length=24,
            values_callable=lambda members: [member.value for member in members],
        ),
        default=ClickCounting.OFF, server_default=text("'off'"),
    )  # fmt: skip
    position: Mapped[int] = mapped_column(default=0)
    created_at: Mapped[datetime] = mapped_column(UTCDateTime)


class NewsletterText(Base):
    """The texts of a newsletter in one language, from one `version` of the newsletter on.

    Rows are never changed: a new text is a new row, and the row with the highest version counts. `consent`
    is the sentence beside the sign-up button; empty: the usual one of that language
    (subscribers/consent/wording.py). `subject` is the template of an issue's subject; empty: the usual one.
    """

    __tablename__ = "newsletter_text"

    newsletter_id: Mapped[int] = mapped_column(ForeignKey("newsletter.id"), primary_key=True)
    language: Mapped[str] = mapped_column(String(16), primary_key=True)
    version: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    name: Mapped[str] = mapped_column(Text)
    tagline: Mapped[str] = mapped_column(Text, default="")
    consent: Mapped[str] = mapped_column(Text, default="")
    subject: Mapped[str] = mapped_column(Text, default="", server_default=text("''"))
    since: Mapped[datetime] = mapped_column(UTCDateTime)


class NewsletterTemplate(Base):
    """One version of the templates of a newsletter's digests. Rows are never changed.

    `sources` has the parts that are not the usual ones (messages/templates/parts.py). The row with the
    highest version counts. Issues name theirs.
    """

    __tablename__ = "newsletter_template"

    newsletter_id: Mapped[int] = mapped_column(ForeignKey("newsletter.id"), primary_key=True)
    version: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    sources: Mapped[dict[str, str]] = mapped_column(JSON, default=dict)
    created_by: Mapped[str] = mapped_column(String(320), default="")
    created_at: Mapped[datetime] = mapped_column(UTCDateTime)


# The row is made with the table, and by the migration, so that no two processes try to make it.
_FIRST_ROW = DDL(  # type: ignore[no-untyped-call]
    "INSERT INTO newsletter (slug, version, from_address, from_name, postal_address, languages, time_zone, "
    "colours, default_frequency, position, created_at) "
    "VALUES ('news', 0, '', '', '', '[]', 'UTC', '{}', 'weekly', 0, CURRENT_TIMESTAMP)"
)
event.listen(Newsletter.__table__, "after_create", _FIRST_ROW)
