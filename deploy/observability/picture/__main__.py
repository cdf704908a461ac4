"""Draws docs/dashboard.png: the results of the dashboard's queries under mixed load.

It is not a screenshot. Prometheus, Envoy and the gateway are real, and the queries are those of the
dashboard. Bedrock is the emulator, and matplotlib draws instead of Grafana. Run it by hand, after
`make observability-test`:

    .venv/bin/pip install matplotlib
    PATH=$PATH:$(tests/support/prometheus) .venv/bin/python deploy/observability/picture
"""

import json
import pathlib
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parents[3]
sys.path[:0] = [str(ROOT / "tests/observability"), str(ROOT / "tests/e2e")]

from dashboard import DASHBOARD, substituted  # noqa: E402
from draw import picture  # noqa: E402
from emulator import Emulator  # noqa: E402
from gateway import CREDENTIALS, Gateway  # noqa: E402
from load import REGIONS, Load, configuration  # noqa: E402
from prometheus import Prometheus  # noqa: E402

SECONDS = 300
SCRAPE_SECONDS, RATE_SECONDS = 2, 20
NOTE = (
    "The queries of deploy/observability/grafana, run by Prometheus over five minutes of emulated "
    "load (us-west-2 throttles in the middle). Drawn by matplotlib; Grafana shows the same panels "
    "in its own style."
)


def results(prometheus, panel, start, end) -> list:
    """(target, labels, [(time, value)]) of each series of a panel; one time for instant queries."""
    found = []
    for target in panel["targets"]:
        query = substituted(
            target["expr"], range=f"{int(end - start)}s", rate_interval=f"{RATE_SECONDS}s"
        )
        if target["instant"]:
            found += [
                (target, names, [(end, value)])
                for names, value in prometheus.query(query, time=end)
            ]
            continue
        data = prometheus.call(
            "query_range", query=query, start=start, end=end, step=SCRAPE_SECONDS
        )
        for series in data["result"]:
            found.append(
                (target, series["metric"], [(at, float(value)) for at, value in series["values"]])
            )
    return found


def main():
    with (
        Emulator(REGIONS, *CREDENTIALS) as bedrock,
        Gateway(configuration(bedrock), metrics=True) as gateway,
        Prometheus([f"127.0.0.1:{gateway.metrics_port}"], f"{SCRAPE_SECONDS}s") as prometheus,
        Load(gateway, bedrock, SECONDS) as load,
    ):
        start = time.time()
        load.wait()
        end = time.time()
        panels = json.loads(DASHBOARD.read_text(encoding="utf-8"))["panels"]
        drawn = [
            (panel, results(prometheus, panel, start, end))
            for panel in panels
            if panel["type"] != "row"
        ]
    rows = [panel for panel in panels if panel["type"] == "row"]
    picture(ROOT / "docs/dashboard.png", NOTE, rows, drawn, start, end)


main()
