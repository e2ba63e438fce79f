"""An OpenTelemetry collector over loopback, which reads what comes by the standard's own messages."""

from __future__ import annotations

import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest


class Collector:
    """Takes what comes, by path; answers with `status`."""

    def __init__(self, status: int = 200):
        taken: list[tuple[str, bytes]] = []

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):
                taken.append((self.path, self.rfile.read(int(self.headers["Content-Length"]))))
                self.send_response(status)
                self.end_headers()

            def log_message(self, *_):
                pass

        self.taken = taken
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True).start()

    def close(self):
        self.server.shutdown()
        self.server.server_close()

    @property
    def spans(self):
        """Of the one trace that came: whose it is, and its spans by name."""
        (body,) = [body for path, body in self.taken if path == "/v1/traces"]
        (whole,) = ExportTraceServiceRequest.FromString(body).resource_spans
        return whole.resource, {span.name: span for scope in whole.scope_spans for span in scope.spans}

    @property
    def points(self):
        """The values of the metrics that came, by name and attributes."""
        (body,) = [body for path, body in self.taken if path == "/v1/metrics"]
        (whole,) = ExportMetricsServiceRequest.FromString(body).resource_metrics
        return {
            (metric.name, *(one.value.string_value for one in point.attributes)): point.as_double or point.as_int
            for scope in whole.scope_metrics
            for metric in scope.metrics
            for point in metric.gauge.data_points
        }
