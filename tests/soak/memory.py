"""The memory of Envoy and of the command, sampled once a second."""

import dataclasses
import pathlib
import statistics
import threading
import time

SAMPLE_SECONDS = 1.0
KIB_PER_MIB = 1024


@dataclasses.dataclass(frozen=True, slots=True)
class Sample:
    """Sizes in MiB. `private` is what the process would give back by ending."""

    at: float
    envoy_id: int
    resident: float
    private: float
    command: float


class Sampler:
    """Samples until `stop`. Envoy may be restarted meanwhile."""

    def __init__(self, gateway):
        self.gateway = gateway
        self.samples: list[Sample] = [take(gateway)]
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def stop(self):
        self._stop.set()
        self._thread.join()

    def _run(self):
        while not self._stop.wait(SAMPLE_SECONDS - time.time() % SAMPLE_SECONDS):
            if sample := take(self.gateway):
                self.samples.append(sample)

    def level(self, seconds: float) -> float:
        """The median resident size of Envoy in the last `seconds`."""
        since = time.time() - seconds
        recent = [sample.resident for sample in self.samples if sample.at >= since]
        return statistics.median(recent or [self.samples[-1].resident])


def take(gateway) -> Sample | None:
    """`None` while Envoy is being restarted."""
    try:
        envoy_id = gateway.envoy_id()
        envoy, command = sizes(envoy_id), sizes(gateway.process.pid)
    except (OSError, KeyError):
        return None
    return Sample(time.time(), envoy_id, envoy["Rss"], private(envoy), command["Rss"])


def sizes(process_id: int | None) -> dict:
    """The sizes of a process in MiB, by the kernel's names."""
    text = pathlib.Path(f"/proc/{process_id}/smaps_rollup").read_text()
    fields = (line.split() for line in text.splitlines()[1:])
    return {name.rstrip(":"): int(kib) / KIB_PER_MIB for name, kib, _ in fields}


def private(sized: dict) -> float:
    return sized["Private_Clean"] + sized["Private_Dirty"]


def slope_per_minute(samples: list[Sample]) -> float:
    """The trend of the resident size, by least squares, in MiB per minute."""
    times = [(sample.at - samples[0].at) / 60 for sample in samples]
    return statistics.linear_regression(times, [sample.resident for sample in samples]).slope
