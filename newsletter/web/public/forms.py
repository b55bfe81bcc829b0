"""The forms of the public pages, and the checks that detect bots."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

from flask import request
from flask_babel import get_locale, gettext
from flask_babel import lazy_gettext as _
from flask_wtf import FlaskForm
from wtforms import (
    HiddenField,
    RadioField,
    SelectField,
    SelectMultipleField,
    StringField,
    ValidationError,
)
from wtforms.fields.choices import SelectChoice

from newsletter.address_rules.pattern import Pattern
from newsletter.address_rules.rules import allowed_patterns
from newsletter.errors import AddressInvalid, TokenError
from newsletter.identity import Identity
from newsletter.languages import choose_language, language_name
from newsletter.limits.keys import network_of
from newsletter.mail.addresses import Address, parse_address
from newsletter.models import Frequency
from newsletter.subscribers.consent.wording import Wording, newsletter_wording, seen_wording
from newsletter.subscribers.offered_topics import OfferedTopic
from newsletter.subscribers.signup.judge import SignupFault, SignupFields, SignupRules, judge_signup
from newsletter.subscribers.signup.refused_addresses import disposable_domains
from newsletter.tokens import Purpose
from newsletter.web.http.extensions import runtime
from newsletter.web.http.language import page_language
from newsletter.web.http.security import client_address
from newsletter.web.http.time_zones import known_zones
from newsletter.web.public.signup.own_request import OwnRequest, is_from_here
from newsletter.web.public.thanks_pages import allowed_page

# Nobody can read the page, type an address and send the form in less time.
SOONEST = timedelta(seconds=1)

FREQUENCY_WORDS: Mapping[Frequency, Any] = {
    Frequency.IMMEDIATE: _("As it happens"),
    Frequency.DAILY: _("Daily"),
    Frequency.WEEKLY: _("Weekly"),
    Frequency.MONTHLY: _("Monthly"),
}

_FREQUENCIES = [SelectChoice(frequency.value, words) for frequency, words in FREQUENCY_WORDS.items()]


_FAULT_WORDS: Mapping[SignupFault, Any] = {
    SignupFault.NO_TOPIC: _("Please choose at least one topic."),
    SignupFault.TOO_MANY_TOPICS: _("Please choose fewer topics."),
    SignupFault.UNKNOWN_TOPIC: _("One of these topics no longer exists. Please choose again."),
    SignupFault.UNKNOWN_FREQUENCY: _("Please choose a frequency."),
    SignupFault.DISPOSABLE_ADDRESS: _(
        "Disposable addresses are not accepted. Please enter a permanent address."
    ),
    SignupFault.ROLE_ADDRESS: _(
        "Role addresses such as info@ are not accepted. Please enter a personal address."
    ),
}


def _refuse(fault: SignupFault | None) -> None:
    """Raise ValidationError with the sentence for `fault`, if there is one."""
    if fault is not None:
        raise ValidationError(_FAULT_WORDS[fault])


def _read_allowed() -> Sequence[Pattern]:
    with runtime().reading() as session:
        return allowed_patterns(session)


class PublicForm(FlaskForm):  # type: ignore[misc]
    """A form of a public page. It has no CSRF token.

    No public page acts for the owner of a cookie: the token in the URL or the typed address is the proof.
    So a form works without cookies, and however long its page was open.
    """

    class Meta:
        """Options of WTForms."""

        csrf = False


class ActForm(PublicForm):
    """A form with one button."""


class AddressForm(PublicForm):
    """An address, and the time at which the form was opened."""

    email = StringField(_("Email address"))
    opened = HiddenField()

    address: Address

    def validate_email(self, field: StringField) -> None:
        """Keep the address, or show what is wrong with it."""
        try:
            self.address = parse_address(field.data or "")
        except AddressInvalid as fault:
            raise ValidationError(gettext(str(fault))) from fault

    def validate_opened(self, field: HiddenField) -> None:
        """Refuse a form that was sent too quickly, is older than a day, or was not made by this service."""
        parts = runtime()
        now = parts.now()
        try:
            made_at = parts.tokens.made_at(Purpose.FORM, field.data or "", now)
        except TokenError as fault:
            field.data = None
            raise ValidationError(
                _("This page was open for too long. Your entries are still here. Please send the form again.")
            ) from fault
        if now - made_at < SOONEST:
            raise ValidationError(
                _("The form was sent too quickly after the page was opened. Please send it again.")
            )

    def ready(self) -> AddressForm:
        """Return the form itself, ready to be shown."""
        if not self.opened.data:
            self.opened.data = runtime().tokens.make(Purpose.FORM, [], runtime().now())
        return self


class LinkForm(AddressForm):
    """The form that requests a link to one's preferences, or a new link if the old one cannot be used."""

    problem = HiddenField()


