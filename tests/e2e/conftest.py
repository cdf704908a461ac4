"""The fixtures that the tests share: one emulator, and one gateway for each kind of upstream.

At the end of the session, every request that any gateway sent must have been signed correctly.
"""

import json
import pathlib
import sys

import pytest
import trustme

from credential_broker import BASE
from deployments import EAST, WEST, Parameters, deployments
from emulator import Emulator, judge
from gateway import CREDENTIALS, Gateway, config

# The load of test_reload_load.py.
sys.path.append(str(pathlib.Path(__file__).resolve().parents[1] / "soak"))


@pytest.fixture(scope="session")
def journal(tmp_path_factory):
    """A file to which every emulator that serves a gateway writes the requests that it receives."""
    path = tmp_path_factory.mktemp("journal") / "journal.jsonl"
    path.touch()
    yield path
    wrong = judge(path)
    assert wrong == [], f"{len(wrong)} wrong upstream requests, first: {json.dumps(wrong[0])}"


@pytest.fixture(scope="session")
def certificates():
    """The CA of the TLS listener."""
    return trustme.CA()


@pytest.fixture(scope="session")
def ca_file(certificates, tmp_path_factory):
    path = tmp_path_factory.mktemp("ca") / "ca.pem"
    certificates.cert_pem.write_to_path(path)
    return path


@pytest.fixture(scope="session")
def certificate(certificates, tmp_path_factory):
    """The certificate chain and key of the TLS listener."""
    issued = certificates.issue_cert("localhost", "127.0.0.1")
    folder = tmp_path_factory.mktemp("certificate")
    chain, key = folder / "chain.pem", folder / "key.pem"
    chain.write_bytes(b"".join(blob.bytes() for blob in issued.cert_chain_pems))
    issued.private_key_pem.write_to_path(key)
    return chain, key


@pytest.fixture(scope="session")
def emulator_for(journal):
    """Starts emulators that only gateways send requests to."""

    def start(regions=(WEST, EAST), *arguments) -> Emulator:
        return Emulator(
            regions, *CREDENTIALS, *arguments, env={"BEDROCK_EMULATOR_JOURNAL": str(journal)}
        )

    return start


@pytest.fixture(scope="session")
def shared_emulator(emulator_for):
    with emulator_for() as running:
        yield running


@pytest.fixture
def bedrock(shared_emulator):
    """The shared emulator, without faults and with an empty log."""
    shared_emulator.quiet_log()
    shared_emulator.reset()
    yield shared_emulator
    shared_emulator.reset()


@pytest.fixture(scope="module")
def issuing_emulator():
    """An emulator without a journal, in which refused credentials would count as wrong requests."""
    with Emulator((WEST, EAST), *CREDENTIALS) as running:
        yield running


@pytest.fixture(scope="session")
def direct_emulator():
    with Emulator((WEST, EAST), "--lenient", *CREDENTIALS) as running:
        yield running


@pytest.fixture
def emulator(direct_emulator):
    """An emulator that accepts SDK headers, for tests without a gateway."""
    yield direct_emulator
    direct_emulator.reset()
    direct_emulator.mode(strict=False)


@pytest.fixture
def identity(emulator):
    """The identity service, with a long-term key."""
    emulator.identity.register_key(BASE["ID"], BASE["SECRET"], "123456789012")
    return emulator.identity


@pytest.fixture(scope="session")
def gateway_over(shared_emulator):
    """Starts gateways to the shared emulator, over "http" (HTTP/1.1) or "tls" (HTTP/2).

    Over TLS the upstreams have AWS's own host names. `models` makes the deployments from
    `Parameters`; `sections` are further sections of config.yaml.
    """

    def start(upstream, models=deployments, sections=None, **options) -> Gateway:
        at = Parameters(shared_emulator if upstream == "http" else None)
        # The faults of one test must not decide where the requests of the next one go.
        steady = {"router_settings": {"disable_cooldowns": True}}
        text = config(models(at), **(steady | (sections or {})))
        return Gateway(text, upstreams=None if at.emulator else shared_emulator, **options)

    return start


@pytest.fixture(scope="session")
def over_http(gateway_over, certificate):
    """A gateway whose upstreams speak plain HTTP/1.1."""
    with gateway_over("http", certificate=certificate) as running:
        yield running


@pytest.fixture(scope="session")
def over_tls(gateway_over, certificate):
    """A gateway whose upstreams speak TLS and HTTP/2."""
    with gateway_over("tls", certificate=certificate) as running:
        yield running


@pytest.fixture(params=["over_http", "over_tls"])
def gateway(request, bedrock):
    """Each of the two gateways in turn, with an emulator without faults."""
    return request.getfixturevalue(request.param)
