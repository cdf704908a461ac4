"""`render --dynamic` and `watch`: an Envoy without `run` whose files are kept up to date."""

import contextlib
import os
import pathlib
import secrets
import signal
import ssl
import subprocess

import pytest
import requests

from gateway import ENVIRONMENT, KEY, SECRETS, command_line, config, envoy, free_port
from processes import end
from runtime import filter_options
from supervised import eventually

SEALING_KEY = "ENVOY_BEDROCK_SEALING_KEY"
FILES = {"certificates", "clusters", "envoy", "filters", "listeners", "routes"}


class Sidecar:
    """`watch`, or only `render --dynamic`, and an Envoy that reads what it writes."""

    def __init__(self, folder: pathlib.Path, emulator, certificate=None):
        self.folder, self.config = folder, folder / "config.yaml"
        self.dynamic = folder / "envoy"
        self.port, self.tls_port, self.admin = free_port(), free_port(), free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.emulator = emulator
        self.options = {
            "bind": "127.0.0.1",
            "port": self.port,
            "admin-port": self.admin,
            **filter_options(),
            "upstream-ca": emulator.ca_file,
            "access-log": folder / "access.log",
        }
        if certificate:
            chain, key = certificate
            self.options |= {"tls-cert": chain, "tls-key": key, "tls-port": self.tls_port}
        self.processes = contextlib.ExitStack()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.processes.close()

    def command(self, name: str) -> list:
        flags = [text for pair in self.options.items() for text in (f"--{pair[0]}", str(pair[1]))]
        return [command_line(), name, self.config, "--dynamic", self.dynamic, *flags]

    def start(self, command, environment, log: str) -> subprocess.Popen:
        with open(self.folder / log, "wb") as output:
            process = subprocess.Popen(
                command, env=environment, stdout=output, stderr=subprocess.STDOUT
            )
        self.processes.callback(end, process)
        return process

    def watch(self, environment) -> subprocess.Popen:
        process = self.start(self.command("watch"), environment, "watch.log")
        eventually(lambda: "watching" in self.log("watch.log"), "the files")
        return process

    def envoy(self, environment) -> subprocess.Popen:
        arguments = ["-c", self.dynamic / "envoy.yaml", "--use-dynamic-base-id"]
        process = self.start(
            [envoy(), *arguments, "--concurrency", "2", "-l", "warning"], environment, "envoy.log"
        )
        eventually(self.is_ready, "Envoy", 90)
        return process

    def is_ready(self) -> bool:
        with contextlib.suppress(requests.RequestException):
            return self.readiness() is not None

    def readiness(self) -> dict:
        return requests.get(f"{self.url}/health/readiness", timeout=10).json()

    def replace(self, content: str):
        new = self.folder / "new"
        new.write_text(content, encoding="utf-8")
        os.replace(new, self.config)

    def status(self, model: str, key=KEY) -> int:
        response = requests.post(
            f"{self.url}/model/{model}/converse",
            json={"messages": [{"role": "user", "content": [{"text": "hello"}]}]},
            headers={"authorization": f"Bearer {key}"},
            timeout=30,
        )
        return response.status_code

    def done(self, command: str, environment) -> subprocess.CompletedProcess:
        """What a command that ends by itself has done."""
        return subprocess.run(
            self.command(command), env=environment, capture_output=True, text=True, timeout=60
        )

    def files(self) -> dict:
        return {path.stem: path.read_text() for path in self.dynamic.iterdir()}

    def log(self, name: str) -> str:
        return (self.folder / name).read_text(encoding="utf-8", errors="replace")


@pytest.fixture
def text(bedrock):
    """Makes a configuration whose models are served by the emulator."""

    def make(*names, parameters=(), **sections) -> str:
        endpoint = f"http://{bedrock.address('us-west-2')}"
        common = {"model": "bedrock/amazon.nova-lite-v1:0", "aws_region_name": "us-west-2"}
        common |= {"aws_bedrock_runtime_endpoint": endpoint, **dict(parameters)}
        return config([(name, common) for name in names], **sections)

    return make


@pytest.fixture
def sidecar(tmp_path, bedrock):
    with Sidecar(tmp_path, bedrock) as running:
        yield running


def sealed() -> tuple:
    """The environments of `watch` and of Envoy, which has only the sealing key."""
    key = {SEALING_KEY: secrets.token_hex(32), "PATH": os.environ["PATH"]}
    return {**ENVIRONMENT, **key}, key


def test_changes_reach_an_envoy_that_knows_only_the_sealing_key(sidecar, text):
    for_watch, for_envoy = sealed()
    sidecar.replace(text("first"))
    watch = sidecar.watch(for_watch)
    sidecar.envoy(for_envoy)
    assert sidecar.status("first") == 200
    sidecar.replace(text("second", general_settings={"master_key": "sk-second"}))
    eventually(lambda: sidecar.status("second", "sk-second") == 200, "the change")
    assert sidecar.status("second") == 401
    files = sidecar.files()
    assert set(files) == FILES
    files |= {name: sidecar.log(name) for name in ("watch.log", "envoy.log")}
    for secret in [*SECRETS, "sk-second", for_envoy[SEALING_KEY]]:
        assert [name for name, text in files.items() if secret in text] == []
    watch.send_signal(signal.SIGTERM)
    assert watch.wait(30) == 0
    assert sidecar.status("second", "sk-second") == 200


