"""What must hold for any payload: writing then reading, cutting, damaging, reading in any pieces, learning or not."""

from __future__ import annotations

import io
import random
from datetime import UTC, datetime

from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.formats.edi.delimiters import Delimiters
from connectors.formats.edi.scan import scan
from connectors.formats.edi.writer import Envelope, Group, write_interchange
from schemas.findings import Severity

TWO_BYTES = "é".encode().decode("latin-1")  #: a terminator of two bytes, as it is read
SERVICE = "*|^~!$\\<>{}:;\t\x07\x15\x1c\x1d\x1e\x1f"
MOMENT = datetime(2026, 11, 22, 1, 0, tzinfo=UTC)


@st.composite
def delimiters(draw) -> Delimiters:
    element, component, segment, repetition = draw(st.permutations(SERVICE))[:4]
    return Delimiters(element, component, draw(st.sampled_from([segment, "\n", TWO_BYTES])), repetition)


@st.composite
def interchanges(draw):
    marks = draw(delimiters())
    banned = "".join((marks.element, marks.segment, "é\r\n\0\x1a\x0c"))
    text = st.text(st.characters(exclude_characters=banned, exclude_categories=["Cs"]), max_size=12)
    ids = st.sampled_from(["BEG", "N1", "REF", "PO1", "LIN", "QQ9"])
    segment = st.tuples(ids, st.lists(text, max_size=6), text.filter(bool)).map(lambda t: [t[0], *t[1], t[2]])
    sets = draw(st.lists(st.lists(segment, max_size=8), min_size=1, max_size=3))
    group = Group(
        code="PO", sender="A", receiver="B", control_number=7, release="004010",
        sets=[("850", f"{i:04d}", segments) for i, segments in enumerate(sets, 1)],
    )  # fmt: skip
    envelope = Envelope(
        sender="ZZ:ME", receiver="01:YOU", control_number=12, written_at=MOMENT,
        version=draw(st.sampled_from(["00401", "00501"])),
    )  # fmt: skip
    line_end = draw(st.sampled_from(["", "\n", "\r\n"]))
    return envelope, group, marks, b"".join(write_interchange(envelope, [group], marks, line_end=line_end))


@settings(max_examples=150, deadline=None)
@given(made=interchanges(), block=st.integers(1, 300))
def test_write_then_read_is_the_identity(made, block) -> None:
    _, group, _, payload = made
    found = [segment.elements for segment in scan(io.BytesIO(payload), block)]
    inner = [
        row
        for id_, number, segments in group.sets
        for row in (("ST", id_, number), *map(tuple, segments), ("SE", str(len(segments) + 2), number))
    ]
    assert found[2:-2] == inner
    assert [row[0] for row in found[:2] + found[-2:]] == ["ISA", "GS", "GE", "IEA"]


@settings(max_examples=60, deadline=None)
@given(made=interchanges())
def test_segments_stand_where_they_are_said_to(made) -> None:
    _, _, marks, payload = made
    for segment in scan(io.BytesIO(payload)):
        piece = payload[segment.offset : segment.offset + segment.length].decode()
        assert piece.split(marks.element) == list(segment.elements)


@settings(max_examples=60, deadline=None)
@given(made=interchanges(), block=st.integers(1, 400))
def test_pieces_do_not_matter(made, block, read) -> None:
    payload = made[-1]
    assert read(payload, block=block).plain == read(payload).plain


