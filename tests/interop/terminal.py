"""A terminal: pinned TLS, enrolment, keys, SMS, and the four transactions with a purse card."""

import hashlib
import http.client
import json
import os
import re
import ssl
import time
from urllib.parse import urlsplit

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

import envelope
import hpke
import relay
from purse import CardError

INDUSTRY = "0001"
PACKAGE_VERSION = (1).to_bytes(4, "big")


class Failed(Exception):
    """The bank's error, or an answer that must not be believed (code `untrusted`)."""

    def __init__(self, code, params=None, status=None):
        super().__init__(f"{code} {params or ''}")
        self.code, self.params, self.status = code, params or {}, status


class Torn(Exception):
    """The card left the reader."""


def now_ms():
    return time.time_ns() // 1_000_000


class Server:
    """HTTPS to one address: the chain ends in the bank's authority and the key is one of the pins."""

    def __init__(self, url, authority_pem, pins):
        self.address = urlsplit(url)
        self.pins = {bytes.fromhex(pin) for pin in pins}
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        self.context.load_verify_locations(cadata=authority_pem)

    def call(self, method, path, body=b"", headers=None):
        """(status, headers, body). Nothing is sent before the pin is right."""
        line = http.client.HTTPSConnection(self.address.hostname, self.address.port, timeout=30, context=self.context)
        try:
            line.connect()
            certificate = x509.load_der_x509_certificate(line.sock.getpeercert(binary_form=True))
            spki = certificate.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
            if hashlib.sha256(spki).digest() not in self.pins:
                raise Failed("untrusted", {"why": "pin"})
            line.request(method, path, body, headers or {})
            answer = line.getresponse()
            return answer.status, answer.headers, answer.read()
        finally:
            line.close()


def failure(status, body):
    """Section 7: an error of either server."""
    error = json.loads(body)
    if set(error) != {"code", "params"}:
        raise Failed("untrusted", {"why": "error form"}, status)
    return Failed(error["code"], error["params"], status)


