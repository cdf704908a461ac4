"""Checks that the files and headings that Markdown documents name exist.

Looks at relative links, and at paths in backticks that start with a directory of the repository.
Prints each one that is missing and exits with 1 if there are any.
"""

import os
import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
LINK = re.compile(r"\]\(([^)\s]+)\)")
PATH = re.compile(r"`((?:src|tools|tests|fuzz|bench|deploy|docs)/[\w./-]*)`")
BUILT = {"target", "dist", ".venv", ".envoy-bedrock", ".git", ".pytest_cache", "node_modules"}
FENCE = re.compile(r"^```.*?^```$", re.MULTILINE | re.DOTALL)


def anchors(text):
    """The anchors that GitHub gives to the headings of a document."""
    headings = re.findall(r"^#+ (.+)$", FENCE.sub("", text), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


def problems(root, documents):
    for name in documents:
        document = root / name
        text = FENCE.sub("", document.read_text(encoding="utf-8"))
        for target in LINK.findall(text):
            if re.match(r"\w+:", target):
                continue
            path, _, anchor = target.partition("#")
            linked = document.parent / path if path else document
            if not linked.exists():
                yield f"{name}: links to {path}, which does not exist"
            elif anchor and anchor not in anchors(linked.read_text(encoding="utf-8")):
                yield f"{name}: links to {target}, which has no such heading"
        for path in PATH.findall(text):
            if not (root / path).exists():
                yield f"{name}: names {path}, which does not exist"


def documents(root):
    """The Markdown files of the project, without what was built or installed."""
    for folder, folders, files in os.walk(root):
        folders[:] = sorted(set(folders) - BUILT)
        for name in files:
            if name.endswith(".md"):
                yield os.path.relpath(os.path.join(folder, name), root)


def main():
    found = list(problems(ROOT, documents(ROOT)))
    print("\n".join(found), end="\n" if found else "")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
