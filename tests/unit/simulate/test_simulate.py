"""What a simulation says it wrote is what lies in the folder, read here by plain means."""

from __future__ import annotations

import email
import hashlib
import io
import re
import shlex
import sqlite3
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from email import policy
from email.message import EmailMessage
from pathlib import Path

import pytest
from openpyxl import load_workbook

from crossdock.simulate import Effect, Made, Simulation, connection_environment, simulate
from crossdock.simulate.company import check_digit
from schemas.errors import ConfigError
from schemas.events import Stream


@pytest.fixture(scope="module")
def simulation(tmp_path_factory: pytest.TempPathFactory) -> Simulation:
    return simulate(tmp_path_factory.mktemp("company"), seed=3, lines=2500)


def digests(directory: Path) -> dict[str, str]:
    """Every file but those that name the folder itself."""
    return {
        str(path.relative_to(directory)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(directory.rglob("*"))
        if path.is_file() and path.name != "environment"
    }


def interchanges(data: bytes) -> Iterator[list[list[str]]]:
    """Split naively: the delimiters are those of the first ISA, which our files keep to."""
    element = chr(data[3])
    fields = data.decode("ascii").split(element, 17)
    terminator = fields[16][1]
    segments = [text.strip("\r\n").split(element) for text in data.decode("ascii").split(terminator)]
    held: list[list[str]] = []
    for segment in (segment for segment in segments if segment != [""]):
        held.append(segment)
        if segment[0] == "IEA":
            yield held
            held = []
    if held:
        yield held


def sets_of(segments: list[list[str]]) -> Iterator[list[list[str]]]:
    start = None
    for place, segment in enumerate(segments):
        if segment[0] == "ST":
            start = place
        elif segment[0] == "SE":
            assert start is not None
            yield segments[start : place + 1]
            start = None


def edi_files(simulation: Simulation) -> Iterator[tuple[Made, bytes]]:
    """Those in X12."""
    for made in simulation.of_channel("edi-inbox"):
        if not made.type.startswith("x12."):
            continue
        yield made, (simulation.directory / made.file).read_bytes()


def attachments(simulation: Simulation) -> Iterator[tuple[Made, EmailMessage, str, bytes]]:
    for made in simulation.of_channel("mailbox"):
        message = email.message_from_bytes((simulation.directory / made.file).read_bytes(), policy=policy.default)
        assert isinstance(message, EmailMessage)
        [part] = (part for part in message.iter_attachments() if part.get_content_maintype() != "image")
        content = part.get_payload(decode=True)
        assert isinstance(content, bytes)
        yield made, message, part.get_filename() or "", content


# -- the same again ---------------------------------------------------------------------------------------


def test_same_seed_same_bytes(simulation: Simulation, tmp_path: Path) -> None:
    again = simulate(tmp_path, seed=3, lines=2500)
    assert digests(tmp_path) == digests(simulation.directory)
    assert (again.made, again.planted) == (simulation.made, simulation.planted)


def test_other_seed_other_bytes(simulation: Simulation, tmp_path: Path) -> None:
    simulate(tmp_path, seed=4, lines=2500)
    assert digests(tmp_path) != digests(simulation.directory)


def test_written_over_a_run_of_the_pipeline_the_inboxes_are_as_new(simulation: Simulation, tmp_path: Path) -> None:
    simulate(tmp_path, seed=3, lines=2500)
    (tmp_path / "inbox" / "edi" / "done").mkdir()
    for path in (tmp_path / "inbox" / "edi").glob("*.edi"):
        path.rename(path.parent / "done" / path.name)
    for path in (tmp_path / "inbox" / "mail" / "new").iterdir():
        path.rename(tmp_path / "inbox" / "mail" / "cur" / f"{path.name}:2,S")
    simulate(tmp_path, seed=3, lines=2500)
    assert digests(tmp_path) == digests(simulation.directory)


def test_a_folder_that_is_not_ours_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "inbox").mkdir()
    (tmp_path / "inbox" / "letter.txt").write_text("keep me")
    with pytest.raises(ConfigError, match="inbox"):
        simulate(tmp_path)
    assert (tmp_path / "inbox" / "letter.txt").read_text() == "keep me"


@pytest.mark.parametrize("lines", [1, 3000, 20_000])
def test_about_as_many_lines_as_asked(tmp_path: Path, lines: int) -> None:
    made = simulate(tmp_path, lines=lines)
    wanted = max(lines, 1000)
    assert wanted * 0.85 < made.lines < wanted * 1.15
    assert sum(1 for planted in made.planted) >= 12


# -- what is in the files ---------------------------------------------------------------------------------


