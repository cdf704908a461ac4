"""Several applications that share a gateway. Each calls one model at its own rate."""

import contextlib
import http.client
import random
import threading
import time

import clients
from gateway import config

WEST, EAST, EUROPE = REGIONS = ("us-west-2", "us-east-1", "eu-west-1")
SONNET = "us.anthropic.claude-sonnet-4-5-20250929-v1:0"
HAIKU = "us.anthropic.claude-haiku-4-5-20251001-v1:0"
NOVA = "us.amazon.nova-lite-v1:0"
PROFILE = f"arn:aws:bedrock:{EAST}:123456789012:application-inference-profile/abc123def456"
# Model, operation, requests per second, longest prompt in characters.
APPLICATIONS = [
    ("claude-sonnet", "converse-stream", 3.0, 24_000),
    ("claude-sonnet", "converse", 1.0, 8_000),
    ("claude-haiku", "converse-stream", 4.0, 12_000),
    ("claude-haiku", "converse", 2.0, 4_000),
    ("nova-lite", "converse", 3.0, 6_000),
    ("team-profile", "converse", 0.2, 2_000),
]
SEED = 3


def configuration(bedrock) -> str:
    def at(region, model):
        return {
            "model": f"bedrock/{model}",
            "aws_region_name": region,
            "aws_bedrock_runtime_endpoint": bedrock.url(region),
        }

    return config(
        [
            *[("claude-sonnet", at(region, SONNET)) for region in (WEST, EAST, EUROPE)],
            *[("claude-haiku", at(region, HAIKU)) for region in (WEST, EAST)],
            ("nova-lite", at(EAST, NOVA)),
            ("team-profile", at(EAST, PROFILE)),
        ]
    )


class Load:
    """The load: a context manager that runs for a number of seconds."""

    def __init__(self, gateway, bedrock, seconds):
        self._gateway, self._bedrock, self._seconds = gateway, bedrock, seconds
        self._over = threading.Event()
        self._random = random.Random(SEED)
        self._threads = [
            threading.Thread(target=self._application, args=each) for each in APPLICATIONS
        ]
        self._threads += [threading.Thread(target=self._refused)]

    def __enter__(self):
        for model, latency, interval in [
            (SONNET, 250, 20),
            (HAIKU, 90, 8),
            (NOVA, 140, 10),
            (PROFILE, 300, 10),
        ]:
            self._bedrock.pace(events=40, latency_ms=latency, interval_ms=interval, model=model)
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self._over.set()
        for thread in self._threads:
            thread.join()

    def wait(self):
        """Waits for the end of the run and injects faults meanwhile."""
        third = self._seconds / 3
        self._bedrock.fault("status", status=503, rate=0.02, region=EAST)
        self._bedrock.fault(
            "exception",
            rate=0.03,
            model=HAIKU,
            after_events=5,
            error_type="modelStreamErrorException",
        )
        self._bedrock.fault("cut", rate=0.02, model=SONNET, after_events=9)
        time.sleep(third)
        throttling = self._bedrock.fault("status", status=429, rate=0.6, region=WEST)
        time.sleep(third)
        self._bedrock.clear_faults(id=throttling)
        time.sleep(third)

    def _application(self, model, operation, rate, longest):
        workers = []
        while not self._over.wait(self._random.expovariate(rate)):
            text = "word " * (self._random.randrange(longest) // 5)
            worker = threading.Thread(target=self._send, args=(model, operation, text))
            worker.start()
            workers = [each for each in workers if each.is_alive()] + [worker]
        for worker in workers:
            worker.join()

    def _send(self, model, operation, text):
        # Some responses break off on purpose.
        with contextlib.suppress(http.client.HTTPException, ConnectionError):
            clients.post(self._gateway, model, operation, clients.question(text))

    def _refused(self):
        """Sends requests that the gateway refuses."""
        while not self._over.wait(self._random.expovariate(0.7)):
            kind = self._random.choice(["key", "key", "no key", "model"])
            clients.post(
                self._gateway,
                "gpt-4o" if kind == "model" else "nova-lite",
                key={"key": "sk-guessed", "no key": None}.get(kind, clients.KEY),
            )
