"""The bank against an outside terminal, in every suite. `TAPFILL_BANK` names the bank's binary."""

import atexit
import json
import os
import re
import subprocess
import tempfile
import time
import unittest
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

import envelope
import hpke
import make_vectors
import purse
import relay
import terminal as t
from purse import Purse, diversify

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
BANK = Path(os.environ.get("TAPFILL_BANK", ROOT / "target/debug/bank"))
VECTORS = ROOT / "tests/fixtures/vectors"
OUTSIDE = ROOT / "tests/fixtures/outside"
PHONE, PASSWORD, WRONG = "13800006021", "246810", "111111"
SERIAL, SECOND = "00006217000000004471", "00006217000000008826"
KEYS = {
    "load": "00112233445566778899AABBCCDDEEFF",
    "tac": "112233445566778899AABBCCDDEEFF00",
    "maintenance": "33445566778899AABBCCDDEEFF001122",
}
CONFIG = """
[bank]
name = "Interop Bank"

[keys]
suite = {suite}
lowest_suite = {suite}

[sms]
resend_s = 1
per_number_per_hour = 1000
per_terminal_per_hour = 1000
per_address_per_hour = 1000
per_prefix_per_hour = 1000

[limits]
enrolments_per_address_per_hour = 1000

[[industry]]
code = "0001"
recipe = ["serial[2..10]"]

[industry.keys]
load = "{load}"
tac = "{tac}"
maintenance = "{maintenance}"

[[customer]]
phone = "{phone}"
password = "{password}"
balance = 1000000

[[customer.card]]
industry = "0001"
serial = "{serial}"

[[customer.card]]
industry = "0001"
serial = "{second}"
"""


def card(serial, **state):
    """A card of the configured issuer."""
    factor = bytes.fromhex(serial)[2:10]
    load, tac, maintenance = (diversify(bytes.fromhex(KEYS[name]), factor) for name in ("load", "tac", "maintenance"))
    return Purse(serial, load, tac, maintenance, **state)


class Bank:
    """A bank of its own in a folder of its own; stopped by its own process id."""

    def __init__(self, suite):
        self.folder = tempfile.TemporaryDirectory(prefix="tapfill-interop-")
        path = Path(self.folder.name)
        self.dir, config, self.log = path / "bank", path / "bank.toml", path / "bank.log"
        config.write_text(
            CONFIG.format(suite=suite, phone=PHONE, password=PASSWORD, serial=SERIAL, second=SECOND, **KEYS)
        )
        config.chmod(0o600)
        self.serving = [BANK, "run", "--dir", self.dir, "--config", config, "--dev"]
        self.serving += ["--security", "127.0.0.1:0", "--transaction", "127.0.0.1:0"]
        self.prepare()
        atexit.register(self.stop)
        self.start()

    def prepare(self):
        """What must be there before the first start."""

    def start(self):
        """A process, on new ports; one that was killed, in the same folder."""
        with self.log.open("w") as log:
            self.process = subprocess.Popen(self.serving, stdout=log, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL)
        try:
            self.profile = json.loads(Path(self._ready()).read_text())
        except BaseException:
            self.stop()
            raise

    def _ready(self):
        """Waits for the ready line; the profile's path."""
        for _ in range(300):
            found = re.search(r"^bank: ready .*\bprofile=(\S+)$", self.log.read_text(), re.MULTILINE)
            if found:
                return found[1]
            if self.process.poll() is not None:
                break
            time.sleep(0.1)
        raise RuntimeError("the bank did not start:\n" + self.log.read_text())

    def kill(self):
        """As a power cut would."""
        self.process.kill()
        self.process.wait()

    def check(self):
        """What `bank check` prints, as JSON."""
        done = subprocess.run([BANK, "check", "--dir", self.dir], capture_output=True, check=True, timeout=60)
        return json.loads(done.stdout)

    def stop(self):
        """Ends this very process and removes its folder."""
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(20)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        self.folder.cleanup()
        atexit.unregister(self.stop)


