"""The instructions that a request takes, counted by valgrind.

Unlike times, they hardly depend on what else the machine does: the fewest of three countings vary
by less than a percent. Only what runs outside the kernel is counted, and valgrind's processor has
no instructions for SHA-256, so hashing counts as software's.
"""

import functools
import glob
import http.client
import importlib.util
import subprocess
from pathlib import Path

import envoys
import streams

COUNTINGS = 3
# Enough for V8 to compile what is used often.
WARM_UP = {"request": 300, "stream": 20}
REQUESTS = {"request": 1000, "stream": 10}
ENVOY = Path(importlib.util.find_spec("envoy").origin).parent / "_bin/envoy"


def count(variants, folder, progress):
    """Instructions per request and per stream of each of the Envoys `variants`."""
    counted = {}
    for name, (config, port) in variants.items():
        progress(f"counting the instructions of {name}")
        output = folder / f"callgrind.{name}"
        launcher = [
            "valgrind",
            "--tool=callgrind",
            "--instr-atstart=no",
            "--smc-check=all-non-file",
            f"--callgrind-out-file={output}",
            ENVOY,
        ]
        envoy = envoys.Envoy(name, config, port, folder, launcher=launcher)
        try:
            envoy.wait(300)
            client = streams.Client(port)
            stream = functools.partial(client.stream, streams.LONG_EVENTS)
            counted[name] = {
                "request": per_run(envoy, output, "request", Requests(envoy).send),
                "stream": per_run(envoy, output, "stream", stream),
            }
            client.close()
        finally:
            envoy.stop()
    return counted


def per_run(envoy, output, kind, run):
    for _ in range(WARM_UP[kind]):
        run()
    totals = []
    for _ in range(COUNTINGS):
        control(envoy, "--instr=on")
        for _ in range(REQUESTS[kind]):
            run()
        control(envoy, "--instr=off")
        control(envoy, "--dump")
        totals.append(newest_total(output) / REQUESTS[kind])
    return min(totals)


def control(envoy, option):
    subprocess.run(
        ["callgrind_control", option, str(envoy.process.pid)], check=True, capture_output=True
    )


def newest_total(output):
    """The total of the last dump, whose files are numbered."""
    dumps = sorted(glob.glob(f"{output}.*"), key=lambda path: int(path.rsplit(".", 1)[1]))
    lines = Path(dumps[-1]).read_text(errors="replace").splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("totals:"))


class Requests:
    """A persistent connection that sends requests of 1 KB."""

    def __init__(self, envoy):
        self.connection = http.client.HTTPConnection("127.0.0.1", envoy.port, timeout=60)
        self.headers = {
            "authorization": f"Bearer {envoy.key}",
            "content-type": "application/json",
        }

    def send(self):
        path = "/bedrock/model/bench/converse"
        self.connection.request("POST", path, streams.BODY, self.headers)
        response = self.connection.getresponse()
        body = response.read()
        if response.status != 200:
            raise SystemExit(
                f"bench: expected a response, but got {response.status} {body[:200]!r}"
            )
