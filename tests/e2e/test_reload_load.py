"""Reloads under load: no request is dropped, no stream breaks off, no VM is left over.

The load, the edits and the judgement are those of the soak, which does the same for longer.
"""

import time

import pytest

import spend
import verdict
from configuration import LONG, REGIONS, configuration
from emulator import Emulator, is_wrong
from gateway import CREDENTIALS, KEY
from reloading import Reloading
from runtime import RUNTIME
from soak import VMS, Soak
from storms import reloads, saves

STREAMS, RATE_PER_SECOND = 200, 50
RELOAD_SECONDS, SAVE_SECONDS, STREAM_SECONDS = 15, 3, 10
EVENTS = 20
# Streams that have just begun and their buffers; a VM left over in each reload would cost more. A
# native module begins with less, so the same growth is a larger share.
GROWTH_MAX = {"wasm": 1.25, "native": 1.4}[RUNTIME]
ROWS_SECONDS = 30


@pytest.fixture
def soak(tmp_path):
    """A gateway that can be reloaded, with clients; the long streams last ten seconds."""
    log = ("--journal", str(tmp_path / "journal.jsonl"))
    with Emulator(REGIONS, *CREDENTIALS, *log) as emulator:
        interval_ms = STREAM_SECONDS * 1000 // EVENTS
        emulator.pace(events=EVENTS, interval_ms=interval_ms, model=LONG)
        text = configuration(emulator, key=KEY)
        with Reloading(text, emulator, tmp_path / "config.yaml") as gateway:
            running = Soak(gateway, emulator, minutes=1, key=KEY)
            yield running
            running.sampler.stop()


def unexplained(soak, tmp_path) -> list:
    attempts = verdict.attempts_of(tmp_path / "journal.jsonl", is_wrong)
    assert not any(attempt.is_wrong for each in attempts.values() for attempt in each)
    return [
        each
        for each in soak.load.exchanges
        if each.problem and not verdict.explanation(each, attempts.get(each.id, []), soak.windows)
    ]


def rows_of(soak) -> spend.Comparison:
    """The comparison with the spend log, once it has all rows or a while has passed."""
    deadline = time.monotonic() + ROWS_SECONDS
    while True:
        compared = spend.compare(soak.load.exchanges, soak.gateway.all_rows(), soak.windows)
        if not compared.missing or time.monotonic() > deadline:
            return compared
        time.sleep(0.5)


def test_no_request_notices_a_reload_every_three_seconds(soak, tmp_path):
    with soak.load.running(RATE_PER_SECOND, STREAMS, STREAM_SECONDS):
        time.sleep(RELOAD_SECONDS / 3)
    level, vms = soak.level(), soak.gateway.stats(f"^{VMS}$")
    with soak.load.running(RATE_PER_SECOND, STREAMS, STREAM_SECONDS):
        reloads(soak, RELOAD_SECONDS)
    assert soak.failures == []
    assert len(soak.applied) >= 2
    assert unexplained(soak, tmp_path) == []
    streams = [each for each in soak.load.exchanges if each.kind == "stream of a minute"]
    assert sum(not each.left for each in streams) >= STREAMS
    compared = rows_of(soak)
    assert (compared.missing, compared.twice, compared.unknown) == ([], [], [])
    assert soak.gateway.stats(f"^{VMS}$") == vms
    assert soak.level() <= level * GROWTH_MAX


def test_many_saves_settle_on_the_last_one(soak, tmp_path):
    saves(soak, SAVE_SECONDS)
    assert soak.failures == []
    assert unexplained(soak, tmp_path) == []
