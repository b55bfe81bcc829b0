"""Public URLs, built from the configured public URL and never from the Host of a request."""

from __future__ import annotations

from dataclasses import dataclass, replace


@dataclass(frozen=True)
class Links:
    """URLs of one installation; `public_url` ends without a slash.

    With a `language`, the pages that do not know who opens them are asked for it.
    """

    public_url: str
    language: str = ""

    def in_language(self, language: str) -> Links:
        """Return the same links with another language."""
        return replace(self, language=language)

    def home(self) -> str:
        """The sign-up page."""
        return self._spoken(f"{self.public_url}/")

    def newsletter(self, slug: str) -> str:
        """The sign-up page of one newsletter, if there are several."""
        return self._spoken(self._of(slug))

    def confirm(self, token: str) -> str:
        """The page with the button that confirms a sign-up."""
        return f"{self.public_url}/confirm/{token}"

    def disown(self, token: str) -> str:
        """The page for a person who got a confirmation email without asking for it."""
        return f"{self.public_url}/not-me/{token}"

    def stay(self, token: str) -> str:
        """The page with the button of a probe email."""
        return f"{self.public_url}/stay/{token}"

    def preferences(self, token: str) -> str:
        """The page with a subscriber's topics and frequencies; it needs no password."""
        return f"{self.public_url}/preferences/{token}"

    def unsubscribe(self, token: str) -> str:
        """The page that unsubscribes: GET shows a button, POST unsubscribes at once (RFC 8058)."""
        return f"{self.public_url}/unsubscribe/{token}"

    def undo(self, token: str) -> str:
        """The page with the button that undoes an unsubscription."""
        return f"{self.public_url}/undo/{token}"

    def move(self, token: str) -> str:
        """The page with the button that changes a subscriber's address."""
        return f"{self.public_url}/move/{token}"

    def new_address(self, token: str) -> str:
        """The page where a subscriber types another address. The link works for an hour."""
        return f"{self.public_url}/new-address/{token}"

    def export(self, token: str) -> str:
        """The page with the button that downloads a subscriber's data. The link works for an hour."""
        return f"{self.public_url}/export/{token}"

    def erase(self, token: str) -> str:
        """The page with the button that erases a subscriber. The link works for an hour."""
        return f"{self.public_url}/erase/{token}"

    def view(self, token: str) -> str:
        """One subscriber's issue as a web page."""
        return f"{self.public_url}/issues/{token}"

    def counted(self, token: str) -> str:
        """A release in the archive, by a link that is counted."""
        return self._spoken(f"{self.public_url}/follow/{token}")

    def release(self, public_id: str) -> str:
        """One release in the archive."""
        return self._spoken(f"{self.public_url}/releases/{public_id}")

    def archive(self, slug: str = "", newsletter: str = "") -> str:
        """The archive: all releases, newest first, or those of one topic or of one newsletter."""
        return self._spoken(self._archive(slug, newsletter))

    def feed(self, slug: str = "", newsletter: str = "", kind: str = "atom") -> str:
        """The feed of the archive, or of one topic or one newsletter of it. `kind` is atom, rss or json."""
        return f"{self._archive(slug, newsletter)}.{kind}"

    def issue(self, number: int, newsletter: str = "") -> str:
        """The releases of one issue, for everybody."""
        return self._spoken(f"{self._of(newsletter)}/issues/{number}")

    def sitemap(self) -> str:
        """The index of the sitemap."""
        return f"{self.public_url}/sitemap.xml"

    def sitemap_part(self, number: int) -> str:
        """One part of the sitemap."""
        return f"{self.public_url}/sitemap-{number}.xml"

    def send_link(self) -> str:
        """The page where a subscriber requests a link to their preferences."""
        return self._spoken(f"{self.public_url}/link")

    def embed(self, newsletter: str = "") -> str:
        """The URL that receives sign-up forms from other websites."""
        return f"{self._of(newsletter)}/embed" if newsletter else f"{self.public_url}/subscribe/embed"

    def embed_script(self) -> str:
        """The script that shows the answer inside such a form, without leaving the website."""
        return f"{self.public_url}/embed/1.js"

    def logo(self, file_name: str) -> str:
        """A newsletter's logo, by its hash."""
        return f"{self.public_url}/logo/{file_name}"

    def image(self, file_name: str) -> str:
        """A release's image in one of its sizes, by its hash."""
        return f"{self.public_url}/images/{file_name}"

    def privacy(self) -> str:
        """The privacy page: the stored data, and why it is stored."""
        return self._spoken(f"{self.public_url}/privacy")

    def consent_key(self) -> str:
        """The public key (PEM) that verifies consent records."""
        return f"{self.public_url}/.well-known/newsletter-consent-key.pem"

    def _of(self, newsletter: str) -> str:
        return f"{self.public_url}/n/{newsletter}" if newsletter else self.public_url

    def _archive(self, slug: str, newsletter: str) -> str:
        return self._of(newsletter) + (f"/topics/{slug}" if slug else "/releases")

    def _spoken(self, url: str) -> str:
        return f"{url}?lang={self.language}" if self.language else url
