"""What the gateway costs, compared with bare Envoy and with Envoy's native signing filter."""

import argparse
import contextlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import envoys
import report
import streams

SIZES = {
    "1 KB": (1 << 10, 8),
    "100 KB": (100 << 10, 8),
    "1 MB": (1 << 20, 4),
    "10 MB": (10 << 20, 2),
}
STREAM_EVENTS = 2000


def arguments():
    parser = argparse.ArgumentParser(
        prog="bench/run",
        description=__doc__,
        epilog="Build with `make cli filter` first; needs wrk. The raw figures go to "
        "bench/results/ (not in git), the table to standard output and, with --write, to "
        "bench/RESULTS.md. Use more rounds on a busy machine.",
    )
    parser.add_argument(
        "--rounds", type=int, default=7, help="alternating rounds (default: %(default)s)"
    )
    parser.add_argument(
        "--seconds", type=int, default=2, help="length of one measurement (default: %(default)s)"
    )
    parser.add_argument(
        "--quick",
        action="store_true",
        help="2 rounds of 1 s, 1 KB and 1 MB only, to see whether it runs",
    )
    parser.add_argument(
        "--sizes", default=",".join(SIZES), help="sizes of request bodies (default: %(default)s)"
    )
    parser.add_argument(
        "--filter",
        type=Path,
        default=envoys.ROOT / "dist/envoy-bedrock.wasm",
        help="the filter to measure",
    )
    parser.add_argument(
        "--native",
        type=Path,
        metavar="PATH.so",
        help="also measure this native module",
    )
    parser.add_argument(
        "--baseline",
        type=Path,
        metavar="PATH.wasm",
        help="another build of the filter to compare with, such as the last release",
    )
    parser.add_argument(
        "--command",
        type=Path,
        default=envoys.ROOT / "target/debug/envoy-bedrock",
        help="the envoy-bedrock command",
    )
    parser.add_argument(
        "--write", action="store_true", help="replace bench/RESULTS.md with this run"
    )
    chosen = parser.parse_args()
    if chosen.quick:
        chosen.rounds, chosen.seconds, chosen.sizes = 2, 1, "1 KB,1 MB"
    chosen.sizes = [size.strip() for size in chosen.sizes.split(",")]
    if unknown := [size for size in chosen.sizes if size not in SIZES]:
        parser.error(f"--sizes: expected sizes from {', '.join(SIZES)}, but found {unknown[0]}")
    if chosen.rounds < 1 or chosen.seconds < 1:
        parser.error("--rounds and --seconds: expected at least 1")
    return chosen


def needs(chosen):
    missing = []
    if not shutil.which("wrk"):
        missing.append("wrk: apt-get install wrk (Debian, Ubuntu), brew install wrk (macOS)")
    if not Path("/proc/self/task").exists():
        missing.append("/proc: it has the CPU times, so the benchmark runs on Linux only")
    for path, remedy in (
        (chosen.filter, "make filter"),
        (chosen.command, "make cli"),
        (envoys.ENVOY, "pip install -r tests/e2e/requirements.txt"),
        (chosen.baseline, "the module that --baseline names"),
        (chosen.native, "make native"),
    ):
        if path and not path.exists():
            missing.append(f"{path}: {remedy}")
    if missing:
        raise SystemExit("bench: something is missing\n  " + "\n  ".join(missing))


def wrk(envoy, size, connections, seconds):
    before = envoy.cpu_us()
    done = subprocess.run(
        [
            "wrk",
            "-t1",
            f"-c{connections}",
            f"-d{seconds}s",
            "--timeout",
            "30s",
            "--latency",
            "-s",
            envoys.ROOT / "bench/post.lua",
            f"http://127.0.0.1:{envoy.port}",
        ],
        capture_output=True,
        text=True,
        env={**os.environ, "PROXY_KEY": envoy.key, "BODY_BYTES": str(size)},
    )
    used = envoy.cpu_us() - before
    figures = json.loads(done.stderr.strip().splitlines()[-1]) if done.returncode == 0 else {}
    if not figures.get("requests") or figures["failed"]:
        problem = figures or done.stderr.strip()
        raise SystemExit(f"bench: not all requests to {envoy.name} succeeded: {problem}")
    return {
        "cpu_us": used / figures["requests"],
        "per_second": figures["requests"] * 1e6 / figures["duration_us"],
        "p50_us": figures["p50_us"],
        "p99_us": figures["p99_us"],
        "resident_kib": envoy.resident_kib(),
    }


def turn(compared, number):
    """The order of a round, rotated so that each is first equally often."""
    first = number % len(compared)
    return compared[first:] + compared[:first]


def progress(text):
    print(f"==> {text}", file=sys.stderr, flush=True)


