"""Shared by the Python checks."""

import contextlib
import os
import sys

MODEL = "my-bedrock-model"
RAW = "us.anthropic.claude-sonnet-4-5-20250929-v1:0"
EMBEDDING = "amazon.titan-embed-text-v2:0"
OVER_TLS = os.environ["TRANSPORT"] == "tls"
URL = os.environ["AWS_ENDPOINT_URL_BEDROCK_RUNTIME"]
HELLO = "Hello"
# The emulator calls the tool that the text names.
CALL = "call the tool get_weather"


@contextlib.contextmanager
def wrong_key():
    """An environment with a key that the gateway does not know."""
    name = "AWS_BEARER_TOKEN_BEDROCK" if OVER_TLS else "AWS_ACCESS_KEY_ID"
    right = os.environ[name]

    def use(key: str):
        os.environ[name] = key
        if "boto3" in sys.modules:
            # The default session keeps the first key that it read.
            sys.modules["boto3"].DEFAULT_SESSION = None

    use("sk-wrong")
    try:
        yield
    finally:
        use(right)


def heard(text: str, said: str = HELLO):
    """Fails unless `text` is the emulator's response to `said`."""
    assert text.endswith(f"heard: {said}"), text


def error(kind, call, *arguments, **named):
    """Runs `call`, which must raise a `kind`, and returns the error."""
    try:
        found = call(*arguments, **named)
    except kind as raised:
        return raised
    raise AssertionError(f"expected {kind.__name__}, but found {found!r}")


def passed():
    """Prints the last line of a check. Without it, a check that ends early would seem to pass."""
    print("passed")