def test_erp_rows_are_counted(simulation: Simulation) -> None:
    path = simulation.directory / "erp" / "erp.db"
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        assert connection.execute("PRAGMA foreign_key_check").fetchall() == []
        for made in simulation.of_channel("erp"):
            [count] = connection.execute(f"SELECT count(*) FROM integration_{made.file}").fetchone()
            assert count == made.lines > 0


def test_erp_orders_are_open_changed_and_cancelled(simulation: Simulation) -> None:
    with closing(sqlite3.connect(simulation.directory / "erp" / "erp.db")) as connection:
        rows = connection.execute("SELECT status, count(*) FROM integration_purchase_orders GROUP BY status")
        states = dict(rows.fetchall())
    assert set(states) == {"open", "changed", "cancelled"}
    assert states["open"] > 5 * states["changed"]


def test_every_supplier_item_has_a_cross_reference(simulation: Simulation) -> None:
    with closing(sqlite3.connect(simulation.directory / "erp" / "erp.db")) as connection:
        known = set(connection.execute("SELECT partner, theirs FROM integration_cross_references WHERE kind = 'item'"))
    unknown = {one.value for planted in simulation.planted for one in planted.findings if one.code == "item.unknown"}
    for _, message, name, content in attachments(simulation):
        if "copperline" in message["From"]:
            assert name.endswith(".xlsx")
            for row in list(load_workbook(io.BytesIO(content)).active.iter_rows(min_row=4, values_only=True))[:-1]:
                assert ("COPPERLINE", row[3]) in known or row[3] in unknown


def begins_line(segment: list[str]) -> bool:
    return segment[0] in ("PO1", "RCD") or (segment[0] == "HL" and segment[3] == "I")


def test_edi_sets_and_lines_are_counted(simulation: Simulation) -> None:
    for made, data in edi_files(simulation):
        segments = [segment for one in interchanges(data) for segment in one]
        assert sum(segment[0] == "ST" for segment in segments) == made.documents
        if "longacre" in made.file:
            assert made.lines == 0, "nobody can say what a stranger's lines are"
        else:
            assert sum(begins_line(segment) for segment in segments) == made.lines > 0


def test_edi_trailers_are_right_but_for_the_planted_one(simulation: Simulation) -> None:
    wrong = []
    for made, data in edi_files(simulation):
        for segments in interchanges(data):
            for one in sets_of(segments):
                assert one[0][2] == one[-1][2]
                if int(one[-1][1]) != len(one):
                    wrong.append((made.file, one[-1][1]))
            if segments[-1][0] == "IEA":
                groups = sum(segment[0] == "GS" for segment in segments)
                assert segments[-1][1:] == [str(groups), segments[0][13]]
                in_groups = [int(segment[1]) for segment in segments if segment[0] == "GE"]
                assert sum(in_groups) == sum(segment[0] == "ST" for segment in segments)
    planted = [(one.file, one.value) for one in simulation.planted if any(f.code == "set.count" for f in one.findings)]
    assert wrong == planted


def test_edi_uses_common_and_odd_delimiters_and_several_interchanges_a_file(simulation: Simulation) -> None:
    seen = {
        (chr(data[3]), chr(data[105]) if made.file.count("gullhaven") else "") for made, data in edi_files(simulation)
    }
    assert {element for element, _ in seen} == {"*", "|"}
    ends = {data.rstrip()[-1:] for made, data in edi_files(simulation) if "brightseal" in made.file}
    assert b"\x1c" in ends
    assert max(sum(1 for _ in interchanges(data)) for _, data in edi_files(simulation)) == 2


def test_packages_of_ship_notices_carry_right_check_digits(simulation: Simulation) -> None:
    packages = [
        segment[2]
        for made, data in edi_files(simulation)
        for segments in interchanges(data)
        for segment in segments
        if segment[:2] == ["MAN", "GM"]
    ]
    assert len(packages) > 100
    for package in packages:
        assert len(package) == 18
        assert check_digit(package[:-1]) == package[-1]


def test_every_item_level_has_a_package_an_order_and_a_shipment_above_it(simulation: Simulation) -> None:
    for made, data in edi_files(simulation):
        if made.type != "x12.856":
            continue
        for segments in interchanges(data):
            for one in sets_of(segments):
                levels = {segment[1]: segment for segment in one if segment[0] == "HL"}
                for level in levels.values():
                    path, above = level[3], level[2]
                    while above:
                        path += levels[above][3]
                        above = levels[above][2]
                    assert path in ("S", "OS", "POS", "IPOS")


