"""docker-compose.yaml as a user runs it, and its containers."""

import json
import pathlib
import time

import requests

from engine import compose_command, run

ROOT = pathlib.Path(__file__).resolve().parents[2]
DEMO = ROOT / "deploy/emulator.env"
PROJECT = "compose-test"
HEALTHY_SECONDS = 60


class Stack:
    """The services that `docker compose up` starts with one env file. Use it in a `with`."""

    def __init__(self, engine, env_file: pathlib.Path, profiles=(), **variables):
        self._profiles = [word for profile in profiles for word in ("--profile", profile)]
        self._engine = engine
        options = {
            "--project-name": PROJECT,
            "--project-directory": str(ROOT),
            "--file": str(ROOT / "docker-compose.yaml"),
            "--env-file": str(env_file),
        }
        self._compose = [*compose_command(), *(word for pair in options.items() for word in pair)]
        self._variables = variables

    def __enter__(self):
        try:
            self.compose(*self._profiles, "up", "--detach", "--no-build")
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        profiles = "--profile emulator --profile credentials --profile observability"
        self.compose(*f"{profiles} down --volumes --timeout 5".split())

    def compose(self, *arguments) -> str:
        """Runs compose and returns what it printed to standard output."""
        environment = {**self._engine.environment(), **self._variables}
        return run([*self._compose, *arguments], environment, seconds=90).stdout

    def services(self) -> set:
        """The names of the services that have a container."""
        label = '{{.Label "com.docker.compose.service"}}'
        return set(self._docker("ps", "--all", "--format", label)) - {""}

    def container(self, service: str) -> str:
        """The id of a service's only container."""
        label = f"label=com.docker.compose.service={service}"
        ids = self._docker("ps", "--all", "--quiet", "--filter", label)
        if len(ids) != 1:
            raise RuntimeError(f"expected one container of {service}, but found {ids}")
        return ids[0]

    def inspect(self, service: str) -> dict:
        """The output of `docker inspect` for a service's container."""
        return json.loads(self._engine.docker("inspect", self.container(service)).stdout)[0]

    def logs(self, service: str) -> str:
        """Standard output and standard error of a service."""
        result = self._engine.docker("logs", self.container(service))
        return result.stdout + result.stderr

    def execute(self, service: str, script: str) -> str:
        """Runs a bash script in a service's container."""
        return self._engine.docker("exec", self.container(service), "bash", "-c", script).stdout

    def wait_until_healthy(self, *services: str):
        """Returns once all health checks pass. Fails with the log of the service that does not."""
        deadline = time.monotonic() + HEALTHY_SECONDS
        for service in services:
            while not self._is_healthy(service, time.monotonic() > deadline):
                time.sleep(0.2)

    def _is_healthy(self, service: str, is_overdue: bool) -> bool:
        """Fails if the service is overdue or has stopped."""
        container = self.inspect(service)
        state, health = container["State"], container["State"]["Health"]
        if health["Status"] == "healthy":
            return True
        if is_overdue or state["Status"] == "exited" or container["RestartCount"]:
            probes = [probe["Output"] for probe in health["Log"] or []]
            raise RuntimeError(
                f"{service} is {state['Status']} and {health['Status']}, and not healthy within "
                f"{HEALTHY_SECONDS} s; probes: {probes}; its log:\n{self.logs(service)}"
            )
        return False

    def _docker(self, *arguments) -> list:
        return self._engine.docker(*arguments).stdout.split()


class Control:
    """The emulator's control API, at its published port."""

    def __init__(self, port: int = 9000):
        self._url = f"http://127.0.0.1:{port}"

    def fault(self, **fault):
        """Sets a fault. The emulator's help describes its members."""
        self._call("POST", "/faults", fault)

    def clear(self):
        """Clears the faults and the log."""
        self._call("DELETE", "/faults")
        self._call("DELETE", "/log")

    def log(self) -> list:
        """The requests, oldest first, once none is in flight."""
        deadline = time.monotonic() + 10
        while self._call("GET", "/health")["in_flight"]:
            if time.monotonic() > deadline:
                raise RuntimeError("requests are still in flight at the emulator after 10 s")
            time.sleep(0.01)
        return self._call("GET", "/log")["entries"]

    def _call(self, method, path, body=None):
        response = requests.request(method, self._url + path, json=body, timeout=10)
        response.raise_for_status()
        return response.json()
