"""A session tells its story as spans to the collector that the environment names."""

import gzip
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
import yaml
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from tests.live import run_cli
from tests.trading.market import recipe, replay, write_bars

NAMES = {
    "paper.session.run",
    "paper.session.bar",
    "paper.session.submit_order",
    "broker.connect",
    "broker.submit_order",
    "broker.cancel_order",
    "broker.query_positions",
    "broker.query_account",
}


@pytest.fixture
def collector():
    """An OTLP collector on loopback: its address, and the spans that it was sent."""
    spans = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            body = self.rfile.read(int(self.headers["Content-Length"]))
            if self.headers.get("Content-Encoding") == "gzip":
                body = gzip.decompress(body)
            for resource in ExportTraceServiceRequest.FromString(body).resource_spans:
                for scope in resource.scope_spans:
                    spans.extend(scope.spans)
            self.send_response(200)
            self.end_headers()

        def log_message(self, *arguments):
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}", spans
    server.shutdown()


def test_each_span_of_a_session_names_the_venue(live_stack, collector, tmp_path):
    address, spans = collector
    config = tmp_path / "recipe.yaml"
    config.write_text(yaml.safe_dump(recipe(replay(write_bars(tmp_path / "bars.csv", minutes=60)))))
    environment = {**live_stack.environment, "OTEL_EXPORTER_OTLP_ENDPOINT": address}
    done = run_cli(environment, "paper", "run", "--config", str(config), "--json")
    assert done.returncode == 0, done.stderr
    ours = [span for span in spans if span.name.startswith(("paper.", "broker."))]
    assert {span.name for span in ours} >= NAMES
    for span in ours:
        assert {one.key: one.value.string_value for one in span.attributes}["broker.venue"] == "sim"
    bars = json.loads(done.stdout)["bars"]
    assert len([span for span in ours if span.name == "paper.session.bar"]) == bars
