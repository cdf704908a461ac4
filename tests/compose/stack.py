"""docker-compose.yaml as a user runs it, and the containers that come of it."""

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
        self._compose = [
            *compose_command(),
            "--project-name",
            PROJECT,
            "--project-directory",
            str(ROOT),
            "--file",
            str(ROOT / "docker-compose.yaml"),
            "--env-file",
            str(env_file),
        ]
        self._variables = variables

    def __enter__(self):
        try:
            self.compose(*self._profiles, "up", "--detach", "--no-build")
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        self.compose(
            "--profile",
            "emulator",
            "--profile",
            "observability",
            "down",
            "--volumes",
            "--timeout",
            "5",
        )

    def compose(self, *arguments) -> str:
        """Runs compose and returns what it printed to standard output."""
        environment = {**self._engine.environment(), **self._variables}
        return run([*self._compose, *arguments], environment, seconds=90).stdout

    def services(self) -> set:
        """The names of the services that have a container."""
        return set(
            filter(
                None,
                self._docker("ps", "--all", "--format", '{{.Label "com.docker.compose.service"}}'),
            )
        )

    def container(self, service: str) -> str:
        """The id of a service's only container."""
        ids = self._docker(
            "ps", "--all", "--quiet", "--filter", f"label=com.docker.compose.service={service}"
        )
        if len(ids) != 1:
            raise RuntimeError(f"expected one container of {service}, but found {ids}")
        return ids[0]

    def inspect(self, service: str) -> dict:
        """What the engine knows of a service's container."""
        return json.loads(self._engine.docker("inspect", self.container(service)).stdout)[0]

    def logs(self, service: str) -> str:
        """Standard output and standard error of a service."""
        result = self._engine.docker("logs", self.container(service))
        return result.stdout + result.stderr

    def execute(self, service: str, script: str) -> str:
        """Runs a bash script in a service's container."""
        return self._engine.docker("exec", self.container(service), "bash", "-c", script).stdout

    def wait_until_healthy(self, *services: str):
        """Returns when the health checks of all pass; fails with the logs of the one that does not."""
        deadline = time.monotonic() + HEALTHY_SECONDS
        for service in services:
            while (state := (found := self.inspect(service))["State"])["Health"][
                "Status"
            ] != "healthy":
                if (
                    time.monotonic() > deadline
                    or state["Status"] == "exited"
                    or found["RestartCount"]
                ):
                    probes = [probe["Output"] for probe in state["Health"]["Log"] or []]
                    raise RuntimeError(
                        f"expected {service} to be healthy within {HEALTHY_SECONDS} s, but found {state['Status']}, "
                        f"{state['Health']['Status']}; probes: {probes}; its log:\n{self.logs(service)}"
                    )
                time.sleep(0.2)

    def _docker(self, *arguments) -> list:
        return self._engine.docker(*arguments).stdout.split()


class Control:
    """The emulator's control API, at the port that compose publishes."""

    def __init__(self, port: int = 9000):
        self._url = f"http://127.0.0.1:{port}"

    def fault(self, **fault):
        """Sets a fault; what it takes is in the emulator's help."""
        self._call("POST", "/faults", fault)

    def clear(self):
        """No faults and an empty log."""
        self._call("DELETE", "/faults")
        self._call("DELETE", "/log")

    def log(self) -> list:
        """The requests, oldest first, once none is under way."""
        deadline = time.monotonic() + 10
        while self._call("GET", "/health")["in_flight"]:
            if time.monotonic() > deadline:
                raise RuntimeError("expected no request under way at the emulator within 10 s")
            time.sleep(0.01)
        return self._call("GET", "/log")["entries"]

    def _call(self, method, path, body=None):
        response = requests.request(method, self._url + path, json=body, timeout=10)
        response.raise_for_status()
        return response.json()
