"""Signing, encrypting and compressing bytes (CMS, RFC 5652; compressed data, RFC 3274).

What goes out is RSA with SHA-2 and AES. What comes in may also be what older partners still send: triple DES,
SHA-1, certificates named by key identifier, indefinite lengths, OAEP and PSS.
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from connectors.as2.identity import Identity

if TYPE_CHECKING:
    from asn1crypto.cms import SignerInfo
    from cryptography.hazmat.primitives.hashes import HashAlgorithm
    from cryptography.x509 import Certificate

#: Digests by the names of RFC 5751, 3.4.3.2, lower case; the dashless spelling of older partners is understood too.
DIGESTS = ("sha-256", "sha-384", "sha-512", "sha-224", "sha-1")
WEAK = frozenset({"sha-1", "tripledes_3key"})


class CmsError(ValueError):
    """What a cryptographic part is not; the text never holds secrets and says no more than an attacker knows."""


class Undecipherable(CmsError):
    """Not encrypted for us, or not decipherable."""


class Unsigned(CmsError):
    """A signature that is nobody's we know, or that does not fit the bytes."""


class Inflated(CmsError):
    """Compressed data that is none, or that would be larger than allowed."""


def digest_named(name: str) -> str | None:
    """``SHA256``, ``sha-256`` and ``sha1`` as in ``DIGESTS``; None for what is not known (MD5 among it)."""
    plain = name.strip().strip('"').lower().replace("-", "").replace("_", "")
    return next((digest for digest in DIGESTS if digest.replace("-", "") == plain), None)


def digest(content: bytes, name: str) -> bytes:
    """The digest of ``content`` by a name of ``DIGESTS``."""
    from cryptography.hazmat.primitives.hashes import Hash

    taken = Hash(_hash(name))
    taken.update(content)
    return taken.finalize()


def _hash(name: str) -> HashAlgorithm:
    from cryptography.hazmat.primitives import hashes

    made: HashAlgorithm = getattr(hashes, name.replace("-", "").upper())()
    return made


def sign(content: bytes, by: Identity, name: str = "sha-256") -> bytes:
    """A detached signature of exactly these bytes, DER."""
    from cryptography.hazmat.primitives.serialization import Encoding
    from cryptography.hazmat.primitives.serialization.pkcs7 import PKCS7Options, PKCS7SignatureBuilder

    options = [PKCS7Options.Binary, PKCS7Options.DetachedSignature, PKCS7Options.NoCapabilities]
    builder = PKCS7SignatureBuilder().set_data(content)
    return builder.add_signer(by.certificate, by.key, _hash(name)).sign(Encoding.DER, options)  # type: ignore[arg-type]


def verify(content: bytes, signature: bytes, believed: Sequence[Certificate], at: datetime) -> str:
    """The digest's name, when one of the ``believed`` certificates, in force ``at``, signed exactly ``content``
    (RFC 5652, 5.6). Raises Unsigned."""
    try:
        signers = list(_signed_data(signature)["signer_infos"])
    except (ValueError, TypeError, KeyError):
        raise Unsigned("the signature cannot be read") from None
    if not signers:
        raise Unsigned("nobody has signed")
    reasons: list[str] = []
    for signer in signers:
        for certificate in believed:
            try:
                if not _names(signer["sid"], certificate):
                    continue
                return _verified(content, signer, certificate, at)
            except Unsigned as error:
                reasons.append(str(error))
            except (ValueError, TypeError, KeyError):
                reasons.append("the signature cannot be read")
    raise Unsigned(reasons[0] if reasons else "the signer's certificate is none that was agreed with this partner")


def enclosed(signature: bytes) -> bytes:
    """What stands inside an opaque signature, not yet verified. Raises Unsigned."""
    try:
        content = _signed_data(signature)["encap_content_info"]["content"].native
    except (ValueError, TypeError, KeyError):
        raise Unsigned("the signature cannot be read") from None
    if not isinstance(content, bytes):
        raise Unsigned("the signature encloses nothing")
    return content


