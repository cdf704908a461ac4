"""Turns raw figures into tables of ratios."""

import datetime
import os
import platform
from pathlib import Path
from statistics import median


def best(samples, key):
    """The least disturbed round: other load on the machine can only add to a figure."""
    return min(sample[key] for sample in samples)


def percentile(values, percent):
    values = sorted(values)
    return values[min(len(values) - 1, len(values) * percent // 100)]


# The gateway as most people run it, which is compared with the others.
GATEWAY = "gateway"
BARE = "bare"
# The gateway with an API key, which is compared with the bare Envoy.
BEARER = "bearer"
# The gateway as a native module.
NATIVE = "native-module"
# With virtual keys: name, number of keys, whether they have limits.
KEY_VARIANTS = (
    ("one key", 1, False),
    ("10,000 keys", 10_000, False),
    ("limits", 1, True),
    ("10,000 limits", 10_000, True),
)


def compared(names):
    """The pairs of variants whose ratio is shown."""
    others = [name for name in names if name not in (GATEWAY, BEARER)]
    native = [(NATIVE, name) for name in others if NATIVE in names and name != NATIVE]
    return [(GATEWAY, name) for name in others] + native + [(BEARER, BARE)]


def tables(raw):
    names = raw["variants"]
    ratios = compared(names)
    lines = [
        "| request body | | "
        + " | ".join(names + [f"{first} / {second}" for first, second in ratios])
        + " |",
        "| --- | --- |" + " ---: |" * (len(names) + len(ratios)),
    ]
    for size, by_name in raw["unary"].items():
        rows = {
            "CPU µs per request": [best(by_name[name], "cpu_us") for name in names],
            "requests/s": [max(sample["per_second"] for sample in by_name[name]) for name in names],
            "p50 ms": [best(by_name[name], "p50_us") / 1000 for name in names],
            "p99 ms": [
                median(sample["p99_us"] for sample in by_name[name]) / 1000 for name in names
            ],
            "memory MiB": [
                max(sample["resident_kib"] for sample in by_name[name]) / 1024 for name in names
            ],
        }
        lines += [row(size, title, names, values) for title, values in rows.items()]
    events = raw["stream_events"]
    streams = {name: raw["streams"][name] for name in names}
    lines += [
        row(
            f"stream of {events} events",
            "CPU µs per stream",
            names,
            [best(streams[name], "cpu_us") for name in names],
        )
    ]
    for title, percent in (("p50", 50), ("p99", 99)):
        values = [percentile(raw["first_byte_us"][name], percent) / 1000 for name in names]
        lines.append(row("stream", f"first event {title} ms", names, values))
        lines.append(
            f"| stream | added to bare, {title} ms | "
            + " | ".join(f"{value - values[0]:+.3f}" for value in values)
            + " |" * (len(ratios) + 1)
        )
    return "\n".join(lines)


def keys_table(raw):
    """What virtual keys and limits cost a request of 1 KB."""
    samples = raw["keys"]
    master = best(samples[GATEWAY], "cpu_us")
    lines = [
        "| key | CPU µs per request | / master key | p50 ms | memory MiB |",
        "| --- | ---: | ---: | ---: | ---: |",
    ]
    for name, of_name in samples.items():
        cpu, p50 = best(of_name, "cpu_us"), best(of_name, "p50_us") / 1000
        memory = max(sample["resident_kib"] for sample in of_name) / 1024
        shown = "master key" if name == GATEWAY else name
        lines.append(f"| {shown} | {cpu:,.0f} | {cpu / master:.2f} | {p50:.2f} | {memory:,.0f} |")
    return "\n".join(lines)


def row(size, title, names, values):
    figures = " | ".join(f"{value:,.2f}" if value < 10 else f"{value:,.0f}" for value in values)
    by_name = dict(zip(names, values, strict=True))
    ratios = " | ".join(
        f"{by_name[first] / by_name[second]:.2f}" for first, second in compared(names)
    )
    return f"| {size} | {title} | {figures} | {ratios} |"


def page(raw):
    baseline = ""
    if "baseline" in raw["variants"]:
        baseline = "- `baseline`: the same with another build of the filter.\n"
    if NATIVE in raw["variants"]:
        baseline += f"- `{NATIVE}`: the same as a native module.\n"
    return f"""# What the gateway costs

Made by `make bench` on {raw["date"]}: {raw["machine"]},
{raw["rounds"]} alternating rounds of {raw["seconds"]} s.

- `bare`: the rendered Envoy without the filter: same listener, limits, retry policy and log.
- `native`: the same with Envoy's own `aws_request_signing`.
- `bearer`: the gateway with a Bedrock API key, so that it neither signs nor reads request bodies.
- `gateway`: the configuration that `envoy-bedrock render` writes for access keys.
{baseline}
Each has one worker thread, plain HTTP on both sides and one local upstream. CPU and p50 are the
lowest of all rounds, p99 is their median, requests/s and memory are the highest. Memory is the
resident size of the process after the sizes above it in the table.

{tables(raw)}

## Virtual keys

Bodies of 1 KB with the master key, with a virtual key, and with one that has limits on requests,
tokens, requests at once and money, which are counted for all workers in shared memory; alone, and
among 10,000 of its kind.

{keys_table(raw)}
"""


def machine():
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    model = next(
        (line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")),
        platform.machine(),
    )
    load = os.getloadavg()[0]
    return (
        f"{os.cpu_count()} × {model}, Linux {platform.release()}, "
        f"load average {load:.1f} before the run"
    )


def today():
    return datetime.datetime.now(datetime.UTC).date().isoformat()