def measure(chosen, compared):
    names = [envoy.name for envoy in compared]
    raw = {"variants": names, "unary": {}, "stream_events": STREAM_EVENTS}
    for size in chosen.sizes:
        byte_count, connections = SIZES[size]
        samples = raw["unary"][size] = {envoy.name: [] for envoy in compared}
        progress(f"bodies of {size}: {chosen.rounds} rounds")
        for envoy in compared:
            wrk(envoy, byte_count, connections, 1)
        for number in range(chosen.rounds):
            for envoy in turn(compared, number):
                samples[envoy.name].append(wrk(envoy, byte_count, connections, chosen.seconds))
    return raw | measure_streams(chosen, compared)


def measure_keys(chosen, compared):
    byte_count, connections = SIZES["1 KB"]
    progress(f"virtual keys: {chosen.rounds} rounds")
    samples = {envoy.name: [] for envoy in compared}
    for envoy in compared:
        wrk(envoy, byte_count, connections, 1)
    for number in range(chosen.rounds):
        for envoy in turn(compared, number):
            samples[envoy.name].append(wrk(envoy, byte_count, connections, chosen.seconds))
    return {"keys": samples}


def measure_streams(chosen, compared):
    raw = {}
    clients = {envoy.name: streams.Client(envoy.port) for envoy in compared}
    repeats = 200 if chosen.quick else 2000
    progress(f"streams: first event of {repeats}")
    firsts = raw["first_byte_us"] = {envoy.name: [] for envoy in compared}
    for number in range(-20, repeats):
        for envoy in turn(compared, number):
            first = clients[envoy.name].stream(5)
            if number >= 0:
                firsts[envoy.name].append(first)
    progress(f"streams of {STREAM_EVENTS} events: {chosen.rounds} rounds")
    raw["streams"] = {envoy.name: [] for envoy in compared}
    for number in range(chosen.rounds):
        for envoy in turn(compared, number):
            before = envoy.cpu_us()
            for _ in range(5):
                clients[envoy.name].stream(STREAM_EVENTS)
            raw["streams"][envoy.name].append({"cpu_us": (envoy.cpu_us() - before) / 5})
    for client in clients.values():
        client.close()
    return raw


def main():
    chosen = arguments()
    needs(chosen)
    about = {
        "date": report.today(),
        "machine": report.machine(),
        "rounds": chosen.rounds,
        "seconds": chosen.seconds,
    }
    with (
        tempfile.TemporaryDirectory(prefix="envoy-bedrock-bench-") as folder,
        contextlib.ExitStack() as running,
    ):
        folder = Path(folder)
        unary, stream = envoys.free_port(), envoys.free_port()
        streams.serve(stream)
        config = config_without_keys = envoys.gateway_config(unary, stream)
        rendered = [
            envoys.render(chosen.command, chosen.filter.resolve(), folder, source)
            for source in (config, envoys.with_api_key(config))
        ]
        gateway = rendered[0][0]
        baseline = {}
        if chosen.baseline:
            baseline["baseline"] = envoys.baseline(gateway, chosen.baseline.resolve())
        native = {}
        if chosen.native:
            native[report.NATIVE] = envoys.render(
                chosen.command, chosen.native.resolve(), folder, config, "native"
            )
        started = []
        for name, (config, at) in {
            "upstream": (envoys.upstream(unary), unary),
            "bare": envoys.bare(gateway, unary, stream),
            "native": envoys.native(gateway, unary, stream),
            **baseline,
            **native,
            report.BEARER: rendered[1],
            report.GATEWAY: rendered[0],
        }.items():
            envoy = envoys.Envoy(name, config, at, folder)
            running.callback(envoy.stop)
            started.append(envoy)
        with_keys = []
        for name, count, limits in report.KEY_VARIANTS:
            source = envoys.with_keys(config_without_keys, count, envoys.LIMITS if limits else {})
            rendered_keys, at = envoys.render(
                chosen.command, chosen.filter.resolve(), folder, source
            )
            envoy = envoys.Envoy(name, rendered_keys, at, folder, envoys.CLIENT_KEY)
            running.callback(envoy.stop)
            with_keys.append(envoy)
        progress(f"starting {len(started + with_keys)} Envoys")
        for envoy in started + with_keys:
            envoy.wait()
        raw = about | measure(chosen, started[1:]) | measure_keys(chosen, [started[-1], *with_keys])
    results = envoys.ROOT / "bench/results"
    results.mkdir(exist_ok=True)
    (results / "latest.json").write_text(json.dumps(raw, indent=1))
    print(report.page(raw))
    if chosen.write:
        (envoys.ROOT / "bench/RESULTS.md").write_text(report.page(raw))
    progress("raw figures: bench/results/latest.json")


if __name__ == "__main__":
    main()
