"""What `envoy-bedrock run` does when Envoy ends.

A crash is reported and Envoy is started again on the same ports, until it happens too often. An
intended end ends the command. test_standby.py tests what a standby changes.
"""

import re
import signal

import pytest
import requests

from emulator import ROOT
from supervised import Supervised, eventually


def test_a_killed_envoy_is_reported_and_started_again_on_the_same_ports():
    with Supervised("--no-standby") as running:
        assert running.is_served()
        admin, control = running.admin, running.control
        running.kill_envoy()
        running.wait_for(
            r"error run: Envoy was killed by SIGKILL; restarting it at once \(restart 1"
        )
        eventually(running.is_served, "a response of the new Envoy")
        running.wait_for("Envoy serves again")
        assert requests.get(f"{admin}/ready", timeout=5).text.strip() == "LIVE"
        assert requests.get(f"{control}/health", timeout=5).status_code == 200
        assert running.output().count("RUNNING on") == 1


@pytest.mark.parametrize("arguments", [("--no-standby",), ()], ids=["restarts", "standby"])
def test_the_restarts_are_a_metric(tmp_path, arguments):
    path = tmp_path / "config.yaml"
    path.write_bytes((ROOT / "config.yaml").read_bytes())
    with Supervised(*arguments, config=path) as running:
        assert running.restarts() == 0
        for count in (1, 2):
            if not arguments:
                running.standby(count)
            running.kill_envoy()
            running.wait_for("Envoy serves again", count=count)
            eventually(lambda count=count: running.restarts() == count, f"{count} restarts")
        # A reload keeps the number.
        path.write_bytes(path.read_bytes() + b"litellm_settings: {num_retries: 5}\n")
        running.wait_for("the configuration was reloaded")
        assert running.restarts() == 2 and running.is_served()


def test_a_crash_is_reported_with_its_signal_and_the_last_lines_of_the_log():
    with Supervised("--no-standby") as running:
        running.kill_envoy(signal.SIGSEGV)
        report = r"Envoy was killed by SIGSEGV.*; the last lines of its log:\n(    .*\n)*"
        found = running.wait_for(report).group(0)
        assert "Caught Segmentation fault" in found and "Backtrace" in found
        eventually(running.is_served, "a response of the new Envoy")


@pytest.mark.parametrize("number, code", [(signal.SIGKILL, 137), (signal.SIGABRT, 134)])
def test_one_restart_more_than_the_limit_ends_the_command_with_128_plus_the_signal(number, code):
    with Supervised("--max-restarts", 1) as running:
        running.kill_envoy(number)
        running.wait_for("Envoy serves again")
        running.kill_envoy(number)
        assert running.exit_code() == code
        assert re.search(r"Envoy was killed by \w+.* and was restarted too often", running.log())


def test_without_restarts_the_first_crash_ends_the_command():
    with Supervised("--max-restarts", 0) as running:
        running.kill_envoy()
        assert running.exit_code() == 137
        assert "standby" not in running.log()


def test_a_restart_that_fails_counts_as_a_crash():
    with Supervised("--max-restarts", 2, "--no-standby") as running:
        running.certificate_copy().write_text("no certificate", encoding="utf-8")
        running.kill_envoy()
        assert running.exit_code() == 1
        refused = "Envoy refused the rendered configuration; restarting"
        assert running.log().count(refused) == 1
        assert "no certificate" not in running.log() and "certificate chain" in running.log()


def test_an_envoy_that_was_asked_to_end_ends_the_command_with_0():
    with Supervised() as running:
        requests.post(f"{running.admin}/quitquitquit", timeout=5)
        assert running.exit_code() == 0
        assert "warning run: Envoy was asked to end" in running.log()


def test_stopping_while_envoy_is_down_ends_the_command_with_0():
    with Supervised("--no-standby") as running:
        for count in (1, 2, 3):
            running.kill_envoy()
            running.wait_for("restarting it", count=count)
        running.signal(signal.SIGTERM)
        assert running.exit_code() == 0
