"""The fixtures: a gateway under traffic of every kind, and a Prometheus that scrapes it."""

import pathlib
import sys
import threading

import pytest
import requests

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "e2e"))

from emulator import Emulator
from gateway import CREDENTIALS, Gateway
from prometheus import Prometheus
from traffic import REGIONS, Traffic, configuration, set_faults

# Nothing listens there: this is a gateway that is down.
NOWHERE = "127.0.0.1:1"


@pytest.fixture(scope="session")
def bedrock():
    with Emulator(REGIONS, *CREDENTIALS) as running:
        set_faults(running)
        yield running


@pytest.fixture(scope="session")
def gateway(bedrock):
    with Gateway(configuration(bedrock), metrics=True) as running:
        yield running


@pytest.fixture(scope="session")
def traffic(gateway):
    """Requests of every kind, until the test session ends."""
    with Traffic(gateway) as running:
        yield running


@pytest.fixture(scope="session")
def full(bedrock):
    """A gateway whose disk is full, and which gets requests until the test session ends."""
    stop = threading.Event()

    def probe(url):
        while not stop.wait(0.2):
            assert requests.get(f"{url}/health/liveliness", timeout=10).status_code == 200

    with Gateway(configuration(bedrock), metrics=True, access_log="/dev/full") as running:
        thread = threading.Thread(target=probe, args=(running.url,))
        thread.start()
        yield running
        stop.set()
        thread.join()


@pytest.fixture(scope="session")
def prometheus(gateway, traffic, full):
    ports = [gateway.metrics_port, full.metrics_port]
    with Prometheus([*(f"127.0.0.1:{port}" for port in ports), NOWHERE]) as running:
        yield running