class Terminal:
    """One terminal of the bank whose profile it was given."""

    def __init__(self, profile):
        self.profile = profile
        self.security = Server(profile["security_url"], profile["authority_pem"], profile["pins"])
        self.transaction = Server(profile["transaction_url"], profile["authority_pem"], profile["pins"])
        self.number = self.master_key = self.suite = None
        self.key_id = self.key_suite = self.working_key = None
        self.counter = 0
        self.request = None  # of the enrolment: reply key, nonce, enc, sealed
        self.sent = []  # (envelope, answer), the newest last

    # --- keys ---

    def enrol(self, previous=None, again=False):
        """Section 3.1. `previous` is (terminal, K) of the one that this one succeeds; `again` sends the last request once more."""
        if not again:
            private, nonce = os.urandom(32), os.urandom(16)
            reply_key = hpke.public(private)
            wish = {
                "reply_key": reply_key.hex(), "nonce": nonce.hex(), "device": "interop",
                "previous_terminal": previous and previous[0],
                "previous_mac": previous and envelope.succession_mac(previous[1], nonce, reply_key).hex(),
            }
            recipient = bytes.fromhex(self.profile["enrolment_hpke"])
            enc, sealed = hpke.seal(recipient, b"tapfill/1/enrol", json.dumps(wish).encode())
            self.request = private, nonce, enc, sealed
        private, nonce, enc, sealed = self.request
        body = json.dumps({"enc": enc.hex(), "sealed": sealed.hex()}).encode()
        status, _, body = self.security.call("POST", "/v1/enrol", body, {"Content-Type": "application/json"})
        if status != 200:
            raise failure(status, body)
        answer = {name: bytes.fromhex(value) for name, value in json.loads(body).items()}
        signer = Ed25519PublicKey.from_public_bytes(bytes.fromhex(self.profile["enrolment_signer"]))
        transcript = envelope.enrolment_transcript(enc, sealed, answer["enc"], answer["sealed"])
        signer.verify(answer["signature"], transcript)
        result = json.loads(hpke.open_(private, b"tapfill/1/enrolled", answer["enc"], answer["sealed"]))
        master_key = bytes.fromhex(result["master_key"])
        if result["nonce"] != nonce.hex() or not re.fullmatch("[0-9]{12}", result["terminal"]):
            raise Failed("untrusted", {"why": "enrolment"})
        if envelope.check_value(master_key).hex() != result["key_check_value"]:
            raise Failed("untrusted", {"why": "check value"})
        if result["suite"] < self.profile["lowest_suite"]:
            raise Failed("untrusted", {"why": "suite"})
        self.number, self.master_key, self.suite = result["terminal"], master_key, result["suite"]
        return result

    @property
    def auth_key(self):
        """K of section 3.1 and 3.2."""
        return envelope.auth_key(self.master_key, self.number)

    def ask(self, path, wish, **wrong):
        """Section 3.2: an authenticated request; `wrong` replaces mac, nonce, time or body on the wire."""
        body, nonce, time_ms = json.dumps(wish).encode(), wrong.get("nonce", os.urandom(16).hex()), now_ms()
        time_ms = wrong.get("time", time_ms)
        mac = wrong.get("mac", envelope.request_mac(self.auth_key, path, self.number, nonce, time_ms, body).hex())
        headers = {
            "Content-Type": "application/json", "Tapfill-Terminal": self.number, "Tapfill-Nonce": nonce,
            "Tapfill-Time": str(time_ms), "Tapfill-Mac": mac,
        }
        status, headers, answer = self.security.call("POST", path, wrong.get("body", body), headers)
        given = headers.get("Tapfill-Mac")
        right = envelope.answer_mac(self.auth_key, nonce, status, answer).hex()
        if given != right and (status == 200 or given):
            raise Failed("untrusted", {"why": "answer MAC"}, status)
        if status != 200:
            raise failure(status, answer)
        return json.loads(answer)

    def fetch_key(self):
        """A working key: unwrapped, checked, ready for use."""
        told = self.ask("/v1/working-key", {})
        key = envelope.unwrap(
            self.master_key, self.number, told["key_id"], told["suite"], told["not_before_ms"], told["expires_ms"],
            bytes.fromhex(told["wrapped"]),
        )
        if envelope.check_value(key).hex() != told["key_check_value"]:
            raise Failed("untrusted", {"why": "check value"})
        if told["suite"] < max(self.suite, self.profile["lowest_suite"]):
            raise Failed("untrusted", {"why": "suite"})
        if told["key_id"] != self.key_id:
            self.counter = 0
        self.key_id, self.key_suite, self.working_key = told["key_id"], told["suite"], key
        return told

    def query_key(self):
        """`current`, `renew` or `enrol`."""
        return self.ask("/v1/key-query", {"key_id": self.key_id})["answer"]

    # --- SMS ---

    def send_sms(self, transaction, tail, phone):
        """A code for this transaction, to the number on file."""
        return self.ask(
            "/v1/sms/send",
            {"transaction": transaction.hex(), "industry": INDUSTRY, "card_tail": tail, "phone": phone},
        )

    def inbox(self):
        """The development bank's messages."""
        status, _, body = self.security.call("GET", "/dev/sms.json")
        if status != 200:
            raise failure(status, body)
        return json.loads(body)

    def verify_sms(self, transaction, code):
        """The proof for a right code."""
        told = self.ask("/v1/sms/verify", {"transaction": transaction.hex(), "code": code})
        return bytes.fromhex(told["proof"])

    # --- the relay ---

    def pin_block(self, password, form=None):
        """C5: key id, then the block in the suite's format (or another)."""
        key = envelope.pin_key(self.key_suite, self.working_key, self.number, self.key_id)
        form = form if form is not None else 4 if self.key_suite == 3 else 3
        return self.key_id.to_bytes(4, "big") + envelope.pin_block(form, key, password, self.number)

    def seal(self, message, counter=None):
        """The envelope for the next counter, or for the one that is given."""
        if counter is None:
            self.counter += 1
            counter = self.counter
        head = envelope.Head(self.key_suite, envelope.TO_BANK, self.number, self.key_id, counter, now_ms())
        return envelope.seal(head, self.working_key, message)

    def post(self, sealed):
        """(status, body) of the transaction server, as they came."""
        status, _, body = self.transaction.call(
            "POST", "/v1/relay", sealed, {"Content-Type": "application/octet-stream"}
        )
        return status, body

    def open_answer(self, sealed, body):
        """The bank's message out of its envelope; it must answer this very one."""
        asked, _ = envelope.parse_head(sealed)
        head, message = envelope.open_(body, self.working_key)
        same = ("suite", "terminal", "key_id", "counter")
        if head.direction != envelope.TO_TERMINAL or any(getattr(head, n) != getattr(asked, n) for n in same):
            raise Failed("untrusted", {"why": "answer header"})
        return message

    def exchange(self, message):
        """A driver's `I` for the bank's answer."""
        sealed = self.seal(relay.encode(message))
        status, body = self.post(sealed)
        if status != 200:
            raise failure(status, body)
        self.sent.append((sealed, body))
        answer = relay.decode(self.open_answer(sealed, body))
        for name in ("operation", "transaction"):
            if answer.objects.get(name) != message.objects[name]:
                raise Failed("untrusted", {"why": name})
        if answer.letter == "I" and answer.step != message.step:
            raise Failed("untrusted", {"why": "step"})
        return answer


