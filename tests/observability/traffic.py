"""Requests of every kind: successful, streamed, retried, failed, cut, refused and unpriced."""

import contextlib
import http.client
import itertools
import threading

import clients
from gateway import config

WEST, EAST, FAR = REGIONS = ("us-west-2", "us-east-1", "eu-central-1")
CLAUDE = "us.anthropic.claude-3-5-sonnet-20240620-v1:0"
NOVA = "us.amazon.nova-lite-v1:0"
# Each fault has its own model, so that all can be active at once.
EXCEPTION, CORRUPT = "amazon.nova-pro-v1:0", "amazon.nova-micro-v1:0"
CUT = "anthropic.claude-3-haiku-20240307-v1:0"
SILENT = "anthropic.claude-3-sonnet-20240229-v1:0"
BARRED = "anthropic.claude-3-5-haiku-20241022-v1:0"
COSTLY = "anthropic.claude-opus-4-1-20250805-v1:0"
DOWN = "meta.llama3-70b-instruct-v1:0"
UNPRICED = f"arn:aws:bedrock:{EAST}:123456789012:application-inference-profile/abc123def456"


def configuration(bedrock) -> str:
    def at(region, model, **params):
        return {
            "model": f"bedrock/{model}",
            "aws_region_name": region,
            "aws_bedrock_runtime_endpoint": bedrock.url(region),
            **params,
        }

    price = {"input_cost_per_token": 1, "output_cost_per_token": 2}
    return config(
        [
            ("claude", at(WEST, CLAUDE, order=1)),
            ("claude", at(EAST, CLAUDE, order=2)),
            ("nova", at(FAR, NOVA, order=1)),
            ("nova", at(EAST, NOVA, order=2)),
            ("costly", at(EAST, COSTLY, **price)),
            ("unpriced", at(EAST, UNPRICED)),
            ("exception", at(EAST, EXCEPTION)),
            ("corrupt", at(EAST, CORRUPT)),
            ("cut", at(EAST, CUT)),
            ("silent", at(EAST, SILENT)),
            ("barred", at(EAST, BARRED)),
            ("wild/*", at(EAST, "*")),
            ("down", at(EAST, DOWN)),
            ("hopeless", at(EAST, DOWN)),
        ],
        litellm_settings={"fallbacks": [{"down": ["claude"]}, {"hopeless": ["barred"]}]},
    )


def set_faults(bedrock):
    """The west throttles, the far region fails, and some models have their own faults."""
    bedrock.fault("status", status=429, region=WEST, rate=0.7)
    bedrock.fault("status", status=503, region=FAR)
    bedrock.fault(
        "exception", model=EXCEPTION, after_events=2, error_type="modelStreamErrorException"
    )
    bedrock.fault("corrupt_frame", model=CORRUPT, after_events=2)
    bedrock.fault("cut", model=CUT, after_events=3)
    bedrock.fault("hang", model=SILENT)
    bedrock.fault("status", status=403, model=BARRED)
    bedrock.fault("status", status=503, model=DOWN)
    bedrock.pace(events=6, interval_ms=5)


def refused(gateway):
    """One request for each reason for a refusal that needs no broken connection."""
    clients.post(gateway, "claude", key=None)
    clients.post(gateway, "claude", key="sk-wrong")
    clients.post(gateway, "no-such-model")
    clients.post(gateway, "claude", "no-such-operation")


def round_of(gateway, number=0):
    """One request of each kind. The number varies the body, and with it the reported usage."""
    for operation in ["converse", "converse-stream"]:
        for model in ["claude", "nova", "costly", "unpriced", "wild/amazon.nova-lite-v1:0"]:
            clients.post(gateway, model, operation, clients.question(f"hello {number}"))
    for operation in ["invoke", "invoke-with-response-stream"]:
        clients.post(gateway, "claude", operation, clients.anthropic(f"hello {number}"))
    clients.post(gateway, "claude", body=b"no JSON")
    for model in ["barred", "down", "hopeless"]:
        clients.post(gateway, model)
    for model in ["exception", "corrupt", "cut"]:
        with contextlib.suppress(http.client.IncompleteRead, ConnectionResetError):
            clients.post(gateway, model, "converse-stream")
    with contextlib.suppress(TimeoutError):
        clients.post(gateway, "silent", timeout=0.2)
    refused(gateway)


class Traffic:
    """Sends round after round until it is stopped. Use it in a `with`."""

    def __init__(self, gateway):
        self._gateway = gateway
        self._over = threading.Event()
        self._error = None
        self._thread = threading.Thread(target=self._run)

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self.stop()

    def stop(self):
        """Stops the traffic. Raises the error that ended it earlier, if any."""
        self._over.set()
        self._thread.join()
        if self._error is not None:
            raise self._error

    def _run(self):
        try:
            for number in itertools.count():
                if self._over.wait(0.1):
                    return
                round_of(self._gateway, number)
        except Exception as error:
            self._error = error
