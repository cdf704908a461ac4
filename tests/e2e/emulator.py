"""Starts and stops the bedrock-emulator binary, and calls its control API."""

import json
import os
import pathlib
import select
import subprocess
import tempfile
import time

import requests

from identity import Identity
from processes import end

ROOT = pathlib.Path(__file__).resolve().parents[2]
DEMO_ACCESS_KEY_ID = "AKIAEMULATORDEMO0001"
DEMO_SECRET_ACCESS_KEY = "emulator/demo+secret/worthless/elsewhere"
DEMO_API_KEY = "ABSKemulatorDemoKey"
START_SECONDS = 30


def binary() -> pathlib.Path:
    """The debug build, or the release build with `BEDROCK_EMULATOR_PROFILE=release`."""
    target = pathlib.Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))
    path = target / os.environ.get("BEDROCK_EMULATOR_PROFILE", "debug") / "bedrock-emulator"
    if not path.is_file():
        raise FileNotFoundError(f"{path} is missing: run cargo build -p bedrock-emulator")
    return path


def judge(journal) -> list:
    """The wrong requests in a journal file; a correct gateway causes none.

    They are unsigned or wrongly signed without a test's intent, or hold something that must never
    go upstream.
    """
    with open(journal, encoding="utf-8") as lines:
        entries = [json.loads(line) for line in lines]
    return [entry for entry in entries if is_wrong(entry)]


def is_wrong(entry: dict) -> bool:
    return entry["expected_to_verify"] and (entry["verified"] is False or bool(entry["violations"]))


class EmulatorControl:
    """The control API, at `url`, of an emulator that something else runs.

    `identity` is the identity service.
    """

    def __init__(self, url: str):
        self.control = url
        self._session = requests.Session()
        self._session.trust_env = False
        self.identity = Identity(self._call)

    # Behaviour.

    def fault(
        self,
        kind: str,
        *,
        count=None,
        rate=None,
        status=None,
        error_type=None,
        message=None,
        after_events=0,
        delay_ms=None,
        headers=None,
        trailers=None,
        **match,
    ) -> int:
        """Sets a fault and returns its id. `match`: region, access_key_id, model, operation."""
        fault = {
            "kind": kind,
            "count": count,
            "rate": rate,
            "status": status,
            "error_type": error_type,
            "message": message,
            "after_events": after_events,
            "delay_ms": delay_ms,
            "headers": headers,
            "trailers": trailers,
            "match": match,
        }
        fault = {name: value for name, value in fault.items() if value is not None}
        return self._call("POST", "/faults", fault)["id"]

    def faults(self) -> list:
        return self._call("GET", "/faults")

    def clear_faults(self, id=None, region=None):
        params = {"id": id, "region": region}
        self._call(
            "DELETE",
            "/faults",
            params={name: value for name, value in params.items() if value is not None},
        )

    def pace(self, *, events=None, interval_ms=0, response_bytes=None, latency_ms=0, **match):
        """Sets the speed and length of responses, until `clear_pace`."""
        pace = {
            "events": events,
            "interval_ms": interval_ms,
            "response_bytes": response_bytes,
            "latency_ms": latency_ms,
        }
        self._call("POST", "/pace", {"pace": pace, "match": match})

    def clear_pace(self):
        self._call("DELETE", "/pace")

    def mode(self, **mode) -> dict:
        """Sets `hostile` (requests are wrong on purpose) or `strict` (violations are refused)."""
        return self._call("POST", "/mode", mode)

    def reset(self):
        """Clears the faults, the pace, the hostile mode and the log, and resets the identities."""
        self.clear_faults()
        self.clear_pace()
        self.mode(hostile=False)
        self.identity.reset()
        self.clear_log()

    # Log.

    def log(self, since: int = 0, region=None) -> list:
        """Finished requests, oldest first."""
        params = {"since": since, **({"region": region} if region else {})}
        return self._call("GET", "/log", params=params)["entries"]

    def in_flight(self) -> int:
        """How many requests have reached a region and are not finished."""
        return self._call("GET", "/health")["in_flight"]

    def quiet_log(self, seconds: float = 10, **query) -> list:
        """The log, once no request is in flight. Fails if that takes longer than `seconds`."""
        deadline = time.monotonic() + seconds
        while self.in_flight():
            if time.monotonic() > deadline:
                raise TimeoutError(f"requests are still in flight after {seconds} s")
            time.sleep(0.01)
        return self.log(**query)

    def clear_log(self):
        self._call("DELETE", "/log")

    def summary(self) -> dict:
        return self._call("GET", "/summary")

    def _call(self, method, path, body=None, params=None):
        response = self._session.request(
            method, self.control + path, json=body, params=params, timeout=10
        )
        if response.status_code != 200:
            raise RuntimeError(f"{method} {path}: {response.text}")
        return response.json()


class Emulator(EmulatorControl):
    """A running emulator. Use it in a `with`, or call `stop`.

    `regions` are names, or names with ports as on the command line (`us-west-2=9101:9102`). Further
    arguments are passed to the command line.
    """

    def __init__(self, regions=("us-west-2", "us-east-1"), *arguments, env=None):
        self._folder = tempfile.TemporaryDirectory()
        self.ca_file = str(pathlib.Path(self._folder.name) / "ca.pem")
        command = [str(binary()), "--ca-out", self.ca_file, *arguments]
        if "--identity-port" not in arguments:
            command += ["--identity-port", "0"]
        for region in regions:
            command += ["--region", region]
        self.process = subprocess.Popen(
            command,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, **(env or {})},
        )
        ready, _, _ = select.select([self.process.stdout], [], [], START_SECONDS)
        line = self.process.stdout.readline() if ready else ""
        if not line:
            self.process.kill()
            raise RuntimeError(
                f"the emulator did not start: {self.process.communicate()[1].strip()}"
            )
        self.ready = json.loads(line)
        super().__init__(self.ready["control"])

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()

    def stop(self) -> int:
        """Stops the emulator and returns its exit code."""
        end(self.process, seconds=10)
        self._folder.cleanup()
        return self.process.returncode

    def address(self, region: str, tls: bool = False) -> str:
        """The `ip:port` of a region."""
        return self.ready["regions"][region]["https" if tls else "http"]

    def port(self, region: str, tls: bool = False) -> int:
        return int(self.address(region, tls).rsplit(":", 1)[1])

    def url(self, region: str, tls: bool = False) -> str:
        return f"{'https' if tls else 'http'}://{self.address(region, tls)}"
