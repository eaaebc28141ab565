"""The ERP that tests of the ODBC source read."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.odbc_erp import Erp


@pytest.fixture
def erp(tmp_path: Path) -> Iterator[Erp]:
    erp = Erp(tmp_path)
    yield erp
    erp.close()
