"""Connections to the gateway: HTTP/1.1 and HTTP/2, plain and over TLS.

Each thread has its own connections and uses one at a time, as a client with a pool does. A
connection that the gateway closed while it was idle is replaced before the next request.
"""

import contextlib
import http.client
import select
import socket
import ssl
import urllib.parse

import httpx

PLAIN, TLS, H2C, H2 = PROTOCOLS = ("h1", "h1+tls", "h2", "h2+tls")
PIECE_BYTES = 65_536


class Transport:
    """The connections of one thread."""

    def __init__(self, gateway, timeout: float):
        self.urls = {
            protocol: gateway.tls_url if protocol.endswith("tls") else gateway.url
            for protocol in PROTOCOLS
        }
        self.timeout = timeout
        # httpx adds its protocols to a context, so it gets a new one.
        self.context, self.context_of_http2 = (
            ssl.create_default_context(cafile=str(gateway.ca_file)) for _ in range(2)
        )
        self.kept: dict = {}
        self.sockets: dict = {}

    @contextlib.contextmanager
    def exchange(self, protocol: str, method: str, path: str, headers: dict, body: bytes):
        """Sends a request and yields the reply. A failed connection is not used again."""
        reply = None
        if protocol in self.kept and is_closed(self.sockets.get(protocol)):
            self.drop(protocol)
        try:
            if protocol in (H2C, H2):
                reply = self._http2(protocol, method, path, headers, body)
            else:
                reply = self._http1(protocol, method, path, headers, body)
            yield reply
        except BaseException:
            self.drop(protocol)
            raise
        finally:
            if reply and not reply.close():
                self.drop(protocol)

    def _http1(self, protocol, method, path, headers, body):
        kept = self.kept.get(protocol)
        if not kept:
            host = urllib.parse.urlsplit(self.urls[protocol]).netloc
            kept = self.kept[protocol] = (
                http.client.HTTPSConnection(host, timeout=self.timeout, context=self.context)
                if protocol == TLS
                else http.client.HTTPConnection(host, timeout=self.timeout)
            )
        kept.request(method, path, body, headers)
        self.sockets[protocol] = kept.sock
        return Http1Reply(kept.getresponse())

    def _http2(self, protocol, method, path, headers, body):
        if protocol not in self.kept:
            self.kept[protocol] = httpx.Client(
                base_url=self.urls[protocol],
                http1=False,
                http2=True,
                verify=self.context_of_http2,
                timeout=self.timeout,
                trust_env=False,
                headers={"user-agent": ""},
            )
        client = self.kept[protocol]
        request = client.build_request(method, path, headers=headers, content=body)
        response = client.send(request, stream=True)
        self.sockets[protocol] = response.extensions["network_stream"].get_extra_info("socket")
        return Http2Reply(response)

    def drop(self, protocol: str):
        self.sockets.pop(protocol, None)
        if kept := self.kept.pop(protocol, None):
            kept.close()

    def close(self):
        for protocol in list(self.kept):
            self.drop(protocol)


class Http1Reply:
    def __init__(self, response: http.client.HTTPResponse):
        self.response = response
        self.status = response.status
        self.headers = {name.lower(): value for name, value in response.getheaders()}

    def pieces(self):
        while piece := self.response.read1(PIECE_BYTES):
            yield piece
        # `read1` also returns nothing when the connection breaks off.
        if self.response.length:
            raise http.client.IncompleteRead(b"", self.response.length)
        self.response.read()

    def close(self) -> bool:
        """Whether the connection can be used again."""
        is_read = self.response.isclosed() and not self.response.length
        keeps = not self.response.will_close
        self.response.close()
        return is_read and keeps


class Http2Reply:
    def __init__(self, response: httpx.Response):
        self.response = response
        self.status = response.status_code
        self.headers = dict(response.headers)

    def pieces(self):
        yield from self.response.iter_raw()

    def close(self) -> bool:
        self.response.close()
        return True


def is_closed(idle: socket.socket | None) -> bool:
    """Whether the peer has closed an idle connection. httpx itself notices only when it writes."""
    if idle is None or idle.fileno() < 0:
        return True
    poll = select.poll()
    poll.register(idle, select.POLLRDHUP)
    return bool(poll.poll(0))
