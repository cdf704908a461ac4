"""Draws the results of a soak: memory, requests and errors over time, with the storms shaded."""

import matplotlib as mpl
from matplotlib.figure import Figure

mpl.use("svg")
# The same input gives the same file. Text stays text, which keeps the file small.
mpl.rcParams.update(
    {
        "svg.hashsalt": "envoy-bedrock",
        "svg.fonttype": "none",
        "font.family": "sans-serif",
        "font.size": 9,
        "axes.spines.top": False,
        "axes.spines.right": False,
        "path.simplify_threshold": 0.5,
    }
)
BLUE, ORANGE, RED, GREY, SHADE = "#1f6fb4", "#b35900", "#c62828", "#6b7280", "#e5e9f0"
POINTS_MAX = 600


def draw(raw: dict, path):
    figure = Figure(figsize=(11, 7), layout="constrained")
    sizes, rates, errors = figure.subplots(3, 1, sharex=True, height_ratios=(3, 2, 1.2))
    # An opaque background is readable on light and dark pages.
    figure.set_facecolor("white")
    draw_memory(sizes, raw)
    draw_requests(rates, raw)
    draw_errors(errors, raw)
    for axes in (sizes, rates, errors):
        shade(axes, raw["phases"])
        axes.set_ylim(bottom=0)
        axes.grid(axis="y", color=SHADE, linewidth=0.6)
        axes.set_axisbelow(True)
    name_phases(sizes, raw["phases"])
    errors.set_xlabel("minutes")
    errors.set_xlim(0, max(phase["ended"] for phase in raw["phases"]) / 60)
    figure.savefig(path, metadata={"Date": None, "Creator": None})


def draw_memory(axes, raw: dict):
    samples = thinned(raw["memory"])
    minutes = [sample[0] / 60 for sample in samples]
    series = (("resident", 1, BLUE), ("private", 2, ORANGE), ("envoy-bedrock run", 3, GREY))
    for name, index, color in series:
        axes.plot(
            minutes, [sample[index] for sample in samples], color=color, linewidth=1.2, label=name
        )
    axes.set_ylabel("memory, MiB")
    axes.legend(loc="upper left", frameon=False, ncols=3)


def draw_requests(axes, raw: dict):
    seconds = thinned(raw["per_second"])
    axes.plot(
        [each[0] / 60 for each in seconds], [each[1] for each in seconds], color=BLUE, linewidth=0.8
    )
    axes.set_ylabel("requests per second")


def draw_errors(axes, raw: dict):
    for index, color, name in ((2, ORANGE, "provoked"), (3, RED, "unexplained")):
        found = [each for each in raw["per_second"] if each[index]]
        axes.vlines(
            [each[0] / 60 for each in found],
            0,
            [each[index] for each in found],
            color=color,
            linewidth=1,
            label=name,
        )
    axes.set_ylabel("errors per second")
    axes.legend(loc="upper left", frameon=False, ncols=2)


def shade(axes, phases: list):
    for phase in phases:
        if phase["is_storm"]:
            axes.axvspan(phase["started"] / 60, phase["ended"] / 60, color=SHADE, linewidth=0)


def name_phases(axes, phases: list):
    for phase in phases:
        axes.annotate(
            phase["name"],
            ((phase["started"] + phase["ended"]) / 120, 1),
            xycoords=("data", "axes fraction"),
            xytext=(0, 3),
            textcoords="offset points",
            rotation=35,
            ha="left",
            va="bottom",
            fontsize=8,
            annotation_clip=False,
        )


def thinned(samples: list) -> list:
    """Every n-th sample, so that a long soak is not a large file."""
    step = max(1, len(samples) // POINTS_MAX)
    return samples[::step]