def test_readiness_and_the_log_show_a_broken_edit(sidecar, text):
    for_watch, for_envoy = sealed()
    sidecar.replace(text("first"))
    sidecar.watch(for_watch)
    sidecar.envoy(for_envoy)
    sidecar.replace(text("first", general_settings={"allowed_ips": ["10.0.0.1"]}))
    failure = eventually(lambda: sidecar.readiness().get("config_reload"), "the failure")
    assert "allowed_ips" in failure["error"]
    eventually(lambda: "allowed_ips" in sidecar.log("watch.log"), "the line in the log")
    assert sidecar.status("first") == 200


def test_without_a_sealing_key_new_variables_need_a_restart_and_other_changes_do_not(sidecar, text):
    sidecar.replace(text("first"))
    sidecar.watch(ENVIRONMENT)
    sidecar.envoy(ENVIRONMENT)
    sidecar.replace(text("second"))
    eventually(lambda: sidecar.status("second") == 200, "the change")
    sidecar.replace(text("third", parameters={"api_key": "os.environ/BEDROCK_API_KEY"}.items()))
    failure = eventually(lambda: sidecar.readiness().get("config_reload"), "the failure")
    assert "BEDROCK_API_KEY" in failure["error"] and "restart" in failure["error"]
    assert sidecar.status("second") == 200 and sidecar.status("third") == 400


def test_render_writes_the_files_once_and_again(sidecar, text):
    def render():
        done = sidecar.done("render", ENVIRONMENT)
        assert done.returncode == 0, done.stderr

    sidecar.replace(text("first"))
    render()
    command = [envoy(), "--mode", "validate", "-c", sidecar.dynamic / "envoy.yaml"]
    checked = subprocess.run(command, env=ENVIRONMENT, capture_output=True, text=True, timeout=60)
    assert checked.returncode == 0, checked.stderr
    sidecar.envoy(ENVIRONMENT)
    assert sidecar.status("first") == 200
    sidecar.replace(text("second"))
    render()
    eventually(lambda: sidecar.status("second") == 200, "the change")


@pytest.mark.parametrize("other", ["no key", "another key", "a variable more"])
def test_files_that_a_running_envoy_could_not_use_are_refused(sidecar, text, other):
    """Its filter would move to another VM, or could not open the secrets."""
    for_watch, for_envoy = sealed()
    if other == "a variable more":
        for_watch, for_envoy = ENVIRONMENT, ENVIRONMENT
    sidecar.replace(text("first"))
    end(sidecar.watch(for_watch))
    sidecar.envoy(for_envoy)
    before = sidecar.files()
    environment = sealed()[0] if other == "another key" else ENVIRONMENT
    if other == "a variable more":
        parameters = {"api_key": "os.environ/BEDROCK_API_KEY"}
        sidecar.replace(text("second", parameters=parameters.items()))
    for command in ("watch", "render"):
        done = sidecar.done(command, environment)
        assert done.returncode == 1, done.stderr
        assert "filters.yaml" in done.stderr and SEALING_KEY in done.stderr, done.stderr
        expected = {
            "no key": f"reads {SEALING_KEY} from its environment",
            "another key": "sealed with another key",
            "a variable more": "needs BEDROCK_API_KEY, LITELLM_MASTER_KEY:",
        }
        assert [secret for secret in SECRETS if secret in done.stderr] == []
        assert expected[other] in done.stderr, done.stderr
        assert sidecar.files() == before and sidecar.status("first") == 200
    sidecar.replace(text("third"))
    sidecar.watch(for_watch)
    eventually(lambda: sidecar.status("third") == 200, "a change")


def test_files_that_no_envoy_uses_can_have_other_variables(sidecar, text):
    for_watch, _ = sealed()
    sidecar.replace(text("first"))
    end(sidecar.watch(for_watch))
    end(sidecar.watch(ENVIRONMENT))
    sidecar.envoy(ENVIRONMENT)
    assert sidecar.status("first") == 200


@pytest.mark.parametrize("key", ["0" * 63, "g" * 64])
def test_a_malformed_sealing_key_is_refused(sidecar, text, key):
    sidecar.replace(text("first"))
    for command in ("render", "watch"):
        done = sidecar.done(command, {**ENVIRONMENT, SEALING_KEY: key})
        assert done.returncode == 1 and SEALING_KEY in done.stderr
        assert key not in done.stderr and not sidecar.dynamic.exists()


def test_a_renewed_certificate_is_used(tmp_path, bedrock, text, certificates, certificate):
    chain, key = tmp_path / "chain.pem", tmp_path / "key.pem"
    for source, copy in zip(certificate, (chain, key), strict=True):
        copy.write_bytes(source.read_bytes())

    def served() -> str:
        return ssl.get_server_certificate(("127.0.0.1", sidecar.tls_port))

    with Sidecar(tmp_path, bedrock, (chain, key)) as sidecar:
        sidecar.replace(text("first"))
        sidecar.watch(ENVIRONMENT)
        sidecar.envoy(ENVIRONMENT)
        before = served()
        issued = certificates.issue_cert("localhost")
        for path, content in (
            (key, issued.private_key_pem.bytes()),
            (chain, b"".join(blob.bytes() for blob in issued.cert_chain_pems)),
        ):
            (tmp_path / "next.pem").write_bytes(content)
            os.replace(tmp_path / "next.pem", path)
        eventually(lambda: served() != before, "the new certificate")
