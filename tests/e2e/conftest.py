"""What the tests of the gateway share: one emulator, one gateway for each way to reach it, and the last word on
everything that any emulator saw from a gateway."""

import json

import pytest
import trustme

from emulator import Emulator, judge
from gateway import CREDENTIALS, Gateway, config

WEST, EAST = "us-west-2", "us-east-1"
CLAUDE = "us.anthropic.claude-3-5-sonnet-20240620-v1:0"
NOVA = "us.amazon.nova-lite-v1:0"
TITAN = "amazon.titan-embed-text-v2:0"
PROFILE = f"arn:aws:bedrock:{WEST}:123456789012:application-inference-profile/abc123def456"


@pytest.fixture(scope="session")
def journal(tmp_path_factory):
    """A file to which every emulator that serves a gateway writes what it saw. At the end of the session all of it
    has to have been signed as it should be."""
    path = tmp_path_factory.mktemp("journal") / "journal.jsonl"
    path.touch()
    yield path
    wrong = judge(path)
    assert wrong == [], (
        f"{len(wrong)} requests were not as they should be, the first: {json.dumps(wrong[0])}"
    )


@pytest.fixture(scope="session")
def certificates():
    """A CA for the TLS listener."""
    return trustme.CA()


@pytest.fixture(scope="session")
def ca_file(certificates, tmp_path_factory):
    path = tmp_path_factory.mktemp("ca") / "ca.pem"
    certificates.cert_pem.write_to_path(path)
    return path


@pytest.fixture(scope="session")
def certificate(certificates, tmp_path_factory):
    """Certificate and key of the TLS listener."""
    issued = certificates.issue_cert("localhost", "127.0.0.1")
    folder = tmp_path_factory.mktemp("certificate")
    chain, key = folder / "chain.pem", folder / "key.pem"
    chain.write_bytes(b"".join(blob.bytes() for blob in issued.cert_chain_pems))
    issued.private_key_pem.write_to_path(key)
    return chain, key


@pytest.fixture(scope="session")
def emulator_for(journal):
    """Starts emulators whose requests are all from gateways."""

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
    """The emulator of the session, in health and with an empty log."""
    shared_emulator.quiet_log()
    shared_emulator.reset()
    yield shared_emulator
    shared_emulator.reset()


class Region:
    """litellm_params of a deployment: at AWS's own host name, or at an emulator's plain port."""

    def __init__(self, emulator=None):
        self.emulator = emulator

    def __call__(self, region, model=CLAUDE, **params) -> dict:
        endpoint = (
            {"aws_bedrock_runtime_endpoint": self.emulator.url(region)} if self.emulator else {}
        )
        return {"model": f"bedrock/{model}", "aws_region_name": region, **endpoint, **params}


def deployments(at: Region) -> list:
    """Models for every purpose. Those with an order are asked in it, so that a test knows who is first."""
    temporary = {
        "aws_access_key_id": "os.environ/TEMPORARY_KEY_ID",
        "aws_secret_access_key": "os.environ/TEMPORARY_SECRET",
        "aws_session_token": "os.environ/TEMPORARY_TOKEN",
    }
    return [
        ("both", at(WEST)),
        ("both", at(EAST)),
        ("west-first", at(WEST, order=1)),
        ("west-first", at(EAST, order=2)),
        ("east-first", at(EAST, order=1)),
        ("east-first", at(WEST, order=2)),
        ("only-west", at(WEST)),
        ("by-weight", at(WEST, weight=3)),
        ("by-weight", at(EAST, weight=1)),
        ("by-rpm", at(WEST, rpm=100)),
        ("by-rpm", at(EAST, rpm=900)),
        ("by-tpm", at(WEST, tpm=60_000)),
        ("by-tpm", at(EAST, tpm=40_000)),
        ("team/alias:1", at(WEST)),
        ("profile", at(WEST, PROFILE)),
        ("titan", at(EAST, TITAN)),
        ("temporary", at(WEST, order=1, **temporary)),
        ("temporary", at(EAST, order=2)),
        ("two-accounts", at(WEST, order=1)),
        ("two-accounts", at(WEST, order=2, **temporary)),
        ("two-models", at(WEST, order=1)),
        ("two-models", at(EAST, NOVA, order=2)),
        ("api-key", at(WEST, api_key="os.environ/BEDROCK_API_KEY", order=1)),
        ("api-key", at(EAST, order=2)),
    ]


@pytest.fixture(scope="session")
def over_http(shared_emulator, certificate):
    """A gateway whose upstreams are plain HTTP/1.1."""
    with Gateway(config(deployments(Region(shared_emulator))), certificate=certificate) as running:
        yield running


@pytest.fixture(scope="session")
def over_tls(shared_emulator, certificate):
    """A gateway whose upstreams have AWS's own names: TLS and HTTP/2."""
    with Gateway(
        config(deployments(Region())), upstreams=shared_emulator, certificate=certificate
    ) as running:
        yield running


@pytest.fixture(params=["over_http", "over_tls"])
def gateway(request, bedrock):
    """Either gateway, with the emulator in health."""
    return request.getfixturevalue(request.param)
