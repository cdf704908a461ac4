#!/usr/bin/env python3
"""Writes what PyYAML reads from each case.

Needed only to add or change a case. Needs PyYAML:

python3 -m venv pyyaml && pyyaml/bin/pip install pyyaml==6.0.3 && pyyaml/bin/python regenerate.py
"""

import json
import pathlib

import yaml

FOLDER = pathlib.Path(__file__).parent


def value(text):
    """As LiteLLM reads a file: opened as text, so each kind of line end is one line feed."""
    return yaml.safe_load(text.replace("\r\n", "\n").replace("\r", "\n"))


def shown(text):
    """Python's own notation, since JSON has neither dates nor keys that are numbers."""
    try:
        return repr(value(text))
    except (yaml.YAMLError, ValueError, KeyError):
        return "refused"


def main():
    for case in sorted((FOLDER / "same").glob("*.yaml")):
        expected = json.dumps(value(case.read_bytes().decode()), ensure_ascii=False, indent=1)
        case.with_suffix(".json").write_text(expected + "\n", encoding="utf-8")
    table = FOLDER / "differences.tsv"
    lines = table.read_text(encoding="utf-8").splitlines()
    for index, line in enumerate(lines[1:], start=1):
        source, _, rest = line.split("\t", 2)
        lines[index] = "\t".join([source, shown(json.loads(source)), rest])
    table.write_text("\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
