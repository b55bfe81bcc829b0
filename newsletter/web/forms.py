"""The forms of the public pages, and how they tell people from programs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

from flask_babel import gettext
from flask_babel import lazy_gettext as _
from flask_wtf import FlaskForm
from wtforms import (
    BooleanField,
    Form,
    HiddenField,
    RadioField,
    SelectField,
    SelectMultipleField,
    StringField,
    ValidationError,
)
from wtforms.fields.choices import SelectChoice
from wtforms.validators import AnyOf, InputRequired, Length

from newsletter.errors import AddressInvalid, TokenError
from newsletter.mail.addresses import Address, parse_address
from newsletter.models import Frequency
from newsletter.subscriptions.queries import OfferedTopic
from newsletter.subscriptions.typos import suggest_domain
from newsletter.tokens import Purpose
from newsletter.web.extensions import runtime

MOST_TOPICS = 50

# Nobody reads a page, types an address and sends the form in less.
SOONEST = timedelta(seconds=1)

FREQUENCY_WORDS: Mapping[Frequency, Any] = {
    Frequency.IMMEDIATE: _("As it happens"),
    Frequency.DAILY: _("Every day"),
    Frequency.WEEKLY: _("Every week"),
    Frequency.MONTHLY: _("Every month"),
}
USUAL_FREQUENCY = Frequency.WEEKLY

_FREQUENCIES = [SelectChoice(frequency.value, words) for frequency, words in FREQUENCY_WORDS.items()]
_IS_FREQUENCY = AnyOf([frequency.value for frequency in Frequency], _("Please choose how often."))


class ActForm(FlaskForm):  # type: ignore[misc]
    """A form of one button: nothing but the protection against forgery."""


class AddressForm(FlaskForm):  # type: ignore[misc]
    """An address, and the moment at which the form was opened."""

    email = StringField(_("E-mail address"))
    opened = HiddenField()

    address: Address

    def validate_email(self, field: StringField) -> None:
        """Keep the address, or say kindly what is wrong with it."""
        try:
            self.address = parse_address(field.data or "")
        except AddressInvalid as fault:
            raise ValidationError(gettext(str(fault))) from fault

    def validate_opened(self, field: HiddenField) -> None:
        """Refuse a form that was sent in no time, or was made elsewhere or the day before."""
        parts = runtime()
        now = parts.now()
        try:
            made_at = parts.tokens.made_at(Purpose.FORM, field.data or "", now)
        except TokenError as fault:
            field.data = None
            raise ValidationError(
                _("This page had been open for long. Everything is still here: please send it once more.")
            ) from fault
        if now - made_at < SOONEST:
            raise ValidationError(_("That was faster than we expected. Please send it once more."))

    def ready(self) -> AddressForm:
        """Return the form itself, ready to be shown."""
        if not self.opened.data:
            self.opened.data = runtime().tokens.make(Purpose.FORM, [], runtime().now())
        return self


class LinkForm(AddressForm):
    """Where to send a reader's own link, or another link in the place of one that cannot be used."""

    problem = HiddenField()


class SignupForm(AddressForm):
    """Topics, how often, and an address."""

    topics = SelectMultipleField(_("Topics"), validate_choice=False)
    frequency = RadioField(
        _("How often"),
        [_IS_FREQUENCY],
        choices=_FREQUENCIES,
        default=USUAL_FREQUENCY.value,
        validate_choice=False,
    )
    # Declared anew to come after the topics: faults are listed in the order of the page.
    email = StringField(_("E-mail address"))
    # The address that a slip was suspected in: whoever sends it again means it.
    hinted = HiddenField()
    # People do not see this field; programs that fill in everything do.
    website = StringField(validators=[Length(max=0, message=_("Please leave the hidden field empty."))])

    def __init__(self, offered: Sequence[OfferedTopic]) -> None:
        super().__init__()
        self._slugs = [topic.slug for topic in offered]
        if len(offered) == 1 and not self.is_submitted():
            self.topics.data = self._slugs

    def validate_topics(self, field: SelectMultipleField) -> None:
        """Ask for a topic at least, and for those there are."""
        chosen = field.data or []
        if not chosen:
            raise ValidationError(_("Please choose at least one topic."))
        if len(chosen) > MOST_TOPICS:
            raise ValidationError(_("Please choose fewer topics."))
        if not set(chosen) <= set(self._slugs):
            field.data = [slug for slug in chosen if slug in self._slugs]
            raise ValidationError(_("One of the topics is not there any more. Please choose again."))

    def validate_email(self, field: StringField) -> None:
        """Keep the address; ask once when its domain looks like a slip."""
        super().validate_email(field)
        meant = suggest_domain(self.address.domain)
        if meant and self.hinted.data != self.address.text:
            self.hinted.data = self.address.text
            raise ValidationError(
                _(
                    "Did you mean %(meant)s? If the address is right as it is, send the form once more.",
                    meant=f"{self.address.local_part}@{meant}",
                )
            )

    def ready(self) -> SignupForm:
        """Return the form itself, ready to be shown."""
        super().ready()
        self.website.data = ""  # a browser that filled it in must not do so for ever
        return self

    def choices(self) -> dict[str, Frequency]:
        """Return the frequency for each topic chosen."""
        return {slug: Frequency(self.frequency.data) for slug in self.topics.data}


class TopicForm(Form):  # type: ignore[misc]
    """One topic on the page of a reader's choices."""

    wanted = BooleanField()
    frequency = SelectField(
        _("How often"),
        [InputRequired(_("Please choose how often.")), _IS_FREQUENCY],
        choices=_FREQUENCIES,
        validate_choice=False,
    )
