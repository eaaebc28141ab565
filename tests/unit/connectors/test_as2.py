"""AS2 on one machine: wrapping and unwrapping, receipts, what is refused; `openssl cms` is the second opinion."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.as2 import cms
from connectors.as2.agreement import Keys, Own, Partner, Sender
from connectors.as2.entity import Entity, Malformed, entity, multipart, of_headers, parse
from connectors.as2.identity import certificates, expiry_warning, in_force, own_identity
from connectors.as2.journal import Journal, SentMessage
from connectors.as2.message import Fault, Mic, unwrap, wrap
from connectors.as2.receipt import Wanted, quoted, read_receipt, unquoted, write_receipt
from connectors.as2.station import Reply, Station
from connectors.channel import Channel
from connectors.connections import Connection
from connectors.outlet import Outlet
from crossdock.stations import ending_certificates
from schemas.errors import ConfigError
from tests.certificates import NOW, identity, key_pem, ours, pem

DOCUMENT = b"ISA*00*          *00*          *ZZ*ANVILGATE      *ZZ*RAVENSMOOR     *261122*1200*U*00401*000000001*0*P*>~"


def document(data: bytes = DOCUMENT) -> Entity:
    return entity(
        [("Content-Type", "application/EDI-X12"), ("Content-Disposition", 'attachment; filename="o.edi"')], data
    )


WAYS = pytest.mark.parametrize(
    ("sign", "encrypt", "compress"),
    [(s, e, c) for s in (True, False) for e in ("aes-256", "aes-128", None) for c in (True, False)],
)


@WAYS
def test_what_was_wrapped_is_unwrapped_and_both_sides_find_the_same_digest(sign, encrypt, compress):
    us, them = identity("us"), identity("them")
    wrapped, mic = wrap(
        document(),
        by=them if sign else None,
        digest="sha-256",
        recipient=us.certificate if encrypt else None,
        cipher=encrypt or "aes-256",
        compress=compress,
    )
    opened = unwrap(wrapped, by=us, believed=[them.certificate], at=NOW, algorithm="sha-256", most=1 << 20)
    assert opened.content.content == DOCUMENT
    assert opened.content.filename == "o.edi"
    assert opened.mic == mic
    assert (bool(opened.signed), opened.encrypted, opened.compressed) == (
        sign,
        f"{encrypt}" if encrypt else "",
        compress,
    )


@given(st.binary(max_size=400))
def test_any_bytes_come_through_all_layers(data):
    us, them = identity("us"), identity("them")
    wrapped, _ = wrap(
        document(data), by=them, digest="sha-512", recipient=us.certificate, cipher="aes-256", compress=True
    )
    opened = unwrap(wrapped, by=us, believed=[them.certificate], at=NOW, algorithm="sha-256", most=1 << 20)
    assert opened.content.content == data


def test_openssl_accepts_what_we_sign_and_opens_what_we_encrypt(tmp_path: Path):
    us, them = identity("us"), identity("them")
    content = document().raw
    for name, data in {
        "us.pem": pem(us), "us.key": key_pem(us), "them.pem": pem(them),
        "content": content, "signature": cms.sign(content, them, "sha-384"),
        "sealed": cms.encrypt(content, us.certificate),
    }.items():  # fmt: skip
        (tmp_path / name).write_bytes(data.encode() if isinstance(data, str) else data)
    openssl(
        tmp_path, "-verify", "-binary", "-inform", "DER", "-in", "signature", "-content", "content",
        "-CAfile", "them.pem", "-purpose", "any", "-out", "verified", "-no_check_time",
    )  # fmt: skip
    assert (tmp_path / "verified").read_bytes() == content
    openssl(
        tmp_path,
        "-decrypt",
        "-inform",
        "DER",
        "-in",
        "sealed",
        "-recip",
        "us.pem",
        "-inkey",
        "us.key",
        "-out",
        "opened",
    )
    assert (tmp_path / "opened").read_bytes() == content


@pytest.mark.parametrize("digest", ["sha1", "sha256", "sha512"])
@pytest.mark.parametrize("extra", [(), ("-keyid",), ("-noattr",), ("-keyopt", "rsa_padding_mode:pss")])
def test_what_openssl_signs_is_verified(tmp_path: Path, digest: str, extra: tuple[str, ...]):
    them = identity("them")
    (tmp_path / "content").write_bytes(DOCUMENT)
    (tmp_path / "them.pem").write_text(pem(them))
    (tmp_path / "them.key").write_text(key_pem(them))
    openssl(
        tmp_path, "-sign", "-binary", "-md", digest, "-in", "content", "-signer", "them.pem", "-inkey", "them.key",
        *extra, "-outform", "DER", "-out", "signature",
    )  # fmt: skip
    signature = (tmp_path / "signature").read_bytes()
    assert cms.verify(DOCUMENT, signature, [identity("us").certificate, them.certificate], NOW) == f"sha-{digest[3:]}"
    with pytest.raises(cms.Unsigned, match=r"not what was signed|does not fit"):
        cms.verify(DOCUMENT + b" ", signature, [them.certificate], NOW)
    with pytest.raises(cms.Unsigned, match="none that was agreed"):
        cms.verify(DOCUMENT, signature, [identity("us").certificate], NOW)
    with pytest.raises(cms.Unsigned, match="not in force"):
        cms.verify(DOCUMENT, signature, [them.certificate], NOW + timedelta(days=366))


@pytest.mark.parametrize("cipher", ["des3", "aes128", "aes192", "aes256"])
@pytest.mark.parametrize("extra", [(), ("-keyid",), ("-keyopt", "rsa_padding_mode:oaep"), ("-stream", "-indef")])
def test_what_openssl_encrypts_is_opened(tmp_path: Path, cipher: str, extra: tuple[str, ...]):
    us = identity("us")
    (tmp_path / "content").write_bytes(DOCUMENT * 50)
    (tmp_path / "us.pem").write_text(pem(us))
    openssl(
        tmp_path, "-encrypt", "-binary", f"-{cipher}", *extra, "-in", "content", "-outform", "DER", "-out", "sealed",
        *(("-recip", "us.pem") if "-keyopt" in extra else ("us.pem",)), order=extra,
    )  # fmt: skip
    opened, name = cms.decrypt((tmp_path / "sealed").read_bytes(), us)
    assert opened == DOCUMENT * 50
    assert (name in cms.WEAK) == (cipher == "des3")
    with pytest.raises(cms.Undecipherable, match="another certificate"):
        cms.decrypt((tmp_path / "sealed").read_bytes(), identity("them"))


def openssl(folder: Path, *arguments: str, order: tuple[str, ...] = ()) -> None:
    if "-keyopt" in order and "-encrypt" in arguments:  # openssl wants -keyopt behind the recipient it is about
        rest = [a for a in arguments if a not in order]
        arguments = (*rest, *order)
    run = subprocess.run(["openssl", "cms", *arguments], cwd=folder, capture_output=True, check=False)
    assert run.returncode == 0, run.stderr.decode()


def opaque(content: bytes, by, tmp_path: Path, *, digest: str = "sha256") -> Entity:
    """As `openssl cms -sign -nodetach` encloses it."""
    for name, data in {"key": key_pem(by).encode(), "pem": pem(by).encode(), "in": content}.items():
        (tmp_path / name).write_bytes(data)
    command = ["openssl", "cms", "-sign", "-nodetach", "-binary", "-outform", "DER", "-signer", "pem", "-inkey", "key"]
    subprocess.run([*command, "-md", digest, "-in", "in", "-out", "out"], cwd=tmp_path, check=True, capture_output=True)
    headers = [("Content-Type", "application/pkcs7-mime; smime-type=signed-data")]
    return entity(headers, (tmp_path / "out").read_bytes())


@pytest.mark.parametrize("encrypted", [True, False])
def test_an_opaque_signature_is_opened_and_its_digest_is_of_what_it_encloses(tmp_path: Path, encrypted: bool):
    us, them = identity("us"), identity("them")
    wrapped = opaque(document().raw, them, tmp_path)
    if encrypted:
        headers = [("Content-Type", "application/pkcs7-mime; smime-type=enveloped-data")]
        wrapped = entity(headers, cms.encrypt(wrapped.raw, us.certificate))
    opened = unwrap(wrapped, by=us, believed=[them.certificate], at=NOW, algorithm="sha-1", most=1 << 20)
    assert (opened.content.content, opened.signed) == (DOCUMENT, "sha-256")
    assert opened.mic == Mic.of(document().raw, "sha-256")


def test_an_opaque_signature_of_a_stranger_or_over_other_bytes_is_refused(tmp_path: Path):
    us, them, stranger = identity("us"), identity("them"), identity("stranger")
    wrapped = opaque(document().raw, stranger, tmp_path)
    with pytest.raises(Fault) as raised:
        unwrap(wrapped, by=us, believed=[them.certificate], at=NOW, algorithm="sha-256", most=1 << 20)
    assert raised.value.modifier == "authentication-failed"
    changed = wrapped.content.replace(b"RAVENSMOOR", b"RAVENSMOOS")
    with pytest.raises(Fault) as raised:
        unwrap(
            entity([("Content-Type", "application/pkcs7-mime; smime-type=signed-data")], changed),
            by=us, believed=[stranger.certificate], at=NOW, algorithm="sha-256", most=1 << 20,
        )  # fmt: skip
    assert raised.value.modifier == "integrity-check-failed"


def test_while_one_key_of_ours_replaces_another_messages_may_be_encrypted_for_either(tmp_path: Path):
    old, new, them = identity("us"), identity("us, next"), identity("them")
    stories = {"as2": ours(old), "as2_next": ours(new)}
    own = Own(name="RAVENSMOOR", conn_id="as2", also=["as2_next"])
    keys = Keys(own, Partner(name="ANVILGATE", certificates=[pem(them)]), tmp_path, stories.__getitem__)
    for recipient in (old, new):
        sealed = cms.encrypt(document().raw, recipient.certificate)
        assert cms.decrypt(sealed, keys.identity)[0] == document().raw
    assert keys.identity.certificate == old.certificate, "the first one signs"
    with pytest.raises(cms.Undecipherable, match="another certificate"):
        cms.decrypt(cms.encrypt(b"x", them.certificate), keys.identity)


def test_a_bomb_is_not_unpacked():
    bomb = cms.compress(b"\0" * 5_000_000)
    assert len(bomb) < 10_000
    with pytest.raises(cms.Inflated, match="more than 1,000,000 bytes"):
        cms.decompress(bomb, 1_000_000)
    with pytest.raises(cms.Inflated, match=r"cannot be read|cut short"):
        cms.decompress(cms.compress(DOCUMENT)[:-9], 1_000_000)


@pytest.mark.parametrize("broken", [b"", b"\r\n", b"hello", b"\x30\x80", b"--x--", b"\x30\x03\x02\x01\x01"])
def test_rubbish_in_every_place_is_a_fault_and_no_crash(broken: bytes):
    us, them = identity("us"), identity("them")
    for headers in (
        [("Content-Type", "application/pkcs7-mime; smime-type=enveloped-data")],
        [("Content-Type", "application/pkcs7-mime; smime-type=compressed-data")],
        [("Content-Type", "application/pkcs7-mime; smime-type=signed-data")],
        [("Content-Type", "application/pkcs7-mime")],
        [("Content-Type", 'multipart/signed; boundary="x"')],
        [("Content-Type", "multipart/signed")],
    ):
        with pytest.raises(Fault):
            unwrap(
                of_headers(headers, broken), by=us, believed=[them.certificate], at=NOW, algorithm="sha-256", most=99
            )


def test_wrapping_without_end_is_refused():
    us = identity("us")
    wrapped = document()
    for _ in range(9):
        wrapped, _ = wrap(wrapped, by=None, digest="sha-256", recipient=None, cipher="aes-256", compress=True)
    with pytest.raises(Fault, match=r"more than 5 times"):
        unwrap(wrapped, by=us, believed=[], at=NOW, algorithm="sha-256", most=1 << 20)


def test_parts_of_a_multipart_are_kept_to_the_byte():
    parts = [entity([("X-A", "1")], b"one\r\n"), entity([("X-A", "2")], b"--not-a-boundary\n\n"), entity([], b"")]
    made = multipart("mixed", [], parts, "cut")
    assert [part.raw for part in parse(made.raw).parts()] == [part.raw for part in parts]
    with pytest.raises(Malformed, match="come to its end"):
        parse(made.raw[:-6]).parts()


@pytest.mark.parametrize("name", ["RAVENSMOOR", "Ravensmoor Pump Works", 'says "yes"', "back\\slash"])
def test_as2_names_are_quoted_where_they_must_be(name: str):
    assert unquoted(quoted(name)) == name


# -- receipts ----------------------------------------------------------------------------------------


def test_a_receipt_says_what_became_of_the_message_and_is_signed():
    us, them = identity("us"), identity("them")
    mic = Mic.of(DOCUMENT, "sha-256")
    made = write_receipt(message_id="<1@a>", recipient="R W", mic=mic, fault=None, by=us, digest="sha-256")
    receipt = read_receipt(parse(made.raw), [us.certificate], NOW)
    assert (receipt.message_id, receipt.disposition, receipt.mic, receipt.signed) == ("<1@a>", "processed", mic, True)
    assert receipt.taken
    with pytest.raises(Fault, match="none that was agreed"):
        read_receipt(made, [them.certificate], NOW)
    tampered = parse(made.raw.replace(b"processed", b"Processed"))
    with pytest.raises(Fault, match="not what was signed"):
        read_receipt(tampered, [us.certificate], NOW)


def test_a_receipt_for_what_was_not_taken_names_the_reason():
    fault = Fault("decryption-failed", "it is encrypted for another certificate than ours")
    made = write_receipt(message_id="<1@a>", recipient="R", mic=None, fault=fault, by=None, digest="")
    receipt = read_receipt(made, [], NOW)
    assert receipt.disposition == "error: decryption-failed"
    assert "another certificate" in receipt.text
    assert not receipt.taken


@pytest.mark.parametrize(
    ("headers", "wanted"),
    [
        ({}, None),
        ({"disposition-notification-to": "x"}, Wanted()),
        (
            {
                "disposition-notification-to": "x",
                "disposition-notification-options": "signed-receipt-protocol=required, pkcs7-signature; "
                "signed-receipt-micalg=optional, md5, SHA512, sha1",
                "receipt-delivery-option": "https://them.example/as2",
            },
            Wanted(digest="sha-512", url="https://them.example/as2"),
        ),
    ],
)
def test_the_receipt_that_is_wanted_is_read_from_the_headers(headers, wanted):
    assert Wanted.of(headers) == wanted


# -- identities --------------------------------------------------------------------------------------


def test_certificates_are_warned_of_before_they_end():
    ends, lasts = identity("soon", days=10).certificate, identity("them").certificate
    assert expiry_warning("ANVILGATE", [lasts], NOW) is None
    assert expiry_warning("ANVILGATE", [ends, lasts], NOW) is None
    assert f"ends on {NOW + timedelta(days=10):%Y-%m-%d}, in 10 days" in (
        expiry_warning("ANVILGATE", [ends], NOW) or ""
    )
    assert "ended on" in (expiry_warning("ANVILGATE", [ends], NOW + timedelta(days=11)) or "")
    assert in_force([ends, lasts], NOW) is lasts
    assert in_force([ends], NOW + timedelta(days=11)) is None


def test_every_certificate_of_an_installation_that_ends_is_told_once(tmp_path: Path):
    us, lasts, ends = identity("us"), identity("them"), identity("ends soon", days=10)
    own = {"name": "RAVENSMOOR", "conn_id": "as2", "also": ["as2_old"]}
    partners = [{"name": "ANVILGATE", "certificates": [pem(lasts)]}, {"name": "FENWICK", "certificates": [pem(ends)]}]
    channel = Channel(channel="as2-in", source={"kind": "as2", "path": "in", "own": own, "partners": partners})
    sink = {"kind": "as2", "url": "https://as2.fenwick.example/", "own": own, "partner": partners[1]}
    outlet = Outlet(outlet="fenwick", carries="documents", sink=sink)
    stories = {"as2": ours(us), "as2_old": ours(ends)}
    asked = {"home": tmp_path, "connections": stories.__getitem__, "at": NOW}
    warnings = ending_certificates({"as2-in": channel}, {"fenwick": outlet}, **asked)
    assert len(warnings) == 1
    assert "of FENWICK ends on" in warnings[0]
    stories["as2"] = Connection(conn_id="as2", type="as2", extra={})
    assert "neither extra.private_key" in ending_certificates({"as2-in": channel}, {}, **asked)[0]


def test_what_is_wrong_with_our_own_key_is_said(tmp_path: Path):
    us, them = identity("us"), identity("them")

    def connection(**extra: str) -> Connection:
        return Connection(conn_id="as2", type="as2", extra=extra)

    (tmp_path / "cert.pem").write_text(pem(us))
    sound = own_identity(connection(private_key=key_pem(us), certificate_file="cert.pem"), tmp_path)
    assert sound.certificate == us.certificate
    for extra, story in {
        "neither extra.private_key nor extra.key_file": {},
        "cannot be read": {"private_key": "nonsense", "certificate": pem(us)},
        "belongs to another key": {"private_key": key_pem(us), "certificate": pem(them)},
        "no certificate in PEM form": {"private_key": key_pem(us), "certificate": "-----BEGIN nothing"},
        "No such file": {"private_key": key_pem(us), "certificate_file": "away.pem"},
    }.items():
        with pytest.raises(ConfigError, match=extra):
            own_identity(connection(**story), tmp_path)
    with pytest.raises(ConfigError, match="No such file"):
        certificates(["away.pem"], tmp_path)


# -- the station -------------------------------------------------------------------------------------


@dataclass
class Post:
    """Somebody who posts to a station in ``folder``."""

    folder: Path
    station: Station

    def message(self, wrapped: Entity, **headers: str) -> Reply:
        own = {"AS2-From": "ANVILGATE", "AS2-To": "RAVENSMOOR", "Message-ID": "<1@anvilgate>"}
        asked = {"Disposition-Notification-To": "x", "Disposition-Notification-Options": SIGNED}
        given = own | asked | {name.replace("_", "-"): value for name, value in headers.items()}
        parts = [(name, str(value)) for name, value in wrapped.headers.items()]
        return self.station.receive([*parts, *given.items()], wrapped.body, NOW)

    def waiting(self) -> dict[str, bytes]:
        return {file.name: file.read_bytes() for file in (self.folder / "in").glob("*.*")}


SIGNED = "signed-receipt-protocol=optional, pkcs7-signature; signed-receipt-micalg=optional, sha-256"


@pytest.fixture
def post(tmp_path: Path) -> Callable[..., Post]:
    def make(**sender: object) -> Post:
        us, them = identity("us"), identity("them")
        given = Sender.model_validate({"name": "ANVILGATE", "certificates": [pem(them)], **sender})
        keys = Keys(Own(name="RAVENSMOOR", conn_id="as2"), given, tmp_path, lambda _: ours(us))
        station = Station(
            "RAVENSMOOR", [(given, keys)], journal=Journal(tmp_path / "as2"), waiting=tmp_path / "in",
            done=tmp_path / "in" / "done", most=1 << 20,
        )  # fmt: skip
        return Post(tmp_path, station)

    return make


def wrapped(data: bytes = DOCUMENT, *, sign: str | None = "them", encrypt: bool = True) -> Entity:
    by = identity(sign) if sign else None
    recipient = identity("us").certificate if encrypt else None
    return wrap(document(data), by=by, digest="sha-256", recipient=recipient, cipher="aes-256", compress=False)[0]


def disposition(reply: Reply) -> str:
    received = of_headers(reply.headers.items(), reply.body)
    return read_receipt(received, [identity("us").certificate], NOW).disposition


def test_a_message_becomes_a_file_and_is_receipted(post):
    desk = post()
    reply = desk.message(wrapped())
    assert reply.status == 200
    assert disposition(reply) == "processed"
    assert list(desk.waiting().values()) == [DOCUMENT]


def test_a_message_that_comes_again_gets_the_same_receipt_and_no_second_file(post):
    desk = post()
    first, second = desk.message(wrapped()), desk.message(wrapped())
    assert second == first
    assert len(desk.waiting()) == 1
    (desk.folder / "in" / "done").mkdir()
    for name in desk.waiting():
        (desk.folder / "in" / name).rename(desk.folder / "in" / "done" / name)
    assert desk.message(wrapped()) == first
    assert desk.waiting() == {}


def test_another_document_under_the_same_message_id_is_refused_and_the_first_stays(post):
    desk = post()
    desk.message(wrapped())
    assert disposition(desk.message(wrapped(DOCUMENT + b"\n"))) == "error: duplicate-document"
    assert list(desk.waiting().values()) == [DOCUMENT]
    assert disposition(desk.message(wrapped())) == "processed"


@pytest.mark.parametrize(
    ("how", "reason"),
    [
        ({"sign": None}, "insufficient-message-security"),
        ({"encrypt": False}, "insufficient-message-security"),
        ({"sign": "stranger"}, "authentication-failed"),
    ],
)
def test_what_is_not_protected_as_agreed_is_refused_and_may_come_again(post, how, reason):
    desk = post()
    assert disposition(desk.message(wrapped(**how))) == f"error: {reason}"
    assert desk.waiting() == {}
    assert disposition(desk.message(wrapped())) == "processed"
    assert len(desk.waiting()) == 1


def test_what_is_agreed_may_be_less(post):
    assert disposition(post(require=[]).message(wrapped(sign=None, encrypt=False))) == "processed"


@pytest.mark.parametrize(("legacy", "told"), [(True, "processed"), (False, "error: insufficient-message-security")])
def test_algorithms_that_are_broken_are_taken_only_where_they_are_agreed(post, tmp_path: Path, legacy: bool, told: str):
    desk = post(require=["signed"], legacy=legacy)
    (elsewhere := tmp_path / "theirs").mkdir()
    signed = opaque(document().raw, identity("them"), elsewhere, digest="sha1")
    assert disposition(desk.message(signed)) == told
    assert len(desk.waiting()) == legacy


def test_strangers_and_messages_for_others_are_turned_away(post):
    desk = post()
    assert desk.message(wrapped(), AS2_From="NOBODY").status == 403
    assert desk.message(wrapped(), AS2_To="SOMEBODY").status == 404
    assert desk.message(wrapped(), Message_ID="").status == 400
    assert desk.waiting() == {}


def test_receipts_go_only_to_agreed_addresses(post):
    refused = post().message(wrapped(), Receipt_Delivery_Option="https://elsewhere.example/as2")
    assert refused.status == 400
    desk = post(receipt_url="https://anvilgate.example/as2/")
    assert desk.message(wrapped(), Receipt_Delivery_Option="https://anvilgate.example.evil/as2/").status == 400
    taken = desk.message(wrapped(), Receipt_Delivery_Option="https://anvilgate.example/as2/in")
    assert (taken.status, taken.body) == (200, b"")
    (waiting,) = Journal(desk.folder / "as2").all_received()
    assert waiting.receipt_url == "https://anvilgate.example/as2/in"


def test_a_receipt_that_comes_later_finds_its_message_and_its_digest_must_be_ours(post):
    desk, journal = post(), None
    them = identity("them")
    journal = Journal(desk.folder / "as2")
    mic = Mic.of(DOCUMENT, "sha-256")
    for number, stated in ((1, mic), (2, Mic.of(b"other", "sha-256"))):
        sent = SentMessage(message_id=f"<{number}@us>", partner="ANVILGATE", name="o.edi", at=NOW, mic=str(mic))
        journal.write(sent)
        made = write_receipt(
            message_id=sent.message_id, recipient="ANVILGATE", mic=stated, fault=None, by=them, digest="sha-256"
        )
        assert desk.message(made, Message_ID="<mdn@anvilgate>").status == 200
    assert (first := journal.sent("<1@us>"))
    assert (second := journal.sent("<2@us>"))
    assert (first.disposition, first.refused, first.answered_at) == ("processed", False, NOW)
    assert second.refused
    stray = write_receipt(message_id="<3@us>", recipient="A", mic=mic, fault=None, by=them, digest="sha-256")
    assert desk.message(stray).status == 404
    forged = write_receipt(
        message_id="<1@us>", recipient="A", mic=mic, fault=None, by=identity("stranger"), digest="sha-256"
    )
    assert desk.message(forged).status == 400


def test_a_partner_needs_a_certificate():
    with pytest.raises(ValueError, match="at least 1"):
        Partner(name="A", certificates=[])
