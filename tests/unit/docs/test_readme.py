"""What the documents quote is what stands in the tree."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

TREE = Path(__file__).parents[3]
DOCUMENTS = [TREE / "README.md", TREE / "CONTRIBUTING.md", TREE / "SECURITY.md", *sorted(TREE.glob("docs/**/*.md"))]


def test_the_partner_file_of_the_readme_is_a_real_one() -> None:
    readme = (TREE / "README.md").read_text(encoding="utf-8")
    quoted = re.findall(r"<!-- (mappings/partners/\S+\.yaml) -->\n```yaml\n(.*?)```", readme, re.DOTALL)
    assert quoted
    for path, text in quoted:
        assert text == (TREE / path).read_text(encoding="utf-8")


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_links_lead_somewhere(document: Path) -> None:
    for target in re.findall(r"\]\(([^)#]+)", document.read_text(encoding="utf-8")):
        if "://" not in target:
            assert (document.parent / target).exists(), target


def test_every_make_target_the_readme_names_exists() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (TREE / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    for line in (TREE / "README.md").read_text(encoding="utf-8").splitlines():
        if named := re.match(r" {4}make ([a-z]+)", line):
            assert named[1] in targets
