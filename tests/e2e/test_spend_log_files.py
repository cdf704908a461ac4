"""The file of the spend log: rotation, a full disk, and a crash of Envoy."""

import json
import os
import shutil
import signal
import threading

import requests

from supervised import Supervised, eventually

CLIENTS = 4


class Load:
    """Clients that send requests one after another, each with its own id."""

    def __init__(self, running: Supervised):
        self.running = running
        self.sent = []
        self.errors = []
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._client, args=(i,)) for i in range(CLIENTS)]

    def __enter__(self):
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def _client(self, number: int):
        count = 0
        while not self._stop.is_set():
            name = f"client-{number}-{count}"
            response = self.running.post(headers={"x-litellm-call-id": name})
            (self.sent if response.status_code == 200 else self.errors).append(name)
            count += 1

    def wait_for(self, more: int):
        """Waits until `more` further requests were served."""
        target = len(self.sent) + more
        eventually(lambda: len(self.sent) >= target or self.errors, f"{more} more requests")
        assert self.errors == []


def ids(*paths) -> list:
    """The request ids in spend logs, every line of which must be a row."""
    text = "".join(path.read_text(encoding="utf-8") for path in paths)
    assert "\0" not in text and (not text or text.endswith("\n"))
    return [json.loads(line)["request_id"] for line in text.splitlines()]


def test_a_rotation_by_rename_and_sigusr1_loses_no_row():
    with Supervised() as running:
        rotated = []
        with Load(running) as load:
            for number in range(5):
                load.wait_for(20)
                rotated.append(running.spend_log.with_suffix(f".{number}"))
                running.spend_log.rename(rotated[-1])
                running.signal(signal.SIGUSR1)
                eventually(running.spend_log.exists, "a new spend log")
        running.signal(signal.SIGTERM)
        assert running.exit_code() == 0
        assert sorted(ids(running.spend_log, *rotated)) == sorted(load.sent)
        assert any(path.stat().st_size for path in rotated[1:])


def test_a_rotation_by_copying_and_truncating_leaves_no_hole():
    with Supervised() as running:
        copy = running.spend_log.with_suffix(".1")
        with Load(running) as load:
            load.wait_for(50)
            eventually(lambda: running.spend_log.stat().st_size, "rows in the spend log")
            before = ids_so_far(running)
            shutil.copy(running.spend_log, copy)
            os.truncate(running.spend_log, 0)
            load.wait_for(50)
            later = len(load.sent)
            load.wait_for(CLIENTS + 1)
        running.signal(signal.SIGTERM)
        assert running.exit_code() == 0
        # Rows that are written between the two calls are lost; no others are.
        kept = set(ids(running.spend_log)) | set(ids_of(copy.read_text(encoding="utf-8")))
        assert before <= kept and set(load.sent[later:]) <= kept


def ids_so_far(running: Supervised) -> set:
    return set(ids_of(running.spend_log.read_text(encoding="utf-8")))


def ids_of(text: str) -> list:
    """The request ids of complete lines: the last one may still be being written."""
    complete = text[: text.rfind("\n") + 1]
    return [json.loads(line)["request_id"] for line in complete.splitlines()]


def test_a_full_disk_is_reported_and_counted_and_stops_no_request(tmp_path):
    spend_log, elsewhere = tmp_path / "spend.jsonl", tmp_path / "elsewhere.jsonl"
    spend_log.symlink_to("/dev/full")
    with Supervised(spend_log=spend_log) as running:
        assert all(running.is_served() for _ in range(5))
        running.wait_for(r"error run: the spend log \S+ cannot be written, so rows are lost \(\d+ ")
        assert running.stat("filesystem.write_failed") > 0
        page = eventually(lambda: prometheus(running), "the metric")
        assert page["envoy_filesystem_write_failed"] > 0
        assert running.is_served()

        # The disk has space again.
        spend_log.unlink()
        spend_log.symlink_to(elsewhere)
        running.signal(signal.SIGUSR1)
        eventually(elsewhere.exists, "the new file")
        assert running.post(headers={"x-litellm-call-id": "later"}).status_code == 200
        running.wait_for(r"warning run: the spend log \S+ can be written again; rows were lost")
        assert "later" in ids(elsewhere)


def prometheus(running: Supervised) -> dict:
    text = requests.get(f"{running.admin}/stats/prometheus", timeout=10).text
    lines = [line.split() for line in text.splitlines() if "filesystem" in line]
    return {line[0].partition("{")[0]: float(line[1]) for line in lines if line[0][0] != "#"}


def test_rows_that_were_flushed_survive_a_crash():
    with Supervised() as running:
        assert all(running.is_served() for _ in range(10))
        eventually(lambda: len(running.rows()) == 10, "flushed rows")
        running.kill_envoy()
        running.wait_for("Envoy serves again")
        assert running.is_served()
        eventually(lambda: len(running.rows()) == 11, "the row of the new Envoy")
