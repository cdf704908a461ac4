"""The processes that are measured."""

import glob
import os
import signal
import socket
import subprocess
import time
from pathlib import Path


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Process:
    """A running server with its children, which accept requests on `port` with the key `key`."""

    def __init__(self, name, command, port, log, key, variables, folder):
        self.name, self.port, self.log, self.key = name, port, log, key
        self.process = subprocess.Popen(
            command,
            stdout=subprocess.DEVNULL,
            stderr=log.open("w"),
            cwd=folder,
            env={**os.environ, **variables},
            start_new_session=True,
        )

    def wait(self, seconds=60):
        """Returns when it accepts connections."""
        deadline = time.monotonic() + seconds
        while self.process.poll() is None and time.monotonic() < deadline:
            try:
                socket.create_connection(("127.0.0.1", self.port), 1).close()
                return
            except OSError:
                time.sleep(0.1)
        raise SystemExit(
            f"bench: {self.name} did not start: {self.log.read_text().strip()[-2000:]}"
        )

    def pids(self):
        """Its process and those that it has started."""
        found = [self.process.pid]
        for pid in found:
            for path in glob.glob(f"/proc/{pid}/task/*/children"):
                found += [int(child) for child in Path(path).read_text().split()]
        return found

    def cpu_us(self):
        """CPU time of all its threads."""
        nanoseconds = 0
        for pid in self.pids():
            for path in glob.glob(f"/proc/{pid}/task/*/schedstat"):
                nanoseconds += int(Path(path).read_text().split()[0])
        return nanoseconds / 1000

    def resident_kib(self):
        resident = 0
        for pid in self.pids():
            lines = Path(f"/proc/{pid}/status").read_text().splitlines()
            resident += next(
                (int(line.split()[1]) for line in lines if line.startswith("VmRSS")), 0
            )
        return resident

    def stop(self):
        self.process.terminate()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()
