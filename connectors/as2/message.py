"""An AS2 message: a document wrapped and unwrapped (RFC 4130; RFC 5402 for compression).

Out it goes compressed, then signed, then encrypted, as far as the partner wants it. What comes in is
unwrapped layer by layer, whatever their order, and the digest a receipt must state (the MIC, RFC 4130,
7.3.1) is taken on the way.
"""

from __future__ import annotations

import base64
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from connectors.as2 import cms
from connectors.as2.entity import Entity, Malformed, entity, multipart
from connectors.as2.identity import Identity

if TYPE_CHECKING:
    from cryptography.x509 import Certificate

LAYERS = 5  #: of wrapping that are undone; an honest message has three


class Fault(Exception):
    """Why a message is not taken. ``modifier`` is the disposition modifier of RFC 4130, 7.5.2."""

    def __init__(self, modifier: str, reason: str, *, failure: bool = False) -> None:
        super().__init__(reason)
        self.modifier = modifier
        self.reason = reason
        self.failure = failure  #: not an error of the message, but something that we do not do at all


@dataclass(frozen=True, slots=True, kw_only=True)
class Mic:
    """The digest of what was sent, as both sides must find it: base64 and the algorithm."""

    digest: str
    algorithm: str

    def __str__(self) -> str:
        return f"{self.digest}, {self.algorithm}"

    @classmethod
    def of(cls, content: bytes, algorithm: str) -> Mic:
        return cls(digest=base64.b64encode(cms.digest(content, algorithm)).decode("ascii"), algorithm=algorithm)

    @classmethod
    def parse(cls, written: str) -> Mic | None:
        """From ``Received-content-MIC``; None where it is not one."""
        digest, _, algorithm = written.partition(",")
        name = cms.digest_named(algorithm)
        return cls(digest="".join(digest.split()), algorithm=name) if name and digest.strip() else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Unwrapped:
    """What was inside a message, and how it was protected."""

    content: Entity
    mic: Mic
    signed: str = ""  #: the digest's name; empty where it was not signed
    encrypted: str = ""  #: the cipher's name
    compressed: bool = False


def wrap(
    document: Entity, *, by: Identity | None, digest: str, recipient: Certificate | None, cipher: str, compress: bool
) -> tuple[Entity, Mic]:
    """The document compressed, signed by ``by`` and encrypted for ``recipient``, as far as these are given."""
    wrapped, over = document, document.body
    if compress:
        over = wrapped.raw
        wrapped = _pkcs7("compressed-data", cms.compress(wrapped.raw))
    if by is not None:
        over = wrapped.raw
        wrapped = signed(wrapped, by, digest)
    elif recipient is not None and not compress:
        over = wrapped.raw
    mic = Mic.of(over, digest)
    if recipient is not None:
        wrapped = _pkcs7("enveloped-data", cms.encrypt(wrapped.raw, recipient, cipher))
    return wrapped, mic


def signed(content: Entity, by: Identity, digest: str) -> Entity:
    """``multipart/signed`` (RFC 1847): the content and its signature, never with SHA-1, even if asked."""
    digest = "sha-256" if digest in cms.WEAK else digest
    signature = base64.encodebytes(cms.sign(content.raw, by, digest)).replace(b"\n", b"\r\n")
    part = entity(
        [
            ("Content-Type", 'application/pkcs7-signature; name="smime.p7s"'),
            ("Content-Transfer-Encoding", "base64"),
            ("Content-Disposition", 'attachment; filename="smime.p7s"'),
        ],
        signature,
    )
    parameters = [("protocol", "application/pkcs7-signature"), ("micalg", digest)]
    return multipart("signed", parameters, [content, part], f"=_{secrets.token_hex(16)}")


