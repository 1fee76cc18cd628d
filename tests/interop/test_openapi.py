"""The running bank against `docs/openapi.yaml`: schemathesis makes the requests, an outside terminal signs them."""

import json
import os
import re
import ssl
import sys
import unittest
from pathlib import Path
from unittest import mock

import jsonschema_rs
import requests
import schemathesis
import yaml
from hypothesis import HealthCheck, Phase, assume, given, settings
from requests.adapters import HTTPAdapter
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi import checks as openapi

sys.path.insert(0, str(Path(__file__).resolve().parent))

import envelope  # noqa: E402
import terminal as t  # noqa: E402
import test_interop as shared  # noqa: E402

PARSED = yaml.safe_load((shared.ROOT / "docs/openapi.yaml").read_text())
EXAMPLES = int(os.environ.get("TAPFILL_OPENAPI_EXAMPLES", "40"))
ANSWERS = settings(
    max_examples=EXAMPLES,
    deadline=None,
    derandomize=True,
    database=None,
    phases=(Phase.explicit, Phase.generate),
    suppress_health_check=list(HealthCheck),
)


def sent(body):
    """A body as it goes out. Whole numbers are written as such: JSON Schema calls 1.0 an integer, the bank does not."""
    if isinstance(body, bytes):
        return body
    if body is None or isinstance(body, (dict, list, str, int, float, bool)):
        return json.dumps(whole(body)).encode()
    return b""


def whole(value):
    if isinstance(value, dict):
        return {name: whole(it) for name, it in value.items()}
    if isinstance(value, list):
        return [whole(it) for it in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value


def allows(path, method, body):
    """Whether the document allows this JSON as a body."""
    place = f"/paths/{path.replace('/', '~1')}/{method.lower()}/requestBody/content/application~1json/schema"
    try:
        return jsonschema_rs.is_valid({**PARSED, "$ref": "#" + place}, json.loads(body))
    except ValueError:
        return False


class OwnAuthority(HTTPAdapter):
    """The chain ends in the bank's own authority."""

    def __init__(self, authority_pem):
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        self.context.load_verify_locations(cadata=authority_pem)
        super().__init__()

    def init_poolmanager(self, *args, **kwargs):
        """Called by the adapter's own constructor."""
        super().init_poolmanager(*args, ssl_context=self.context, **kwargs)


class OpenApi(unittest.TestCase):
    """One bank and one terminal for all operations."""

    @classmethod
    def setUpClass(cls):
        text = shared.CONFIG.replace("[limits]\n", "[limits]\nrequests_per_terminal_per_minute = 0\n")
        with mock.patch.object(shared, "CONFIG", text):
            cls.bank = shared.Bank(3)
        cls.terminal = t.Terminal(cls.bank.profile)
        cls.terminal.enrol()
        cls.schema = schemathesis.openapi.from_dict(PARSED)
        cls.session = requests.Session()
        cls.session.mount("https://", OwnAuthority(cls.bank.profile["authority_pem"]))
        cls.session.trust_env = False

    @classmethod
    def tearDownClass(cls):
        cls.session.close()
        findings = cls.bank.check()["findings"]
        cls.bank.stop()
        assert findings == [], findings

    def signed(self, path, body):
        """The headers of protocol.md, 3.2."""
        nonce, time_ms = os.urandom(16).hex(), t.now_ms()
        key, number = self.terminal.auth_key, self.terminal.number
        return {
            "Tapfill-Terminal": number, "Tapfill-Nonce": nonce, "Tapfill-Time": str(time_ms),
            "Tapfill-Mac": envelope.request_mac(key, path, number, nonce, time_ms, body).hex(),
        }

    def hold(self, path, method="POST", mode="positive"):
        """Every request that the document allows (or, negative, does not) is answered as it says; the statuses seen."""
        operation = self.schema[path][method]
        seen = set()
        server = "transaction_url" if path == "/v1/relay" else "security_url"
        mode = schemathesis.GenerationMode(mode)

        @given(case=operation.as_strategy(generation_mode=mode))
        @ANSWERS
        def run(case):
            body = sent(case.body)
            # Headers are this terminal's own: what is wrong with a request must be wrong with its body.
            assume(mode is schemathesis.GenerationMode.POSITIVE or not allows(path, method, body))
            kind = "application/octet-stream" if path == "/v1/relay" else "application/json"
            headers = {"Content-Type": kind}
            if path not in ("/v1/enrol", "/v1/relay", "/v1/health"):
                headers |= self.signed(path, body)
            url = self.bank.profile[server] + path
            answer = self.session.request(method, url, data=body, headers=headers, timeout=30)
            seen.add(answer.status_code)
            case.validate_response(answer, checks=CHECKS)

        run()
        return seen

    def test_every_operation_answers_as_it_is_written(self):
        """What the document allows is taken, or refused with a code."""
        for path, good in {
            "/v1/enrol": {403}, "/v1/working-key": {200}, "/v1/key-query": {200}, "/v1/packages": {200},
            "/v1/sms/send": {200, 400, 429}, "/v1/sms/verify": {403}, "/v1/limits": {200, 400}, "/v1/outcome": {200},
            "/v1/queue/send": {200, 400, 429}, "/v1/queue/open": {400, 403}, "/v1/queue/state": {403},
            "/v1/queue/close": {403}, "/v1/relay": {403},
        }.items():
            with self.subTest(path):
                seen = self.hold(path)
                self.assertLessEqual(seen, good, "no other answer to what is well formed")
        self.assertEqual(self.hold("/v1/health", "GET"), {200})

    def test_what_is_not_in_the_document_is_a_bad_request(self):
        """Bodies of any other form are refused, and by nothing but a 4xx."""
        for path in self.schema:
            if path in ("/v1/health", "/v1/relay"):
                continue
            with self.subTest(path):
                seen = self.hold(path, mode="negative")
                self.assertLessEqual(seen, {400, 403}, "never taken, never a failure of the bank's")

    def test_no_path_is_missing(self):
        """What the terminal of these tests calls is in the document, and what is there is served."""
        called = set()
        for source in ("terminal.py", "test_interop.py"):
            called |= set(re.findall("/v1/[a-z/-]+", (shared.HERE / source).read_text()))
        self.assertLessEqual(called, set(self.schema))
        for path in self.schema:
            methods = self.schema.raw_schema["paths"][path]
            method = "GET" if "get" in methods else "POST"
            server = "transaction_url" if path == "/v1/relay" else "security_url"
            answer = self.session.request(method, self.bank.profile[server] + path, data=b"", timeout=30)
            self.assertNotEqual(answer.status_code, 404, path)


CHECKS = [
    not_a_server_error,
    openapi.status_code_conformance,
    openapi.content_type_conformance,
    openapi.response_schema_conformance,
    openapi.response_headers_conformance,
]

if __name__ == "__main__":
    unittest.main()
