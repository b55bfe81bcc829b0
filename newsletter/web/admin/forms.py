"""The forms of the admin pages."""

from __future__ import annotations

from flask_babel import lazy_gettext as _
from flask_wtf import FlaskForm
from flask_wtf.file import FileField
from wtforms import BooleanField, HiddenField, PasswordField, SelectField, StringField, TextAreaField
from wtforms.fields.choices import SelectChoice
from wtforms.validators import DataRequired, Length

from newsletter.accounts.passwords import LONGEST, SHORTEST
from newsletter.mail.addresses import LONGEST_ADDRESS
from newsletter.models import ClickCounting, EmailImages, Frequency
from newsletter.newsletters.fields import FIELDS
from newsletter.newsletters.schedule import FIELDS as SCHEDULE_FIELDS


class SignInForm(FlaskForm):  # type: ignore[misc]
    """An address and a password. No message says which of them was wrong."""

    email = StringField(
        _("Address"), [DataRequired(_("Please enter your address.")), Length(max=LONGEST_ADDRESS)]
    )
    password = PasswordField(_("Password"), [DataRequired(_("Please enter your password."))])


class ChangePasswordForm(FlaskForm):  # type: ignore[misc]
    """A new password, twice. `current` is left out after a sign-in with a one-time password."""

    current = PasswordField(_("Current password"))
    password = PasswordField(
        _("New password"),
        [
            DataRequired(_("Please choose a password.")),
            Length(min=SHORTEST, max=LONGEST, message=_("A password must have 12 to 200 characters.")),
        ],
    )
    again = PasswordField(_("Repeat the new password"), [DataRequired(_("Please repeat the new password."))])


class TestForm(FlaskForm):  # type: ignore[misc]
    """The address for a test email, and an editor's note on top of it. The view parses both."""

    email = StringField(_("Address"), [DataRequired(_("Please enter an address."))])
    test_note = TextAreaField(_("Editor's note"))
    test_note_language = SelectField(_("Language of the note"), validate_choice=False)


class SendForm(FlaskForm):  # type: ignore[misc]
    """The typed number of subscribers. `key` seals what the page showed, and opens one issue only."""

    number = StringField(
        _("Number of subscribers"), [DataRequired(_("Please type the number of subscribers."))]
    )
    own_hour = BooleanField(_("At each subscriber's own hour"))
    starts_at = StringField(_("Not before"))
    note = TextAreaField(_("Editor's note"))
    note_language = SelectField(_("Language of the note"), validate_choice=False)
    key = HiddenField()


class ApproveForm(FlaskForm):  # type: ignore[misc]
    """The approval of a date. `key` seals the date, and the releases and the moment of the preview."""

    note = TextAreaField(_("Editor's note"))
    note_language = SelectField(_("Language of the note"), validate_choice=False)
    key = HiddenField()


class ReleaseForm(FlaskForm):  # type: ignore[misc]
    """A release as text, which releases/editing/edit_fields.py checks.

    `revision` is the one that the page showed.
    """

    revision = HiddenField()
    title = StringField("Title")
    publisher = StringField("Publisher")
    summary = TextAreaField("Summary")
    body = TextAreaField("Text")
    date = StringField("Date")
    time = StringField("Time")
    zone = StringField("Time zone")
    language = StringField("Language")
    email_title = StringField("Title in emails")
    email_summary = TextAreaField("Summary in emails")
    # The hash of an image that is stored, and a file that takes its place.
    image = HiddenField()
    image_file = FileField("Image file")
    image_alt = StringField("Description of the image")
    no_image = BooleanField("Remove the image")
    canonical_url = HiddenField()


class TopicForm(FlaskForm):  # type: ignore[misc]
    """A topic as text, which releases/topics/edit.py checks. Only a new topic has a slug to fill in."""

    slug = StringField("Slug")
    name = StringField("Name")
    description = TextAreaField("Description")
    group = SelectField("Group", validate_choice=False)
    position = StringField("Position")


class GroupForm(FlaskForm):  # type: ignore[misc]
    """A group of topics as text, which releases/topics/edit.py checks."""

    slug = StringField("Slug")
    name = StringField("Name")
    position = StringField("Position")


class ScheduleForm(FlaskForm):  # type: ignore[misc]
    """The fields of a schedule as text. newsletters/schedule.py reads and checks them."""

    time_zone = StringField(SCHEDULE_FIELDS["time_zone"][0])
    hour = StringField(SCHEDULE_FIELDS["hour"][0])
    daily = StringField(SCHEDULE_FIELDS["daily"][0])
    weekly = StringField(SCHEDULE_FIELDS["weekly"][0])
    weekly_every = StringField(SCHEDULE_FIELDS["weekly_every"][0])
    weekly_from = StringField(SCHEDULE_FIELDS["weekly_from"][0])
    monthly_day = StringField(SCHEDULE_FIELDS["monthly_day"][0])
    holidays = StringField(SCHEDULE_FIELDS["holidays"][0])
    late_daily = StringField(SCHEDULE_FIELDS["late_daily"][0])
    late_weekly = StringField(SCHEDULE_FIELDS["late_weekly"][0])
    late_monthly = StringField(SCHEDULE_FIELDS["late_monthly"][0])
    gather_minutes = StringField(SCHEDULE_FIELDS["gather_minutes"][0])
    gather_releases = StringField(SCHEDULE_FIELDS["gather_releases"][0])
    approval_hours = StringField(SCHEDULE_FIELDS["approval_hours"][0])
    approver = StringField(SCHEDULE_FIELDS["approver"][0])
    second_person = StringField(SCHEDULE_FIELDS["second_person"][0])


class NewsletterForm(FlaskForm):  # type: ignore[misc]
    """The content of the newsletter as text. newsletters/fields.py reads and checks it.

    `version` is the version that the page showed. If it is no longer the newest, the edit is refused, so
    that it does not undo the edit of another person.
    """

    version = HiddenField()
    slug = StringField(FIELDS["slug"].label)
    name = StringField(FIELDS["name"].label)
    tagline = StringField(FIELDS["tagline"].label)
    consent = TextAreaField(FIELDS["consent"].label)
    subject = StringField(FIELDS["subject"].label)
    from_address = StringField(FIELDS["from_address"].label)
    from_name = StringField(FIELDS["from_name"].label)
    reply_to = StringField(FIELDS["reply_to"].label)
    postal_address = StringField(FIELDS["postal_address"].label)
    languages = StringField(FIELDS["languages"].label)
    time_zone = StringField(FIELDS["time_zone"].label)
    default_frequency = SelectField(
        FIELDS["default_frequency"].label,
        choices=[SelectChoice(each.value, each.words) for each in Frequency],
    )
    email_images = SelectField(
        FIELDS["email_images"].label,
        choices=[
            SelectChoice(EmailImages.OFF.value, "none"),
            SelectChoice(EmailImages.LEAD.value, "the image of each release"),
        ],
    )
    click_counting = SelectField(
        FIELDS["click_counting"].label,
        choices=[
            SelectChoice(ClickCounting.OFF.value, "no"),
            SelectChoice(ClickCounting.AGREED.value, "of subscribers who agreed"),
        ],
    )
    accent = StringField(FIELDS["accent"].label)
    on_accent = StringField(FIELDS["on_accent"].label)
    dark_accent = StringField(FIELDS["dark_accent"].label)
    on_dark_accent = StringField(FIELDS["on_dark_accent"].label)
    logo = FileField("Logo")
    no_logo = BooleanField("Remove the logo")
    position = StringField(FIELDS["position"].label)