def test_workbook_rows_are_counted(simulation: Simulation) -> None:
    kinds: Counter[str] = Counter()
    for made, _, name, content in attachments(simulation):
        kinds[made.type] += 1
        if name.endswith(".csv"):
            assert len(content.decode("cp1252").splitlines()) - 1 == made.lines
            continue
        sheet = load_workbook(io.BytesIO(content)).active
        rows = sheet.max_row - 3 - (1 if made.type == "workbook.ship_notice" else 0)
        assert rows == made.lines
    assert set(kinds) == {"workbook.ship_notice", "workbook.stock"}


def test_german_numbers_read_back(simulation: Simulation) -> None:
    quantities = [
        line.split(";")[5]
        for _, _, name, content in attachments(simulation)
        if name.endswith(".csv")
        for line in content.decode("cp1252").splitlines()[1:]
    ]
    assert any("." in quantity for quantity in quantities), "thousands are marked"
    for quantity in quantities:
        assert float(quantity.replace(".", "").replace(",", ".")) > 0


# -- what is wrong on purpose -------------------------------------------------------------------------------


def test_planted_cells_hold_what_they_are_said_to(simulation: Simulation) -> None:
    books = {made.file: content for made, _, name, content in attachments(simulation) if name.endswith(".xlsx")}
    cells = [planted for planted in simulation.planted if "!" in planted.place]
    assert len(cells) == 2
    for planted in cells:
        sheet, _, cell = planted.place.partition("!")
        assert load_workbook(io.BytesIO(books[planted.file]))[sheet][cell].value == planted.value


def test_planted_elements_hold_what_they_are_said_to(simulation: Simulation) -> None:
    pattern = re.compile(r"interchange (\d+), group \d+, set (\d+), segment (\d+), (\w+)-(\d+)")
    found = 0
    for planted in simulation.planted:
        if match := pattern.fullmatch(planted.place):
            control, number, place, id_, element = match.groups()
            [segments] = [
                one for one in interchanges((simulation.directory / planted.file).read_bytes()) if one[0][13] == control
            ]
            group = planted.place.split(", ")[1].removeprefix("group ")
            start = next(at for at, segment in enumerate(segments) if segment[0] == "GS" and segment[6] == group)
            [one] = [one for one in sets_of(segments[start:]) if one[0][2] == number][:1]
            segment = one[int(place) - 1]
            assert (segment[0], segment[int(element)]) == (id_, planted.value)
            found += 1
    assert found >= 3


def test_each_kind_of_defect_is_there(simulation: Simulation) -> None:
    findings = {finding.code for planted in simulation.planted for finding in planted.findings}
    assert {"item.unknown", "unit.unknown", "value.unreadable", "set.count", "set.truncated"} <= findings
    assert {"partner.unknown", "payload.empty", "interchange.layout"} <= findings
    assert {planted.effect for planted in simulation.planted} == set(Effect)
    cut = next(planted for planted in simulation.planted if "cut" in planted.file)
    assert b"IEA" not in (simulation.directory / cut.file).read_bytes()
    assert (simulation.directory / "inbox" / "edi" / "upload.edi").read_bytes() == b""


def test_a_file_gives_an_event_for_each_line_that_is_not_held_back(simulation: Simulation) -> None:
    assert set(simulation.events) == set(Stream)
    held_back = Counter[str]()
    for planted in simulation.planted:
        held_back[planted.file] += planted.count
    for made in simulation.made:
        resent = "again" in made.file
        assert sum(made.events.values()) == (0 if resent else made.lines - held_back[made.file])


def test_the_page_lists_every_defect(simulation: Simulation) -> None:
    page = (simulation.directory / "PLANTED.md").read_text(encoding="utf-8")
    for planted in simulation.planted:
        assert f"| {planted.name} | `{planted.file}` | {planted.place} |" in page


def test_most_lines_are_good(simulation: Simulation) -> None:
    resent = sum(made.lines for made in simulation.made if "again" in made.file)
    assert sum(simulation.events.values()) > (simulation.lines - resent) * 0.98


# -- the way in ---------------------------------------------------------------------------------------------


def test_environment_file_says_the_same_as_the_function(simulation: Simulation) -> None:
    written = (simulation.directory / "environment").read_text(encoding="utf-8")
    pairs = dict(shlex.split(line)[1].split("=", 1) for line in written.splitlines())
    assert pairs == connection_environment(simulation.directory)
    assert str(simulation.directory) in pairs["AIRFLOW_CONN_DEMO_ERP"]


def test_drehwerks_despatch_advices_count_what_they_hold(simulation: Simulation) -> None:
    made = [one for one in simulation.made if one.type == "edifact.DESADV"]
    assert made
    for one in made:
        segments = (simulation.directory / one.file).read_text("iso8859-1").split("'\n")
        assert sum(segment.startswith("UNH+") for segment in segments) == one.documents
        assert sum(segment.startswith("LIN+") for segment in segments) == one.lines
        assert segments[-2].split("+")[1] == str(one.documents)
