"""An upstream that answers over HTTP/1.1 with any bytes, which no HTTP library would send."""

import contextlib
import re
import socket
import threading

OK = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\r\n{}"
SERVICE_UNAVAILABLE = OK.replace(b"200 OK", b"503 Service Unavailable")


class HostileUpstream:
    """Sends `answer`, a list of pieces, to each request and then closes the connection.

    With `endless`, repeats that piece until the gateway closes the connection. Use it in a `with`.
    """

    def __init__(self):
        self.answer = [OK]
        self.endless = None
        self.requests = 0
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._socket.getsockname()[1]}"
        threading.Thread(target=self._accept, daemon=True).start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._socket.close()

    def set(self, *answer: bytes, endless=None):
        self.answer, self.endless, self.requests = answer, endless, 0

    def _accept(self):
        with contextlib.suppress(OSError):
            while True:
                opened, _ = self._socket.accept()
                threading.Thread(target=self._serve, args=(opened,), daemon=True).start()

    def _serve(self, opened: socket.socket):
        with opened, contextlib.suppress(OSError):
            self._read_request(opened)
            self.requests += 1
            answer, endless = self.answer, self.endless
            for piece in answer:
                opened.sendall(piece)
            while endless:
                opened.sendall(endless)

    def _read_request(self, opened: socket.socket):
        head, received = b"", b""
        while not head:
            received += opened.recv(65_536)
            head, _, _ = received.rpartition(b"\r\n\r\n")
        length = int(re.search(rb"content-length: (\d+)", head, re.IGNORECASE).group(1))
        missing = len(head) + 4 + length - len(received)
        while missing > 0:
            missing -= len(opened.recv(missing))
