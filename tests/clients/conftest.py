"""The fixtures: one gateway, started as a user starts it."""

import pathlib
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "e2e"))

from running import Running


@pytest.fixture(scope="session")
def running(tmp_path_factory):
    with Running(tmp_path_factory.mktemp("gateway")) as gateway:
        yield gateway


@pytest.fixture
def gateway(running):
    """The gateway, with an empty emulator log. All requests to Bedrock must be signed and clean."""
    running.emulator.quiet_log()
    running.emulator.reset()
    yield running
    seen = running.emulator.quiet_log()
    assert [entry for entry in seen if entry["verified"] is not True or entry["violations"]] == []
