"""Runs Prometheus as docker-compose.yaml does: with the shipped files, but other targets."""

import math
import pathlib
import shutil
import subprocess
import tempfile
import time

import requests

from gateway import ROOT, free_port
from processes import end

SHIPPED = ROOT / "deploy/observability"
START_SECONDS = 30


def program(name: str) -> str:
    """The path of `prometheus` or `promtool`. A missing program is a failure, never a skip."""
    if (path := shutil.which(name)) is None:
        raise FileNotFoundError(
            f"{name} is missing: run `make observability-test`, which downloads it on Debian, or "
            "install Prometheus"
        )
    return path


def promtool(*arguments, given=None) -> subprocess.CompletedProcess:
    return subprocess.run(
        [program("promtool"), *map(str, arguments)],
        input=given,
        capture_output=True,
        text=True,
        timeout=60,
    )


def configuration(targets, interval: str) -> str:
    """The shipped file with other targets and another scrape interval."""
    text = (SHIPPED / "prometheus.yml").read_text(encoding="utf-8")
    quoted = ", ".join(f'"{target}"' for target in targets)
    for shipped, wanted in [
        ('"envoy:9902"', quoted),
        ("_interval: 15s", f"_interval: {interval}"),
        ("rules/*.yml", f"{SHIPPED}/rules/*.yml"),
    ]:
        if shipped not in text:
            raise RuntimeError(f"prometheus.yml does not contain {shipped}")
        text = text.replace(shipped, wanted)
    return text


class Prometheus:
    """A running Prometheus that scrapes `targets` (`host:port`). Use it in a `with`."""

    def __init__(self, targets, interval="1s"):
        self._folder = tempfile.TemporaryDirectory(prefix="prometheus-")
        folder = pathlib.Path(self._folder.name)
        (folder / "prometheus.yml").write_text(configuration(targets, interval), encoding="utf-8")
        self.port = free_port()
        self.log = folder / "log"
        with open(self.log, "wb") as log:
            self.process = subprocess.Popen(
                [
                    program("prometheus"),
                    f"--config.file={folder}/prometheus.yml",
                    f"--storage.tsdb.path={folder}/data",
                    f"--web.listen-address=127.0.0.1:{self.port}",
                ],
                stdout=log,
                stderr=log,
            )
        self.session = requests.Session()
        self.session.trust_env = False

    def __enter__(self):
        try:
            self.wait(self.is_ready, "start", START_SECONDS)
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        end(self.process)
        self._folder.cleanup()

    def is_ready(self) -> bool:
        try:
            response = self.session.get(f"http://127.0.0.1:{self.port}/-/ready", timeout=5)
            return response.status_code == 200
        except requests.RequestException:
            return False

    def wait(self, condition, goal: str, seconds: float):
        """The first true result of `condition`. `goal` completes "Prometheus failed to …"."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline and self.process.poll() is None:
            if result := condition():
                return result
            time.sleep(0.1)
        tail = self.log.read_text(errors="replace")[-3000:]
        raise TimeoutError(f"Prometheus failed to {goal} within {seconds} s:\n{tail}")

    def call(self, path: str, **params):
        response = self.session.get(
            f"http://127.0.0.1:{self.port}/api/v1/{path}", params=params, timeout=30
        ).json()
        if response["status"] != "success":
            raise RuntimeError(f"{path} {params}: {response['error']}")
        return response["data"]

    def query(self, expression: str, **params) -> list:
        """(labels, value) of each sample, without those that are not a number."""
        data = self.call("query", query=expression, **params)
        if data["resultType"] == "scalar":
            samples = [({}, data["result"])]
        else:
            samples = [(each["metric"], each["value"]) for each in data["result"]]
        return [
            (labels, float(value)) for labels, (_, value) in samples if not math.isnan(float(value))
        ]

    def number(self, expression: str) -> float:
        """The sum of an expression's samples, or 0."""
        return sum(value for _, value in self.query(expression))

    def alerts(self) -> set:
        """Names of the alerts whose condition holds, pending ones included."""
        return {alert["labels"]["alertname"] for alert in self.call("alerts")["alerts"]}

    def scrapes(self) -> float:
        """The Unix time of the last scrape, the earliest of all targets that are up."""
        return min((value for _, value in self.query("timestamp(up == 1)")), default=0.0)

    def wait_for_scrape(self, seconds=30):
        """Waits until the present counts are stored and the rules have been evaluated."""
        now = time.time()
        # Envoy merges its histograms every five seconds, and rules are evaluated after a scrape.
        self.wait(lambda: self.scrapes() > now + 7, "scrape", seconds)