def _signed_data(signature: bytes) -> Any:
    from asn1crypto import cms

    signed = cms.ContentInfo.load(signature)
    if signed["content_type"].native != "signed_data":
        raise Unsigned("the signature part holds no signature")
    return signed["content"]


def _names(identifier: Any, certificate: Certificate) -> bool:
    """Whether a signer or recipient identifier (RFC 5652, 5.3) means this certificate."""
    from cryptography.hazmat.primitives.serialization import Encoding
    from cryptography.x509 import ExtensionNotFound, SubjectKeyIdentifier

    if identifier.name == "issuer_and_serial_number":
        chosen = identifier.chosen
        from asn1crypto.x509 import Certificate as Parsed

        parsed = Parsed.load(certificate.public_bytes(Encoding.DER))
        return bool(chosen["serial_number"].native == certificate.serial_number and chosen["issuer"] == parsed.issuer)
    try:
        extension = certificate.extensions.get_extension_for_class(SubjectKeyIdentifier)
    except ExtensionNotFound:
        return False
    return bool(extension.value.digest == identifier.chosen.native)


def _verified(content: bytes, signer: SignerInfo, certificate: Certificate, at: datetime) -> str:
    name = digest_named(signer["digest_algorithm"]["algorithm"].native)
    if name is None:
        raise Unsigned("the signature uses a digest that is not accepted")
    if not certificate.not_valid_before_utc <= at <= certificate.not_valid_after_utc:
        raise Unsigned(f"the certificate is not in force: it ended on {certificate.not_valid_after_utc:%Y-%m-%d}")
    attributes = signer["signed_attrs"]
    signed = content
    if attributes.native:
        values = {attribute["type"].native: attribute["values"] for attribute in attributes}
        stated = values["message_digest"][0].native if "message_digest" in values else None
        if stated != digest(content, name):
            raise Unsigned("the content is not what was signed")
        # signed is their DER as a SET OF, whatever tag and encoding they came in (RFC 5652, 5.4)
        signed = attributes.untag().dump(force=True)
    _check(certificate, signer, signed, name)
    return name


def _check(certificate: Certificate, signer: SignerInfo, signed: bytes, name: str) -> None:
    from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric.ec import ECDSA, EllipticCurvePublicKey
    from cryptography.hazmat.primitives.asymmetric.padding import MGF1, PSS, PKCS1v15
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

    key, value = certificate.public_key(), signer["signature"].native
    algorithm = signer["signature_algorithm"]
    try:
        if isinstance(key, EllipticCurvePublicKey):
            key.verify(value, signed, ECDSA(_hash(name)))
        elif not isinstance(key, RSAPublicKey):
            raise Unsigned("the certificate's kind of key is not accepted")
        elif algorithm["algorithm"].native == "rsassa_pss":
            key.verify(value, signed, PSS(MGF1(_hash(name)), PSS.AUTO), _hash(name))
        else:
            key.verify(value, signed, PKCS1v15(), _hash(name))
    except (InvalidSignature, UnsupportedAlgorithm):
        raise Unsigned("the signature does not fit") from None


def encrypt(content: bytes, recipient: Certificate, cipher: str = "aes-256") -> bytes:
    """``content`` for the holder of the certificate's key alone, DER."""
    from cryptography.hazmat.primitives.ciphers.algorithms import AES128, AES256
    from cryptography.hazmat.primitives.serialization import Encoding
    from cryptography.hazmat.primitives.serialization.pkcs7 import PKCS7EnvelopeBuilder, PKCS7Options

    builder = PKCS7EnvelopeBuilder().set_data(content).add_recipient(recipient)
    algorithm = AES256 if cipher == "aes-256" else AES128
    return builder.set_content_encryption_algorithm(algorithm).encrypt(Encoding.DER, [PKCS7Options.Binary])


