"""The fixtures: one engine with the stand-in images, and the demo that runs in it."""

import os
import pathlib
import signal

import pytest

import images
from engine import Engine
from stack import DEMO, Control, Stack


def pytest_configure():
    # The shell ignores SIGINT in background jobs, and Python inherits that. The first signal ends
    # the tests, which then clean up; a second one must not interrupt that.
    def end(number, _):
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        raise KeyboardInterrupt(f"signal {number}")

    signal.signal(signal.SIGINT, end)
    signal.signal(signal.SIGTERM, end)
    for name in [
        name for name in os.environ if name.startswith("AWS_") or name.lower().endswith("_proxy")
    ]:
        del os.environ[name]


@pytest.fixture(scope="session")
def scratch() -> pathlib.Path:
    return pathlib.Path(os.environ["COMPOSE_TEST_SCRATCH"])


@pytest.fixture(scope="session")
def engine(scratch):
    built = pathlib.Path(os.environ["COMPOSE_TEST_TARGET"]) / "debug"
    with Engine(scratch) as engine:
        images.build(
            engine,
            "envoyproxy/envoy:v1.40.0",
            images.envoy(),
            "/usr/local/bin/envoy",
            ["/docker-entrypoint.sh"],
            scratch,
        )
        for image, program in (
            ("envoy-bedrock/emulator", "bedrock-emulator"),
            ("envoy-bedrock/command", "envoy-bedrock"),
        ):
            images.build(
                engine, image, built / program, f"/usr/local/bin/{program}", [program], scratch
            )
        for name, program in images.observability().items():
            images.build(
                engine,
                name,
                program,
                f"/bin/{program.name}",
                [f"/bin/{program.name}"],
                scratch,
                ["prometheus"],
            )
        yield engine


@pytest.fixture(scope="module")
def demo(engine):
    """The gateway and the emulator, both healthy."""
    with Stack(engine, DEMO) as stack:
        stack.wait_until_healthy("emulator", "envoy")
        yield stack


@pytest.fixture
def control(demo):
    control = Control()
    control.clear()
    yield control
    control.clear()
