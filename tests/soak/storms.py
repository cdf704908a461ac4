"""What is provoked while the load runs. Each storm lasts about the given seconds."""

import contextlib
import functools
import os
import signal
import threading
import time

from configuration import CENTRAL, EAST, REGIONS, WEST
from kinds import READINESS, UPLOAD, VERSION, optional
from transport import PLAIN, Transport
from verdict import KILL, RESTART, ROTATION, UPLOADS

CONCURRENT_UPLOADS = 20
UPLOAD_TRIES = 60
RELOADS_PER_MINUTE = 20
SAVES_PER_SECOND = 20
KILL_SECONDS = 20
RESTART_DOWN_SECONDS = 2
APPLY_SECONDS_MAX = 15
POLL_SECONDS = 0.05
# Responses in a row from new connections, before a change counts as applied by every worker.
AGREEING_RESPONSES = 12
# Each step has faults in at most two of the three regions: a client must not notice any but those
# that break off a response.
FAULTS = [
    [
        {"kind": "status", "status": 429, "region": WEST, "rate": 0.6},
        {"kind": "status", "status": 429, "region": EAST, "rate": 0.3},
    ],
    [
        {"kind": "status", "status": 500, "region": WEST, "rate": 0.5},
        {"kind": "status", "status": 503, "region": CENTRAL, "rate": 0.5},
    ],
    [
        {"kind": "reset", "region": WEST, "rate": 0.4},
        {"kind": "reset_after_request_headers", "region": CENTRAL, "rate": 0.3},
    ],
    [
        {"kind": "slow", "delay_ms": 700, "region": EAST, "rate": 0.5},
        {"kind": "silent_start", "delay_ms": 700, "region": CENTRAL, "rate": 0.5},
    ],
    [{"kind": "cut", "after_events": 3, "region": EAST, "rate": 0.3}],
    [
        {"kind": "exception", "after_events": 2, "region": WEST, "rate": 0.2},
        {"kind": "corrupt_frame", "after_events": 2, "region": CENTRAL, "rate": 0.2},
    ],
    [{"kind": "status", "status": 403, "error_type": "ExpiredTokenException", "region": EAST}],
]


def faults(soak, seconds: float):
    for step in FAULTS:
        for fault in step:
            soak.emulator.fault(**fault)
        time.sleep(seconds / len(FAULTS))
        soak.emulator.clear_faults()


def restarts(soak, seconds: float):
    """One region after the other refuses connections and resets those that are open."""
    until = time.monotonic() + seconds
    number = 0
    while time.monotonic() < until:
        region = REGIONS[number % len(REGIONS)]
        with soak.provoked(RESTART, region=region):
            soak.emulator.fault("refused", region=region)
            time.sleep(min(RESTART_DOWN_SECONDS, seconds / 6))
        soak.emulator.clear_faults()
        time.sleep(min(RESTART_DOWN_SECONDS, seconds / 6))
        number += 1


def uploads(soak, seconds: float):
    """Rounds of large uploads at once. One that the gateway puts off is sent again later."""
    until = time.monotonic() + seconds
    count = CONCURRENT_UPLOADS if seconds >= 20 else CONCURRENT_UPLOADS // 4
    with soak.provoked(UPLOADS):
        while True:
            threads = [threading.Thread(target=upload, args=(soak,)) for _ in range(count)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            if time.monotonic() > until:
                return


def upload(soak):
    with contextlib.closing(Transport(soak.gateway, 120)) as transport:
        for _ in range(UPLOAD_TRIES):
            exchange = soak.load.send(transport, UPLOAD)
            if exchange.status == 200 or not exchange.retry_after:
                break
            time.sleep(float(exchange.retry_after))
        if exchange.status != 200:
            soak.fail(f"an upload was never served: {exchange.problem}")


def reloads(soak, seconds: float):
    """A new version every three seconds. Before every fourth one, a broken edit changes nothing."""
    until = time.monotonic() + seconds
    number = 0
    while time.monotonic() < until:
        started = time.monotonic()
        number += 1
        if number % 4 == 0:
            soak.save_broken()
            wait_for(soak, "a broken edit is not reported", lambda: reports_an_error(soak))
        soak.save()
        wait_for_version(soak)
        ask(soak, optional(soak.has_optional_group))
        time.sleep(max(0.0, started + 60 / RELOADS_PER_MINUTE - time.monotonic()))


def saves(soak, seconds: float):
    """Saves in quick succession settle on the last one."""
    for _ in range(int(seconds * SAVES_PER_SECOND * 2 / 3)):
        started = time.monotonic()
        soak.save()
        time.sleep(max(0.0, started + 1 / SAVES_PER_SECOND - time.monotonic()))
    wait_for_version(soak)


def rotation(soak, seconds: float):
    """New master keys. Until every worker has one, either key may be refused."""
    count = max(1, int(seconds / 10))
    for _ in range(count):
        started = time.monotonic()
        with soak.provoked(ROTATION) as window:
            old = soak.new_key()
            soak.save()
            wait_for_version(soak)
            wait_for(
                soak, "the old key is still accepted", functools.partial(is_refused, soak, old)
            )
        # Requests that were sent with the old key before the clients had the new one.
        window.ended += 1
        time.sleep(max(0.0, started + seconds / count - time.monotonic()))


def kills(soak, seconds: float):
    """Kills Envoy as the kernel does when memory runs out."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        envoy_id = soak.gateway.envoy_id()
        with soak.provoked(KILL) as window:
            window.started = time.time()
            os.kill(envoy_id, signal.SIGKILL)
            wait_for(soak, "Envoy was not restarted", lambda: is_served(soak), 60)
        soak.recoveries.append(window.ended - window.started)
        time.sleep(min(KILL_SECONDS, seconds))


# Waiting for a change.


def wait_for(soak, complaint: str, condition, seconds=APPLY_SECONDS_MAX) -> bool:
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            soak.fail(f"{complaint} after {seconds} s")
            return False
        time.sleep(POLL_SECONDS)
    return True


def wait_for_version(soak):
    """Waits until every worker serves the version that was saved last, and notes the time."""
    saved = time.time()
    agreeing = 0

    def agrees() -> bool:
        nonlocal agreeing
        exchange = ask(soak, VERSION)
        agreeing = agreeing + 1 if exchange.answer == soak.version else 0
        return agreeing >= AGREEING_RESPONSES

    if wait_for(soak, f"version {soak.version} is not in force", agrees):
        soak.applied.append(time.time() - saved)


def ask(soak, kind, key=None):
    with contextlib.closing(Transport(soak.gateway, 10)) as transport:
        return soak.load.send(transport, kind, protocol=PLAIN, key=key)


def is_served(soak) -> bool:
    return ask(soak, VERSION).status == 200


def is_refused(soak, key: str) -> bool:
    return all(ask(soak, VERSION, key).status == 401 for _ in range(AGREEING_RESPONSES))


def reports_an_error(soak) -> bool:
    answer = ask(soak, READINESS).answer
    return isinstance(answer, dict) and answer.get("config_reload", {}).get("status") == "failed"
