"""The TLS certificate of `run`: renewed without a restart, and checked before it is used.

A broken renewal changes nothing, also for an Envoy that starts after it.
"""

import datetime
import os
import pathlib
import ssl
import subprocess

import pytest
import requests
import trustme

from gateway import ENVIRONMENT, command_line, envoy, flags
from runtime import filter_options
from supervised import Supervised, eventually

FAILURES = r"wasmcustom\.envoy_bedrock_config_reloads;result=failure"
GARBAGE = b"nonsense"


class Pair:
    """Certificate and key in files that are replaced like a renewal does."""

    def __init__(self, folder: pathlib.Path):
        self.folder = folder
        self.certificate, self.key = folder / "tls.crt", folder / "tls.key"
        self.ca = trustme.CA()

    def issue(self, **options) -> tuple:
        """A certificate and a key."""
        issued = self.ca.issue_cert("localhost", "127.0.0.1", **options)
        chain = b"".join(blob.bytes() for blob in issued.cert_chain_pems)
        return chain, issued.private_key_pem.bytes()

    def write(self, certificate: bytes | None, key: bytes | None):
        for path, content in ((self.certificate, certificate), (self.key, key)):
            if content is None:
                path.unlink(missing_ok=True)
            else:
                new = path.with_suffix(".new")
                new.write_bytes(content)
                os.replace(new, path)

    def renew(self, **options):
        self.write(*self.issue(**options))

    @property
    def arguments(self) -> tuple:
        return "--tls-cert", self.certificate, "--tls-key", self.key


@pytest.fixture
def pair(tmp_path):
    made = Pair(tmp_path)
    made.renew()
    return made


def tls_port(gateway) -> int:
    return int(gateway.wait_for(r"https://[^: ]+:(\d+)").group(1))


def served(gateway) -> str | None:
    """The certificate that a new connection gets; `None` if there is no connection."""
    try:
        return ssl.get_server_certificate(("127.0.0.1", tls_port(gateway)), timeout=10)
    except OSError:
        return None


def is_served(gateway, pair: Pair) -> bool:
    """Whether a new connection gets the certificate of the file."""
    found = served(gateway)
    return found is not None and found.strip() in pair.certificate.read_text()


def failure(gateway) -> dict | None:
    page = requests.get(f"{gateway.url}/health/readiness", timeout=10)
    assert page.status_code == 200
    return page.json().get("config_reload")


def restart_envoy(gateway):
    """Kills Envoy, and its standby if there is one."""
    for process in gateway.envoys():
        os.kill(process, 9)
    gateway.wait_for("Envoy serves again")


def test_a_renewed_certificate_is_used_without_a_restart(pair):
    with Supervised(*pair.arguments) as gateway:
        assert is_served(gateway, pair)
        standby, serving = gateway.standby(), gateway.envoy()
        for _ in range(2):
            pair.renew()
            eventually(lambda: is_served(gateway, pair), "the renewed certificate")
        assert gateway.envoys() == [serving, standby] and failure(gateway) is None
        # The standby has it too.
        os.kill(serving, 9)
        eventually(lambda: is_served(gateway, pair), "the certificate of the standby")
        # The standby may serve before `run` notices that the first Envoy is dead.
        gateway.wait_for("its standby takes over")
        copies = [path for path in gateway.folder.rglob("key.pem") if path.parent.name != "tls"]
        assert len(copies) == 3
        assert {path.stat().st_mode & 0o777 for path in copies} == {0o600}
        assert {path.parent.stat().st_mode & 0o777 for path in copies} == {0o700}
        gateway.signal(15)
        assert gateway.exit_code() == 0
        assert not any(path.exists() for path in copies)


BROKEN = {
    "another key": (lambda pair: (pair.issue()[0], pair.issue()[1]), "KEY_VALUES_MISMATCH"),
    "no certificate": (lambda pair: (GARBAGE, pair.issue()[1]), "a certificate in PEM"),
    "no key": (lambda pair: (pair.issue()[0], GARBAGE), "NO_START_LINE"),
    "a missing key": (lambda pair: (pair.issue()[0], None), "No such file"),
    "an expired certificate": (
        lambda pair: pair.issue(not_after=datetime.datetime(2020, 1, 1)),
        "2020-01-01T00:00:00",
    ),
}


@pytest.mark.parametrize("broken", BROKEN)
def test_a_broken_renewal_changes_nothing_and_is_reported(pair, broken):
    make, problem = BROKEN[broken]
    with Supervised(*pair.arguments) as gateway:
        before = served(gateway)
        assert is_served(gateway, pair)
        pair.write(*make(pair))
        status = eventually(lambda: failure(gateway), "the failure in readiness")
        assert status["status"] == "failed"
        assert str(pair.certificate) in status["error"] and str(pair.key) in status["error"]
        assert problem in status["error"], status
        assert str(gateway.folder) not in status["error"]
        assert problem in gateway.wait_for(r"cannot be used, and the previous one .*").group(0)
        eventually(lambda: gateway.stat(FAILURES), "the metric")
        assert served(gateway) == before and gateway.is_served()
        restart_envoy(gateway)
        # A standby may have begun to serve before it was killed, too.
        eventually(lambda: served(gateway) == before, "the previous certificate")
        assert gateway.is_served() and failure(gateway)
        pair.renew()
        eventually(lambda: is_served(gateway, pair), "the repaired certificate")
        eventually(lambda: failure(gateway) is None, "readiness without the failure")


def test_the_certificate_of_a_kubernetes_secret_is_renewed(tmp_path):
    pair = Pair(tmp_path)

    def publish(version: str):
        """The files are links through a directory that is replaced as a whole."""
        folder = tmp_path / version
        folder.mkdir()
        certificate, key = pair.issue()
        (folder / "tls.crt").write_bytes(certificate)
        (folder / "tls.key").write_bytes(key)
        os.symlink(version, tmp_path / "..data_tmp")
        os.replace(tmp_path / "..data_tmp", tmp_path / "..data")

    publish("..1")
    for name in ("tls.crt", "tls.key"):
        os.symlink(f"..data/{name}", tmp_path / name)
    with Supervised(*pair.arguments) as gateway:
        assert is_served(gateway, pair)
        publish("..2")
        eventually(lambda: is_served(gateway, pair), "the renewed certificate")


def test_a_broken_pair_prevents_startup_and_an_expired_one_is_a_warning(pair):
    pair.write(pair.issue()[0], pair.issue()[1])
    state = pair.folder / "state"
    command = [command_line(), "run", "config.yaml", "--bedrock", "emulator", "--state", state]
    command += ["--port", "0", "--tls-port", "0", "--envoy", envoy(), *flags(filter_options())]
    command += [*pair.arguments]
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=60, env=ENVIRONMENT, check=False
    )
    assert done.returncode == 1
    assert str(pair.certificate) in done.stderr and "KEY_VALUES_MISMATCH" in done.stderr
    pair.renew(not_after=datetime.datetime(2020, 1, 1))
    with Supervised(*pair.arguments) as gateway:
        assert "valid now" in gateway.log() and "2020-01-01" in gateway.log()
        assert is_served(gateway, pair) and gateway.is_served()
