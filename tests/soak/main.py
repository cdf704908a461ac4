"""Drives `envoy-bedrock run` for a while and checks that no client notices what goes wrong."""

import argparse
import dataclasses
import json
import pathlib
import shutil
import sys
import tempfile

import criteria
import plot
import table
from configuration import LONG, REGIONS, SLOW, configuration
from emulator import Emulator
from gateway import CREDENTIALS, KEY
from phases import FULL_MINUTES, STORMS, phases
from reloading import Reloading
from soak import STREAM_SECONDS, Soak, progress

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[1]
RESULTS = HERE / "results"
DOCUMENT, PLOT = ROOT / "docs" / "soak.md", ROOT / "docs" / "soak.svg"
RESPONSE_MS = 20


def arguments():
    parser = argparse.ArgumentParser(
        prog="tests/soak/run",
        description=__doc__,
        epilog="The raw results go to tests/soak/results/ (not in git), the table to standard "
        "output. Exits with 1 if a criterion fails.",
    )
    parser.add_argument(
        "--minutes",
        type=float,
        default=FULL_MINUTES,
        help="length of the soak; phases have a minimum (default: %(default)s)",
    )
    parser.add_argument(
        "--without", default="", help=f"storms to leave out, from {', '.join(STORMS)}"
    )
    parser.add_argument(
        "--write", action="store_true", help="replace docs/soak.md and docs/soak.svg with this run"
    )
    chosen = parser.parse_args()
    chosen.without = [name for name in chosen.without.split(",") if name]
    if unknown := [name for name in chosen.without if name not in STORMS]:
        parser.error(f"--without: expected {', '.join(STORMS)}, but found {unknown[0]}")
    if chosen.minutes <= 0:
        parser.error(f"--minutes: expected more than 0, but found {chosen.minutes:g}")
    return chosen


def set_pace(emulator, minutes: float):
    """Responses take a moment; the long streams last a minute, or as long as the soak allows."""
    seconds = min(STREAM_SECONDS, 3 * minutes)
    emulator.pace(latency_ms=RESPONSE_MS)
    emulator.pace(latency_ms=RESPONSE_MS, events=40, interval_ms=100, model=SLOW)
    emulator.pace(
        latency_ms=RESPONSE_MS, events=60, interval_ms=int(seconds * 1000 / 60), model=LONG
    )


def soaked(minutes: float, chosen: list, folder: pathlib.Path) -> tuple:
    """The soak, and what is judged."""
    journal = RESULTS / "journal.jsonl"
    journal.write_text("")
    log = ("--log-limit", "0", "--journal", str(journal))
    with Emulator(REGIONS, *CREDENTIALS, *log) as emulator:
        set_pace(emulator, minutes)
        text = configuration(emulator, key=KEY)
        with Reloading(text, emulator, folder / "config.yaml") as gateway:
            soak = Soak(gateway, emulator, minutes, KEY)
            try:
                soak.run(chosen)
                soak.sampler.stop()
                counters = criteria.counters_of(gateway)
                if code := gateway.stop():
                    soak.fail(f"`run` ended with {code}")
            finally:
                for name in ("stderr", "spend.jsonl"):
                    shutil.copy(gateway.folder / name, RESULTS)
    lines = (RESULTS / "spend.jsonl").read_text(encoding="utf-8").split("\n")
    return soak, counters, [json.loads(line) for line in lines[:-1]], journal


def main() -> int:
    chosen = arguments()
    RESULTS.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="soak-") as folder:
        soak, counters, rows, journal = soaked(
            chosen.minutes, phases(chosen.minutes, chosen.without), pathlib.Path(folder)
        )
    judged = criteria.judge(soak, counters, rows, journal)
    raw = table.raw(soak, judged)
    (RESULTS / "soak.json").write_text(json.dumps(raw, indent=1))
    with open(RESULTS / "exchanges.jsonl", "w", encoding="utf-8") as lines:
        for exchange in soak.load.exchanges:
            cause = {"cause": judged.causes.get(exchange.id)}
            lines.write(json.dumps(dataclasses.asdict(exchange) | cause) + "\n")
    page = table.page(raw)
    print(page)
    plot.draw(raw, PLOT if chosen.write else RESULTS / "soak.svg")
    if chosen.write:
        DOCUMENT.write_text(page)
    failed = [each["name"] for each in raw["criteria"] if each["holds"] is False]
    progress(f"soak: failed: {'; '.join(failed)}" if failed else "soak: every criterion holds")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
