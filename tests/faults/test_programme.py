"""The short half of the programme of faults: each row at a load for CI. `ronde bench faults` runs the whole."""

import io

import pytest

from provisioning.log import set_up
from sync.faults import table
from sync.faults.programme import ROWS, run_row

LOADS = {"soak": 60, "outage": 2_000, "links": 5, "writes": 5, "cuts": 2, "kills": 4, "brokers": 2, "io_errors": 3, "clocks": 1}
"""Smaller than the short half where a row's time goes with its load; the others as they are."""


@pytest.fixture(autouse=True)
def _log_ends_with_the_test():
    yield
    set_up(stream=io.StringIO())


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_a_row_keeps_its_promises(row):
    result = run_row(row, LOADS.get(row.name, row.short), seed=1)
    if result.verdict == "skipped":
        pytest.skip(result.reasons[0])
    print(table.line(result))
    assert result.verdict == "passed", table.line(result)
    assert result.injected >= result.load
