"""Sign messages with DKIM (RFC 6376, RFC 8463), load keys and generate them. Pure except `generate_key`."""

from __future__ import annotations

import base64
import enum
import functools
import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ed25519, padding, rsa

from newsletter.errors import InputError

# Oversigned: signed once more than they occur, so that a header added later breaks the signature (RFC 6376,
# section 8.15). RFC 8058, section 4, requires both List-Unsubscribe headers to be signed.
OVERSIGNED = (
    b"from",
    b"reply-to",
    b"to",
    b"cc",
    b"subject",
    b"date",
    b"message-id",
    b"mime-version",
    b"content-type",
    b"content-transfer-encoding",
    b"list-id",
    b"list-unsubscribe",
    b"list-unsubscribe-post",
)
# Signed as often as they occur. Feedback loops use Feedback-ID only when it is signed.
SIGNED = (
    b"auto-submitted",
    b"content-language",
    b"feedback-id",
    b"in-reply-to",
    b"list-archive",
    b"list-help",
    b"list-subscribe",
    b"precedence",
    b"references",
)

RSA_BITS = 2048
_SMALLEST_RSA_BITS = 1024  # RFC 8301, section 3.2: verifiers must not accept less
_COLUMNS = 76
_FOLD = b"\r\n "
_LABEL = r"[A-Za-z0-9_](?:[A-Za-z0-9_-]*[A-Za-z0-9])?"
_DNS_NAME = re.compile(rf"(?=.{{1,253}}\Z){_LABEL}(?:\.{_LABEL})*")


class Algorithm(enum.StrEnum):
    """The values of the a= tag that current verifiers know."""

    RSA = "rsa-sha256"
    ED25519 = "ed25519-sha256"


@dataclass(frozen=True)
class DKIMKey:
    """One private key; its public key is published at `selector`._domainkey.`domain`."""

    selector: str
    domain: str
    private_key: rsa.RSAPrivateKey | ed25519.Ed25519PrivateKey = field(repr=False)

    def __post_init__(self) -> None:
        for name, value in (("selector", self.selector), ("domain", self.domain)):
            if not _DNS_NAME.fullmatch(value):
                raise InputError(f"the DKIM {name} {value!r} is not a name as DNS has them (in ASCII)")

    @property
    def algorithm(self) -> Algorithm:
        """The a= tag of this key's signatures."""
        return Algorithm.RSA if isinstance(self.private_key, rsa.RSAPrivateKey) else Algorithm.ED25519

    @property
    def dns_name(self) -> str:
        """The name of the TXT record, without a final dot."""
        return f"{self.selector}._domainkey.{self.domain}"

    def signature(self, data: bytes) -> bytes:
        """Return the raw signature of `data`. Ed25519 signs its SHA-256 hash (RFC 8463, section 3)."""
        if isinstance(self.private_key, rsa.RSAPrivateKey):
            return self.private_key.sign(data, padding.PKCS1v15(), hashes.SHA256())
        return self.private_key.sign(hashlib.sha256(data).digest())


@functools.lru_cache(maxsize=64)
def load_key(pem: bytes | str, *, selector: str, domain: str) -> DKIMKey:
    """Return the key in `pem`, an unencrypted private key (PKCS #8, or PKCS #1 as OpenDKIM makes them).

    Raises InputError when it is not a usable RSA or Ed25519 key, or `selector` or `domain` is no DNS name.
    It is cached, because checking an RSA key takes 36 ms, and forked processes then inherit the checked key.
    """
    data = pem.encode() if isinstance(pem, str) else pem
    try:
        key = serialization.load_pem_private_key(data, password=None)
    except (ValueError, TypeError) as error:  # TypeError: it is encrypted
        raise InputError(
            f"the DKIM key {selector!r} is not an unencrypted private key in PEM form"
        ) from error
    if not isinstance(key, rsa.RSAPrivateKey | ed25519.Ed25519PrivateKey):
        raise InputError(f"the DKIM key {selector!r} is neither RSA nor Ed25519")
    if isinstance(key, rsa.RSAPrivateKey) and key.key_size < _SMALLEST_RSA_BITS:
        raise InputError(f"the DKIM key {selector!r} has {key.key_size} bits; verifiers ask for 1024 or more")
    return DKIMKey(selector, domain, key)


def generate_key(kind: str = "rsa") -> tuple[str, str]:
    """Generate a key of `kind` "rsa" (2048 bits) or "ed25519"; return its PEM and its TXT record's text."""
    key: rsa.RSAPrivateKey | ed25519.Ed25519PrivateKey
    if kind == "rsa":
        key = rsa.generate_private_key(public_exponent=65537, key_size=RSA_BITS)
    elif kind == "ed25519":
        key = ed25519.Ed25519PrivateKey.generate()
    else:
        raise InputError(f"a DKIM key is of kind rsa or ed25519, not {kind!r}")
    pem = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return pem.decode(), dns_text(key)


def dns_text(key: rsa.RSAPrivateKey | ed25519.Ed25519PrivateKey) -> str:
    """Return the text of the key's TXT record (RFC 6376, section 3.6.1; RFC 8463, section 4)."""
    public = key.public_key()
    if isinstance(public, rsa.RSAPublicKey):
        raw = public.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
        return f"v=DKIM1; k=rsa; p={base64.b64encode(raw).decode()}"
    raw = public.public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)
    return f"v=DKIM1; k=ed25519; p={base64.b64encode(raw).decode()}"


