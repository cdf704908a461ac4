"""A private container engine: dockerd in the namespaces that `run` creates, with its own folder."""

import os
import pathlib
import shutil
import subprocess
import time

START_SECONDS = 60
STOP_SECONDS = 30


class Engine:
    """A running dockerd. Use it in a `with`."""

    def __init__(self, folder: pathlib.Path):
        self._log = folder / "dockerd.log"
        self.host = f"unix://{folder}/docker.sock"
        isolate()
        with open(self._log, "wb") as log:
            self._process = subprocess.Popen(
                [
                    "dockerd",
                    f"--host={self.host}",
                    f"--data-root={folder}/data",
                    f"--exec-root={folder}/exec",
                    f"--pidfile={folder}/docker.pid",
                    f"--config-file={empty(folder)}",
                    "--storage-driver=overlay2",
                    # The alternative, systemd, does not know these namespaces.
                    "--exec-opt=native.cgroupdriver=cgroupfs",
                ],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )

    def __enter__(self):
        try:
            self._wait()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        self._process.terminate()
        try:
            self._process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def docker(self, *arguments, seconds=60, **options) -> subprocess.CompletedProcess:
        """Runs `docker` with this engine and captures its output as text."""
        return run(["docker", *arguments], self.environment(), seconds, **options)

    def environment(self) -> dict:
        """A clean environment; only PATH comes from the caller."""
        return {"PATH": os.environ["PATH"], "HOME": "/nonexistent", "DOCKER_HOST": self.host}

    def _wait(self):
        deadline = time.monotonic() + START_SECONDS
        while self._process.poll() is None and time.monotonic() < deadline:
            if self.docker("info", check=False).returncode == 0:
                return
            time.sleep(0.1)
        code = self._process.poll()
        state = "still running" if code is None else f"exit code {code}"
        lines = self._log.read_text(errors="replace").splitlines()[-15:]
        raise RuntimeError(
            f"dockerd did not start within {START_SECONDS} s ({state}). It needs root, and "
            "overlayfs, bridges, iptables and cgroups in the kernel. Its last lines:\n"
            + "\n".join(lines)
        )


def isolate():
    """Checks that this runs in private namespaces, and hides the sockets of an engine outside."""
    interfaces = os.listdir("/proc/sys/net/ipv4/conf")
    if os.getpid() != 1 or not {"all", "default", "lo"}.issuperset(interfaces):
        raise RuntimeError(
            f"not in private namespaces (process {os.getpid()}, {interfaces}): "
            "use tests/compose/run"
        )
    for folder in ("/run/containerd", "/run/docker"):
        os.makedirs(folder, exist_ok=True)
        run(["mount", "-t", "tmpfs", "compose-test", folder], os.environ)
    run(["ip", "link", "set", "lo", "up"], os.environ)


def empty(folder: pathlib.Path) -> pathlib.Path:
    """A daemon.json without settings, in place of the machine's."""
    path = folder / "daemon.json"
    path.write_text("{}")
    return path


def run(command, environment, seconds=60, check=True, **options) -> subprocess.CompletedProcess:
    """Runs a command. With `check`, fails with its output unless it exits with 0."""
    result = subprocess.run(
        command, env=environment, timeout=seconds, capture_output=True, text=True, **options
    )
    if check and result.returncode != 0:
        raise RuntimeError(
            f"{' '.join(map(str, command))} exited with {result.returncode}:\n"
            f"{result.stdout}{result.stderr}"
        )
    return result


def compose_command() -> list:
    """`docker compose` if installed, else docker-compose."""
    plugin = subprocess.run(["docker", "compose", "version"], capture_output=True, check=False)
    return ["docker", "compose"] if plugin.returncode == 0 else [shutil.which("docker-compose")]
