"""Checks of each client: streams, tool calls, and errors of the class that users catch."""

import pytest

import installed
from catalogue import CHECKS, HTTP, TLS
from installed import HERE

FOLDER = HERE / "checks"


def command(gateway, name: str, group: str) -> list:
    source = FOLDER / name
    match source.suffix:
        case ".py":
            return [installed.python(group) / "python", source]
        case ".sh":
            return ["sh", source]
        case ".rs":
            return [installed.rust() / source.stem]
        case ".mjs":
            folder = installed.npm(group) / "run"
            gateway.copy(FOLDER / "expect.mjs", folder).rename(folder / "expect.mjs")
            return [installed.node(), gateway.copy(source, folder)]
    raise ValueError(f"no way to run a check with this suffix: {name}")


@pytest.mark.parametrize("transport", [HTTP, TLS])
@pytest.mark.parametrize("name, group", CHECKS, ids=[name for name, _ in CHECKS])
def test_a_client_passes_its_check(gateway, name, group, transport):
    path = [installed.commands(group)] if name.endswith(".sh") else []
    variables = {"TRANSPORT": transport, "EMULATOR_CONTROL": gateway.emulator.control}
    printed = gateway.client(
        command(gateway, name, group), transport=transport, path=path, variables=variables
    )
    assert printed.endswith("passed\n"), printed


def test_every_check_is_run():
    assert {path.name for path in FOLDER.glob("check_*")} == {name for name, _ in CHECKS}
