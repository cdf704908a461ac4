"""Installs each group of clients separately, when a test first needs it.

The installations stay in `target/clients` until their pinned versions change.
"""

import functools
import hashlib
import os
import pathlib
import shutil
import subprocess
import sys

from gateway import target

HERE = pathlib.Path(__file__).resolve().parent
STATE = pathlib.Path(os.environ.get("CLIENTS_TEST_STATE", target().absolute() / "clients"))
PYTHON_LEAST, NODE_LEAST = (3, 11), 20
INSTALL_SECONDS = 600


class MissingTool(Exception):
    """A tool that the machine must provide is missing."""


def tool(name: str, package: str) -> str:
    """The path of a command that the machine must provide."""
    found = shutil.which(name)
    if found is None:
        raise MissingTool(f"the command {name} is not on the PATH: install {package}")
    return found


@functools.cache
def node() -> str:
    """The path of Node.js, in a version that the packages support."""
    found = tool("node", f"Node.js {NODE_LEAST} or newer")
    version = run([found, "--version"]).stdout.strip()
    if int(version.lstrip("v").split(".")[0]) < NODE_LEAST:
        raise MissingTool(f"Node.js {version} is too old: install version {NODE_LEAST} or newer")
    return found


def run(command, **options) -> subprocess.CompletedProcess:
    """Runs an installer. Fails with its output."""
    done = subprocess.run(
        [str(word) for word in command],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=INSTALL_SECONDS,
        **options,
    )
    if done.returncode:
        said = (done.stderr.strip() or done.stdout.strip())[-4000:]
        name = pathlib.Path(str(command[0])).name
        raise RuntimeError(f"{name} exited with {done.returncode}: {said}")
    return done


def fresh(folder: pathlib.Path, *inputs: pathlib.Path, also="") -> pathlib.Path | None:
    """The stamp to write once `folder` is built from `inputs`. None if it is up to date."""
    digest = hashlib.sha256(also.encode())
    for each in inputs:
        digest.update(each.read_bytes())
    stamp = folder / f"installed-{digest.hexdigest()[:16]}"
    if stamp.exists():
        return None
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return stamp


@functools.cache
def uv() -> pathlib.Path:
    """The installer of the Python clients: faster than pip, and environments share files."""
    if sys.version_info < PYTHON_LEAST:
        raise MissingTool(
            f"Python {sys.version.split()[0]} is too old: install version 3.11 or newer and remove "
            ".venv"
        )
    folder, pins = STATE / "uv", HERE / "requirements" / "uv.txt"
    if stamp := fresh(folder, pins, also=sys.version):
        run([sys.executable, "-m", "venv", folder])
        run(
            [
                folder / "bin" / "pip",
                "install",
                "--quiet",
                "--disable-pip-version-check",
                "--requirement",
                pins,
            ]
        )
        stamp.touch()
    return folder / "bin" / "uv"


@functools.cache
def python(group: str) -> pathlib.Path:
    """The folder of commands of the virtual environment with requirements/`group`.txt."""
    folder, pins = STATE / "venvs" / group, HERE / "requirements" / f"{group}.txt"
    if stamp := fresh(folder, pins, also=sys.version):
        environment = {
            "UV_CACHE_DIR": str(STATE / "uv-cache"),
            **os.environ,
            "VIRTUAL_ENV": str(folder),
        }
        run(
            [uv(), "venv", "--quiet", "--allow-existing", "--python", sys.executable, folder],
            env=environment,
        )
        run([uv(), "pip", "sync", "--quiet", "--compile-bytecode", pins], env=environment)
        stamp.touch()
    return folder / "bin"


@functools.cache
def npm(group: str) -> pathlib.Path:
    """A folder with the node_modules of npm/`group`."""
    folder, source = STATE / "npm" / group, HERE / "npm" / group
    lists = [source / "package.json", source / "package-lock.json"]
    if stamp := fresh(folder, *lists, also=run([node(), "--version"]).stdout):
        for each in lists:
            shutil.copy(each, folder)
        run([tool("npm", "npm"), "ci", "--ignore-scripts", "--no-audit", "--no-fund"], cwd=folder)
        stamp.touch()
    return folder


@functools.cache
def claude_code() -> pathlib.Path:
    """The folder with the command `claude`.

    An install script of the package puts the binary there. npm does not run it by default.
    """
    folder = npm("claude-code")
    run([node(), folder / "node_modules" / "@anthropic-ai" / "claude-code" / "install.cjs"])
    return folder / "node_modules" / ".bin"


def commands(group: str) -> pathlib.Path:
    """The folder with the command that a shell script of this group calls."""
    match group:
        case "curl":
            return pathlib.Path(tool("curl", "curl")).parent
        case "claude-code":
            return claude_code()
        case _:
            return python(group)


@functools.cache
def rust() -> pathlib.Path:
    """The folder with the binaries of rust/. Cargo decides what is out of date."""
    run(
        [
            tool("cargo", "Rust with rustup"),
            "build",
            "--quiet",
            "--locked",
            "--manifest-path",
            HERE / "rust" / "Cargo.toml",
            "--target-dir",
            STATE / "rust",
        ]
    )
    return STATE / "rust" / "debug"
