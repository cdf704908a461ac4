"""What the gateway costs, compared with bare Envoy, with Envoy's own signing filter and, if it is
installed, with LiteLLM's proxy."""

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
import instructions
import report
import streams
from processes import free_port

SIZES = {
    "1 KB": (1 << 10, 8),
    "100 KB": (100 << 10, 8),
    "1 MB": (1 << 20, 4),
    "10 MB": (10 << 20, 2),
}
DIST = envoys.ROOT / "dist"


def module(text):
    """A build of the filter that an option names: NAME=FILE."""
    name, _, path = text.partition("=")
    if not path or Path(path).suffix not in (".wasm", ".so"):
        raise argparse.ArgumentTypeError(
            f"expected NAME=FILE.wasm or NAME=FILE.so, but found {text}"
        )
    return name, Path(path)


def arguments():
    parser = argparse.ArgumentParser(
        prog="bench/run",
        description=__doc__,
        epilog="Build with `make cli filter native` first; needs wrk. The raw figures go to "
        "bench/results/ (not in git), the tables to standard output and, with --write, to "
        "bench/RESULTS.md. Other load on the machine disturbs the figures: use more rounds, and "
        "look at the quartiles.",
    )
    option = parser.add_argument
    option("--rounds", type=int, default=7, help="alternating rounds (default: %(default)s)")
    option("--seconds", type=int, default=2, help="length of a measurement (default: %(default)s)")
    option(
        "--quick",
        action="store_true",
        help="2 rounds of 1 s, 1 KB and 1 MB only, to see whether it runs",
    )
    option(
        "--sizes", default=",".join(SIZES), help="sizes of request bodies (default: %(default)s)"
    )
    option(
        "--filter", type=Path, default=DIST / "envoy-bedrock.wasm", help="the WebAssembly filter"
    )
    option("--native", type=Path, default=DIST / "libenvoy_bedrock.so", help="the native module")
    option(
        "--module",
        type=module,
        action="append",
        default=[],
        metavar="NAME=FILE",
        help="also measure this build of the filter, such as the last release; repeatable",
    )
    option(
        "--litellm",
        default=shutil.which("litellm"),
        metavar="PATH",
        help="LiteLLM's command (default: the one on PATH); pip install 'litellm[proxy]'",
    )
    option(
        "--instructions",
        action="store_true",
        help="count instructions instead, with valgrind: the same on a busy machine",
    )
    option(
        "--command",
        type=Path,
        default=envoys.ROOT / "target/debug/envoy-bedrock",
        help="the envoy-bedrock command",
    )
    option("--write", action="store_true", help="replace bench/RESULTS.md with this run")
    chosen = parser.parse_args()
    if chosen.quick:
        chosen.rounds, chosen.seconds, chosen.sizes = 2, 1, "1 KB,1 MB"
    chosen.sizes = [size.strip() for size in chosen.sizes.split(",")]
    if unknown := [size for size in chosen.sizes if size not in SIZES]:
        parser.error(f"--sizes: expected sizes from {', '.join(SIZES)}, but found {unknown[0]}")
    if chosen.rounds < 1 or chosen.seconds < 1:
        parser.error("--rounds and --seconds: expected at least 1")
    if taken := [name for name, _ in chosen.module if name in report.TITLES]:
        parser.error(f"--module: expected a name of its own, but found {taken[0]}")
    return chosen


def needs(chosen):
    missing = []
    tools = [("wrk", "wrk")]
    if chosen.instructions:
        tools = [("valgrind", "valgrind"), ("callgrind_control", "valgrind")]
    for tool, package in tools:
        if not shutil.which(tool):
            missing.append(f"{tool}: apt-get install {package} (Debian, Ubuntu)")
    if not Path("/proc/self/task").exists():
        missing.append("/proc: it has the CPU times, so the benchmark runs on Linux only")
    for path, remedy in (
        (chosen.filter, "make filter"),
        (chosen.native, "make native"),
        (chosen.command, "make cli"),
        (envoys.ENVOY, "pip install -r tests/e2e/requirements.txt"),
        *((path, f"the file of --module {name}") for name, path in chosen.module),
        *([(Path(chosen.litellm), "the command of --litellm")] if chosen.litellm else []),
    ):
        if not path.exists():
            missing.append(f"{path}: {remedy}")
    if missing:
        raise SystemExit("bench: something is missing\n  " + "\n  ".join(missing))


def wrk(server, size, connections, seconds):
    before = server.cpu_us()
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
            f"http://127.0.0.1:{server.port}",
        ],
        capture_output=True,
        text=True,
        env={**os.environ, "PROXY_KEY": server.key, "BODY_BYTES": str(size)},
    )
    used = server.cpu_us() - before
    figures = json.loads(done.stderr.strip().splitlines()[-1]) if done.returncode == 0 else {}
    if not figures.get("requests") or figures["failed"]:
        problem = figures or done.stderr.strip()
        raise SystemExit(f"bench: not all requests to {server.name} succeeded: {problem}")
    return {
        "cpu_us": used / figures["requests"],
        "per_second": figures["requests"] * 1e6 / figures["duration_us"],
        "p50_us": figures["p50_us"],
        "p99_us": figures["p99_us"],
        "resident_kib": server.resident_kib(),
    }


def turn(compared, number):
    """The order of a round, rotated so that each is first equally often."""
    first = number % len(compared)
    return compared[first:] + compared[:first]


