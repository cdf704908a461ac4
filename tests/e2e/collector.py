"""An OpenTelemetry collector for tests: it receives logs over gRPC or HTTP and keeps them."""

import concurrent.futures
import dataclasses
import http.server
import ssl
import threading
import time

import grpc
from opentelemetry.proto.collector.logs.v1 import logs_service_pb2, logs_service_pb2_grpc

GRPC, HTTP = "grpc", "http/protobuf"
PATH = "/v1/logs"
WAIT_SECONDS = 20
THREADS = 8


@dataclasses.dataclass
class Record:
    """One log record, with the resource and headers of its batch."""

    body: str
    attributes: dict
    resource: dict
    headers: dict
    time_unix_nano: int


def strings(attributes) -> dict:
    """Attributes as Envoy sends them: strings, each key once."""
    found = {each.key: each.value.string_value for each in attributes}
    assert len(found) == len(attributes), f"duplicate keys: {attributes}"
    return found


class Collector:
    """A running collector on 127.0.0.1. Use it in a `with`, or call `stop`.

    `certificate` is the (chain, key) of a TLS listener, as paths. `port` reuses the port of another
    collector. A `silent` one receives requests and never responds.
    """

    def __init__(self, protocol, *, port=0, certificate=None, silent=False):
        self.protocol = protocol
        self.scheme = "https" if certificate else "http"
        self.records = []
        self.requests = 0
        self._lock = threading.Lock()
        self._ended = threading.Event()
        self._silent = silent
        start = self._start_grpc if protocol == GRPC else self._start_http
        self.port, self._end = start(port, certificate)
        self.url = f"{self.scheme}://localhost:{self.port}"

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()

    def stop(self):
        self._ended.set()
        self._end()

    def take(self, message: logs_service_pb2.ExportLogsServiceRequest, headers: dict):
        """Keeps the records of a request."""
        with self._lock:
            self.requests += 1
        if self._silent:
            self._ended.wait()
            return
        found = [
            Record(
                record.body.string_value,
                strings(record.attributes),
                strings(batch.resource.attributes),
                headers,
                record.time_unix_nano,
            )
            for batch in message.resource_logs
            for scope in batch.scope_logs
            for record in scope.log_records
        ]
        with self._lock:
            self.records += found

    def wait(self, enough) -> list:
        """The records, once `enough(records)` is true."""
        deadline = time.monotonic() + WAIT_SECONDS
        while time.monotonic() < deadline:
            with self._lock:
                found = list(self.records)
            if enough(found):
                return found
            time.sleep(0.02)
        raise AssertionError(f"only {len(found)} records arrived, the last: {found[-1:]}")

    # The two protocols.

    def _start_grpc(self, port, certificate):
        collector = self

        class Service(logs_service_pb2_grpc.LogsServiceServicer):
            def Export(self, request, context):
                collector.take(request, dict(context.invocation_metadata()))
                return logs_service_pb2.ExportLogsServiceResponse()

        server = grpc.server(
            concurrent.futures.ThreadPoolExecutor(THREADS), options=[("grpc.so_reuseport", 0)]
        )
        logs_service_pb2_grpc.add_LogsServiceServicer_to_server(Service(), server)
        address = f"127.0.0.1:{port}"
        if certificate:
            chain, key = (path.read_bytes() for path in certificate)
            bound = server.add_secure_port(address, grpc.ssl_server_credentials([(key, chain)]))
        else:
            bound = server.add_insecure_port(address)
        assert bound, f"cannot listen on {address}"
        server.start()
        return bound, lambda: server.stop(grace=None).wait()

    def _start_http(self, port, certificate):
        collector = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                body = b"".join(self.chunks())
                is_log = (
                    self.path == PATH and self.headers["content-type"] == "application/x-protobuf"
                )
                if is_log:
                    message = logs_service_pb2.ExportLogsServiceRequest.FromString(body)
                    collector.take(
                        message, {key.lower(): value for key, value in self.headers.items()}
                    )
                self.send_response(200 if is_log else 404)
                self.send_header("content-length", "0")
                self.end_headers()

            def chunks(self):
                """The body. Envoy sends it without a content-length."""
                assert self.headers["transfer-encoding"] == "chunked", self.headers
                while length := int(self.rfile.readline(), 16):
                    yield self.rfile.read(length)
                    self.rfile.readline()
                self.rfile.readline()

            def log_message(self, *_):
                pass

        server = http.server.ThreadingHTTPServer(("127.0.0.1", port), Handler)
        server.daemon_threads = True
        if certificate:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(*certificate)
            server.socket = context.wrap_socket(server.socket, server_side=True)
        threading.Thread(target=server.serve_forever, daemon=True).start()

        def end():
            server.shutdown()
            server.server_close()

        return server.server_address[1], end
