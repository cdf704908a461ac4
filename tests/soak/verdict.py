"""Decides whether an outcome is explained by what was provoked.

The emulator's journal says which fault hit which attempt, so a fault explains only the requests
that it hit. What was done to Envoy or to its configuration explains the requests of a time window.
"""

import dataclasses
import json

from load import Exchange

KILL, RESTART, ROTATION, UPLOADS = "kill", "restart of a region", "new key", "uploads"
# Everything that begins later than this after Envoy was killed must be served.
RECOVERY_SECONDS = 1.0
# Faults that break off a response that has started. No gateway can hide these.
BREAKING_FAULTS = ("cut", "exception", "corrupt_frame")
RETRY_LATER = (429, 503)


@dataclasses.dataclass
class Window:
    """A time in which something was provoked."""

    cause: str
    started: float
    ended: float = float("inf")
    region: str | None = None

    def overlaps(self, exchange: Exchange) -> bool:
        return exchange.started <= self.ended and exchange.ended >= self.started


@dataclasses.dataclass(frozen=True, slots=True)
class Attempt:
    """A request that reached the emulator."""

    region: str
    status: int | None
    fault: str | None
    ended: str
    is_wrong: bool


def attempts_of(journal, is_wrong) -> dict:
    """The attempts of each request in a journal file, in the order of their arrival."""
    found: dict = {}
    with open(journal, encoding="utf-8") as lines:
        for line in lines:
            entry = json.loads(line)
            agent = next((value for name, value in entry["headers"] if name == "user-agent"), None)
            attempt = Attempt(
                entry["region"], entry["status"], entry["fault"], entry["ended"], is_wrong(entry)
            )
            found.setdefault(agent, []).append((entry["arrival"], attempt))
    return {
        agent: [attempt for _, attempt in sorted(each, key=lambda pair: pair[0])]
        for agent, each in found.items()
    }


def explanation(exchange: Exchange, attempts: list, windows: list) -> str | None:
    """What explains a problem, or `None` if nothing does."""
    last = attempts[-1] if attempts else None
    if last and last.fault in BREAKING_FAULTS:
        return last.fault
    for window in windows:
        if window.overlaps(exchange) and explains(window, exchange, last):
            return window.cause
    return None


def explains(window: Window, exchange: Exchange, last: Attempt | None) -> bool:
    match window.cause:
        case "kill":
            return exchange.started <= window.started + RECOVERY_SECONDS
        case "restart of a region":
            # Only a response that had started. Its region may have been read from the headers, or
            # the gateway was still holding the response.
            began = last is not None and last.status == 200 and last.ended != "complete"
            return began and last.region == window.region
        case "new key":
            return exchange.status == 401
        case "uploads":
            return exchange.status in RETRY_LATER and exchange.retry_after is not None
    return False
