"""docs/clients.md shows what is tested: the snippets byte for byte, and the installed versions."""

import json
import re

import installed
from emulator import ROOT
from installed import HERE
from running import SNIPPETS

PAGE = (ROOT / "docs" / "clients.md").read_text(encoding="utf-8")
BLOCK = re.compile(r"^```\w+\n(.*?)^```$", re.MULTILINE | re.DOTALL)
# The rows of the table at the top, by link, and the package whose version each row shows.
PACKAGES = {
    "boto3": ("boto3", "boto3"),
    "aioboto3": ("aioboto3", "aioboto3"),
    "aws-cli": ("awscli", "awscli"),
    "aws-sdk-for-javascript": ("sdks", "@aws-sdk/client-bedrock-runtime"),
    "aws-sdk-for-rust": ("rust", "aws-sdk-bedrockruntime"),
    "anthropic-sdk-for-python": ("anthropic", "anthropic"),
    "anthropic-sdk-for-typescript": ("sdks", "@anthropic-ai/bedrock-sdk"),
    "claude-code": ("claude-code", "@anthropic-ai/claude-code"),
    "langchain": ("langchain", "langchain-aws"),
    "llamaindex": ("llamaindex", "llama-index-llms-bedrock-converse"),
    "strands-agents": ("strands", "strands-agents"),
    "pydantic-ai": ("pydantic-ai", "pydantic-ai-slim"),
    "haystack": ("haystack", "amazon-bedrock-haystack"),
    "instructor": ("instructor", "instructor"),
    "vercel-ai-sdk": ("sdks", "@ai-sdk/amazon-bedrock"),
    "litellm-sdk": ("litellm", "litellm"),
    "agno": ("agno", "agno"),
    "mem0": ("mem0", "mem0ai"),
}


def pinned(group: str, package: str) -> str:
    """The version of `package` that `group` installs."""
    if group == "rust":
        lock = (HERE / "rust" / "Cargo.lock").read_text(encoding="utf-8")
        return re.search(rf'name = "{re.escape(package)}"\nversion = "(.+)"', lock).group(1)
    if package.startswith("@"):
        lock = json.loads((HERE / "npm" / group / "package-lock.json").read_text(encoding="utf-8"))
        return lock["packages"][f"node_modules/{package}"]["version"]
    pins = (HERE / "requirements" / f"{group}.txt").read_text(encoding="utf-8")
    return re.search(rf"^{re.escape(package)}(?:\[.*\])?==(\S+)", pins, re.MULTILINE).group(1)


def rows() -> list:
    """The cells of the table at the top."""
    lines = [line for line in PAGE.splitlines() if line.startswith("| [")]
    return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines]


def link(row: list) -> str:
    return re.search(r"\(#(.+?)\)", row[0]).group(1)


def test_the_page_shows_every_snippet_and_no_other_code():
    printed = BLOCK.findall(PAGE)
    files = {path.read_text(encoding="utf-8"): path.name for path in SNIPPETS.iterdir()}
    unknown = [text for text in printed if text not in files]
    assert unknown == [], (
        "these blocks of docs/clients.md do not match a file in tests/clients/snippets"
    )
    assert sorted(files[text] for text in printed) == sorted(files.values())


def test_the_table_shows_the_installed_versions():
    wrong = {}
    for row in rows():
        if link(row) in PACKAGES and row[1] != (expected := pinned(*PACKAGES[link(row)])):
            wrong[row[0]] = f"{row[1]}, but {expected} is installed"
    assert wrong == {}
    assert {link(row) for row in rows()} == {*PACKAGES, "curl"}


def test_every_row_leads_to_a_section():
    headings = {
        re.sub(r"[^a-z0-9 -]", "", line[3:].lower()).replace(" ", "-")
        for line in PAGE.splitlines()
        if line.startswith("## ")
    }
    assert {link(row) for row in rows()} <= headings


def test_lock_files_name_no_registry():
    locks = [*HERE.glob("npm/*/package-lock.json"), *HERE.glob("requirements/*.txt")]
    assert locks
    for path in locks:
        assert (
            '"resolved"' not in (text := path.read_text(encoding="utf-8"))
            and "index-url" not in text
        ), path.name


def test_a_missing_tool_is_named(monkeypatch):
    monkeypatch.setenv("PATH", "/nonexistent")
    try:
        found = installed.tool("node", "Node.js 20 or newer")
    except installed.MissingTool as missing:
        found = str(missing)
    assert found == "the command node is not on the PATH: install Node.js 20 or newer"
