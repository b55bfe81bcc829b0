"""Makes the signed links of one recipient: preferences, unsubscribe, confirm, undo and the like."""

from __future__ import annotations

from datetime import datetime

from newsletter.links import Links
from newsletter.mail.addresses import canonical
from newsletter.messages.claimed import Claimed
from newsletter.models import FIRST_NEWSLETTER
from newsletter.tokens import REQUESTED, Purpose, Tokens


class PersonalLinks:
    """Makes links for the recipient of a claimed delivery. Nothing that it makes is stored."""

    def __init__(self, tokens: Tokens, links: Links) -> None:
        self.pages = links
        self._tokens = tokens

    def in_language(self, language: str) -> PersonalLinks:
        """Return the same links; pages that do not know who opens them are asked for this language."""
        return PersonalLinks(self._tokens, self.pages.in_language(language))

    def view(self, claimed: Claimed, now: datetime) -> str:
        """Return the link that shows this digest in a browser."""
        payload = [claimed.subscriber_public_id or "", claimed.id]
        return self.pages.view(self._tokens.make(Purpose.VIEW, payload, now))

    def preferences(self, claimed: Claimed, now: datetime) -> str:
        """Return the link to their preferences, or without a subscriber to the page that sends that link."""
        if claimed.subscriber_public_id is None or claimed.email_key is None:
            return self.pages.send_link()
        return self.pages.preferences(self._tokens.make(Purpose.PREFERENCES, self._subscriber(claimed), now))

    def requested_preferences(self, claimed: Claimed, now: datetime) -> str:
        """Return the link to their preferences for the email that they requested just now.

        It says so (subscribers/link.py): for an hour, the page was most likely opened from their mailbox.
        """
        payload = [*self._subscriber(claimed), REQUESTED]
        return self.pages.preferences(self._tokens.make(Purpose.PREFERENCES, payload, now))

    def unsubscribe(self, claimed: Claimed, now: datetime) -> str:
        """Return the link that unsubscribes from the newsletter of the email.

        Without a subscriber (a test), it changes nothing. If the email is about no newsletter, the link means
        everything.
        """
        payload = [claimed.subscriber_public_id or "", claimed.id]
        if claimed.newsletter_id is not None:
            payload.append(claimed.newsletter_id)
        return self.pages.unsubscribe(self._tokens.make(Purpose.UNSUBSCRIBE, payload, now))

    def confirm(self, claimed: Claimed, upto: int, now: datetime) -> str:
        """Return the link that confirms the newsletter's pending subscriptions up to the row `upto`."""
        payload = [*self._subscriber(claimed), upto, claimed.newsletter_id or FIRST_NEWSLETTER]
        return self.pages.confirm(self._tokens.make(Purpose.CONFIRM, payload, now))

    def disown(self, claimed: Claimed, upto: int, now: datetime) -> str:
        """Return the link by which the owner of the address says that they did not sign up."""
        payload = [*self._subscriber(claimed), upto, claimed.newsletter_id or FIRST_NEWSLETTER]
        return self.pages.disown(self._tokens.make(Purpose.DISOWN, payload, now))

    def stay(self, claimed: Claimed, probe: int, now: datetime) -> str:
        """Return the link of a probe email, by which its recipient says that it arrived."""
        return self.pages.stay(self._tokens.make(Purpose.STAY, [*self._subscriber(claimed), probe], now))

    def undo(self, claimed: Claimed, left_at: object, now: datetime) -> str:
        """Return the link that undoes the unsubscribing of `left_at`."""
        public_id, proof = self._subscriber(claimed)
        return self.pages.undo(self._tokens.make(Purpose.UNDO, [public_id, left_at, proof], now))

    def change_address(self, claimed: Claimed, subscriber: object, change: object, now: datetime) -> str:
        """Return the link that allows one change of address, for an address that is not the subscriber's."""
        proof = self._tokens.fingerprint(canonical(claimed.address or ""))
        payload = [subscriber, change, proof]
        return self.pages.move(self._tokens.make(Purpose.CHANGE_ADDRESS, payload, now))

    def own_link(self, claimed: Claimed, right: str, now: datetime) -> str:
        """Return the requested link, which is valid for an hour (subscribers/privacy/emailed_links.py)."""
        purpose, link = {
            "export": (Purpose.EXPORT, self.pages.export),
            "erase": (Purpose.ERASE, self.pages.erase),
            "address": (Purpose.NEW_ADDRESS, self.pages.new_address),
        }[right]
        return link(self._tokens.make(purpose, self._subscriber(claimed), now))

    def _subscriber(self, claimed: Claimed) -> list[str | None]:
        return [claimed.subscriber_public_id, self._tokens.fingerprint(claimed.email_key or "")]
