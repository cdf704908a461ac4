"""Every snippet of docs/clients.md, run as printed."""

import pytest

import installed
from catalogue import CONFIGURATIONS, SNIPPETS, Snippet
from running import SNIPPETS as FOLDER
from running import Running

REPLY = "heard: Hello"


def command(snippet: Snippet, gateway: Running, tmp_path) -> tuple:
    """The command line of a snippet, and the folders that its PATH needs."""
    source = FOLDER / snippet.file
    match source.suffix:
        case ".py":
            folder = installed.python(snippet.group)
            return [folder / "python", gateway.copy(source, tmp_path)], [folder]
        case ".sh":
            return ["sh", gateway.copy(source, tmp_path)], [installed.commands(snippet.group)]
        case ".rs":
            return [installed.rust() / source.stem], []
        case ".mjs":
            return [
                installed.node(),
                gateway.copy(source, installed.npm(snippet.group) / "run"),
            ], []
    raise ValueError(f"no way to run a snippet with this suffix: {source.name}")


@pytest.mark.parametrize("snippet", SNIPPETS, ids=lambda snippet: snippet.file)
def test_a_documented_snippet_works(gateway, tmp_path, snippet):
    line, path = command(snippet, gateway, tmp_path)
    printed = gateway.client(line, transport=snippet.transport, path=path)
    assert printed.count(REPLY) == snippet.printed, printed
    seen = tuple(entry["operation"] for entry in gateway.emulator.quiet_log())
    assert (seen[-len(snippet.operations) :] if snippet.probes else seen) == snippet.operations


def test_every_snippet_is_run():
    assert sorted(path.name for path in FOLDER.iterdir()) == sorted(
        [snippet.file for snippet in SNIPPETS] + CONFIGURATIONS
    )
