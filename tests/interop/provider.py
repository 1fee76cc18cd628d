"""A provider of SMS by HTTPS, whose answers a test chooses, and TLS in front of what has none."""

import asyncio
import datetime
import ipaddress
import json
import ssl
import tempfile
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID


class Authority:
    """A certificate for 127.0.0.1, as files; its own issuer."""

    def __init__(self):
        self.folder = tempfile.TemporaryDirectory(prefix="tapfill-authority-")
        self.pem, key_file = (Path(self.folder.name) / name for name in ("authority.pem", "key.pem"))
        key = ec.generate_private_key(ec.SECP256R1())
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "sms")])
        now = datetime.datetime.now(datetime.timezone.utc)
        names = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
        builder = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
        builder = builder.serial_number(x509.random_serial_number()).add_extension(names, False)
        builder = builder.not_valid_before(now - datetime.timedelta(days=1))
        made = builder.not_valid_after(now + datetime.timedelta(days=1)).sign(key, SHA256())
        self.pem.write_bytes(made.public_bytes(Encoding.PEM))
        key_file.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(self.pem, key_file)


class Provider:
    """Takes each POST unless `answers` has something else for it: a status, (status, headers), or seconds of silence."""

    def __init__(self, authority):
        self.posts, self.answers = [], []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"])).decode()
                kind = self.headers["Content-Type"]
                fields = json.loads(body) if kind == "application/json" else {k: v[0] for k, v in parse_qs(body).items()}
                outer.posts.append((dict(self.headers), fields))
                answer = outer.answers.pop(0) if outer.answers else 200
                if isinstance(answer, float):
                    time.sleep(answer)
                    answer = 200
                status, headers = answer if isinstance(answer, tuple) else (answer, {})
                said = json.dumps({"message": {"id": f"m{len(outer.posts)}"}}).encode()
                self.send_response(status)
                for name, value in ({"Content-Length": len(said)} | headers).items():
                    self.send_header(name, str(value))
                self.end_headers()
                self.wfile.write(said)

            def log_message(self, *arguments):
                """Silent."""

        class Server(ThreadingHTTPServer):
            daemon_threads = True

            def handle_error(self, request, client_address):
                """A bank that hangs up is what some tests are about."""

        self.server = Server(("127.0.0.1", 0), Handler)
        self.server.socket = authority.context.wrap_socket(self.server.socket, server_side=True)
        self.url = f"https://127.0.0.1:{self.server.server_address[1]}/v1/messages"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def stop(self):
        self.server.shutdown()
        self.server.server_close()


class Tunnel:
    """TLS at a port of its own, in front of one without."""

    def __init__(self, authority, port):
        self.behind = port
        self.loop = asyncio.new_event_loop()
        threading.Thread(target=self.loop.run_forever, daemon=True).start()
        server = asyncio.start_server(self._serve, "127.0.0.1", 0, ssl=authority.context)
        self.server = asyncio.run_coroutine_threadsafe(server, self.loop).result(10)
        self.port = self.server.sockets[0].getsockname()[1]

    async def _serve(self, reader, writer):
        inner_reader, inner_writer = await asyncio.open_connection("127.0.0.1", self.behind)

        async def copy(source, target):
            try:
                while data := await source.read(4096):
                    target.write(data)
                    await target.drain()
            finally:
                target.close()

        await asyncio.gather(copy(reader, inner_writer), copy(inner_reader, writer), return_exceptions=True)

    def stop(self):
        self.loop.call_soon_threadsafe(self.server.close)
