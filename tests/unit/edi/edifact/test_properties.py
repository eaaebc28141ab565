"""What must hold for any payload: writing then reading, cutting, damaging, reading in any pieces, learning or not."""

from __future__ import annotations

import io
import random
from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.formats.edi.delimiters import Delimiters
from connectors.formats.edi.edifact.scan import scan_edifact
from connectors.formats.edi.edifact.writer import EdifactEnvelope, Message, write_edifact
from schemas.findings import Severity

SERVICE = "*|^~!$\\<>{};@#+:'?\x1c\x1d\x1f"
MOMENT = datetime(2026, 11, 22, 1, 0, tzinfo=UTC)


@st.composite
def interchanges(draw):
    element, component, segment, repetition, release = draw(st.permutations(SERVICE))[:5]
    version = draw(st.sampled_from("34"))
    marks = Delimiters(
        element, component, draw(st.sampled_from([segment, "\n"])), repetition if version == "4" else "", release, ".,"
    )
    syntax, categories = draw(st.sampled_from([("UNOC", "latin-1"), ("UNOY", "utf-8")]))
    banned = "\r\n\0\x1a\x0c"
    if syntax == "UNOC":  # what is valid UTF-8 is taken for it
        banned += "".join(map(chr, range(0x80, 0xC0)))
    text = st.text(
        st.characters(codec=categories, exclude_characters=banned, exclude_categories=["Cs", "Cc", "Cn", "Co"]),
        max_size=8,
    )
    full = text.filter(lambda value: value.strip() != "")
    composite = st.tuples(st.lists(text, max_size=3), full).map(lambda t: (*t[0], t[1]))
    segments = st.tuples(
        st.sampled_from(["BGM", "NAD", "RFF", "LIN", "QQ9"]), st.lists(composite, max_size=4), composite
    ).map(lambda t: [t[0], *t[1], t[2]])
    messages = [
        Message(type="ORDERS", version="D:96A:UN", reference=str(n), segments=draw(st.lists(segments, max_size=6)))
        for n in range(draw(st.integers(1, 3)))
    ]
    envelope = EdifactEnvelope(
        sender="A:14", receiver="B:14", reference="R1", written_at=MOMENT, syntax=syntax, version=version
    )
    line_end = draw(st.sampled_from(["", "\n", "\r\n"]))
    return envelope, messages, b"".join(write_edifact(envelope, messages, marks, line_end=line_end))


@settings(max_examples=150, deadline=None)
@given(made=interchanges(), block=st.integers(1, 300))
def test_write_then_read_is_the_identity(made, block) -> None:
    _, messages, payload = made
    found = [(segment.tag, *segment.elements) for segment in scan_edifact(io.BytesIO(payload), block)]
    inner = [
        row
        for message in messages
        for row in (
            ("UNH", (message.reference,), (message.type, "D", "96A", "UN")),
            *((segment[0], *segment[1:]) for segment in message.segments),
            ("UNT", (str(len(message.segments) + 2),), (message.reference,)),
        )
    ]
    assert found[1:-1] == inner
    assert (found[0][0], found[-1][0]) == ("UNB", "UNZ")


@pytest.mark.parametrize(
    ("version", "marks", "written"),
    [
        ("4", Delimiters("+", ":", "'", "*", "?", ".,"), b"FTX+AAI+++A?*B?+C'"),
        ("3", Delimiters("+", ":", "'", "", "?", ".,"), b"FTX+AAI+++A*B?+C'"),
        ("4", Delimiters("+", ":", "'", "^", "?", ".,"), b"FTX+AAI+++A*B?+C'"),
    ],
)
def test_the_repetition_mark_is_released_where_it_is_one(version, marks, written) -> None:
    envelope = EdifactEnvelope(sender="A:14", receiver="B:14", reference="R1", written_at=MOMENT, version=version)
    text = [Message(type="ORDERS", version="D:96A:UN", reference="1", segments=[["FTX", "AAI", "", "", "A*B+C"]])]
    payload = b"".join(write_edifact(envelope, text, marks))
    assert written in payload
    assert [segment.elements[3] for segment in scan_edifact(io.BytesIO(payload)) if segment.tag == "FTX"] == [
        ("A*B+C",)
    ]


def test_without_a_release_character_no_value_holds_a_repetition_mark() -> None:
    envelope = EdifactEnvelope(sender="A:14", receiver="B:14", reference="R1", written_at=MOMENT, version="4")
    text = [Message(type="ORDERS", version="D:96A:UN", reference="1", segments=[["FTX", "AAI", "", "", "A*B"]])]
    with pytest.raises(ValueError, match="'A\\*B' holds a service character"):
        list(write_edifact(envelope, text, Delimiters("+", ":", "'", "*", "", ".,")))