def decrypt(enveloped: bytes, by: Identity) -> tuple[bytes, str]:
    """What was encrypted for one of our keys, and the cipher's name. Raises Undecipherable, always with the same words
    once a key was tried: which step failed is nobody's business."""
    from asn1crypto import cms

    try:
        info = cms.ContentInfo.load(enveloped)
        if info["content_type"].native != "enveloped_data":
            raise Undecipherable("the encrypted part holds nothing encrypted")
        content = info["content"]["encrypted_content_info"]
        algorithm, sealed = content["content_encryption_algorithm"], content["encrypted_content"].native
        keys = [one.chosen for one in info["content"]["recipient_infos"] if one.name == "ktri"]
        each = ((one, mine) for mine in (by, *by.also) for one in keys)
        ours = next(((one, mine) for one, mine in each if _names(one["rid"], mine.certificate)), None)
    except Undecipherable:
        raise
    except (ValueError, TypeError, KeyError):
        raise Undecipherable("the encrypted part cannot be read") from None
    if ours is None:
        raise Undecipherable("it is encrypted for another certificate than ours")
    try:
        name = str(algorithm.encryption_cipher) + f"-{algorithm.key_length * 8}"
        if name.startswith("tripledes"):
            name = "tripledes_3key"
        return _unsealed(sealed, algorithm, _content_key(*ours)), name
    except (ValueError, TypeError, KeyError):
        raise Undecipherable("it cannot be deciphered with our key") from None


def _content_key(recipient: Any, by: Identity) -> bytes:
    from cryptography.hazmat.primitives.asymmetric.padding import MGF1, OAEP, PKCS1v15

    wrapped = recipient["encrypted_key"].native
    algorithm = recipient["key_encryption_algorithm"]
    if algorithm["algorithm"].native == "rsaes_oaep":
        parameters = algorithm["parameters"]
        name = digest_named(parameters["hash_algorithm"]["algorithm"].native) or "sha-1"
        mask = digest_named(parameters["mask_gen_algorithm"]["parameters"]["algorithm"].native) or name
        return by.key.decrypt(wrapped, OAEP(MGF1(_hash(mask)), _hash(name), None))
    return by.key.decrypt(wrapped, PKCS1v15())


def _unsealed(sealed: bytes, algorithm: Any, key: bytes) -> bytes:
    from cryptography.hazmat.decrepit.ciphers.algorithms import TripleDES
    from cryptography.hazmat.primitives.ciphers import Cipher
    from cryptography.hazmat.primitives.ciphers.algorithms import AES
    from cryptography.hazmat.primitives.ciphers.modes import CBC
    from cryptography.hazmat.primitives.padding import PKCS7

    if algorithm.encryption_mode != "cbc" or algorithm.encryption_cipher not in ("aes", "tripledes"):
        raise ValueError("another cipher")
    kind: Any = AES if algorithm.encryption_cipher == "aes" else TripleDES
    opened = Cipher(kind(key), CBC(algorithm.encryption_iv)).decryptor()
    padded = opened.update(sealed) + opened.finalize()
    unpadder = PKCS7(algorithm.encryption_block_size * 8).unpadder()
    return unpadder.update(padded) + unpadder.finalize()


def compress(content: bytes) -> bytes:
    """``content`` as compressed data, DER (RFC 3274)."""
    from asn1crypto import cms

    data = {
        "version": "v0",
        "compression_algorithm": {"algorithm": "zlib"},
        "encap_content_info": {"content_type": "data", "content": zlib.compress(content)},
    }
    packed: bytes = cms.ContentInfo({"content_type": "compressed_data", "content": data}).dump()
    return packed


def decompress(compressed: bytes, most: int) -> bytes:
    """What was compressed, if it has at most ``most`` bytes. Raises Inflated."""
    from asn1crypto import cms

    try:
        info = cms.ContentInfo.load(compressed)
        if info["content_type"].native != "compressed_data":
            raise Inflated("the compressed part holds nothing compressed")
        packed = info["content"]["encap_content_info"]["content"].native
        unpacking = zlib.decompressobj()
        content = unpacking.decompress(packed, most + 1)
    except Inflated:
        raise
    except (ValueError, TypeError, KeyError, zlib.error):
        raise Inflated("the compressed part cannot be read") from None
    if len(content) > most:
        raise Inflated(f"it unpacks to more than {most:,} bytes")
    if not unpacking.eof:
        raise Inflated("the compressed part is cut short")
    return content
