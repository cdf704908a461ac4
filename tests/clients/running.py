"""Runs `envoy-bedrock run` with the emulator, and clients that use it."""

import os
import pathlib
import re
import shlex
import subprocess
import time

from emulator import EmulatorControl
from gateway import command_line, envoy, flags
from installed import HERE
from processes import end
from runtime import filter_options

SNIPPETS = HERE / "snippets"
# The values in the documentation, and so in the snippets.
PORT, TLS_PORT, KEY = 4000, 4443, "sk-1234"
START_SECONDS, CLIENT_SECONDS = 60, 180
# Keeps clients from calling home.
QUIET = {
    "AGNO_TELEMETRY": "false",
    "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
    "HAYSTACK_TELEMETRY_ENABLED": "False",
    "LITELLM_LOCAL_MODEL_COST_MAP": "True",
    "MEM0_TELEMETRY": "False",
}


class Running:
    """`envoy-bedrock run` with snippets/config.yaml, on free ports. Use it in a `with`.

    Its folder is the working directory of every client, so the documented path
    `.envoy-bedrock/tls/ca.pem` is valid.
    """

    def __init__(self, folder: pathlib.Path):
        self.folder = folder
        self._log = folder / "run.log"
        with open(self._log, "wb") as log:
            self._process = subprocess.Popen(
                [
                    command_line(),
                    "run",
                    SNIPPETS / "config.yaml",
                    "--bedrock",
                    "emulator",
                    "--port",
                    "0",
                    "--tls-port",
                    "0",
                    "--bind",
                    "127.0.0.1",
                    "--envoy",
                    envoy(),
                    *flags(filter_options()),
                    "--concurrency",
                    "2",
                ],
                cwd=folder,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env={"PATH": os.environ["PATH"], "HOME": str(folder), "LITELLM_MASTER_KEY": KEY},
            )
        try:
            self.port, self.tls_port = map(
                int,
                self._wait(r"RUNNING on http://[^:]+:(\d+) \(and https://[^:]+:(\d+)\)").groups(),
            )
            self.emulator = EmulatorControl(self._wait(r"Emulator's control: (\S+)\s").group(1))
        except BaseException:
            self.stop()
            raise

    def __enter__(self):
        return self

    def __exit__(self, *_):
        died = self._process.poll()
        self.stop()
        assert died is None, f"the gateway exited early with {died}:\n{self.log()[-8000:]}"

    def stop(self):
        end(self._process)

    def log(self) -> str:
        return self._log.read_text(encoding="utf-8", errors="replace")

    def _wait(self, pattern: str) -> re.Match:
        """Waits for `pattern` in the output, and returns the first match."""
        until = time.monotonic() + START_SECONDS
        while time.monotonic() < until and self._process.poll() is None:
            if found := re.search(pattern, self.log()):
                return found
            time.sleep(0.05)
        raise RuntimeError(
            f"no {pattern!r} in the output after {START_SECONDS} s:\n{self.log()[-8000:]}"
        )

    # Clients.

    def localized(self, text: str) -> str:
        """`text` with the ports of this gateway instead of the documented ones."""
        return text.replace(f"localhost:{PORT}", f"localhost:{self.port}").replace(
            f"localhost:{TLS_PORT}", f"localhost:{self.tls_port}"
        )

    def copy(self, source: pathlib.Path, folder: pathlib.Path) -> pathlib.Path:
        """Copies a snippet and points it at this gateway. No package has the name of the copy."""
        folder.mkdir(parents=True, exist_ok=True)
        copied = folder / f"snippet_{source.name}"
        copied.write_text(self.localized(source.read_text(encoding="utf-8")), encoding="utf-8")
        return copied

    def client(self, command, *, transport=None, path=(), variables=None) -> str:
        """Runs a client in a clean environment and returns its output.

        `transport` selects the documented environment: http or tls.
        """
        line = "exec " + shlex.join(map(str, command))
        if transport:
            line = (
                self.localized(
                    (SNIPPETS / f"environment_{transport}.sh").read_text(encoding="utf-8")
                )
                + line
            )
        environment = {
            **QUIET,
            "HOME": str(self.folder),
            "LANG": "C.UTF-8",
            "PYTHONDONTWRITEBYTECODE": "1",
            "PATH": os.pathsep.join([*map(str, path), os.environ["PATH"]]),
            **(variables or {}),
        }
        done = subprocess.run(
            ["sh", "-c", line],
            cwd=self.folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=CLIENT_SECONDS,
        )
        assert done.returncode == 0, (
            f"exit code {done.returncode}:\n{done.stdout[-3000:]}\n{done.stderr[-5000:]}"
        )
        return done.stdout
