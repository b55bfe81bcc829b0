"""The forms of the admin pages."""

from __future__ import annotations

from flask_babel import lazy_gettext as _
from flask_wtf import FlaskForm
from wtforms import BooleanField, HiddenField, PasswordField, StringField
from wtforms.validators import DataRequired, Length

from newsletter.accounts.passwords import LONGEST, SHORTEST
from newsletter.mail.addresses import LONGEST_ADDRESS


class SignInForm(FlaskForm):  # type: ignore[misc]
    """An address and a password. No message says which of them was wrong."""

    email = StringField(
        _("Address"), [DataRequired(_("Please enter your address.")), Length(max=LONGEST_ADDRESS)]
    )
    password = PasswordField(_("Password"), [DataRequired(_("Please enter your password."))])


class ChangePasswordForm(FlaskForm):  # type: ignore[misc]
    """A new password, twice. `current` is left out after a sign-in with a one-time password."""

    current = PasswordField(_("Your password until now"))
    password = PasswordField(
        _("New password"),
        [
            DataRequired(_("Please choose a password.")),
            Length(min=SHORTEST, max=LONGEST, message=_("A password has 12 to 200 characters.")),
        ],
    )
    again = PasswordField(_("New password, once more"), [DataRequired(_("Please type it once more."))])


class TestForm(FlaskForm):  # type: ignore[misc]
    """The address for a test email. The view parses it."""

    email = StringField(_("Address"), [DataRequired(_("Please enter an address."))])


class SendForm(FlaskForm):  # type: ignore[misc]
    """The typed number of subscribers. `key` seals what the page showed, and opens one issue only."""

    number = StringField(_("Number of readers"), [DataRequired(_("Please type the number of readers."))])
    own_hour = BooleanField(_("At each reader's own hour"))
    key = HiddenField()
