"""Runs `envoy-bedrock run` with a config.yaml that can be replaced while it runs."""

import os
import pathlib
import signal
import subprocess

from emulator import Emulator
from gateway import ENVIRONMENT, free_port
from runtime import read_stats
from supervised import Supervised

STOP_SECONDS = 90


class Reloading(Supervised):
    """`envoy-bedrock run` with its own emulator, whose endpoints the text names.

    Its configuration is the file `config`. The ports stay the same when Envoy is restarted.
    """

    def __init__(self, text: str, emulator: Emulator, config: pathlib.Path, *arguments):
        self.config = config
        self.tls_port, self.admin_port = free_port(), free_port()
        self.tls_url = f"https://localhost:{self.tls_port}"
        self.replace(text)
        super().__init__(
            *("--upstream-ca", emulator.ca_file, "--admin-port", self.admin_port, *arguments),
            env=ENVIRONMENT,
            config=config,
            bedrock="aws",
            ports=(free_port(), self.tls_port),
        )
        self.ca_file = self.folder / "tls" / "ca.pem"

    @property
    def admin(self) -> str:
        return f"http://127.0.0.1:{self.admin_port}"

    def replace(self, text: str):
        """Replaces config.yaml as an editor or a deployment tool does: by an atomic rename."""
        new = self.config.with_suffix(".new")
        new.write_text(text, encoding="utf-8")
        os.replace(new, self.config)

    def stop(self) -> int:
        """Ends the command as Ctrl-C does, and returns its exit code."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.kill()
            raise

    def envoy_id(self) -> int | None:
        """The process id of Envoy; `None` while it is being restarted."""
        for task in pathlib.Path(f"/proc/{self.process.pid}/task").iterdir():
            for child in (task / "children").read_text().split():
                if pathlib.Path(f"/proc/{child}/comm").read_text() == "envoy\n":
                    return int(child)
        return None

    def stats(self, pattern: str) -> dict:
        """Counters and gauges whose names match `pattern`."""
        return read_stats(self.admin, pattern)