def ship_notice(wrap, chance: random.Random, size: int, *, mistakes: float = 0.0) -> bytes:
    """A valid 856, but for mistakes in a share of its segments."""
    segments = ["BSN*00*SH1*20261122*0100", "DTM*011*20261122", "HL*1**S", "N1*ST*Plant*92*P1", "N1*SF*Works*92*S1"]
    level = 1
    order = pack = 0
    while level < size:
        level += 1
        if not order or chance.random() < 0.1:
            order, pack = level, 0
            segments += [f"HL*{level}*1*O*1", f"PRF*PO{level}"]
        elif not pack or chance.random() < 0.3:
            pack = level
            segments += [f"HL*{level}*{order}*P*1", f"MAN*GM*{chance.randrange(10**18):020d}"]
        else:
            last = chance.choice(["*0", "", "*0"])
            segments += [
                f"HL*{level}*{pack}*I{last}",
                f"LIN**BP*B{level}*VN*V{level}",
                f"SN1**{chance.randrange(1, 99)}*EA",
            ]
            segments += [f"PID*F****Café {level}"] * (chance.random() < 0.3)
            segments += [f"MEA*PD*WT*{chance.random():.2f}*LB"] * (chance.random() < 0.2)
            segments += [f"REF*{chance.choice(['LT', 'BT', 'DP'])}*{i}" for i in range(chance.randrange(4))]
            segments += [f"N1*MF*Maker {level}", "N4*AKRON*OH"] * (chance.random() < 0.2)
    wrong = [
        "XQ*1",
        "SN1**x*EA",
        "LIN",
        "REF*LT*" + "9" * 31,
        "HL*9*9*I",
        "BSN*00*SH1",
        "",
        "N1*ST**92",
        "DTM*011*20260230",
    ]
    segments = [
        chance.choice(wrong) if place > 2 and chance.random() < mistakes else segment
        for place, segment in enumerate(segments)
    ]
    return wrap("856", *segments)


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 10**6), size=st.integers(2, 400), mistakes=st.sampled_from([0.0, 0.01, 0.2]))
def test_learning_changes_nothing(wrap, read, seed, size, mistakes) -> None:
    payload = ship_notice(wrap, random.Random(seed), size, mistakes=mistakes)
    learned, plain = read(payload), read(payload, learn=False)
    assert learned.plain == plain.plain
    assert bool(learned.errors) <= bool(mistakes)


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10**6), block=st.integers(1, 2000))
def test_pieces_do_not_matter_once_learned(wrap, read, seed, block) -> None:
    payload = ship_notice(wrap, random.Random(seed), 250, mistakes=0.01)
    assert read(payload, block=block).plain == read(payload).plain


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 10**6), share=st.floats(0, 1))
def test_cutting_loses_only_what_was_cut_and_says_so(wrap, read, seed, share) -> None:
    payload = ship_notice(wrap, random.Random(seed), 60)
    whole = read(payload).lines
    at = int(share * len(payload.rstrip()))
    found = read(payload[:at])
    assert any(finding.severity is Severity.ERROR for finding in found.findings) or at >= len(payload.rstrip()) - 1
    complete = whole.filter(whole["_offset"] + whole["_length"] <= at)
    kept = found.lines.head(complete.height) if complete.height else found.lines
    assert kept.rows() == complete.rows() or not complete.height
    assert found.lines.height <= whole.height


@settings(max_examples=150, deadline=None)
@given(seed=st.integers(0, 10**6), flips=st.integers(1, 40))
def test_damaged_bytes_never_stop_the_reader(wrap, read, seed, flips) -> None:
    chance = random.Random(seed)
    payload = bytearray(ship_notice(wrap, chance, 40))
    for _ in range(flips):
        payload[chance.randrange(len(payload))] = chance.randrange(256)
    damaged = bytes(payload)
    found = read(damaged)
    assert found.plain == read(damaged, block=97, learn=False).plain
    for finding in found.findings:
        assert finding.offset is None or 0 <= finding.offset <= len(damaged)
    assert len(found.starts) == len(found.ends)


@settings(max_examples=60, deadline=None)
@given(payload=st.binary(max_size=400))
def test_noise_is_read_to_its_end(payload, read) -> None:
    read(payload)
    read(
        b"ISA*00*          *00*          *ZZ*A              *ZZ*B              *261122*0100*U*00401*000000001*0*P*>~"
        + payload
    )