class SignupForm(AddressForm):
    """Topics, frequency, address; and the detected language and time zone, which can be changed."""

    topics = SelectMultipleField(_("Topics"), validate_choice=False)
    frequency = RadioField(
        _("How often"),
        choices=_FREQUENCIES,
        validate_choice=False,
    )
    language = SelectField(_("Language"), validate_choice=False)
    time_zone = StringField(_("Time zone"))
    # Declared again to come after the topics, because faults are listed in the order of the page.
    email = StringField(_("Email address"))
    # The address in which a typing error was suspected. If it is sent again, it is meant.
    hinted = HiddenField()
    # The button of the suggestion: use this address instead.
    use = StringField()
    # The version of the consent wording that the page showed.
    wording = HiddenField()
    next = HiddenField()
    # People do not see this field, but bots that fill in every field do (web/public/signup/receive.py).
    website = StringField()
    # Set by static/js/site.js when somebody moves or types. Empty without JavaScript, which is accepted.
    seen = HiddenField()
    # The browser's proof of work, if the settings ask for one.
    altcha = StringField()

    # The address that was probably meant, if a typing error is suspected.
    suggestion: str | None = None

    def __init__(self, newsletter: Identity, offered: Sequence[OfferedTopic], *, posted: bool = True) -> None:
        """`posted` is False on a preview, where the request's form is another one."""
        super().__init__(*([] if posted else [None]))
        self.newsletter = newsletter
        self.offered = offered
        self._slugs = [topic.slug for topic in offered]
        if not posted or not self.is_submitted():
            self._take_from_link()
        self.often = {slug: request.form.get(f"often-{slug}", "") for slug in self._slugs}
        # The detected value is only a guess, and a wrong guess must not block a sign-up.
        if self.language.data not in newsletter.languages:
            self.language.data = choose_language(str(get_locale() or ""), newsletter.languages)
        if self.time_zone.data not in known_zones():
            self.time_zone.data = newsletter.time_zone
        self._wording = self._read_wording()
        self.wording.data = self._wording.version

    def _read_wording(self) -> Wording:
        """Return the consent wording that the page showed, or shows now."""
        language = page_language()
        current = newsletter_wording(self.newsletter, language)
        if self.wording.data in {None, "", current.version}:
            return current
        with runtime().reading() as session:
            return seen_wording(session, self.newsletter, self.wording.data, language)

    def _take_from_link(self) -> None:
        """Preselect what the URL names, but never an address, which would stay in logs."""
        asked = request.args
        self.topics.data = [slug for slug in self._slugs if slug in asked.getlist("topic")]
        if len(self._slugs) == 1:
            self.topics.data = self._slugs
        usual = self.newsletter.default_frequency.value
        self.frequency.data = asked["frequency"] if asked.get("frequency") in set(Frequency) else usual
        self.next.data = asked.get("next", "")

    def validate(self, extra_validators: Any = None) -> bool:
        """Judge the sign-up, and let each field show its fault."""
        settings = runtime().settings
        fields = SignupFields(
            email=self.email.data or "",
            topics=self.topics.data or [],
            frequency=self.frequency.data,
            topic_frequencies=self.often,
            asked_about=self.hinted.data,
            use=self.use.data,
        )
        disposable = disposable_domains(settings.refuse_disposable, settings.disposable_domains_file)
        rules = SignupRules(
            offered=self._slugs,
            disposable=disposable,
            allowed=_read_allowed,
            refuse_role=settings.refuse_role,
        )
        self._judged = judge_signup(fields, rules)
        return bool(super().validate(extra_validators))

    def validate_topics(self, field: SelectMultipleField) -> None:
        """Require at least one topic, and only topics that exist."""
        fault = self._judged.topics
        if fault is SignupFault.UNKNOWN_TOPIC:
            field.data = [slug for slug in field.data if slug in self._slugs]
        _refuse(fault)

    def validate_frequency(self, _field: RadioField) -> None:
        """Reject an unknown frequency of a single topic."""
        _refuse(self._judged.frequency)

    def validate_email(self, field: StringField) -> None:
        """Keep the address, or show what is wrong with it; ask once about a likely typo."""
        judged = self._judged.email
        if judged.fault is SignupFault.INVALID_ADDRESS:
            raise ValidationError(gettext(judged.reason))
        if judged.address is not None:
            self.address = judged.address
        if judged.fault is SignupFault.LIKELY_TYPO:
            self.hinted.data, self.suggestion = self.address.text, judged.suggestion
            raise ValidationError(
                _(
                    "Did you mean %(meant)s? If your address is correct, send the form again.",
                    meant=judged.suggestion,
                )
            )
        _refuse(judged.fault)
        if judged.suggestion:
            field.data = judged.suggestion

    def ready(self) -> SignupForm:
        """Return the form itself, ready to be shown."""
        super().ready()
        self.language.choices = [(each, language_name(each)) for each in self.newsletter.languages]
        self.website.data = ""  # a browser that filled it in must not do so again
        self.next.data = allowed_page(self.next.data)
        return self

    def choices(self) -> dict[str, Frequency]:
        """Return the frequency of each chosen topic: its own, or the one for all."""
        return {slug: Frequency(self.often.get(slug) or self.frequency.data) for slug in self.topics.data}

    def pressed_here(self) -> bool:
        """Return whether the button was pressed on a page that we gave to this visitor.

        The page's token names the visitor's network, so another site can neither make one nor get one made.
        """
        parts = runtime()
        try:
            payload = parts.tokens.read(Purpose.FORM, self.opened.data or "", parts.now())
        except TokenError:
            return False
        return payload == [self._visitor()]

    def ask_to_press(self) -> None:
        """Let the page that is shown now count as one on which this visitor presses the button."""
        if not self.pressed_here():
            self.opened.data = runtime().tokens.make(Purpose.FORM, [self._visitor()], runtime().now())

    def _visitor(self) -> str:
        parts = runtime()
        asking = client_address(request, parts.settings.trusted_proxies)
        network = network_of(asking) or ""
        return parts.tokens.keyed_hash("visitor", network)[:16]

    def own_request(self) -> OwnRequest:
        """Return the fields of this sign-up that the browser keeps in a cookie."""
        choices = self.choices()
        return OwnRequest(
            self.address.text,
            self.address.canonical,
            self.newsletter.newsletter_id,
            {topic.topic_id: choices[topic.slug] for topic in self.offered if topic.slug in choices},
            self.language.data,
            self.time_zone.data,
            is_from_here(),
        )

    def fill_from(self, asked: OwnRequest) -> None:
        """Show again what this browser sent, so that the address can be corrected."""
        slugs = {topic.topic_id: topic.slug for topic in self.offered}
        chosen = {slugs[each]: often for each, often in asked.topics.items() if each in slugs}
        self.email.data, self.topics.data = asked.email, list(chosen)
        if len(set(chosen.values())) == 1:
            self.frequency.data = next(iter(chosen.values())).value
        else:
            self.often.update(chosen)
        if asked.language in self.newsletter.languages:
            self.language.data = asked.language
        if asked.time_zone in known_zones():
            self.time_zone.data = asked.time_zone

    def agreed(self) -> Wording:
        """Return the consent wording that the page showed."""
        return self._wording

    @property
    def timed(self) -> bool:
        """Whether the time at which the form was opened is known."""
        return bool(self.opened.data)


class EmbeddedSignupForm(SignupForm):
    """The form on other sites: without a cookie, and timed only if its script asked for that."""

    def validate_opened(self, field: HiddenField) -> None:
        """Refuse what was sent in no time, if that is known."""
        if field.data:
            super().validate_opened(field)

    def ready(self) -> EmbeddedSignupForm:
        """Return the form itself, ready to be shown on a page of ours."""
        self.ask_to_press()
        super().ready()
        return self


class MoveForm(AddressForm):
    """The new address of a subscriber."""

    email = StringField(_("New email address"))

    def __init__(self, **more: Any) -> None:
        # The page has several forms, so this one's field names have a prefix.
        super().__init__(prefix="move-", **more)
