"""What a command imports when it is called, and that every refusal still has its place in the command line."""

import importlib
import json
import subprocess
import sys

import pytest

from sync import command
from sync.arguments import ADDERS, build_parser, named_in

SERVES, STREET = {"starlette", "uvicorn", "iotcore"}, {"device.street.live", "sync.faults.programme", "sync.calibrate"}
FOREIGN = {"capture": SERVES | STREET | {"paho", "sync.receiver"}, "sync": SERVES | STREET | {"sync.receiver"}}
"""What a service has no use for: each import costs a small computer a part of the second in which nothing is photographed."""
LOADED = """\
import json, sys
from sync.command import main
try:
    main(sys.argv[1:])
except SystemExit:
    pass
print(json.dumps(sorted(sys.modules)), file=sys.stderr)
"""


def loaded_by(*argv):
    done = subprocess.run([sys.executable, "-c", LOADED, *argv], capture_output=True, text=True, check=True)
    return set(json.loads(done.stderr.splitlines()[-1]))


def test_the_help_of_ronde_imports_no_bench():
    found = loaded_by("--help")
    assert not [name for name in found if name.startswith("sync.bench_") and name != "sync.bench_arguments"]
    assert found & (SERVES | {"matplotlib", "sync.faults.programme"}) == set()


@pytest.mark.parametrize("name", FOREIGN)
def test_a_service_imports_nothing_of_the_others(tmp_path, name):
    found = loaded_by(name, "--config", str(tmp_path / "none.toml"))
    assert f"sync.{'capture' if name == 'capture' else 'delivery'}" in found
    assert found & FOREIGN[name] == set()


@pytest.mark.parametrize("place", [*command.REFUSED, *command.FAILED, *command.STALLED])
def test_each_refusal_is_an_exception_at_its_place(place):
    importlib.import_module(place.rpartition(".")[0])
    found = command.of([place])
    assert found
    assert all(issubclass(each, Exception) for each in found)


def test_a_refusal_whose_module_nobody_has_imported_cannot_have_been_raised():
    assert command.of(["sync.no_such_module.Refused"]) == ()


def test_the_command_that_is_called_is_the_only_one_that_is_built():
    assert set(ADDERS) == set(command.COMMANDS)
    assert named_in(["capture", "--config", "x"]) == "capture"
    assert named_in(["--help"]) is named_in([]) is named_in(["captur"]) is None
    assert build_parser("capture").parse_args(["capture"]).command == "capture"
    with pytest.raises(SystemExit):
        build_parser("capture").parse_args(["sync"])
