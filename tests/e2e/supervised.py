"""Runs `envoy-bedrock run` with the emulator, as users do, and watches what it does."""

import json
import os
import pathlib
import re
import signal
import subprocess
import tempfile
import time

import requests

from emulator import ROOT
from gateway import KEY, command_line, envoy, flags
from runtime import filter_options, read_stats

START_SECONDS = 90
POLL_SECONDS = 0.02


def eventually(condition, what: str, seconds: float = 60):
    """The first true result of `condition`. Fails if `seconds` pass without one."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if result := condition():
            return result
        time.sleep(POLL_SECONDS)
    raise AssertionError(f"not within {seconds} s: {what}")


class Supervised:
    """A running `envoy-bedrock run`. Use it in a `with`; it is killed at the end if it still runs.

    It has the sample configuration, its own emulator and free ports. `arguments` are further
    arguments, `env` further environment variables, and `spend_log`, `config` and `module` other
    files than usual.
    """

    def __init__(
        self,
        *arguments,
        env=None,
        spend_log=None,
        config=ROOT / "config.yaml",
        module=None,
        workers=2,
        bedrock="emulator",
        ports=(0, 0),
    ):
        self._folder = tempfile.TemporaryDirectory(prefix="supervised-")
        self.folder = pathlib.Path(self._folder.name)
        self.spend_log = spend_log or self.folder / "spend.jsonl"
        command = [
            command_line(),
            "run",
            config,
            "--bedrock",
            bedrock,
            "--bind",
            "127.0.0.1",
        ]
        command += ["--port", str(ports[0]), "--tls-port", str(ports[1])]
        command += ["--concurrency", str(workers)]
        command += ["--envoy", envoy(), *flags(filter_options(module))]
        command += ["--state", self.folder, "--access-log", self.spend_log, *map(str, arguments)]
        environment = {"PATH": os.environ["PATH"], "LITELLM_MASTER_KEY": KEY, **(env or {})}
        with (
            open(self.folder / "stdout", "wb") as stdout,
            open(self.folder / "stderr", "wb") as stderr,
        ):
            self.process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=stdout, stderr=stderr, env=environment
            )
        try:
            found = self.wait_for(r"RUNNING on (http://[^: ]+:(\d+)) ", START_SECONDS)
            self.url, self.port = found.group(1), int(found.group(2))
        except BaseException:
            self.kill()
            raise

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.kill()
        self._folder.cleanup()

    def kill(self):
        self.process.kill()
        self.process.wait()

    # What it prints.

    def output(self) -> str:
        return (self.folder / "stdout").read_text(encoding="utf-8", errors="replace")

    def log(self) -> str:
        return (self.folder / "stderr").read_text(encoding="utf-8", errors="replace")

    def wait_for(self, pattern: str, seconds: float = 60, count: int = 1) -> re.Match:
        """The `count`-th match of `pattern` in what is printed."""

        def found():
            assert self.process.poll() in (None, 0) or re.search(pattern, self.log()), (
                f"it ended with {self.process.returncode}:\n{self.log()[-8000:]}"
            )
            matches = list(re.finditer(pattern, self.output() + self.log()))
            return matches[count - 1] if len(matches) >= count else None

        return eventually(found, f"{pattern!r} in\n{self.output()}{self.log()}", seconds)

    def address(self, label: str) -> str:
        return self.wait_for(label + r": (\S+)").group(1)

    @property
    def admin(self) -> str:
        return self.address("admin interface")

    @property
    def control(self) -> str:
        return self.address("Emulator's control")

    # Envoy.

    def envoys(self) -> list[int]:
        """The process ids of the Envoy that serves and of its standby: the older one serves."""
        path = f"/proc/{self.process.pid}/task/{self.process.pid}/children"
        return [int(child) for child in pathlib.Path(path).read_text(encoding="ascii").split()]

    def envoy(self) -> int:
        """The process id of the Envoy that serves."""
        return eventually(self.envoys, "an Envoy process")[0]

    def standby(self, count: int = 1) -> int:
        """The process id of the standby, once the `count`-th one is ready."""
        self.wait_for("a standby Envoy is ready", count=count)
        _, standby = self.envoys()
        return standby

    def certificate_copy(self) -> pathlib.Path:
        """The file of the certificate that Envoy reads."""
        (path,) = self.folder.glob("envoy.*/tls.*/certificate.pem")
        return path

    def kill_envoy(self, number=signal.SIGKILL):
        os.kill(self.envoy(), number)

    def stat(self, name: str) -> int | None:
        found = list(read_stats(self.admin, f"^{name}$").values())
        return found[0] if found else None

    def restarts(self) -> int | None:
        """The restarts that the metrics report."""
        return self.stat("wasmcustom.envoy_bedrock_envoy_restarts")

    # Requests.

    def post(self, operation="converse", timeout=30, **options) -> requests.Response:
        return requests.post(
            f"{self.url}/model/my-bedrock-model/{operation}",
            json={"messages": [{"role": "user", "content": [{"text": "hello"}]}]},
            headers={"authorization": f"Bearer {KEY}", **options.pop("headers", {})},
            timeout=timeout,
            **options,
        )

    def is_served(self) -> bool:
        """Whether a request succeeds."""
        try:
            return self.post().status_code == 200
        except requests.RequestException:
            return False

    def pace(self, **pace):
        """Sets the speed of the emulator's responses."""
        body = {"pace": {"latency_ms": 0, "interval_ms": 0, **pace}, "match": {}}
        requests.post(f"{self.control}/pace", json=body, timeout=10).raise_for_status()

    # The end.

    def signal(self, number):
        self.process.send_signal(number)

    def exit_code(self, seconds: float = 60) -> int:
        return self.process.wait(timeout=seconds)

    def rows(self) -> list:
        """The rows of the spend log without probes and lookups."""
        return [row for row in self.all_rows() if row.get("call_type") != "internal"]

    def all_rows(self) -> list:
        """The complete rows of the spend log."""
        if not self.spend_log.exists():
            return []
        lines = self.spend_log.read_text(encoding="utf-8").split("\n")
        return [json.loads(line) for line in lines[:-1]]