@settings(max_examples=60, deadline=None)
@given(made=interchanges(), block=st.integers(1, 400))
def test_pieces_do_not_matter(made, block, read_edifact) -> None:
    payload = made[-1]
    assert read_edifact(payload, block=block).plain == read_edifact(payload).plain


def despatch_advice(wrap_message, chance: random.Random, size: int, *, mistakes: float = 0.0) -> bytes:
    """A valid DESADV, but for mistakes in a share of its segments."""
    segments = ["BGM+351+S1+9", "DTM+137:20261122:102", "RFF+ON:PO1", "NAD+DP+5412345000013::9", "CPS+1"]
    level = line = 1
    for _ in range(size):
        if chance.random() < 0.2:
            level += 1
            segments += [
                f"CPS+{level}+{chance.randrange(1, level)}",
                "PAC+1++201",
                "PCI+33E",
                f"GIN+BJ+{chance.randrange(10**18):018d}",
            ]
        line += 1
        segments += [f"LIN+{line}++{chance.randrange(10**6)}:{chance.choice(['EN', 'SA', 'IN'])}"]
        segments += [f"PIA+{chance.choice('15')}+X{line}:SA+Y{line}:IN"] * (chance.random() < 0.5)
        name = chance.choice(["Pump", "Café", "O?+ring", "l?'eau"])
        segments += [f"IMD+F++:::{name}"] * (chance.random() < 0.4)
        segments += [f"QTY+12:{chance.randrange(1, 99)}{chance.choice(['', ':PCE', ':KGM'])}"]
        segments += [f"RFF+{chance.choice(['ON', 'AAK'])}:{line}:{line}"] * chance.randrange(3)
    wrong = ["XYZ+1", "QTY+12:x", "LIN", "RFF+ON:" + "9" * 36, "CPS+9+9", "BGM+1", "", "NAD+ST", "QTY+12:1:?", "PIA+77"]
    segments = [
        chance.choice(wrong) if place > 3 and chance.random() < mistakes else segment
        for place, segment in enumerate(segments)
    ]
    return wrap_message("DESADV", *segments, end=chance.choice(["'", "'\n", "'\r\n"]))


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 10**6), size=st.integers(2, 200), mistakes=st.sampled_from([0.0, 0.01, 0.2]))
def test_learning_changes_nothing(wrap_message, read_edifact, seed, size, mistakes) -> None:
    payload = despatch_advice(wrap_message, random.Random(seed), size, mistakes=mistakes)
    learned, plain = read_edifact(payload), read_edifact(payload, learn=False)
    assert learned.plain == plain.plain
    assert bool(learned.errors) <= bool(mistakes)


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10**6), block=st.integers(1, 2000))
def test_pieces_do_not_matter_once_learned(wrap_message, read_edifact, seed, block) -> None:
    payload = despatch_advice(wrap_message, random.Random(seed), 150, mistakes=0.01)
    assert read_edifact(payload, block=block).plain == read_edifact(payload).plain


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 10**6), share=st.floats(0, 1))
def test_cutting_loses_only_what_was_cut_and_says_so(wrap_message, read_edifact, seed, share) -> None:
    payload = despatch_advice(wrap_message, random.Random(seed), 40).rstrip()
    whole = read_edifact(payload).lines
    at = int(share * len(payload))
    found = read_edifact(payload[:at])
    assert at >= len(payload) - 1 or any(finding.severity is Severity.ERROR for finding in found.findings)
    complete = whole.filter(whole["_offset"] + whole["_length"] <= at)
    kept = found.lines.head(complete.height) if complete.height else found.lines
    assert kept.rows() == complete.rows() or not complete.height
    assert found.lines.height <= whole.height


@settings(max_examples=150, deadline=None)
@given(seed=st.integers(0, 10**6), flips=st.integers(1, 40))
def test_damaged_bytes_never_stop_the_reader(wrap_message, read_edifact, seed, flips) -> None:
    chance = random.Random(seed)
    payload = bytearray(despatch_advice(wrap_message, chance, 30))
    for _ in range(flips):
        payload[chance.randrange(len(payload))] = chance.randrange(256)
    damaged = bytes(payload)
    found = read_edifact(damaged)
    assert found.plain == read_edifact(damaged, block=97, learn=False).plain
    for finding in found.findings:
        assert finding.offset is None or 0 <= finding.offset <= len(damaged)
    assert len(found.starts) == len(found.ends)


@settings(max_examples=60, deadline=None)
@given(payload=st.binary(max_size=400))
def test_noise_is_read_to_its_end(payload, read_edifact) -> None:
    for head in (
        b"",
        b"UNA:+.? 'UNB+UNOC:3+A+B+261122:0100+1'",
        b"UNB+UNOY:4+A+B+261122:0100+1'UNH+1+DESADV:D:96A:UN'",
    ):
        found = read_edifact(head + payload)
        assert found.plain == read_edifact(head + payload, block=3, learn=False).plain