def zone_line(name: str, text: str) -> str:
    """Return a TXT record for a zone file, its text split into strings of at most 255 octets."""
    pieces = " ".join(f'"{text[start : start + 255]}"' for start in range(0, len(text), 255))
    return f"{name}. IN TXT ( {pieces} )"


class Presigner:
    """Signs messages that share most of their headers, such as those of an issue; canonicalises these once.

    `constant` has the shared headers, as name and value. A value may be folded, but otherwise must have the
    bytes that are sent: c=relaxed ignores differences in white space only. `personal` names the headers that
    each message brings itself. Raises InputError when no header of either is From.
    """

    def __init__(
        self, constant: Sequence[tuple[bytes, bytes]], personal: Sequence[bytes], keys: Sequence[DKIMKey]
    ) -> None:
        signed = {*OVERSIGNED, *SIGNED}
        self._personal = tuple(name.lower() for name in personal if name.lower() in signed)
        # If several headers have one name, the last is signed first (RFC 6376, section 5.4.2).
        shared = [(name.lower(), value) for name, value in reversed(constant) if name.lower() in signed]
        names = [*(name for name, _ in shared), *self._personal]
        if b"from" not in names:
            raise InputError("a message without From cannot be signed (RFC 6376, section 5.4)")
        self._shared = b"".join([name + b":" + _relaxed(value) + b"\r\n" for name, value in shared])
        # A name in h= without a header adds nothing to the signed bytes.
        h_tag = _h_tag((*names, *OVERSIGNED))
        self._keys = [(key, *_signature_head(key), h_tag, _relaxed(h_tag)) for key in keys]

    def sign(self, personal: Sequence[tuple[bytes, bytes]], body: bytes, now_timestamp: int) -> bytes:
        """Return one DKIM-Signature header for each key, with CRLF line ends; b"" without keys.

        Put it before the other headers. `personal` has this message's own headers. `body` has CRLF line ends
        and must be sent unchanged, except for line breaks after its last line (c=simple).
        """
        if not self._keys:
            return b""
        own: dict[bytes, bytes] = {name.lower(): value for name, value in personal}
        canonical = self._shared + b"".join(
            [name + b":" + _relaxed(own[name]) + b"\r\n" for name in self._personal]
        )
        body_hash = base64.b64encode(_body_digest(body))
        lines = []
        for key, head, relaxed_head, h_tag, relaxed_h_tag in self._keys:
            # No signature covers another, so a verifier that knows only one algorithm can verify that one.
            data = b"%bdkim-signature:%b t=%d; %b bh=%b; b=" % (
                canonical, relaxed_head, now_timestamp, relaxed_h_tag, body_hash,
            )  # fmt: skip
            lines.append(
                _FOLD.join((head, b"t=%d;" % now_timestamp, h_tag, b"bh=%b;" % body_hash, b"b="))
                + _wrap(base64.b64encode(key.signature(data)))
                + b"\r\n"
            )
        return b"".join(lines)


def sign(
    headers: Sequence[tuple[bytes, bytes]], body: bytes, keys: Sequence[DKIMKey], now_timestamp: int
) -> bytes:
    """Return the signatures of a single message (see `Presigner`); b"" when there are no keys."""
    return Presigner(headers, (), keys).sign((), body, now_timestamp) if keys else b""


def _signature_head(key: DKIMKey) -> tuple[bytes, bytes]:
    """Return the first lines of a key's DKIM-Signature header as they are sent, and in relaxed form."""
    tags = (b"v=1; a=%b; c=relaxed/simple;" % key.algorithm.encode(), *_fold_names(key.domain, key.selector))
    return b"DKIM-Signature: " + _FOLD.join(tags), b" ".join(tags)


def _relaxed(value: bytes) -> bytes:
    """Return a header's value in relaxed form (RFC 6376, section 3.4.2)."""
    # A value holds no other white space, and this takes a quarter of the time of a regular expression.
    return b" ".join(value.split())


def _body_digest(body: bytes) -> bytes:
    """Return the SHA-256 of `body` in simple form: it ends in exactly one CRLF (RFC 6376, section 3.4.3)."""
    end = len(body)
    while body[end - 2 : end] == b"\r\n":
        end -= 2
    digest = hashlib.sha256(memoryview(body)[:end])
    digest.update(b"\r\n")
    return digest.digest()


@functools.lru_cache(maxsize=64)
def _h_tag(names: tuple[bytes, ...]) -> bytes:
    """Return the h= tag, folded after colons. It is cached: each kind of message has the same names."""
    lines = [b"h="]
    for position, name in enumerate(names, start=1):
        item = name + (b";" if position == len(names) else b":")
        if len(lines[-1]) + len(item) + 1 > _COLUMNS:
            lines.append(b"")
        lines[-1] += item
    return _FOLD.join(lines)


def _fold_names(domain: str, selector: str) -> list[bytes]:
    """Return the d= and s= tags on one line if they fit, else on two. A name is never split."""
    d_tag, s_tag = b"d=%b;" % domain.encode(), b"s=%b;" % selector.encode()
    together = d_tag + b" " + s_tag
    return [together] if len(together) < _COLUMNS else [d_tag, s_tag]


def _wrap(signature: bytes) -> bytes:
    """Return base64 text split into lines. White space in b= is ignored."""
    first = _COLUMNS - len(_FOLD) - 2  # the first line begins with `b=`
    pieces = [signature[:first]]
    pieces += [
        signature[start : start + _COLUMNS - 1] for start in range(first, len(signature), _COLUMNS - 1)
    ]
    return _FOLD.join(pieces)