class Transaction:
    """One transaction with a card: an operation, an id, and the steps so far."""

    def __init__(self, terminal, card, operation, transaction=None, **opening):
        self.terminal, self.card = terminal, card
        self.id = transaction or os.urandom(15) + b"\x00"
        self.opening = {
            "operation": bytes([operation]), "transaction": self.id, "terminal": bytes.fromhex(terminal.number),
            **opening,
        }
        self.step = 0

    def say(self, phase, **fields):
        """The driver's next `I`; fields that are None are left out."""
        self.step += 1
        objects = dict(self.opening) if self.step == 1 else {n: self.opening[n] for n in ("operation", "transaction")}
        objects |= {"step": bytes([self.step]), "phase": phase.encode(), "package_version": PACKAGE_VERSION}
        given = {name: value for name, value in fields.items() if value is not None}
        return self.terminal.exchange(relay.Message("I", INDUSTRY, objects, given))

    def _credit(self, answer, tear):
        """Runs the bank's `credit` phase; `tear` loses the card before or after the command is carried out."""
        if tear == "before":
            self.card.power_off()
            raise Torn
        try:
            tac, status = self.card.credit(answer.fields["credit_data"]), b"\x90\x00"
        except CardError as error:
            tac, status = None, error.status
        if tear == "after":
            self.card.power_off()
            raise Torn
        return self.say("credit", status=status, tac=tac)


def balance(card):
    """Section 1.1: the card alone. (serial, fen, active)."""
    file15 = card.file15()
    return file15[10:20].hex(), int.from_bytes(card.read_balance(), "big"), file15[8] == 1


def top_up(terminal, card, amount, password, proof, transaction, tear=None):
    """A top-up; the closing message, or Torn. `transaction` is the id whose SMS code gave `proof`."""
    run = Transaction(
        terminal, card, relay.TOPUP, transaction, amount=amount.to_bytes(4, "big"),
        pin_block=terminal.pin_block(password), sms_proof=proof,
    )
    file15, old = card.file15(), card.read_balance()
    init = card.initialize(run.opening["amount"], run.opening["terminal"])
    answer = run.say("load", file15=file15, balance=old, init=init, uid=card.uid)
    if answer.letter == "I" and answer.phase == "credit":
        answer = run._credit(answer, tear)
    return answer


def re_top_up(terminal, card, about=None, tear=None, refund=False):
    """A re-top-up; (closing message, phases that the bank asked for)."""
    opening = {"about": about} if about else {}
    if refund:
        opening["refund"] = b"\x01"
    run = Transaction(terminal, card, relay.RETOPUP, **opening)
    phases = []
    answer = run.say("resume", file15=card.file15(), balance=card.read_balance(), uid=card.uid)
    while answer.letter == "I":
        phases.append(answer.phase)
        if answer.phase == "prove":
            proofs = {}
            for field, name in (("proof", "after"), ("proof_before", "before")):
                try:
                    proofs[field] = card.prove(answer.fields[name])
                except CardError:
                    proofs[field] = None
            answer = run.say("prove", **proofs, log=card.read_log() or None)
        elif answer.phase == "load":
            init = card.initialize(answer.fields["amount"], run.opening["terminal"])
            answer = run.say("load", init=init, balance=card.read_balance())
        elif answer.phase == "refund":
            init = card.initialize(answer.fields["amount"], answer.fields["witness"])
            answer = run.say("refund", init=init)
        elif answer.phase == "credit":
            answer = run._credit(answer, tear)
        else:
            raise Failed("phase-unknown", {"phase": answer.phase})
    return answer, phases


def activate(terminal, card, password):
    """An activation; the closing message."""
    run = Transaction(terminal, card, relay.ACTIVATION, pin_block=terminal.pin_block(password))
    answer = run.say("activate", file15=card.file15(), challenge=card.challenge(), uid=card.uid)
    if answer.letter == "I" and answer.phase == "enable":
        status = card.update(answer.fields["update"])
        answer = run.say("enable", status=status, file15=card.file15())
    return answer
