"""Runs PostgreSQL."""

import os
import pathlib
import shutil
import subprocess
import tempfile
import time

from emulator import ROOT
from gateway import free_port
from processes import end

START_SECONDS = 60
PASSWORD = "a-password-of-the-database"
# A server refuses to run as root.
UNPRIVILEGED = "nobody"


def programs() -> pathlib.Path:
    found = subprocess.run(
        [ROOT / "tests/support/postgresql"], stdout=subprocess.PIPE, text=True, check=True
    )
    return pathlib.Path(found.stdout.strip())


class PostgreSql:
    """A running server with one empty database. Use it in a `with`.

    It accepts connections over TCP with the password only, and over TLS too if there is a
    `certificate`: the files with its chain and key.
    """

    def __init__(self, certificate=None):
        self.programs = programs()
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="postgresql-"))
        self.port = free_port()
        self.environment = {**os.environ, "PGPASSWORD": PASSWORD, "LC_ALL": "C.UTF-8"}
        # Debian's packages, if they are unpacked and not installed, have some of the libraries.
        if (root := self.programs.parents[4]) != pathlib.Path("/"):
            libraries = [*root.glob("usr/lib/*-linux-gnu"), *root.glob("lib/*-linux-gnu")]
            self.environment["LD_LIBRARY_PATH"] = ":".join(map(str, libraries))
        self.user = UNPRIVILEGED if os.geteuid() == 0 else None
        (self.folder / "password").write_text(PASSWORD)
        settings = ["fsync=off", "jit=off", "listen_addresses=127.0.0.1", f"port={self.port}"]
        settings += [f"unix_socket_directories={self.folder}"]
        settings += ["log_connections=on", "log_statement=all", "log_line_prefix=%a|"]
        if certificate:
            for source, name in zip(certificate, ("chain.pem", "key.pem"), strict=True):
                shutil.copy(source, self.folder / name)
                (self.folder / name).chmod(0o600)
            settings += ["ssl=on", f"ssl_cert_file={self.folder}/chain.pem"]
            settings += [f"ssl_key_file={self.folder}/key.pem"]
        if self.user:
            for path in [self.folder, *self.folder.iterdir()]:
                shutil.chown(path, self.user)
        data = self.folder / "data"
        command = ["--auth=scram-sha-256", "--username=postgres", "--encoding=UTF8"]
        self.run("initdb", *command, f"--pwfile={self.folder}/password", "-D", data)
        options = [option for setting in settings for option in ("-c", setting)]
        with open(self.folder / "log", "wb") as log:
            self.process = subprocess.Popen(
                [self.programs / "postgres", "-D", data, *options],
                stdout=log,
                stderr=log,
                env=self.environment,
                user=self.user,
                cwd="/",
            )
        try:
            self.wait()
        except BaseException:
            self.stop()
            raise

    def run(self, program, *arguments):
        done = subprocess.run(
            [self.programs / program, *map(str, arguments)],
            capture_output=True,
            text=True,
            env=self.environment,
            user=self.user,
            cwd="/",
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    def wait(self):
        deadline = time.monotonic() + START_SECONDS
        while True:
            try:
                self.psql("select 1")
                return
            except AssertionError:
                if self.process.poll() is not None or time.monotonic() > deadline:
                    raise
                time.sleep(0.1)

    def psql(self, *commands) -> str:
        """What psql prints: rows without a header, one on each line."""
        options = [option for command in commands for option in ("-c", command)]
        where = ["-h", "127.0.0.1", "-p", self.port, "-U", "postgres"]
        return self.run("psql", *where, "-X", "-A", "-t", "-q", "-v", "ON_ERROR_STOP=1", *options)

    def url(self, parameters="", password=PASSWORD, host="127.0.0.1") -> str:
        return f"postgresql://postgres:{password}@{host}:{self.port}/postgres{parameters}"

    def log(self) -> list:
        return (self.folder / "log").read_text(encoding="utf-8").splitlines()

    def statements(self, application: str) -> list:
        """What an application has executed."""
        start = f"{application}|LOG:  statement: "
        return [line.removeprefix(start) for line in self.log() if line.startswith(start)]

    def uses_tls(self, application: str) -> bool:
        """Whether the last connection of an application was encrypted."""
        name = f" application_name={application}"
        lines = [f"{line} " for line in self.log() if "|LOG:  connection authorized: " in line]
        return " SSL enabled" in [line for line in lines if f"{name} " in line][-1]

    def stop(self):
        end(self.process)
        shutil.rmtree(self.folder)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()
