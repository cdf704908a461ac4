"""A soak: one gateway, its load, what is provoked, and everything that is measured meanwhile."""

import contextlib
import dataclasses
import sys
import time

import requests

from configuration import configuration
from load import Exchange, Load
from memory import Sampler
from phases import Phase
from verdict import Window

# The level of an idle gateway is the median of its last seconds.
LEVEL_SECONDS = 5
STREAM_SECONDS = 60
BROKEN = '{"model_list": [{"model_name": "chat", "litellm_params": {"model": 5}}]}'
VMS = "wasm.envoy.wasm.runtime.v8.active"


@dataclasses.dataclass
class Finished:
    """A phase that is over. Levels are in MiB, of an idle gateway."""

    phase: Phase
    name: str
    started: float
    ended: float
    level_before: float
    level_after: float
    idle_until: float
    vms: int
    heap: dict


class Soak:
    """The state of a soak."""

    def __init__(self, gateway, emulator, minutes: float, key: str):
        self.gateway, self.emulator, self.minutes, self.key = gateway, emulator, minutes, key
        self.version = 1
        self.keys = 1
        self.load = Load(gateway, key)
        self.sampler = Sampler(gateway)
        self.windows: list[Window] = []
        self.finished: list[Finished] = []
        self.failures: list[str] = []
        # Seconds from each kill to the first response, and from each save to its last worker.
        self.recoveries: list[float] = []
        self.applied: list[float] = []

    def run(self, phases: list):
        started = time.time()
        for phase in phases:
            self.run_phase(phase)
        self.started, self.ended = started, time.time()

    def run_phase(self, phase: Phase):
        seconds = phase.length(self.minutes)
        count = sum(each.phase.name == phase.name for each in self.finished)
        name = f"{phase.name} ({count + 1})" if count else phase.name
        level, started, first = self.level(), time.time(), len(self.load.exchanges)
        self.load.phase = name
        stream_seconds = max(2.0, min(STREAM_SECONDS, seconds))
        with self.load.running(phase.rate, phase.streams, stream_seconds):
            if phase.storm:
                phase.storm(self, seconds)
            else:
                time.sleep(seconds)
        ended = time.time()
        time.sleep(phase.idle(self.minutes))
        self.finished.append(
            Finished(
                phase,
                name,
                started,
                ended,
                level,
                self.level(),
                time.time(),
                self.gateway.stats(f"^{VMS}$").get(VMS, 0),
                requests.get(f"{self.gateway.admin}/memory", timeout=10).json(),
            )
        )
        progress(progress_of(self.finished[-1], self.load.exchanges[first:]))

    def level(self) -> float:
        return self.sampler.level(LEVEL_SECONDS)

    def fail(self, complaint: str):
        self.failures.append(complaint)
        progress(f"    {complaint}")

    @contextlib.contextmanager
    def provoked(self, cause: str, region: str | None = None):
        window = Window(cause, time.time(), region=region)
        self.windows.append(window)
        try:
            yield window
        finally:
            window.ended = time.time()

    # The configuration.

    @property
    def has_optional_group(self) -> bool:
        return self.version % 2 == 0

    def save(self):
        """Saves the next version of the configuration."""
        self.version += 1
        self.gateway.replace(
            configuration(
                self.emulator,
                version=self.version,
                key=self.key,
                optional=self.has_optional_group,
            )
        )

    def save_broken(self):
        self.gateway.replace(BROKEN)

    def new_key(self) -> str:
        """Chooses another key, for the clients and the next version. Returns the old one."""
        old, self.keys = self.key, self.keys + 1
        self.key = self.load.key = f"{old.split('.')[0]}.{self.keys}"
        return old


def progress_of(done: Finished, exchanges: list[Exchange]) -> str:
    problems = sum(exchange.problem is not None for exchange in exchanges)
    return (
        f"{done.name:<28} {done.ended - done.started:6.0f} s {len(exchanges):7,} requests "
        f"{problems:5,} with a problem   idle {done.level_before:.0f} → {done.level_after:.0f} MiB"
    )


def progress(text: str):
    print(text, file=sys.stderr, flush=True)
