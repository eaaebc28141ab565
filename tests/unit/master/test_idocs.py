"""Materials and vendors out of IDocs: parts of a table, laid over what is in force."""

from __future__ import annotations

import io

import polars as pl

from crossdock.master.idocs import laid_over
from crossdock.master.tables import ReadTable, read_table
from schemas.master import MASTER_TABLES


def idocs(message: str, *bodies: str) -> bytes:
    kind = f"<IDOCTYP>{message}05</IDOCTYP><MESTYP>{message}</MESTYP>"
    control = f"<EDI_DC40><DOCNUM>1</DOCNUM>{kind}<SNDPRN>S</SNDPRN></EDI_DC40>"
    return f"<{message}05>{''.join(f'<IDOC>{control}{body}</IDOC>' for body in bodies)}</{message}05>".encode()


def material(number: str, *, text: str = "Casing", unit: str = "EA", deleted: str = "") -> str:
    texts = "".join(
        f"<E1MAKTM><SPRAS_ISO>{language}</SPRAS_ISO><MAKTX>{words}</MAKTX></E1MAKTM>"
        for language, words in (("DE", "Guss"), ("EN", text))
    )
    return f"<E1MARAM><MATNR>{number}</MATNR><LVORM>{deleted}</LVORM><MEINS>{unit}</MEINS>{texts}</E1MARAM>"


def read(payload: bytes) -> ReadTable:
    return read_table(io.BytesIO(payload), "idocs.xml")


def test_materials_are_items_and_the_last_word_counts() -> None:
    told = read(
        idocs(
            "MATMAS", material("000000000000000815"), material("P-1", deleted="X"), material("815", text="New casing")
        )
    )
    assert (told.table, told.partial, told.findings) == ("items", True, ())
    assert told.rows is not None
    assert told.rows.columns == list(MASTER_TABLES["items"])
    assert told.rows.rows() == [
        ("P-1", "Casing", "EA", "blocked", "", ""),
        ("815", "New casing", "EA", "active", "", ""),
    ]


def test_vendors_are_partners() -> None:
    vendor = "<E1LFA1M><LIFNR>0000100023</LIFNR><LAND1>US</LAND1><NAME1>Anvilgate</NAME1></E1LFA1M>"
    told = read(idocs("CREMAS", vendor))
    assert told.rows is not None
    assert told.rows.rows() == [("100023", "Anvilgate", "US", "", "", "", "")]


def test_flat_files_are_read_too() -> None:
    control = f"{'EDI_DC40':10}100{1:016}756 301   {'MATMAS05':30}{'':30}{'MATMAS':30}".ljust(148) + "SAPRVM    LS  S"
    frame = f"{'E2MARAM008':30}100{1:016}{0:06}{0:06}01"
    fields = f"005{'000000000000000815':18}{'':67}{'':1}{'':18}{'':18}".ljust(118)
    told = read(f"{control.ljust(524)}\n{frame}{fields}KGM\n".encode())
    assert told.rows is not None
    assert told.rows["item"].to_list() == ["815"]


def test_an_idoc_that_is_no_master_data_is_refused() -> None:
    told = read(idocs("ORDERS", "<E1EDK01/>"))
    assert told.rows is None
    assert [finding.code for finding in told.findings] == ["master.table_unknown"]


def test_a_broken_file_changes_nothing() -> None:
    told = read(idocs("MATMAS", material("1"))[:-20])
    assert told.rows is None
    assert [finding.code for finding in told.findings] == ["xml.malformed"]


def test_what_is_not_spoken_of_stays() -> None:
    columns = list(MASTER_TABLES["partners"])
    before = pl.DataFrame(
        [("A", "Anvil", "US", "123456789", "0614", "", ""), ("B", "Bright", "US", "", "", "", "")],
        schema=columns,
        orient="row",
    )
    rows = pl.DataFrame(
        [("A", "Anvilgate", "", "", "", "", ""), ("C", "Copper", "GB", "", "", "", "")], schema=columns, orient="row"
    )
    assert laid_over("partners", rows, before).sort("partner").rows() == [
        ("A", "Anvilgate", "US", "123456789", "0614", "", ""),
        ("B", "Bright", "US", "", "", "", ""),
        ("C", "Copper", "GB", "", "", "", ""),
    ]
