"""The library of mappings: what it finds, what it merges, and how it says that a file is wrong."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

import pytest

from mappings.library import Library
from mappings.spec import OnError
from schemas.documents import LinePlan
from schemas.errors import ConfigError

NOTICE = """\
document: x12.856
kind: ship_notice
line: "HL[I]"
fields:
  shipment: {path: BSN02, required: true}
  item: {path: ["LIN[BP]", "LIN[VN]"], lookup: item}
  quantity: SN102
  purpose: {path: BSN01, codes: purpose}
"""

SHEET = """\
document: workbook.stock
kind: stock
fields:
  item: {path: [Item, Part], lookup: item, required: true}
  quantity: [On hand]
  site: {path: Site, default: MAIN, required: true}
layout:
  header: {lot: [Batch]}
"""

CODES = """\
"00": original
"01": cancel
"""


SCATTERED = """\
partner: ACME
tier: stratgic
timezone: America/New_Yrok
documents:
  x12.856: {fields: {
    itm: LIN03,
    purpose: {path: BSN01, codes: purposes},
    quantity: {path: SN102, lokup: item}}}
  x12.999: {}
  workbook.stock:
    decimal: ";"
"""


class Shelf:
    """A folder of mappings to write files into."""

    def __init__(self, root: Path) -> None:
        self.root = root
        for folder in ("standard", "codes", "partners"):
            (root / folder).mkdir()
        self.write("codes/purpose.yaml", CODES)
        self.write("standard/x12_856.yaml", NOTICE)
        self.write("standard/workbook_stock.yaml", SHEET)

    def write(self, name: str, content: str) -> None:
        (self.root / name).write_text(content, "utf-8")

    def partner(self, name: str, body: str) -> None:
        self.write(f"partners/{name.lower()}.yaml", f"partner: {name}\n{body}")

    def read(self) -> Library:
        return Library.read(self.root / "standard", self.root / "partners", compile=self.compile)

    def problems(self) -> list[str]:
        return list(self.read().problems)

    @staticmethod
    def compile(type: str, line: str, paths: Iterable[str], options: Mapping[str, object]) -> LinePlan:
        bad = [path for path in paths if path.startswith("BAD")]
        if bad:
            raise ConfigError("bad paths", problems=tuple(f"there is no {path!r} in {type}" for path in bad))
        return LinePlan(type=type, line=line, paths=tuple(paths), options=options, compiled="ready")


@pytest.fixture
def shelf(tmp_path: Path) -> Shelf:
    return Shelf(tmp_path)


def test_the_shipped_files_have_no_problem() -> None:
    from connectors.registry import formats
    from crossdock.settings import Settings
    from crossdock.translation import compile_with

    settings = Settings.from_environment({})
    library = Library.load(settings.mappings, settings.partners, compile=compile_with(formats()))
    assert library.standard
    assert library.partners


# -- what is wrong -------------------------------------------------------------------------------------

FAULTS = {
    "unknown key": (
        "teir: strategic",
        "partners/acme.yaml:2: teir: unknown key 'teir'; did you mean 'tier'? known: acknowledge, ",
    ),
    "unknown key in a rule": (
        "documents:\n  x12.856:\n    fields:\n      item: {path: LIN03, lokup: item}",
        "partners/acme.yaml:5: documents.x12.856.fields.item.lokup: unknown key 'lokup'; did you mean 'lookup'? "
        "known: clock, codes, const, default, format, function, lookup, path, required",
    ),
    "unknown word": (
        "tier: prefered",
        "partners/acme.yaml:2: tier: unknown word 'prefered'; did you mean 'preferred'? "
        "known: preferred, strategic, transactional",
    ),
    "unknown literal": (
        "documents: {workbook.stock: {decimal: ';'}}",
        "partners/acme.yaml:2: documents.workbook.stock.decimal: unknown word ';'; known: ,, ., auto",
    ),
    "unknown lookup": (
        "documents:\n  x12.856:\n    fields:\n      item: {path: LIN03, lookup: itm}",
        "partners/acme.yaml:5: documents.x12.856.fields.item.lookup: unknown word 'itm'; did you mean 'item'? "
        "known: item, partner, site, unit",
    ),
    "wrong type": (
        "language: [en]",
        "partners/acme.yaml:2: language: should be a valid string, not ['en']",
    ),
    "unknown field": (
        "documents:\n  x12.856:\n    fields:\n      itme: LIN03",
        "partners/acme.yaml:5: documents.x12.856.fields.itme: unknown field of ship_notice lines 'itme'; "
        "did you mean 'item'? known: ",
    ),
    "unknown header field": (
        "documents:\n  workbook.stock:\n    header: {quantty: [Qty]}",
        "partners/acme.yaml:4: documents.workbook.stock.header.quantty: unknown field of stock lines 'quantty'; "
        "did you mean 'quantity'? known: ",
    ),
    "unknown code list": (
        "documents:\n  x12.856:\n    fields:\n      purpose: {path: BSN01, codes: purposes}",
        "partners/acme.yaml:5: documents.x12.856.fields.purpose.codes: unknown list 'purposes'; "
        "did you mean 'purpose'? known: purpose",
    ),
    "unknown function": (
        "documents:\n  x12.856:\n    fields:\n      item: {path: LIN03, function: first_wrd}",
        "partners/acme.yaml:5: documents.x12.856.fields.item.function: unknown function 'first_wrd'; "
        "did you mean 'first_word'? known: ",
    ),
    "unknown number format": (
        "documents:\n  x12.856:\n    fields:\n      quantity: {path: SN102, format: commma}",
        "partners/acme.yaml:5: documents.x12.856.fields.quantity.format: unknown number format 'commma'; "
        "did you mean 'comma'? known: ",
    ),
    "unknown time format": (
        "documents:\n  x12.856:\n    fields:\n      shipped_at: {path: DTM02, format: YYYYMMDD}",
        "partners/acme.yaml:5: documents.x12.856.fields.shipped_at.format: unknown time format 'YYYYMMDD'; "
        "did you mean 'CCYYMMDD'? known: ",
    ),
    "format of text": (
        "documents:\n  x12.856:\n    fields:\n      item: {path: LIN03, format: iso}",
        "partners/acme.yaml:5: documents.x12.856.fields.item.format: expected no format: "
        "only numbers, dates and times have one",
    ),
    "unknown mapping": (
        "documents: {x12.856: {extends: standard/x12_586}}",
        "partners/acme.yaml:2: documents.x12.856.extends: unknown mapping 'standard/x12_586'; "
        "did you mean 'standard/x12_856'? known: standard/workbook_stock, standard/x12_856",
    ),
    "another format's mapping": (
        "documents: {workbook.notice: {extends: standard/x12_856}}",
        "partners/acme.yaml:2: documents.workbook.notice.extends: standard/x12_856 maps x12 documents, "
        "not workbook ones",
    ),
    "unknown document type": (
        "documents: {x12.857: {}}",
        "partners/acme.yaml:2: documents.x12.857: unknown document type 'x12.857'; did you mean 'x12.856'? "
        "known: workbook.stock, x12.856",
    ),
    "unknown key field": (
        "documents: {x12.856: {key: [partner, shipmnt]}}",
        "partners/acme.yaml:2: documents.x12.856.key.1: unknown field of ship_notice lines 'shipmnt'; "
        "did you mean 'shipment'? known: ",
    ),
    "no origin": (
        "documents: {x12.856: {fields: {item: {lookup: item}}}}",
        "partners/acme.yaml:2: documents.x12.856.fields.item: needs one of path, const or default",
    ),
    "bad path": (
        "documents:\n  x12.856:\n    fields:\n      item: LIN03\n      lot: BAD07",
        "partners/acme.yaml:6: documents.x12.856.fields.lot: there is no 'BAD07' in x12.856",
    ),
    "unknown zone": (
        "timezone: Europe/Berlinn",
        "partners/acme.yaml:2: timezone: expected a time zone of the IANA database, such as Europe/Berlin, "
        "not 'Europe/Berlinn'",
    ),
    "doubled key": (
        "language: en\nlanguage: de",
        "partners/acme.yaml:3: language: stands here a second time",
    ),
    "not YAML": (
        "documents: {x12.856: [}",
        "partners/acme.yaml:2: not YAML: ",
    ),
}


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_is_said_with_place_value_and_alternatives(shelf: Shelf, name: str) -> None:
    body, expected = FAULTS[name]
    shelf.partner("ACME", body)
    (problem,) = shelf.problems()
    assert problem.startswith(expected)


def test_all_faults_are_found_at_once(shelf: Shelf) -> None:
    shelf.partner("ACME", "teir: strategic\nlanguge: en\ndocuments: {x12.856: {on_eror: park_lines}}")
    shelf.partner("BOLTS", "documents: {x12.856: {fields: {itm: LIN03, lott: REF02}}, x12.999: {}}")
    shelf.write("codes/colour.yaml", "red: 1\nblue: 2\n")
    shelf.write("standard/empty.yaml", "")
    problems = shelf.problems()
    assert len(problems) == 9
    with pytest.raises(ConfigError, match="9 problems") as caught:
        Library.load(shelf.root / "standard", shelf.root / "partners", compile=shelf.compile)
    assert list(caught.value.problems) == problems


def test_a_fault_of_one_kind_hides_none_of_another(shelf: Shelf) -> None:
    shelf.write("partners/acme.yaml", SCATTERED)
    assert [problem.split(": ")[0].split(":")[1] + " " + problem.split(": ")[1] for problem in shelf.problems()] == [
        "2 tier",
        "8 documents.x12.856.fields.quantity.lokup",
        "11 documents.workbook.stock.decimal",
        "3 timezone",
        "6 documents.x12.856.fields.itm",
        "7 documents.x12.856.fields.purpose.codes",
        "9 documents.x12.999",
    ]
    assert not shelf.read().partners


def test_partners_do_not_answer_for_a_faulty_mapping(shelf: Shelf) -> None:
    shelf.write("standard/x12_856.yaml", NOTICE.replace("required", "requierd").replace("purpose}", "purpos}"))
    shelf.partner("ACME", "documents: {x12.856: {}}")
    shelf.partner("BOLTS", "documents: {x12.856: {extends: standard/x12_856}}")
    assert [problem.split(":")[0] for problem in shelf.problems()] == ["standard/x12_856.yaml"] * 2
    library = shelf.read()
    assert library.mapping_for(library.partners["ACME"], "x12.856") is None


def test_a_folder_without_mappings_is_a_problem(shelf: Shelf) -> None:
    library = Library.read(shelf.root, shelf.root / "partners")
    assert library.problems == (f"{shelf.root}: holds no YAML file; expected one for each standard mapping",)


def test_a_faulty_partner_keeps_out_only_itself(shelf: Shelf) -> None:
    shelf.partner("ACME", 'identities: {x12: "ZZ:ACME"}\nteir: strategic')
    shelf.partner("BOLTS", 'identities: {x12: "ZZ:BOLTS"}')
    library = shelf.read()
    assert len(library.problems) == 1
    assert library.partner_of("x12", "ZZ:ACME") is None
    assert library.partner_of("x12", "ZZ:BOLTS") is library.partners["BOLTS"]


def test_a_faulty_agreement_is_not_replaced_by_the_standard(shelf: Shelf) -> None:
    shelf.partner("ACME", "documents: {x12.856: {fields: {itm: LIN03}}, workbook.stock: {}}")
    library = shelf.read()
    acme = library.partners["ACME"]
    assert library.mapping_for(acme, "x12.856") is None
    assert library.mapping_for(acme, "workbook.stock") is not None
    assert library.mapping_for(None, "x12.856") is not None


def test_a_file_may_end_in_yml(shelf: Shelf) -> None:
    shelf.write("partners/acme.yml", "partner: ACME")
    assert list(shelf.read().partners) == ["ACME"]


def test_two_files_for_one_partner(shelf: Shelf) -> None:
    shelf.partner("ACME", "")
    shelf.write("partners/zacme.yaml", "partner: ACME")
    assert shelf.problems() == ["partners/zacme.yaml:1: partner: ACME is the partner of partners/acme.yaml already"]


def test_two_partners_with_one_identity(shelf: Shelf) -> None:
    shelf.partner("ACME", "identities: {x12: 'ZZ:ONE', email: ['*@acme.example']}")
    shelf.partner("BOLTS", "identities:\n  x12: ['ZZ:TWO', 'ZZ:ONE']\n  email: '*@ACME.example'")
    library = shelf.read()
    assert library.problems == (
        "partners/bolts.yaml:3: identities.x12.1: 'ZZ:ONE' is an identity of ACME already",
        "partners/bolts.yaml:4: identities.email: '*@ACME.example' is an identity of ACME already",
    )
    assert library.partner_of("x12", "ZZ:ONE") is library.partners["ACME"]


def test_two_mappings_of_one_document(shelf: Shelf) -> None:
    shelf.write("standard/x12_856b.yaml", NOTICE)
    assert shelf.problems() == [
        "standard/x12_856b.yaml:1: document: x12.856 is mapped by standard/x12_856.yaml already"
    ]


def test_codes_that_differ_only_in_case_must_agree(shelf: Shelf) -> None:
    shelf.write("codes/colour.yaml", "Red: rot\nred: blau\nRED: rot\n")
    assert shelf.problems() == ["codes/colour.yaml:2: red: means 'blau', but 'Red' means 'rot'"]


def test_a_missing_folder_is_a_problem(tmp_path: Path) -> None:
    library = Library.read(tmp_path / "standard", tmp_path / "partners")
    assert len(library.problems) == 2


def test_a_file_in_another_encoding_is_a_problem(shelf: Shelf) -> None:
    (shelf.root / "partners" / "acme.yaml").write_bytes("partner: ACME\nname: Müller\n".encode("cp1252"))
    (problem,) = shelf.problems()
    assert "UTF-8" in problem


# -- what is found -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("format", "identity", "partner"),
    [
        ("x12", "ZZ:ACMEINC", "ACME"),
        ("x12", " ZZ:ACMEINC ", "ACME"),
        ("x12", "01:ACMEINC", None),
        ("email", "Desk@Acme.Example", "ACME"),
        ("email", "boss@acme.example", "BOSS"),
        ("email", "a@east.acme.example", "EAST"),
        ("email", "a@notacme.example", None),
        ("edifact", "ZZ:ACMEINC", None),
        ("rows", "anything", None),
    ],
)
def test_partners_by_identity(shelf: Shelf, format: str, identity: str, partner: str | None) -> None:
    shelf.partner("ACME", "identities: {x12: 'ZZ:ACMEINC', email: ['*@acme.example', '*.acme.example']}")
    shelf.partner("BOSS", "identities: {email: boss@acme.example}")
    shelf.partner("EAST", "identities: {email: '*@east.acme.example'}")
    found = shelf.read().partner_of(format, identity)
    assert (found and found.partner) == partner


def test_an_agreement_takes_the_place_of_single_fields(shelf: Shelf) -> None:
    shelf.partner(
        "ACME",
        "documents:\n  x12.856:\n    on_error: reject_document\n    key: [shipment, line]\n"
        "    fields: {item: {path: 'LIN[SK]', lookup: item}, lot: 'REF[LT]02'}",
    )
    library = shelf.read()
    mapping = library.mapping_for(library.partners["ACME"], "x12.856")
    assert mapping is not None
    assert mapping.name == "partners/acme:x12.856"
    assert mapping.rules["item"].paths == ("LIN[SK]",)
    assert mapping.rules["quantity"].paths == ("SN102",)
    assert mapping.plan.paths == ("BSN02", "LIN[SK]", "SN102", "BSN01", "REF[LT]02")
    assert mapping.plan.line == "HL[I]"
    assert mapping.key == ("shipment", "line")
    assert mapping.on_error is OnError.REJECT_DOCUMENT


def test_header_names_come_before_the_standards_own(shelf: Shelf) -> None:
    shelf.partner(
        "ACME",
        "documents:\n  workbook.stock:\n    sheet: 'Stock*'\n    decimal: ','\n    dates: dmy\n"
        "    header: {item: [Material, Part], serial: [SN]}",
    )
    library = shelf.read()
    mapping = library.mapping_for(library.partners["ACME"], "workbook.stock")
    assert mapping is not None
    assert mapping.rules["item"].paths == ("Material", "Part", "Item")
    assert mapping.rules["item"].required
    assert mapping.rules["serial"].paths == ("SN",)
    assert mapping.rules["lot"].paths == ("Batch",)
    options = mapping.plan.options
    assert options["sheet"] == "Stock*"
    assert options["decimal"] == ","
    assert options["fields"] == {name: rule.paths for name, rule in mapping.rules.items()}
    assert options["required"] == ("item",)  # a site that has a default may be left out


def test_another_document_of_a_partner_extends_a_standard_mapping(shelf: Shelf) -> None:
    shelf.partner("ACME", "documents: {workbook.consignment: {extends: standard/workbook_stock, sheet: Consignment}}")
    library = shelf.read()
    acme = library.partners["ACME"]
    assert [mapping.document for mapping in library.candidates(acme, "workbook")] == [
        "workbook.consignment",
        "workbook.stock",
    ]
    assert [mapping.document for mapping in library.candidates(None, "workbook")] == ["workbook.stock"]
    assert library.mapping_for(None, "workbook.consignment") is None


def test_the_version_changes_with_what_could_come_out(shelf: Shelf) -> None:
    def version() -> str:
        mapping = shelf.read().standard["x12.856"]
        assert len(mapping.version) == 12
        return mapping.version

    first = version()
    assert version() == first
    shelf.write("standard/x12_856.yaml", f"# a comment\ndescription: other words\n{NOTICE}")
    assert version() == first
    shelf.write("codes/purpose.yaml", CODES.replace("cancel", "change"))
    second = version()
    assert second != first
    shelf.write("standard/x12_856.yaml", NOTICE.replace("SN102", "SN103"))
    assert version() not in (first, second)


def test_the_version_follows_the_partners_zone(shelf: Shelf) -> None:
    versions = set()
    for zone in ("UTC", "Europe/Berlin"):
        shelf.partner("ACME", f"timezone: {zone}\ndocuments: {{x12.856: {{}}}}")
        library = shelf.read()
        mapping = library.mapping_for(library.partners["ACME"], "x12.856")
        assert mapping is not None
        versions.add(mapping.version)
    assert len(versions) == 2


def test_words_that_old_yaml_takes_for_something_else_are_text(shelf: Shelf) -> None:
    shelf.partner("ACME", "name: On\ndocuments: {workbook.stock: {header: {line: [No, Yes, 12:30, 2026-01-01, 007]}}}")
    library = shelf.read()
    assert library.problems == ()
    assert library.partners["ACME"].name == "On"
    assert library.agreed["ACME", "workbook.stock"].rules["line"].paths == ("No", "Yes", "12:30", "2026-01-01", "007")
