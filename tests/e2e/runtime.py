"""What runs the filter in Envoy: `EB_RUNTIME=wasm` (the default) or `EB_RUNTIME=native`."""

import os
import pathlib
import re
import time

import pytest
import requests

from emulator import ROOT

RUNTIME = os.environ.get("EB_RUNTIME", "wasm")
FILES = {
    "wasm": ("envoy-bedrock.wasm", "make filter"),
    "native": ("libenvoy_bedrock.so", "make native"),
}
LABELS = (
    "model_group",
    "deployment",
    "region",
    "operation",
    "status_class",
    "key_alias",
    "gen_ai_token_type",
    "error_class",
    "outcome",
    "reason",
    "model",
    "result",
    "fallback",
)
# The native module tells Envoy every 0.25 s what its counters have counted. A busy machine is late.
COUNTERS_SECONDS = 0.75 if RUNTIME == "native" else 0
DOTTED_LABEL = re.compile(rf"\.({'|'.join(LABELS)})\.")

wasm_only = pytest.mark.skipif(RUNTIME != "wasm", reason="about WebAssembly")
native_only = pytest.mark.skipif(RUNTIME != "native", reason="about the native module")


def built(path: pathlib.Path, command: str) -> pathlib.Path:
    """`path`, which `command` builds. A missing file is a failure, never a skip."""
    if not path.is_file():
        raise FileNotFoundError(f"{path} is missing: run {command}")
    return path


def filter_module() -> pathlib.Path:
    name, command = FILES[RUNTIME]
    return built(ROOT / "dist" / name, command)


def filter_options(module=None) -> dict:
    """The options of the command line that choose the filter."""
    return {"runtime": RUNTIME, "filter": module or filter_module()}


def wait_for_counters():
    """Waits until Envoy's stats have what was counted before."""
    time.sleep(COUNTERS_SECONDS)


def read_stats(admin: str, pattern: str) -> dict:
    """Counters and gauges of Envoy whose names match `pattern`.

    Envoy joins the labels of a native module's stats with dots; here they are as in WebAssembly.
    """
    is_dotted = RUNTIME == "native" and (
        "envoy_bedrock" in pattern or "gen_ai" in pattern or "expire" in pattern
    )
    if is_dotted and "_total" in pattern:
        wait_for_counters()
    parameters = {"filter": "^wasmcustom" if is_dotted else pattern, "format": "json"}
    page = requests.get(f"{admin}/stats", params=parameters, timeout=10).json()
    stats = {each["name"]: each["value"] for each in page["stats"] if "value" in each}
    if is_dotted:
        named = {DOTTED_LABEL.sub(r";\1=", name): value for name, value in stats.items()}
        stats = {name: value for name, value in named.items() if re.search(pattern, name)}
    return stats