def _pkcs7(kind: str, content: bytes) -> Entity:
    return entity(
        [
            ("Content-Type", f'application/pkcs7-mime; smime-type={kind}; name="smime.p7m"'),
            ("Content-Transfer-Encoding", "binary"),
            ("Content-Disposition", 'attachment; filename="smime.p7m"'),
        ],
        content,
    )


def unwrap(
    received: Entity, *, by: Identity, believed: Sequence[Certificate], at: datetime, algorithm: str, most: int
) -> Unwrapped:
    """Undo every layer. ``algorithm`` is the digest of the MIC where no signature names one; ``most`` how many bytes
    the content may unpack to. Raises Fault."""
    inner, over = received, received.body
    signature, cipher, compressed, fixed = "", "", False, False
    try:
        for _ in range(LAYERS):
            match inner.type:
                case "multipart/signed":
                    inner, signature = _opened(inner, believed, at)
                    over, fixed = inner.raw, True
                case "application/pkcs7-mime" | "application/x-pkcs7-mime" if _kind(inner) == "signed-data":
                    inner, signature = _enclosed(inner, believed, at)
                    over, fixed = inner.raw, True
                case "application/pkcs7-mime" | "application/x-pkcs7-mime":
                    inner, how = _unpacked(inner, by, most)
                    cipher, compressed = how or cipher, compressed or not how
                    over = over if fixed else inner.raw
                case _:
                    mic = Mic.of(over, signature or algorithm)
                    return Unwrapped(content=inner, mic=mic, signed=signature, encrypted=cipher, compressed=compressed)
    except Malformed as error:
        raise Fault("unexpected-processing-error", str(error)) from None
    raise Fault("unexpected-processing-error", f"it is wrapped more than {LAYERS} times over")


def _opened(multi: Entity, believed: Sequence[Certificate], at: datetime) -> tuple[Entity, str]:
    parts = multi.parts()
    if len(parts) != 2:
        raise Fault("unexpected-processing-error", f"a signed message has two parts, this one {len(parts)}")
    content, signature = parts
    try:
        return content, cms.verify(content.raw, signature.content, believed, at)
    except cms.Unsigned as error:
        raise _untrusted(error) from None


def _enclosed(part: Entity, believed: Sequence[Certificate], at: datetime) -> tuple[Entity, str]:
    """An opaque signature (RFC 8551, 3.5.2): what it encloses, and the digest's name."""
    from connectors.as2.entity import parse

    signature = part.content
    try:
        content = cms.enclosed(signature)
        name = cms.verify(content, signature, believed, at)
        return parse(content), name
    except cms.Unsigned as error:
        raise _untrusted(error) from None


def _untrusted(error: cms.Unsigned) -> Fault:
    broken = "the content is not" in str(error)
    return Fault("integrity-check-failed" if broken else "authentication-failed", str(error))


def _unpacked(part: Entity, by: Identity, most: int) -> tuple[Entity, str]:
    """One layer of ``application/pkcs7-mime`` undone: what is inside, and the cipher (empty: it was compressed)."""
    from connectors.as2.entity import parse

    content, kind = part.content, _kind(part)
    try:
        match kind:
            case "enveloped-data":
                opened, cipher = cms.decrypt(content, by)
                return parse(opened), cipher
            case "compressed-data":
                return parse(cms.decompress(content, most)), ""
            case _:
                reason = f"pkcs7-mime of the kind {kind or '?'} is not taken"
                raise Fault("unsupported format", reason, failure=True)
    except cms.Undecipherable as error:
        raise Fault("decryption-failed", str(error)) from None
    except cms.Inflated as error:
        raise Fault("decompression-failed", str(error)) from None


def _kind(part: Entity) -> str:
    """What a part of ``application/pkcs7-mime`` holds, also where its header does not say it."""
    from asn1crypto import cms as parsed

    if said := part.parameter("smime-type").lower():
        return said
    try:
        return str(parsed.ContentInfo.load(part.content)["content_type"].native).replace("_", "-")
    except (ValueError, TypeError):
        return ""
