"""Every public URL, built from the configured public URL and never from a request."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Links:
    """URLs of one installation; `public_url` has no slash at its end."""

    public_url: str

    def home(self) -> str:
        """The sign-up page."""
        return f"{self.public_url}/"

    def confirm(self, token: str) -> str:
        """The page with the one button that confirms."""
        return f"{self.public_url}/confirm/{token}"

    def disown(self, token: str) -> str:
        """The page for whoever did not ask for a confirmation."""
        return f"{self.public_url}/not-me/{token}"

    def preferences(self, token: str) -> str:
        """A reader's choices, without a password."""
        return f"{self.public_url}/preferences/{token}"

    def unsubscribe(self, token: str) -> str:
        """GET shows a button, POST unsubscribes at once (RFC 8058)."""
        return f"{self.public_url}/unsubscribe/{token}"

    def undo(self, token: str) -> str:
        """The page with the one button that undoes leaving."""
        return f"{self.public_url}/undo/{token}"

    def move(self, token: str) -> str:
        """The page with the one button that changes a reader's address."""
        return f"{self.public_url}/move/{token}"

    def new_address(self, token: str) -> str:
        """The page where a subscriber types another address; its link works for an hour."""
        return f"{self.public_url}/new-address/{token}"

    def export(self, token: str) -> str:
        """The page with the one button that downloads all of a subscriber's data; for an hour."""
        return f"{self.public_url}/export/{token}"

    def erase(self, token: str) -> str:
        """The page with the one button that erases a subscriber; for an hour."""
        return f"{self.public_url}/erase/{token}"

    def view(self, token: str) -> str:
        """One reader's issue in the browser."""
        return f"{self.public_url}/issues/{token}"

    def release(self, public_id: str) -> str:
        """A release in the archive."""
        return f"{self.public_url}/releases/{public_id}"

    def archive(self) -> str:
        """All releases, the newest first."""
        return f"{self.public_url}/releases"

    def feed(self, slug: str = "") -> str:
        """The archive, or one topic of it, as an Atom feed."""
        return f"{self.public_url}/releases.atom" + (f"?topic={slug}" if slug else "")

    def topic(self, slug: str) -> str:
        """The archive of one topic."""
        return f"{self.public_url}/releases?topic={slug}"

    def send_link(self) -> str:
        """The page where a reader asks for a link to their choices."""
        return f"{self.public_url}/link"

    def embed(self) -> str:
        """Where forms on other sites are sent."""
        return f"{self.public_url}/subscribe/embed"

    def embed_script(self) -> str:
        """The script that answers such a form in place."""
        return f"{self.public_url}/embed/1.js"

    def privacy(self) -> str:
        """What is stored, and why."""
        return f"{self.public_url}/privacy"

    def consent_key(self) -> str:
        """The key that checks records of consent, PEM."""
        return f"{self.public_url}/.well-known/newsletter-consent-key.pem"
