"""Turns raw figures into tables."""

import datetime
import os
import platform
from pathlib import Path
from statistics import median, quantiles

BARE = "bare"
SIGNER = "signer"
BEARER = "bearer"
NATIVE = "native"
GATEWAY = "gateway"
LITELLM = "litellm"
TITLES = {
    BARE: "the rendered Envoy without the filter: same listener, limits, retry policy and log",
    SIGNER: "the same with Envoy's own `aws_request_signing`, which also hashes the body",
    GATEWAY: "the gateway as `envoy-bedrock render` writes it for access keys, in WebAssembly",
    NATIVE: "the same as a native module (`--runtime native`)",
    BEARER: "the gateway in WebAssembly with a Bedrock API key, so that it neither signs nor reads "
    "request bodies",
    LITELLM: "LiteLLM's proxy with one worker process, which signs with boto3's libraries",
}
# With virtual keys: name, number of keys, whether they have limits.
KEY_VARIANTS = (
    ("one key", 1, False),
    ("10,000 keys", 10_000, False),
    ("limits", 1, True),
    ("10,000 limits", 10_000, True),
)
# Above this load average before the run, other programs have disturbed it.
QUIET_LOAD = 0.5


def percentile(values, percent):
    values = sorted(values)
    return values[min(len(values) - 1, len(values) * percent // 100)]


def ratio(samples, base):
    """The ratio of CPU times within a round, as others may disturb some rounds: its median, and its
    quartiles."""
    pairs = zip(samples, base, strict=True)
    ratios = [sample["cpu_us"] / other["cpu_us"] for sample, other in pairs]
    if len(ratios) < 4:
        return f"{median(ratios):.2f}"
    first, _, third = quantiles(ratios, n=4)
    return f"{median(ratios):.2f} ({first:.2f}-{third:.2f})"


def middle(samples, key, per=1):
    return median(sample[key] for sample in samples) / per


def number(value):
    return f"{value:,.2f}" if value < 10 else f"{value:,.0f}"


def table(titles, rows):
    lines = ["| " + " | ".join(titles) + " |", "| --- |" + " ---: |" * (len(titles) - 1)]
    return "\n".join(lines + ["| " + " | ".join(row) + " |" for row in rows])


def unary_table(by_name):
    titles = ["", "CPU µs", "/ bare", "/ signer", "requests/s", "p50 ms", "p99 ms", "memory MiB"]
    rows = [
        [
            name,
            number(middle(samples, "cpu_us")),
            ratio(samples, by_name[BARE]),
            ratio(samples, by_name[SIGNER]),
            number(middle(samples, "per_second")),
            number(middle(samples, "p50_us", 1000)),
            number(middle(samples, "p99_us", 1000)),
            number(max(sample["resident_kib"] for sample in samples) / 1024),
        ]
        for name, samples in by_name.items()
    ]
    return table(titles, rows)


def streams_table(raw):
    firsts, streams = raw["first_byte_us"], raw["streams"]
    titles = ["", "CPU µs", "/ bare"]
    titles += [f"first event {title} ms" for title in ("p50", "p99")]
    titles += [f"added to bare, {title} ms" for title in ("p50", "p99")]
    rows = []
    for name, of_name in firsts.items():
        times = [percentile(of_name, percent) / 1000 for percent in (50, 99)]
        added = [
            time - percentile(firsts[BARE], percent) / 1000
            for time, percent in zip(times, (50, 99), strict=True)
        ]
        cpu = ["", ""]
        if samples := streams.get(name):
            cpu = [number(middle(samples, "cpu_us")), ratio(samples, streams[BARE])]
        rows.append([name, *cpu, *map(number, times), *(f"{value:+.3f}" for value in added)])
    return table(titles, rows)


def keys_table(raw):
    """What virtual keys and limits cost a request of 1 KB."""
    samples = raw["keys"]
    titles = ["key", "CPU µs", "/ master key", "p50 ms", "memory MiB"]
    rows = [
        [
            "master key" if name == GATEWAY else name,
            number(middle(of_name, "cpu_us")),
            ratio(of_name, samples[GATEWAY]),
            number(middle(of_name, "p50_us", 1000)),
            number(max(sample["resident_kib"] for sample in of_name) / 1024),
        ]
        for name, of_name in samples.items()
    ]
    return table(titles, rows)


def instructions_table(counted):
    """Thousands of instructions, counted by valgrind."""
    bare = counted[BARE]
    titles = ["", "1 KB", "/ bare", "stream of 2,000 events", "/ bare"]
    rows = [
        [
            name,
            f"{of_name['request'] / 1000:,.1f}",
            f"{of_name['request'] / bare['request']:.2f}",
            f"{of_name['stream'] / 1000:,.0f}",
            f"{of_name['stream'] / bare['stream']:.2f}",
        ]
        for name, of_name in counted.items()
    ]
    return (
        "Thousands of instructions per request, without the kernel's. Hashing is software's.\n\n"
        + table(titles, rows)
    )


def page(raw):
    names = list(raw["first_byte_us"])
    about = [f"- `{name}`: {TITLES.get(name, 'another build of the filter')}." for name in names]
    sizes = [
        f"## Requests with a body of {size}\n\n{unary_table(by_name)}\n"
        for size, by_name in raw["unary"].items()
    ]
    disturbed = ""
    if raw["load"] > QUIET_LOAD:
        disturbed = "\n**The machine was not idle: other programs have disturbed these figures.**\n"
    return f"""# What the gateway costs

Made by `make bench` on {raw["date"]}: {raw["machine"]}, load average
{raw["load"]:.1f} before the run, {raw["rounds"]} alternating rounds of {raw["seconds"]} s.
{disturbed}
{chr(10).join(about)}

Each has one worker, plain HTTP on both sides and one local upstream. Figures are medians of the
rounds. A ratio is of CPU times within a round: the median of the rounds, with the quartiles. Memory
is the resident size of the process after the sizes above it on the page.

{chr(10).join(sizes)}
## Streams of {raw["stream_events"]:,} events

The first events are those of 2,000 short streams.

{streams_table(raw)}

## Virtual keys

Bodies of 1 KB with the master key, with a virtual key, and with one that has limits on requests,
tokens, requests at once and money, which are counted for all workers in shared memory; alone, and
among 10,000 of its kind.

{keys_table(raw)}
"""


def about(chosen):
    """What is to be known about a run. Before it, as it changes the load."""
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    model = next(
        (line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")),
        platform.machine(),
    )
    return {
        "date": datetime.datetime.now(datetime.UTC).date().isoformat(),
        "machine": f"{os.cpu_count()} × {model}, Linux {platform.release()}",
        "load": os.getloadavg()[0],
        "rounds": chosen.rounds,
        "seconds": chosen.seconds,
    }
