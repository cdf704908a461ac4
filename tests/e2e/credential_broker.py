"""Runs `envoy-bedrock credentials`, the credential broker."""

import http.client
import json
import os
import pathlib
import re
import socket
import subprocess
import time

from gateway import command_line

ROLE = "arn:aws:iam::123456789012:role/bedrock"
OTHER = "arn:aws:iam::210987654321:role/other"
MODEL = "bedrock/us.anthropic.claude-3-5-sonnet-20240620-v1:0"
SECONDS = 30
BASE = {"ID": "AKIABASE000000000001", "SECRET": "base+secret/of/broker/test"}
KEYS = "aws_access_key_id: os.environ/ID, aws_secret_access_key: os.environ/SECRET"
PROFILE = f"""[profile team]
role_arn = {ROLE}
source_profile = base
[profile base]
aws_access_key_id = {BASE["ID"]}
aws_secret_access_key = {BASE["SECRET"]}
"""


class Broker:
    """A running broker. Use it in a `with`."""

    def __init__(self, folder: pathlib.Path, parameters: str, environment: dict, arguments=()):
        self.socket = folder / "b.sock"
        self._log = folder / "broker.log"
        config = folder / "config.yaml"
        config.write_text(config_of(parameters))
        clean = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
        with open(self._log, "wb") as log:
            self._process = subprocess.Popen(
                [command_line(), "credentials", config, "--socket", self.socket, *arguments],
                env={**clean, **environment},
                stderr=log,
            )
        rendered = subprocess.run(
            [command_line(), "render", config], capture_output=True, text=True, check=True
        )
        self.id = re.search(r'"brokered": {\s*"id": "([0-9a-f]{16})"', rendered.stdout)[1]

    def __enter__(self):
        self.wait(self.socket.exists, "listen")
        return self

    def __exit__(self, *_):
        self._process.terminate()
        assert self._process.wait(SECONDS) == 0

    def wait(self, condition, what: str):
        deadline = time.monotonic() + SECONDS
        while not condition():
            assert self._process.poll() is None, self.log()
            assert time.monotonic() < deadline, f"the broker does not {what}:\n{self.log()}"
            time.sleep(0.05)

    def log(self) -> str:
        return self._log.read_text()

    def get(self, path: str):
        """Status and body of a response."""
        connection = http.client.HTTPConnection("localhost", timeout=SECONDS)
        connection.sock = socket.socket(socket.AF_UNIX)
        connection.sock.connect(str(self.socket))
        connection.request("GET", path)
        response = connection.getresponse()
        return response.status, json.loads(response.read())

    def credential(self, more="") -> dict:
        """The credential, once it is there."""
        answers = []

        def is_there():
            answers.append(self.get(f"/credentials/{self.id}{more}"))
            return answers[-1][0] == 200

        self.wait(is_there, "have the credential")
        return answers[-1][1]


def config_of(parameters: str) -> str:
    return f"""
model_list:
  - model_name: m
    litellm_params: {{model: {MODEL}, aws_region_name: us-west-2, {parameters}}}
"""
