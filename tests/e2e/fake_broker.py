"""A credential broker that answers what a test wants, with credentials of the emulator."""

import contextlib
import datetime
import http.server
import json
import os
import socketserver
import tempfile
import threading
import time

from emulator import DEMO_API_KEY

ROLE = "arn:aws:iam::111122223333:role/team/reader"


class FakeBroker:
    """Issues credentials that live `lifetime_seconds`, and renews them at half of their life.

    Its Bedrock API key is the emulator's long-term one.

    `failures` maps a path, or "" for every other path, to a status and a body. No answer is sent
    while `answering` is cleared. `calls` are the paths with queries that were asked for, and
    `issued` the credentials by their key id.
    """

    def __init__(self, identity, lifetime_seconds=3600):
        self.identity, self.lifetime_seconds = identity, lifetime_seconds
        self.failures, self.calls, self.issued = {}, [], {}
        self.answering = threading.Event()
        self.answering.set()
        self._lock = threading.Lock()
        self._held = {}
        self._folder = tempfile.TemporaryDirectory(prefix="broker-")
        self.socket = os.path.join(self._folder.name, "socket")
        self._server = None
        self.start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.answering.set()
        self.stop()
        self._folder.cleanup()

    def start(self):
        broker = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self):
                if not broker.is_running():
                    self.close_connection = True
                    return
                status, answer = broker.answer(self.path)
                body = json.dumps(answer).encode()
                with contextlib.suppress(OSError):
                    self.send_response(status)
                    self.send_header("content-length", str(len(body)))
                    self.end_headers()
                    self.wfile.write(body)

            def address_string(self):
                return "socket"

            def log_message(self, *_):
                pass

        class Server(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
            daemon_threads = True
            block_on_close = False

        self._server = Server(self.socket, Handler)
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def is_running(self) -> bool:
        return self._server is not None

    def stop(self):
        """Stops listening. Connections that are open end with their next request."""
        if self._server:
            server, self._server = self._server, None
            server.shutdown()
            server.server_close()
            os.unlink(self.socket)

    def answer(self, target: str):
        path, _, query = target.partition("?")
        with self._lock:
            self.calls.append(target)
        self.answering.wait()
        with self._lock:
            failure = self.failures.get(path, self.failures.get(""))
            if failure:
                status, code = failure
                return status, {"code": code, "message": f"{ROLE}: {code}: ask the administrator"}
            if path.startswith("/bearer/"):
                return 200, {"Token": DEMO_API_KEY, "Expiration": "2100-01-01T00:00:00Z"}
            held, renew_at = self._held.get(path, (None, 0))
            is_rejected = held and query == f"rejected={held['AccessKeyId']}"
            if held is None or time.time() >= renew_at or is_rejected:
                held = self.identity.issue(ROLE, self.lifetime_seconds)
                self.issued[held["AccessKeyId"]] = held
                expires = datetime.datetime.fromisoformat(held["Expiration"]).timestamp()
                self._held[path] = (held, (time.time() + expires) / 2)
            return 200, held
