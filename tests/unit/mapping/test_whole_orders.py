"""What the head of a document says of an order as a whole: in which words, in which mappings, and who overrules."""

from __future__ import annotations

from pathlib import Path

import pytest

from mappings.library import Library

ANSWER = """\
document: x12.855
kind: order_response
whole: {path: BAK02, codes: answer}
fields: {order: BAK03, order_line: PO101}
"""
NOTICE = "document: x12.856\nkind: ship_notice\nfields: {item: LIN03}\n"
CODES = '"AK": accepted\n"AC": ""\n'


@pytest.fixture
def shelf(tmp_path: Path) -> Path:
    for name, content in (
        ("standard/x12_855.yaml", ANSWER),
        ("standard/x12_856.yaml", NOTICE),
        ("codes/answer.yaml", CODES),
        ("partners/acme.yaml", "partner: ACME\n"),
    ):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(content)
    return tmp_path


def read(shelf: Path) -> Library:
    return Library.read(shelf / "standard", shelf / "partners")


def test_a_partner_may_say_it_elsewhere(shelf: Path) -> None:
    (shelf / "partners" / "acme.yaml").write_text("partner: ACME\ndocuments:\n  x12.855: {whole: {const: rejected}}\n")
    library = read(shelf)
    assert library.problems == ()
    standard, own = (library.mapping_for(one, "x12.855") for one in (None, library.partners["ACME"]))
    assert standard is not None
    assert own is not None
    assert standard.whole is not None
    assert own.whole is not None
    assert ("BAK02" in standard.plan.paths, "BAK02" in own.plan.paths) == (True, False)
    assert own.whole.const == "rejected"
    assert standard.version != own.version


@pytest.mark.parametrize(
    ("file", "content", "problem"),
    [
        ("codes/answer.yaml", '"AK": aceepted\n', "unknown word 'aceepted'; did you mean 'accepted'"),
        ("standard/x12_855.yaml", ANSWER.replace("answer}", "answers}"), "unknown list 'answers'"),
        ("standard/x12_855.yaml", ANSWER.replace("{path: BAK02, codes: answer}", "{const: cancelled}"), "unknown word"),
        (
            "standard/x12_856.yaml",
            NOTICE + "whole: {const: cancelled}\n",
            "ship_notice documents say nothing of an order",
        ),
    ],
)
def test_words_that_mean_nothing_are_refused(shelf: Path, file: str, content: str, problem: str) -> None:
    (shelf / file).write_text(content)
    (told,) = read(shelf).problems
    assert problem in told
