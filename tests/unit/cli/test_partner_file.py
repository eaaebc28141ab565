"""A partner's file is changed where it must be, and stays as a person wrote it elsewhere."""

from __future__ import annotations

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from crossdock.partners.partner_file import put
from schemas.configuration import parse_yaml
from schemas.errors import ConfigError

FILE = """\
# Acme: by mail, since 2024
partner: ACME   # as in the ERP
name: 'Acme, Pumps'

documents:
  # the weekly sheet
  workbook.stock:
    extends: standard/workbook_stock
    columns:
      - Teil  # theirs
      - Menge
    header:
      item: [Teil]      # not "Material"
      quantity:
        - Menge
  workbook.receipt: {extends: standard/workbook_receipt, dates: dmy}
  x12.856: {}
  # nothing else
acknowledge: {application: workbook}
"""


def test_items_are_added_and_comments_stay():
    changed = put(FILE, ("documents", "workbook.stock", "header", "quantity"), ["Menge", "Bestand: neu"])
    assert changed == FILE.replace("        - Menge\n", '        - Menge\n        - "Bestand: neu"\n', 1)
    changed = put(FILE, ("documents", "workbook.stock", "header", "item"), ["Teil", "Teilenr."])
    assert changed == FILE.replace("[Teil] ", "[Teil, Teilenr.] ")


def test_lists_are_replaced():
    changed = put(FILE, ("documents", "workbook.stock", "columns"), ["Menge", "Teil"])
    assert changed == FILE.replace("      - Teil  # theirs\n      - Menge\n", "      - Menge\n      - Teil\n")


def test_what_is_missing_is_made_in_the_way_of_the_mapping():
    changed = put(FILE, ("documents", "workbook.stock", "header", "site"), ["Werk"])
    assert changed == FILE.replace("        - Menge\n", "        - Menge\n      site: [Werk]\n")
    changed = put(FILE, ("documents", "workbook.receipt", "header", "site"), ["Werk"])
    assert changed == FILE.replace("dates: dmy}", "dates: dmy, header: {site: [Werk]}}")
    changed = put(FILE, ("documents", "x12.856", "columns"), ["No", "1e3"])
    assert changed == FILE.replace("x12.856: {}", 'x12.856: {columns: ["No", "1e3"]}')
    changed = put(FILE, ("documents", "workbook.forecast", "columns"), ["Teil"])
    assert changed == FILE.replace("x12.856: {}\n", "x12.856: {}\n  workbook.forecast:\n    columns: [Teil]\n")


@pytest.mark.parametrize("before", ["partner: ACME", "partner: ACME\n", "partner: ACME\ndocuments:\nname: x\n"])
def test_a_file_that_says_little(before: str):
    changed = put(before, ("documents", "workbook.stock", "columns"), ["Teil"])
    assert yaml.safe_load(changed)["documents"] == {"workbook.stock": {"columns": ["Teil"]}}
    assert yaml.safe_load(changed)["partner"] == "ACME"


def test_a_long_list_takes_a_line_for_each():
    titles = [f"a rather long heading {n}" for n in range(12)]
    changed = put(FILE, ("documents", "workbook.stock", "header", "site"), titles)
    assert max(map(len, changed.splitlines())) < 110
    assert yaml.safe_load(changed)["documents"]["workbook.stock"]["header"]["site"] == titles


def test_what_a_partner_file_cannot_say_is_not_written():
    with pytest.raises(ConfigError, match="cannot be changed"):
        put(FILE, ("documents", "workbook.stock", "colums"), ["Teil"])


Words = st.text(st.characters(codec="utf-8", categories=["L", "N", "P", "S", "Zs"]), min_size=1, max_size=12)


@given(
    titles=st.lists(Words.map(str.strip).filter(bool), min_size=1, max_size=8),
    document=st.sampled_from(["workbook.stock", "workbook.receipt", "workbook.forecast"]),
    key=st.sampled_from([("columns",), ("header", "item"), ("header", "site")]),
)
def test_whatever_the_words_nothing_else_changes(titles: list[str], document: str, key: tuple[str, ...]):
    changed = put(FILE, ("documents", document, *key), titles)
    before, after = yaml.safe_load(FILE), parse_yaml(changed, "acme.yaml")[0].content
    place, there = before["documents"].setdefault(document, {}), after["documents"][document]
    for name in key[:-1]:
        place, there = place.setdefault(name, {}), there[name]
    place[key[-1]] = titles
    assert before == after
    comments = {line.partition("#")[2] for line in FILE.splitlines() if "#" in line} - {" theirs"}
    assert all(f"#{comment}" in changed for comment in comments)
