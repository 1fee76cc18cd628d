"""What the transaction server refuses by time and order: an old counter, an expired key. `TAPFILL_BANK` names the bank's binary."""

import os
import sys
import time
import unittest
from pathlib import Path
from unittest import mock

sys.path.insert(0, str(Path(__file__).resolve().parent))

import relay  # noqa: E402
import terminal as t  # noqa: E402
import test_interop as shared  # noqa: E402

WINDOW = 64
LIFE_S = 3
SHORT_LIVED = f"[keys]\nworking_key_life_s = {LIFE_S}\nworking_key_margin_s = 1\n"


class Refusals:
    """A class for each suite below gives the number; a bank of its own for each test."""

    suite = None

    def start(self, config=shared.CONFIG):
        """A bank with this configuration, and a terminal with its first key."""
        with mock.patch.object(shared, "CONFIG", config):
            self.bank = shared.Bank(self.suite)
        self.addCleanup(self.bank.stop)
        self.card = shared.card(shared.SERIAL, balance=1234)
        self.terminal = t.Terminal(self.bank.profile)
        self.terminal.enrol()
        self.terminal.fetch_key()

    def resume(self):
        """Step 1 of a re-top-up with an id of its own, as bytes."""
        objects = {
            "operation": b"\x03", "transaction": os.urandom(15) + b"\x00", "step": b"\x01",
            "terminal": bytes.fromhex(self.terminal.number), "phase": b"resume", "package_version": t.PACKAGE_VERSION,
        }
        fields = {"file15": self.card.file15(), "balance": self.card.read_balance()}
        return relay.encode(relay.Message("I", "0001", objects, fields))

    def send(self, sealed):
        """`ok`, or the error's code."""
        status, body = self.terminal.post(sealed)
        return "ok" if status == 200 else t.failure(status, body).code

    def assertMoneyOk(self):
        """`bank check` finds nothing."""
        self.assertEqual(self.bank.check()["findings"], [])

    def test_counters(self):
        """Any unused counter in the window is good, one below it never, nor is 0."""
        self.start()
        self.assertEqual(self.send(self.terminal.seal(self.resume(), 0)), "replay")
        early = self.terminal.seal(self.resume(), 5)
        self.assertEqual([self.send(early), self.send(early)], ["ok", "ok"])
        top = 100
        self.assertEqual(self.send(self.terminal.seal(self.resume(), top)), "ok")
        self.assertEqual(self.send(self.terminal.seal(self.resume(), top - WINDOW)), "ok")
        self.assertEqual(self.send(self.terminal.seal(self.resume(), top - WINDOW - 1)), "replay")
        self.assertEqual(self.send(early), "replay", "its stored answer left the window")
        self.assertMoneyOk()

    def test_expired_key(self):
        """Until its end a key is good beside its successor; afterwards nothing sealed with it is."""
        self.start(shared.CONFIG.replace("[keys]\n", SHORT_LIVED))
        used = self.terminal.seal(self.resume())
        self.assertEqual(self.send(used), "ok")
        beside = self.terminal.seal(self.resume())
        block = self.terminal.pin_block(shared.PASSWORD)
        late = self.terminal.seal(self.resume())
        first = self.terminal.key_id
        self.terminal.fetch_key()
        self.assertNotEqual(self.terminal.key_id, first)
        self.assertEqual(self.send(beside), "ok")
        time.sleep(LIFE_S + 0.5)
        self.assertEqual([self.send(late), self.send(used)], ["key-expired", "key-expired"])
        forged = late[:-1] + bytes([late[-1] ^ 1])
        self.assertEqual(self.send(forged), "envelope-refused", "a forger learns nothing of keys")
        self.assertEqual(self.terminal.query_key(), "renew")
        self.terminal.fetch_key()
        self.terminal.pin_block = lambda password: block  # section 1: C5 stays good under a renewed key
        answer = t.activate(self.terminal, shared.card(shared.SECOND, active=False), shared.PASSWORD)
        self.assertEqual(answer.outcome, "ok")
        self.assertMoneyOk()


class Refusals1(Refusals, unittest.TestCase):
    suite = 1


class Refusals2(Refusals, unittest.TestCase):
    suite = 2


class Refusals3(Refusals, unittest.TestCase):
    suite = 3


if __name__ == "__main__":
    unittest.main()
