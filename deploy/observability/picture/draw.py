"""Draws panels of a Grafana dashboard: same grid, titles, units and legends, another look."""

import re

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt
from matplotlib.patches import Rectangle
from matplotlib.ticker import FuncFormatter, MaxNLocator
from PIL import Image

BACKGROUND, PANEL, TEXT, DIM, GRID = "#111217", "#181b1f", "#d8d9da", "#8e9297", "#2c3235"
COLOURS = [
    "#73bf69",
    "#f2cc0c",
    "#5794f2",
    "#ff9830",
    "#f2495c",
    "#b877d9",
    "#37872d",
    "#e0b400",
    "#1f60c4",
    "#fa6400",
]
STAT = "#6ea6ff"
# Pixels of a column and a row of Grafana's grid, and the gap between panels.
COLUMN, ROW, GAP = 62, 30, 5
DPI = 100
# Colours in the file.
PALETTE = 128


def picture(path, note, rows, drawn, start, end):
    """Writes a PNG with all panels. `drawn` has pairs of a panel and its `__main__.results`."""
    height = max(panel["gridPos"]["y"] + panel["gridPos"]["h"] for panel, _ in drawn)
    wide, high = 24 * COLUMN, height * ROW + 34
    figure = plt.figure(figsize=(wide / DPI, high / DPI), dpi=DPI, facecolor=BACKGROUND)
    figure.text(8 / wide, 1 - 20 / high, note, color=DIM, fontsize=8.5)

    def place(panel):
        """The left, bottom, width and height of a panel in pixels."""
        at = panel["gridPos"]
        return (
            at["x"] * COLUMN,
            high - 34 - (at["y"] + at["h"]) * ROW,
            at["w"] * COLUMN,
            at["h"] * ROW,
        )

    for row in rows:
        left, bottom, _, _ = place(row)
        figure.text(
            (left + 8) / wide,
            (bottom + 9) / high,
            row["title"],
            color=TEXT,
            fontsize=10.5,
            weight="bold",
        )
    for panel, series in drawn:
        left, bottom, width, tall = place(panel)
        left, bottom, width, tall = left + GAP, bottom + GAP, width - 2 * GAP, tall - 2 * GAP
        figure.patches.append(
            Rectangle(
                (left / wide, bottom / high),
                width / wide,
                tall / high,
                facecolor=PANEL,
                transform=figure.transFigure,
                zorder=-1,
            )
        )
        figure.text(
            (left + 8) / wide, (bottom + tall - 17) / high, panel["title"], color=TEXT, fontsize=8.5
        )
        inside = [(left + 52) / wide, (bottom + 48) / high, (width - 66) / wide, (tall - 76) / high]
        {"stat": stat, "table": table, "timeseries": graph}[panel["type"]](
            figure, panel, series, inside, start
        )
    figure.savefig(path, facecolor=BACKGROUND)
    plt.close(figure)
    Image.open(path).convert("RGB").quantize(PALETTE).save(path, optimize=True)


def stat(figure, panel, series, inside, _):
    defaults = panel["fieldConfig"]["defaults"]
    value = series[0][2][-1][1] if series else 0.0
    text = shown(value, defaults["unit"], defaults.get("decimals"))
    steps = [
        step
        for step in defaults["thresholds"]["steps"]
        if step["value"] is None or value >= step["value"]
    ]
    colour = {"blue": STAT, "green": "#73bf69", "orange": "#ff9830", "red": "#f2495c"}[
        steps[-1]["color"]
    ]
    left, bottom, width, tall = inside
    figure.text(
        left + width / 2,
        bottom + tall * 0.2,
        text,
        color=colour,
        fontsize=20,
        ha="center",
        va="center",
    )