class Suite:
    """The tests; a class for each suite below gives the number. A card and a bank for each class, a terminal for each test."""

    suite = None

    @classmethod
    def setUpClass(cls):
        cls.bank = Bank(cls.suite)
        cls.addClassCleanup(cls.bank.stop)
        cls.card = card(SERIAL, balance=1234)

    def setUp(self):
        self.terminal = t.Terminal(self.bank.profile)
        self.terminal.enrol()
        self.terminal.fetch_key()

    def tearDown(self):
        self.assertEqual(self.bank.check()["findings"], [])

    # --- what the tests share ---

    def proof(self, transaction=None):
        """(transaction id, SMS proof) for the class's card."""
        transaction = transaction or os.urandom(15) + b"\x00"
        before = self.terminal.inbox()
        self.terminal.send_sms(transaction, SERIAL[-4:], PHONE)
        for _ in range(100):
            new = [message for message in self.terminal.inbox() if message not in before]
            if new:
                return transaction, self.terminal.verify_sms(transaction, new[0]["code"])
            time.sleep(0.05)
        return self.fail("no SMS came")

    def top_up(self, amount, password=PASSWORD, tear=None, known=None):
        """A top-up with a fresh SMS code, or with a known (transaction, proof)."""
        transaction, proof = known or self.proof()
        return t.top_up(self.terminal, self.card, amount, password, proof, transaction, tear)

    def torn(self, amount, tear):
        """A top-up whose card leaves; its transaction id."""
        known = self.proof()
        with self.assertRaises(t.Torn):
            self.top_up(amount, tear=tear, known=known)
        return known[0]

    def assertLoaded(self, answer, old, amount):
        """The closing message of a load and the card agree."""
        self.assertEqual((answer.letter, answer.outcome), ("A", "ok"))
        self.assertRegex(answer.objects["reference"].decode(), r"^TF-[0-9A-Z]{4}-[0-9A-Z]{4}$")
        self.assertEqual(int.from_bytes(answer.objects["amount"], "big"), amount)
        self.assertEqual(int.from_bytes(answer.fields["old_balance"], "big"), old)
        self.assertEqual(int.from_bytes(answer.fields["new_balance"], "big"), old + amount)
        self.assertEqual(self.card.balance, old + amount)

    def assertRefused(self, sealed, code, status):
        """The transaction server's error, in its documented form."""
        got, body = self.terminal.post(sealed)
        error = t.failure(got, body)
        self.assertEqual((error.code, got), (code, status))
        return error

    def first_step(self, transaction=None):
        """Step 1 of a re-top-up of the class's card, as bytes."""
        objects = {
            "operation": b"\x03", "transaction": transaction or os.urandom(15) + b"\x00", "step": b"\x01",
            "terminal": bytes.fromhex(self.terminal.number), "phase": b"resume", "package_version": t.PACKAGE_VERSION,
        }
        fields = {"file15": self.card.file15(), "balance": self.card.read_balance()}
        return relay.encode(relay.Message("I", "0001", objects, fields))

    # --- enrolment and keys ---

    def test_enrolment(self):
        other = t.Terminal(self.bank.profile)
        first, again = other.enrol(), other.enrol(again=True)
        self.assertEqual(first["suite"], self.suite)
        self.assertEqual((first["terminal"], first["master_key"]), (again["terminal"], again["master_key"]))
        other.fetch_key()
        self.assertEqual(other.query_key(), "current")
        if self.suite == 0:
            self.assertEqual(other.working_key, other.master_key)

    def test_succession(self):
        heir = t.Terminal(self.bank.profile)
        heir.enrol(previous=(self.terminal.number, self.terminal.auth_key))
        self.assertEqual(self.terminal.query_key(), "current")
        heir.fetch_key()
        with self.assertRaises(t.Failed) as caught:
            self.terminal.query_key()
        self.assertEqual(caught.exception.code, "terminal-unknown")

    def test_request_with_a_wrong_mac(self):
        for wrong in ({"mac": "00" * 32}, {"body": b'{"key_id": 2}'}):
            with self.assertRaises(t.Failed) as caught:
                self.terminal.ask("/v1/key-query", {"key_id": 1}, **wrong)
            self.assertEqual(caught.exception.status, 403, caught.exception)

    def test_health_and_pin(self):
        for server in (self.terminal.security, self.terminal.transaction):
            self.assertEqual(server.call("GET", "/v1/health")[0], 200)
        stranger = t.Server(self.bank.profile["security_url"], self.bank.profile["authority_pem"], ["00" * 32])
        with self.assertRaises(t.Failed):
            stranger.call("GET", "/v1/health")

    def test_packages_and_limits(self):
        signer = Ed25519PublicKey.from_public_bytes(bytes.fromhex(self.bank.profile["package_signer"]))
        packages = self.terminal.ask("/v1/packages", {})["packages"]
        self.assertIn("0001", [package["industry"] for package in packages])
        for package in packages:
            data = bytes.fromhex(package["package"])
            signer.verify(bytes.fromhex(package["signature"]), b"tapfill/1/package" + data)
            self.assertEqual(json.loads(data)["version"], package["version"])
        limits = self.terminal.ask("/v1/limits", {"industry": "0001"})
        self.assertEqual(limits, {"min_amount": 100, "max_amount": 50000, "max_balance": 100000})

    # --- the four transactions ---

    def test_balance(self):
        self.assertEqual(t.balance(self.card), (SERIAL, self.card.balance, True))

    def test_activation(self):
        fresh = card(SECOND, active=False)
        self.assertEqual(t.balance(fresh), (SECOND, 0, False))
        answer = t.activate(self.terminal, fresh, PASSWORD)
        self.assertEqual((answer.letter, answer.outcome), ("A", "ok"))
        self.assertNotIn("already", answer.fields)
        self.assertEqual(t.balance(fresh), (SECOND, 0, True))
        again = t.activate(self.terminal, fresh, PASSWORD)
        self.assertEqual((again.outcome, again.fields.get("already")), ("ok", b"\x01"))

    def test_top_up(self):
        old = self.card.balance
        self.assertLoaded(self.top_up(5000), old, 5000)
        answer, phases = t.re_top_up(self.terminal, self.card)
        self.assertEqual((answer.outcome, phases), ("nothing-pending", []))

    def test_torn_before_credit(self):
        old = self.card.balance
        about = self.torn(2000, "before")
        self.assertEqual(self.card.balance, old)
        open_ = self.top_up(100)
        self.assertEqual(open_.outcome, "load-open")
        self.assertIn("reference", open_.objects)
        answer, phases = t.re_top_up(self.terminal, self.card, about)
        self.assertEqual(phases, ["prove", "load", "credit"])
        self.assertLoaded(answer, old, 2000)

    def test_torn_after_credit(self):
        old = self.card.balance
        about = self.torn(2000, "after")
        self.assertEqual(self.card.balance, old + 2000)
        answer, phases = t.re_top_up(self.terminal, self.card, about)
        self.assertEqual((answer.outcome, answer.fields.get("already"), phases), ("ok", b"\x01", ["prove"]))
        self.assertEqual(self.card.balance, old + 2000)

    def test_torn_after_credit_proved_by_counter(self):
        old = self.card.balance
        about = self.torn(2000, "after")
        self.card._last = None  # a card whose 805A knows nothing any more
        answer, phases = t.re_top_up(self.terminal, self.card, about)
        self.assertEqual((answer.outcome, answer.fields.get("already"), phases), ("ok", b"\x01", ["prove", "load"]))
        self.assertEqual(self.card.balance, old + 2000)

    def test_a_refused_credit_is_settled(self):
        old = self.card.balance
        credit, self.card.credit = self.card.credit, lambda data: credit(data[:-1] + bytes([data[-1] ^ 1]))
        answer = self.top_up(700)
        self.card.credit = credit
        self.assertEqual((answer.letter, answer.outcome, self.card.balance), ("A", "card-refused", old))
        answer, phases = t.re_top_up(self.terminal, self.card)
        self.assertEqual(phases, ["prove", "load", "credit"])
        self.assertLoaded(answer, old, 700)

    def test_a_load_is_settled_by_another_terminal(self):
        old = self.card.balance
        about = self.torn(700, "before")
        other = t.Terminal(self.bank.profile)
        other.enrol()
        other.fetch_key()
        answer, _ = t.re_top_up(other, self.card, about)
        self.assertLoaded(answer, old, 700)

    def test_the_money_goes_back(self):
        old = self.card.balance
        about = self.torn(700, "before")
        answer, phases = t.re_top_up(self.terminal, self.card, about, refund=True)
        self.assertEqual((answer.outcome, phases, self.card.balance), ("refunded", ["prove", "refund"], old))
        self.assertEqual(int.from_bytes(answer.objects["amount"], "big"), 700)
        again, phases = t.re_top_up(self.terminal, self.card, about)
        self.assertEqual((again.outcome, phases), ("refunded", []))
        self.assertEqual(again.objects["reference"], answer.objects["reference"])

    def test_an_initialize_over_the_terminals_own_number_gives_nothing_back(self):
        about = self.torn(700, "before")
        own = bytes.fromhex(self.terminal.number)
        initialize = self.card.initialize
        self.card.initialize = lambda amount, _witness: initialize(amount, own)
        answer, _ = t.re_top_up(self.terminal, self.card, about, refund=True)
        self.card.initialize = initialize
        self.assertEqual(answer.outcome, "card-mac-bad")
        self.assertEqual(t.re_top_up(self.terminal, self.card, about)[0].outcome, "ok")

    def test_about_another_card(self):
        about = self.torn(700, "before")
        answer, _ = t.re_top_up(self.terminal, card(SECOND), about)
        self.assertEqual((answer.outcome, answer.objects["transaction"] == about), ("in-doubt", False))
        self.assertEqual(t.re_top_up(self.terminal, self.card, about)[0].outcome, "ok")

    def test_void(self):
        known = self.proof()
        answer, _ = t.re_top_up(self.terminal, self.card, known[0])
        self.assertEqual(answer.outcome, "nothing-pending")
        self.assertEqual(self.top_up(700, known=known).outcome, "voided")

    def test_proof_is_for_one_load(self):
        old = self.card.balance
        transaction, proof = self.proof()
        self.assertLoaded(self.top_up(700, known=(transaction, proof)), old, 700)
        self.assertEqual(self.top_up(700, known=(transaction[:15] + b"\x01", proof)).outcome, "sms-proof-bad")

    def test_sms_code_wrong(self):
        transaction = os.urandom(15) + b"\x00"
        told = self.terminal.send_sms(transaction, SERIAL[-4:], "13900000000")
        self.assertEqual(set(told), {"resend_after_ms", "valid_ms"})
        with self.assertRaises(t.Failed) as caught:
            self.terminal.verify_sms(transaction, "000000")
        self.assertEqual((caught.exception.code, caught.exception.params), ("code-wrong", {"tries_left": 4}))

    def test_password_wrong(self):
        transaction, proof = self.proof()
        old = self.card.balance
        answer = self.top_up(1000, WRONG, known=(transaction, proof))
        self.assertEqual((answer.letter, answer.outcome), ("A", "password-wrong"))
        self.assertEqual(answer.fields["tries_left"], b"\x02")
        self.assertEqual(self.card.balance, old)
        second = transaction[:15] + b"\x01"
        self.assertLoaded(self.top_up(1000, known=(second, proof)), old, 1000)

    def test_pin_block_format_0(self):
        """Taken beside format 3; in suite 3 there is format 4 alone."""
        fresh, plain = card(SECOND, active=False), self.terminal.pin_block
        self.terminal.pin_block = lambda password: plain(password, 0)
        answer = t.activate(self.terminal, fresh, PASSWORD)
        self.assertEqual(answer.outcome, "message-bad" if self.suite == 3 else "ok")
        self.assertEqual(t.balance(fresh), (SECOND, 0, self.suite != 3))
        self.assertNotIn("already", answer.fields)

    # --- envelopes ---

    def test_same_envelope_same_bytes(self):
        old = self.card.balance
        self.assertLoaded(self.top_up(500), old, 500)
        self.assertEqual(len(self.terminal.sent), 2)
        for sealed, answer in self.terminal.sent:
            self.assertEqual(self.terminal.post(sealed), (200, answer))

    def test_same_step_in_a_new_envelope(self):
        old = self.card.balance
        self.assertLoaded(self.top_up(500), old, 500)
        for sealed, body in list(self.terminal.sent):
            _, message = envelope.open_(sealed, self.terminal.working_key)
            again = self.terminal.seal(message)
            status, answer = self.terminal.post(again)
            self.assertEqual(status, 200)
            self.assertEqual(self.terminal.open_answer(again, answer), self.terminal.open_answer(sealed, body))
            other = relay.decode(message)
            other.fields["status"] = b"\x63\x00"
            self.assertEqual(self.terminal.exchange(other).outcome, "step-conflict")

    def test_replay(self):
        first = self.terminal.seal(self.first_step())
        self.assertEqual(self.terminal.post(first)[0], 200)
        self.assertRefused(self.terminal.seal(self.first_step(), self.terminal.counter), "replay", 409)

    def test_flipped_bits(self):
        good = self.terminal.seal(self.first_step())
        for at in [*range(6, 32), 36, 45, len(good) // 2, len(good) - 1]:
            with self.subTest(at=at):
                bad = bytearray(good)
                bad[at] ^= 1
                status, body = self.terminal.post(bytes(bad))
                code = t.failure(status, body).code
                self.assertIn(status, (403, 409))
                if at >= 16:
                    self.assertEqual((status, code), (403, "envelope-refused"))
        self.assertEqual(self.terminal.post(good)[0], 200)

    def test_time_skew(self):
        head = envelope.Head(
            self.suite, 0, self.terminal.number, self.terminal.key_id, self.terminal.counter + 1, t.now_ms() - 301_000
        )
        error = self.assertRefused(
            envelope.seal(head, self.terminal.working_key, self.first_step()), "time-skew", 409
        )
        self.assertAlmostEqual(error.params["time_ms"], t.now_ms(), delta=5000)
        self.assertEqual(self.terminal.post(self.terminal.seal(self.first_step()))[0], 200)

    def test_same_message_sealed_again(self):
        message = self.first_step()
        answers = [self.terminal.post(self.terminal.seal(message, counter)) for counter in (1, 1)]
        self.assertEqual(answers[0][0], 200)
        self.assertEqual(answers[0], answers[1])

    def test_at_once(self):
        """The same envelope eight times side by side: one effect, one answer."""
        sealed = self.terminal.seal(self.first_step())
        with ThreadPoolExecutor(8) as pool:
            answers = set(pool.map(lambda _: self.terminal.post(sealed), range(8)))
        self.assertEqual([status for status, _ in answers], [200])

    def test_other_suites(self):
        for suite in set(range(4)) - {self.suite}:
            head = envelope.Head(suite, 0, self.terminal.number, self.terminal.key_id, 1, t.now_ms())
            code = "suite-refused" if suite < self.suite else "envelope-refused"
            self.assertRefused(envelope.seal(head, self.terminal.working_key, self.first_step()), code, 403)


class Suite0(Suite, unittest.TestCase):
    suite = 0


class Suite1(Suite, unittest.TestCase):
    suite = 1


class Suite2(Suite, unittest.TestCase):
    suite = 2


class Suite3(Suite, unittest.TestCase):
    suite = 3


class Vectors(unittest.TestCase):
    """The files are what the generator makes, and they open again."""

    def test_files(self):
        made = make_vectors.build()
        self.assertEqual(set(made), {path.name for path in VECTORS.glob("*.json")})
        for name, data in made.items():
            self.assertEqual((VECTORS / name).read_bytes(), data, name)

    def test_envelopes_open(self):
        for case in json.loads((VECTORS / "envelope.json").read_bytes())["cases"]:
            sealed, key = bytes.fromhex(case["sealed"]), bytes.fromhex(case["working_key"])
            head, message = envelope.open_(sealed, key)
            self.assertEqual((head.counter, message.hex()), (case["counter"], case["message"]))
            for at in (0, 20, 36, len(sealed) - 1):
                with self.assertRaises(envelope.Refused):
                    envelope.open_(sealed[:at] + bytes([sealed[at] ^ 1]) + sealed[at + 1 :], key)


class Published(unittest.TestCase):
    """This side against values that others published."""

    def test_hpke(self):
        case = json.loads((OUTSIDE / "rfc-9180/base_x25519_sha256_aes256gcm.json").read_bytes())
        value = {name: bytes.fromhex(text) for name, text in case.items() if isinstance(text, str)}
        enc, sealed = hpke.seal(value["pkRm"], value["info"], b"message", value["skEm"])
        self.assertEqual(enc, value["enc"])
        self.assertEqual(hpke.schedule(value["shared_secret"], value["info"]), (value["key"], value["base_nonce"]))
        self.assertEqual(hpke.open_(value["skRm"], value["info"], enc, sealed), b"message")

    def test_card(self):
        key, amount, terminal = (bytes.fromhex(v) for v in (KEYS["load"], "00002000", "001122334455"))
        session = purse.session_key(key, bytes.fromhex("C903814D"), 0)
        when = bytes.fromhex("20161216105800")
        self.assertEqual(purse.mac1(session, 0, amount, terminal).hex(), "03976c22")
        self.assertEqual(purse.mac2(session, amount, terminal, when).hex(), "8afa5718")
        self.assertEqual(purse.tac(key, 0x2000, 0, amount, terminal, when).hex(), "fa00066d")
        self.assertEqual(diversify(key, bytes.fromhex("1122334455667788")).hex(), "496bd7a3513644533100b54e71196528")
        data = bytes.fromhex("000122000001FFFF01010000220000000000000620160101205012310000")
        mac = purse.update_mac(b"\x36" * 16, bytes.fromhex("A3BBCFC8"), bytes.fromhex("04D69500"), data)
        self.assertEqual(mac.hex(), "96e32ef1")


if __name__ == "__main__":
    unittest.main()
