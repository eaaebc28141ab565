"""Whether a mail is from whom it says, by what our own mail server wrote onto it (RFC 8601)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.mailbox.authentication import automatic, doubt, results_of

MX = "mx.ravensmoor.example"


def believed(*headers: str, sender: str = "clerk@anvilgate.example", require: tuple[str, ...] = ("dmarc",)) -> bool:
    return doubt(headers, sender=sender, server=MX, require=require) is None


@pytest.mark.parametrize(
    "header",
    [
        f"{MX}; dmarc=pass header.from=anvilgate.example",
        f"{MX} 1; spf=fail smtp.mailfrom=x.example; dmarc=pass (p=reject; dis=none) header.from=anvilgate.example",
        "MX.Ravensmoor.example;\r\n\tdkim=none;\r\n\tdmarc=pass header.from=ANVILGATE.example",
        f'{MX}; dmarc=pass reason="2; dkim=fail" header.from="anvilgate.example"',
        f"{MX}; dmarc=pass",
    ],
)
def test_dmarc_proves_the_sender(header):
    assert believed(header)


@pytest.mark.parametrize(
    "header",
    [
        f"{MX}; none",
        f"{MX}; dmarc=fail header.from=anvilgate.example",
        f"{MX}; dmarc=pass header.from=elsewhere.example",
        f"{MX}; spf=pass smtp.mailfrom=clerk@anvilgate.example",
        "mx.evil.example; dmarc=pass header.from=anvilgate.example",
        f"evil-{MX}; dmarc=pass header.from=anvilgate.example",
        f"{MX}.evil.example; dmarc=pass header.from=anvilgate.example",
        f"evil.example; x=y; {MX}; dmarc=pass header.from=anvilgate.example",
        f"{MX}; (dmarc=pass) dkim=none",
        f'{MX}; dkim=none reason="; dmarc=pass header.from=anvilgate.example"',
        "",
        ";;;",
    ],
)
def test_anything_else_does_not(header):
    assert not believed(header)


def test_only_the_topmost_header_of_our_own_server_counts():
    forged = f"{MX}; dmarc=pass header.from=anvilgate.example"
    assert not believed(f"{MX}; dmarc=fail header.from=anvilgate.example", forged)
    assert believed("other.example; dmarc=fail", forged)


@pytest.mark.parametrize(
    ("header", "sender", "proven"),
    [
        ("dkim=pass header.d=anvilgate.example", "clerk@anvilgate.example", True),
        ("dkim=pass header.d=anvilgate.example", "clerk@mail.anvilgate.example", True),
        ("dkim=pass header.i=@mail.anvilgate.example", "clerk@anvilgate.example", True),
        ("dkim=pass header.d=notanvilgate.example", "clerk@anvilgate.example", False),
        ("dkim=pass header.d=example", "clerk@anvilgate.example", False),
        ("dkim=fail header.d=anvilgate.example", "clerk@anvilgate.example", False),
        ("spf=pass smtp.mailfrom=bounce@anvilgate.example", "clerk@anvilgate.example", True),
        ("spf=pass smtp.mailfrom=evil.example", "clerk@anvilgate.example", False),
        ("spf=softfail smtp.mailfrom=anvilgate.example", "clerk@anvilgate.example", False),
        ("dkim=fail header.d=x.example; dkim=pass header.d=anvilgate.example", "clerk@anvilgate.example", True),
    ],
)
def test_dkim_and_spf_must_speak_of_the_senders_domain(header, sender, proven):
    assert believed(f"{MX}; {header}", sender=sender, require=("dkim", "spf")) is proven


def test_a_doubt_says_what_was_found():
    told = doubt([f"{MX}; dkim=none; spf=softfail"], sender="c@anvilgate.example", server=MX, require=("dmarc",))
    assert told == "none of dmarc proves that it is from anvilgate.example (dkim=none, spf=softfail)"
    assert "no authentication results" in (doubt([], sender="c@a.example", server=MX, require=("dmarc",)) or "")


@given(st.text(max_size=200))
def test_no_header_breaks_the_reading(header):
    results_of([header, f"{MX};{header}"], MX)
    assert not believed(header)


@pytest.mark.parametrize(
    "headers",
    [
        {"auto-submitted": "auto-replied"},
        {"auto-submitted": "auto-generated; x=y"},
        {"precedence": "bulk"},
        {"return-path": "<>"},
        {"list-id": "<x>"},
        {"x-auto-response-suppress": "All"},
        {"from": "MAILER-DAEMON@mx.example"},
        {"from": "No Reply <no-reply@anvilgate.example>"},
    ],
)
def test_mail_of_programs_is_known(headers):
    assert list(automatic(headers))


@pytest.mark.parametrize("headers", [{}, {"auto-submitted": "no"}, {"from": "norah@anvilgate.example"}])
def test_mail_of_people_is_not_taken_for_it(headers):
    assert not list(automatic(headers))
