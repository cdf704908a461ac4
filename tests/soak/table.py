"""The results of a soak: as raw figures, and as a page for docs/."""

import collections
import dataclasses
import datetime
import os
import pathlib
import platform

HOLDS = {True: "yes", False: "**no**", None: "not judged"}
SERVED, REFUSED, LEFT = "served", "refused as expected", "left by the client"


def raw(soak, judged) -> dict:
    """Everything that the table and the plot show. Times are seconds since the start."""
    started = soak.started
    return {
        "date": datetime.datetime.now(datetime.UTC).date().isoformat(),
        "machine": machine(),
        "minutes": round((soak.ended - started) / 60, 1),
        "requests": len(soak.load.exchanges),
        "phases": [phase_of(done, soak, judged, started) for done in soak.finished],
        "memory": [sample_of(sample, started) for sample in soak.sampler.samples],
        "per_second": per_second(soak.load.exchanges, judged.causes, started),
        "criteria": [dataclasses.asdict(criterion) for criterion in judged.criteria],
        "kinds": dict(collections.Counter(each.kind for each in soak.load.exchanges)),
        "protocols": dict(collections.Counter(each.protocol for each in soak.load.exchanges)),
    }


def sample_of(sample, started: float) -> list:
    sizes = (sample.resident, sample.private, sample.command)
    return [round(sample.at - started, 1), *(round(size, 1) for size in sizes)]


def phase_of(done, soak, judged, started: float) -> dict:
    exchanges = [each for each in soak.load.exchanges if each.phase == done.name]
    times = sorted(
        each.milliseconds
        for each in exchanges
        if each.kind == "converse" and each.status == 200 and not each.problem
    )
    outcomes = collections.Counter(outcome(each, judged.causes) for each in exchanges)
    peaks = [
        each.resident for each in soak.sampler.samples if done.started <= each.at <= done.ended
    ]
    return {
        "name": done.name,
        "is_storm": done.phase.storm is not None,
        "started": done.started - started,
        "ended": done.ended - started,
        "requests": len(exchanges),
        "outcomes": dict(outcomes),
        "p50_ms": percentile(times, 50),
        "p99_ms": percentile(times, 99),
        "level_before": done.level_before,
        "level_after": done.level_after,
        "peak": max(peaks, default=None),
        "vms": done.vms,
        "heap": done.heap,
    }


def outcome(exchange, causes: dict) -> str:
    if exchange.problem:
        return causes[exchange.id] or "UNEXPLAINED"
    if exchange.left:
        return LEFT
    return SERVED if exchange.status == 200 else REFUSED


def per_second(exchanges: list, causes: dict, started: float) -> list:
    """Second, requests that ended in it, explained problems, unexplained problems."""
    counts: dict = collections.defaultdict(lambda: [0, 0, 0])
    for each in exchanges:
        counted = counts[int(each.ended - started)]
        counted[0] += 1
        if each.problem:
            counted[1 if causes[each.id] else 2] += 1
    return [[second, *counts[second]] for second in sorted(counts)]


def percentile(values: list, percent: int) -> float | None:
    """Of sorted values."""
    return values[min(len(values) - 1, len(values) * percent // 100)] if values else None


def page(raw: dict) -> str:
    return f"""# Soak

Made by `make soak` on {raw["date"]}: {raw["machine"]}. {raw["minutes"]:g} minutes,
{raw["requests"]:,} requests. [tests/soak](../tests/soak/README.md) says what each phase does.

![Memory, requests and errors over time](soak.svg)

## Phases

Latency is that of `converse` with a small body; the emulator takes 20 ms of it. Memory is the
resident size of Envoy in MiB: idle before and after the phase, and the highest sample in it.

{phases_table(raw["phases"])}

Errors by cause:

{errors_table(raw["phases"])}

## Criteria

{criteria_table(raw["criteria"])}
"""


def phases_table(phases: list) -> str:
    lines = [
        "| phase | s | requests | per s | served | refused | left | errors | p50 ms | p99 ms "
        "| idle before | peak | idle after |",
        "| --- |" + " ---: |" * 12,
    ]
    for each in phases:
        outcomes, seconds = each["outcomes"], each["ended"] - each["started"]
        errors = each["requests"] - sum(outcomes.get(name, 0) for name in (SERVED, REFUSED, LEFT))
        figures = [
            f"{seconds:.0f}",
            f"{each['requests']:,}",
            f"{each['requests'] / seconds:.0f}",
            *(f"{outcomes.get(name, 0):,}" for name in (SERVED, REFUSED, LEFT)),
            f"{errors:,}",
            *("" if each[name] is None else f"{each[name]:.0f}" for name in FIGURES),
        ]
        lines.append(f"| {each['name']} | " + " | ".join(figures) + " |")
    return "\n".join(lines)


FIGURES = ("p50_ms", "p99_ms", "level_before", "peak", "level_after")


def errors_table(phases: list) -> str:
    lines = ["| phase | cause | requests |", "| --- | --- | ---: |"]
    for each in phases:
        for cause, count in sorted(each["outcomes"].items()):
            if cause not in (SERVED, REFUSED, LEFT):
                lines.append(f"| {each['name']} | {cause} | {count:,} |")
    return "\n".join(lines) if len(lines) > 2 else "None."


def criteria_table(criteria: list) -> str:
    lines = ["| criterion | holds | found |", "| --- | --- | --- |"]
    for each in criteria:
        found = each["found"].replace("|", "\\|")
        lines.append(f"| {each['name']} | {HOLDS[each['holds']]} | {found} |")
    return "\n".join(lines)


def machine() -> str:
    lines = pathlib.Path("/proc/cpuinfo").read_text().splitlines()
    model = next(
        (line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")),
        platform.machine(),
    )
    return f"{os.cpu_count()} × {model}, Linux {platform.release()}"
