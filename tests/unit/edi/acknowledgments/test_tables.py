"""824: judged by pyx12 by the public tables beside the checkout, so that neither the grammar nor its reader is ours."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from pyx12.params import ParamsBase
from pyx12.x12n_document import x12n_document

from bench.pyx12_map import write_map
from connectors.formats.edi.acknowledgments import advise
from connectors.formats.edi.grammar import UNLIMITED, Element, Grammar, Part, Segment, TransactionSet, Use
from schemas.findings import Finding, Severity, Stage

FACTS = Path(__file__).resolve().parents[5] / "shared" / "facts" / "x12" / "004010"


def part(row: str, members: list[Part]) -> Part:
    id_, least, most = row.split()[:3]
    return Part(id_, least != "0", UNLIMITED if int(most) >= 99_999 else int(most), bool(members), tuple(members))


def root(rows: list[str]) -> Part:
    open_: list[tuple[str, list[Part]]] = [("", [])]
    for row in rows:
        if row.endswith("{"):
            open_.append((row, []))
        elif row.strip() == "}":
            loop = part(*open_.pop())
            open_[-1][1].append(loop)
        else:
            open_[-1][1].append(part(row, []))
    return open_[0][1][0]


def of_tables(set_id: str, group: str) -> Grammar:
    """The set as the tables have it: order, requirement, repeats, types and lengths."""
    tree = root((FACTS / f"{set_id}.txt").read_text("utf-8").splitlines())
    uses: dict[str, list[Use]] = {chain[-1].id: [] for chain in tree.walk()}
    for row in (FACTS / "segments.tsv").read_text("utf-8").splitlines()[1:]:
        segment, place, required, least, most, type_ = row.split("\t")
        if segment in uses and "." not in place:
            element = Element(place, *("AN", 1, 80) if type_ == "composite" else (type_, int(least), int(most)))
            uses[segment].append(Use(element, required == "M"))
    segments = {id_: Segment(id_, tuple(found)) for id_, found in uses.items()}
    return Grammar("004010", segments, {set_id: TransactionSet(set_id, group, set_id, tree)})


@pytest.fixture(scope="module")
def maps(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder: Path = tmp_path_factory.mktemp("maps")
    write_map(folder, "824", of_tables("824", "AG"))
    return folder


def accepts(maps: Path, answer: bytes) -> bool:
    said = x12n_document(ParamsBase(), io.StringIO(answer.decode()), None, None, map_path=str(maps))
    return bool(said)


@pytest.fixture
def advice(desk) -> bytes:
    unknown = Finding(
        code="item.unknown", severity=Severity.ERROR, stage=Stage.REFERENCE, message="item 'P99' is not known",
        location="segment 28, LIN-03", value="P99", line=1,
    )  # fmt: skip
    verdicts = [desk.verdict("0001", unknown), desk.verdict("0002", unknown, rejected=True), desk.verdict("0003")]
    answer: bytes = advise(desk.group(3), verdicts, desk.numbers, desk.at)
    return answer


def test_an_824_is_accepted(advice, maps) -> None:
    assert b"~OTI*TE*TN*0001*" in advice
    assert b"~TED*848*item 'P99' is not known*LIN*28*3**P99~" in advice
    assert accepts(maps, advice)


@pytest.mark.parametrize(
    ("right", "wrong"),
    [
        (b"BGN*00*", b"BGN**"), (b"OTI*TE*TN*0001", b"OTI*TE*TN*"), (b"*20260301*1205~OTI", b"*20261301*1205~OTI"),
        (b"TED*848*", b"TED*8488*"), (b"*LIN*28*3*", b"*LIN*28*333*"), (b"~TED*848*", b"~TDE*848*"),
        (b"OTI*TR", b"OTI*TRX"),
    ],
)  # fmt: skip
def test_a_faulty_824_is_not(right: bytes, wrong: bytes, advice, maps) -> None:
    assert right in advice
    assert not accepts(maps, advice.replace(right, wrong, 1))