def progress(text):
    print(f"==> {text}", file=sys.stderr, flush=True)


def rounds(chosen, compared, size):
    """The samples of each server, of which one round has one each."""
    byte_count, connections = SIZES[size]
    samples = {server.name: [] for server in compared}
    for server in compared:
        wrk(server, byte_count, connections, 1)
    for number in range(chosen.rounds):
        for server in turn(compared, number):
            samples[server.name].append(wrk(server, byte_count, connections, chosen.seconds))
    return samples


def measure_unary(chosen, compared):
    """LiteLLM is measured with the smallest bodies only: larger ones take it seconds."""
    unary = {}
    for size in chosen.sizes:
        progress(f"bodies of {size}: {chosen.rounds} rounds")
        measured = [
            server for server in compared if size == "1 KB" or server.name != report.LITELLM
        ]
        unary[size] = rounds(chosen, measured, size)
    return {"unary": unary}


def measure_streams(chosen, compared):
    raw = {"stream_events": streams.LONG_EVENTS}
    clients = {server.name: streams.Client(server.port) for server in compared}
    repeats = 200 if chosen.quick else 2000
    progress(f"streams: first event of {repeats}")
    firsts = raw["first_byte_us"] = {server.name: [] for server in compared}
    for number in range(-20, repeats):
        for server in turn(compared, number):
            first = clients[server.name].stream(streams.FIRST_EVENTS)
            if number >= 0:
                firsts[server.name].append(first)
    progress(f"streams of {streams.LONG_EVENTS} events: {chosen.rounds} rounds")
    measured = [server for server in compared if server.name != report.LITELLM]
    raw["streams"] = {server.name: [] for server in measured}
    for number in range(chosen.rounds):
        for server in turn(measured, number):
            before = server.cpu_us()
            for _ in range(5):
                clients[server.name].stream(streams.LONG_EVENTS)
            raw["streams"][server.name].append({"cpu_us": (server.cpu_us() - before) / 5})
    for client in clients.values():
        client.close()
    return raw


def measure_keys(chosen, compared):
    progress(f"virtual keys: {chosen.rounds} rounds")
    return {"keys": rounds(chosen, compared, "1 KB")}


def variants(chosen, folder, unary, stream):
    """The Envoys to compare by name: the configuration of each, and its port."""
    config = envoys.gateway_config(unary, stream)

    def render(path, config=config):
        return envoys.render(chosen.command, path.resolve(), folder, config)

    gateway = render(chosen.filter)
    return {
        report.BARE: envoys.bare(gateway[0], unary, stream),
        report.SIGNER: envoys.signer(gateway[0], unary, stream),
        report.BEARER: render(chosen.filter, envoys.with_api_key(config)),
        report.NATIVE: render(chosen.native),
        report.GATEWAY: gateway,
        **{name: render(path) for name, path in chosen.module},
    }


def start(chosen, folder, running, unary, stream):
    """Starts what is measured. Returns the servers to compare, and those with virtual keys."""
    config = envoys.gateway_config(unary, stream)

    def run(server):
        running.callback(server.stop)
        return server

    compared = [
        run(envoys.Envoy(name, *variant, folder))
        for name, variant in variants(chosen, folder, unary, stream).items()
    ]
    with_keys = [server for server in compared if server.name == report.GATEWAY]
    for name, count, limits in report.KEY_VARIANTS:
        source = envoys.with_keys(config, count, envoys.LIMITS if limits else {})
        rendered = envoys.render(chosen.command, chosen.filter.resolve(), folder, source)
        with_keys.append(run(envoys.Envoy(name, *rendered, folder, envoys.CLIENT_KEY)))
    progress(f"starting {len(compared) + len(with_keys)} Envoys")
    for server in [*compared, *with_keys]:
        server.wait()
    if chosen.litellm:
        progress("starting LiteLLM")
        litellm = run(envoys.LiteLlm(Path(chosen.litellm).resolve(), config, folder))
        litellm.wait(180)
        # With its first request, it loads what it needs for others.
        streams.Client(litellm.port).stream(streams.FIRST_EVENTS)
        compared.append(litellm)
    else:
        progress("LiteLLM is not measured: pip install 'litellm[proxy]', or use --litellm")
    return compared, with_keys


def main():
    chosen = arguments()
    needs(chosen)
    about = report.about(chosen)
    with (
        tempfile.TemporaryDirectory(prefix="envoy-bedrock-bench-") as folder,
        contextlib.ExitStack() as running,
    ):
        folder = Path(folder)
        unary, stream = free_port(), free_port()
        streams.serve(stream)
        upstream = envoys.Envoy("upstream", envoys.upstream(unary), unary, folder)
        running.callback(upstream.stop)
        upstream.wait()
        if chosen.instructions:
            counted = instructions.count(variants(chosen, folder, unary, stream), folder, progress)
            print(report.instructions_table(counted))
            return
        compared, with_keys = start(chosen, folder, running, unary, stream)
        raw = (
            about
            | measure_unary(chosen, compared)
            | measure_streams(chosen, compared)
            | measure_keys(chosen, with_keys)
        )
    results = envoys.ROOT / "bench/results"
    results.mkdir(exist_ok=True)
    (results / "latest.json").write_text(json.dumps(raw, indent=1))
    print(report.page(raw))
    if chosen.write:
        (envoys.ROOT / "bench/RESULTS.md").write_text(report.page(raw))
    progress("raw figures: bench/results/latest.json")


if __name__ == "__main__":
    main()