def graph(figure, panel, series, inside, start):
    axes = figure.add_axes(inside, facecolor=PANEL)
    unit = panel["fieldConfig"]["defaults"]["unit"]
    named = [
        (
            legend(target, names),
            [((at - start) / 60, value) for at, value in points if value == value],
        )
        for target, names, points in series
    ]
    named = [(name, points) for name, points in sorted(named, key=lambda each: each[0]) if points]
    if panel["fieldConfig"]["defaults"]["custom"]["stacking"]["mode"] == "normal":
        moments = sorted({at for _, points in named for at, _ in points})
        layers = [[dict(points).get(at, 0.0) for at in moments] for _, points in named]
        axes.stackplot(
            moments,
            layers,
            labels=[name for name, _ in named],
            colors=COLOURS,
            alpha=0.75,
            linewidth=0,
        )
    else:
        for (name, points), colour in zip(named, COLOURS * 3, strict=False):
            axes.plot(*zip(*points, strict=True), label=name, color=colour, linewidth=1.1)
    axes.set_xlim(left=0)
    axes.set_ylim(bottom=0, top=axes.get_ylim()[1] * 1.06 if axes.get_ylim()[1] > 0 else 1)
    axes.yaxis.set_major_locator(MaxNLocator(5))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: shown(value, unit)))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:.0f} min"))
    axes.xaxis.set_major_locator(MaxNLocator(5, integer=True))
    axes.tick_params(colors=DIM, labelsize=7, length=0)
    axes.set_axisbelow(True)
    axes.grid(color=GRID, linewidth=0.6)
    for spine in axes.spines.values():
        spine.set_visible(False)
    if named:
        axes.legend(
            loc="upper left",
            bbox_to_anchor=(-48 / (inside[2] * 24 * COLUMN), -0.11),
            labelcolor=TEXT,
            fontsize=6.5,
            ncol=columns([name for name, _ in named], inside),
            frameon=False,
            handlelength=1,
            columnspacing=1,
            handletextpad=0.4,
        )


def table(figure, panel, series, inside, _):
    """The rows of the queries, merged by their labels, the most expensive first."""
    values = {}
    for target, names, points in series:
        row = values.setdefault((names["key_alias"], names["model_group"], names["region"]), {})
        row[target["refId"]] = points[-1][1]
    rows = sorted(values.items(), key=lambda each: -each[1].get("A", 0))[:6]
    cells = [
        [*names, shown(row.get("A", 0), "currencyUSD", 4), shown(row.get("B", 0), "short")]
        for names, row in rows
    ]
    left, bottom, width, tall = inside
    top = bottom + tall * 0.96
    for number, line in enumerate([["Key", "Model", "Region", "Spend", "Tokens"], *cells]):
        for column, text in enumerate(line):
            figure.text(
                left - 0.029 + width * 1.02 * column / 5,
                top - number * tall * 0.18,
                text,
                fontsize=8,
                va="center",
                color=DIM if number == 0 else TEXT,
            )


def legend(target, names) -> str:
    return re.sub(
        r"{{(\w+)}}", lambda match: names.get(match[1], ""), target["legendFormat"]
    ).strip()


def columns(names, inside) -> int:
    """How many columns of names fit."""
    return max(1, min(len(names), int(inside[2] * 24 * COLUMN / (34 + 5.2 * max(map(len, names))))))


def shown(value, unit, decimals=None) -> str:
    """A value roughly as Grafana formats it."""

    def number(value, places):
        text = f"{value:,.{places if decimals is None else decimals}f}"
        return text.rstrip("0").rstrip(".") if "." in text and decimals is None else text

    if unit == "percentunit":
        return f"{number(value * 100, 1)} %"
    if unit == "currencyUSD":
        return f"${number(value, 2)}"
    if unit == "ms":
        return f"{number(value / 1000, 2)} s" if abs(value) >= 1000 else f"{number(value, 1)} ms"
    if unit == "µs":
        return f"{number(value / 1000, 2)} ms" if abs(value) >= 1000 else f"{number(value, 1)} µs"
    for size, suffix in [(1e6, " Mil"), (1e3, " K")]:
        if abs(value) >= size and (decimals is None or abs(value) >= 1e4):
            return f"{value / size:.3g}{suffix}"
    return number(value, 2) + (" /s" if unit == "reqps" else "")
