"""Traces of a bank with the feature `otel`, taken by a collector that reads them with OpenTelemetry's own messages."""

import base64
import json
import os
import sys
import threading
import time
import unittest
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from unittest import mock

from google.protobuf import json_format
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

sys.path.insert(0, str(Path(__file__).resolve().parent))

import terminal as t  # noqa: E402
import test_interop as shared  # noqa: E402


def in_base64(text):
    """OTLP writes ids as hex digits, where the JSON of Protocol Buffers has base64."""
    return base64.b64encode(bytes.fromhex(text)).decode()


class Collector:
    """Takes traces as OTLP by HTTP; `status` is its next answers'."""

    def __init__(self):
        self.spans, self.texts, self.status = [], [], 200
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):
                text = self.rfile.read(int(self.headers["Content-Length"])).decode()
                if outer.status == 200:
                    outer.take(self.path, self.headers["Content-Type"], text)
                self.send_response(outer.status)
                self.send_header("Content-Length", "2")
                self.end_headers()
                self.wfile.write(b"{}")

            def log_message(self, *arguments):
                """Silent."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}/v1/traces"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def take(self, path, kind, text):
        """Every member must be one that OTLP has."""
        assert (path, kind) == ("/v1/traces", "application/json"), (path, kind)
        told = json.loads(text)
        for span in told["resourceSpans"][0]["scopeSpans"][0]["spans"]:
            for name in ("traceId", "spanId"):
                span[name] = in_base64(span[name])
        request = json_format.ParseDict(told, ExportTraceServiceRequest())
        [resource] = request.resource_spans
        attributes = {it.key: it.value.string_value for it in resource.resource.attributes}
        assert attributes["service.name"] == "tapfill-bank", attributes
        self.texts.append(text)
        self.spans += resource.scope_spans[0].spans

    def stop(self):
        self.server.shutdown()
        self.server.server_close()


def attributes(span):
    return {it.key: it.value.string_value or it.value.int_value for it in span.attributes}


class Traces(unittest.TestCase):
    """A bank and a collector."""

    def setUp(self):
        self.collector = Collector()
        self.addCleanup(self.collector.stop)
        text = shared.CONFIG + f'\n[otel]\nendpoint = "{self.collector.url}"\n'
        with mock.patch.object(shared, "CONFIG", text):
            self.bank = shared.Bank(3)
        self.addCleanup(self.bank.stop)
        self.terminal = t.Terminal(self.bank.profile)
        self.terminal.enrol()

    def named(self, name):
        """The spans of this name, once there are any."""
        for _ in range(200):
            if found := [span for span in self.collector.spans if span.name == name]:
                return found
            time.sleep(0.05)
        return self.fail(f"no span {name}")

    def test_each_request_is_a_span_and_names_nobody(self):
        before_ns = time.time_ns()
        self.terminal.fetch_key()
        self.terminal.send_sms(os.urandom(16), shared.SERIAL[-4:], shared.PHONE)
        self.terminal.security.call("POST", f"/v1/{shared.SERIAL}", b"")
        [sent] = self.named("POST /v1/sms/send")
        [strange] = self.named("POST other")
        self.assertEqual(attributes(sent)["http.response.status_code"], 200)
        self.assertEqual(attributes(sent)["tapfill.server"], "security")
        self.assertEqual(attributes(strange)["http.response.status_code"], 404)
        self.assertEqual((sent.kind, sent.status.code), (2, 0))
        self.assertEqual((len(sent.trace_id), len(sent.span_id), sent.parent_span_id), (16, 8, b""))
        self.assertLess(sent.start_time_unix_nano, sent.end_time_unix_nano)
        self.assertLess(before_ns - 10_000_000, sent.start_time_unix_nano)
        for secret in (shared.PHONE, shared.SERIAL, self.terminal.number):
            self.assertNotIn(secret, "".join(self.collector.texts))

    def test_a_collector_that_is_away_costs_nothing_but_spans(self):
        self.named("POST /v1/enrol")
        self.collector.status = 503
        began = time.monotonic()
        for _ in range(20):
            self.terminal.fetch_key()
        self.assertLess(time.monotonic() - began, 20)
        for _ in range(200):
            if "traces are not taken" in self.bank.log.read_text():
                break
            time.sleep(0.05)
        self.collector.status = 200
        self.terminal.query_key()
        self.named("POST /v1/key-query")

    def test_what_is_left_goes_out_when_the_bank_stops(self):
        self.terminal.fetch_key()
        self.bank.stop()
        self.named("POST /v1/working-key")


if __name__ == "__main__":
    unittest.main()
