"""The bank with its customers' money at a core banking host that speaks through an independent codec."""

import os
import sys
import threading
import time
import unittest
from pathlib import Path
from unittest import mock

sys.path.insert(0, str(Path(__file__).resolve().parent))

import terminal as t  # noqa: E402
import test_interop as shared  # noqa: E402
from core_host import START, CoreHost  # noqa: E402

ACCOUNT = "6222020000000001"
CORE = """
[core]
address = "127.0.0.1:{port}"
bitmap = "{bitmap}"
acquirer = "12345"
terminal = "TAPFILL1"
merchant = "BANK"
processing_code = "600000"
answer_ms = 2000
"""
# A row that nobody came back for is given up after twice `answer_ms` and four times this.
SHORT = "[limits]\ndatabase_wait_ms = 200\n"


def configured(host, bitmap="binary"):
    """The configuration of a bank of this host, with its places still open."""
    text = shared.CONFIG.replace("balance = 1000000", f'balance = 0\naccount = "{ACCOUNT}"')
    text = text.replace("[limits]\n", SHORT)
    return text.replace("[[industry]]", CORE.format(port=host.port, bitmap=bitmap) + "\n[[industry]]")


class Hosted:
    """A bank, its host and a card for each test; a class for each form of the bitmap below."""

    bitmap = None

    def setUp(self):
        self.host = CoreHost(ACCOUNT, self.bitmap)
        self.addCleanup(lambda: self.host.stop())
        with mock.patch.object(shared, "CONFIG", configured(self.host, self.bitmap)):
            self.bank = shared.Bank(3)
        self.addCleanup(self.bank.stop)
        self.host.wait("0800", 1)
        time.sleep(0.3)
        self.card = shared.card(shared.SERIAL, balance=1234)
        self.terminal = t.Terminal(self.bank.profile)
        self.terminal.enrol()
        self.terminal.fetch_key()

    proof = shared.Suite.proof
    torn = shared.Suite.torn
    top_up = shared.Suite.top_up
    assertLoaded = shared.Suite.assertLoaded

    def assertAgree(self, on_card):
        """Nothing is owed any more, and both books say what the card says."""
        for _ in range(200):
            report = self.bank.check()
            self.assertEqual(report["findings"], [])
            if START - self.host.balance == -report["money"]["funding"]:
                break
            time.sleep(0.1)
        money = report["money"]
        self.assertEqual(self.host.problems, [])
        self.assertEqual((START - self.host.balance, -money["funding"]), (on_card, on_card))
        self.assertEqual((money["customers"], money["card_float"], money["in_transit"]), (0, on_card, 0))

    def test_a_load_moves_in_both_books(self):
        self.assertLoaded(self.top_up(5000), 1234, 5000)
        asked = [message for message in self.host.came if message["t"] == "0200"]
        self.assertEqual(len(asked), 1)
        self.assertEqual((asked[0]["4"], asked[0]["3"], asked[0]["41"]), ("000000005000", "600000", "TAPFILL1"))
        self.assertAgree(5000)

    def test_the_host_says_no(self):
        known = self.proof()
        self.host.faults.append("51")
        self.assertEqual(self.top_up(5000, known=known).outcome, "funds-short")
        second = known[0][:15] + b"\x01", known[1]
        self.assertLoaded(self.top_up(5000, known=second), 1234, 5000)
        self.assertAgree(5000)

    def test_an_answer_that_is_lost_or_late_is_taken_back(self):
        for number, fault in enumerate(("lost", "late"), 1):
            self.host.faults.append(fault)
            answer = self.top_up(700)
            self.assertEqual(answer.outcome, "in-doubt", fault)
            self.host.wait("0420", number)
        self.assertEqual(self.card.balance, 1234)
        self.assertAgree(0)

    def test_the_money_goes_back_by_a_reversal_that_is_repeated(self):
        about = self.torn(700, "before")
        self.host.reversal_faults.append("silent")
        answer, _ = t.re_top_up(self.terminal, self.card, about, refund=True)
        self.assertEqual(answer.outcome, "refunded")
        self.host.wait("0421", 1)
        self.assertAgree(0)
        first, second = [message for message in self.host.came if message["t"] in ("0420", "0421")]
        self.assertEqual([first[name] for name in ("11", "37", "38", "90")], [second[name] for name in ("11", "37", "38", "90")])


class Killed(Hosted):
    """With SIGKILL between the 0200 and the second commit."""

    def test_a_bank_that_is_killed_while_it_asks_takes_back_when_it_is_started_again(self):
        self.host.faults.append("lost")
        transaction, proof = self.proof()
        asking = threading.Thread(target=self.ask, args=((transaction, proof),))
        asking.start()
        self.host.wait("0200", 1)
        self.bank.kill()
        asking.join()
        self.assertEqual(START - self.host.balance, 700, "the host has booked")
        self.bank.start()
        self.host.wait("0420", 1)
        self.assertAgree(0)
        self.terminal.transaction = t.Server(
            self.bank.profile["transaction_url"], self.bank.profile["authority_pem"], self.bank.profile["pins"]
        )
        status, body = self.terminal.post(self.sealed)
        self.assertEqual(status, 200)
        answer = t.relay.decode(self.terminal.open_answer(self.sealed, body))
        self.assertIn(answer.outcome, ("in-doubt", "voided"), "a late yes issues nothing")
        self.assertEqual(self.terminal.post(self.sealed), (200, body), "and stays what it was")
        self.assertEqual(self.host.count("0200"), 1, "asked once")

    def ask(self, known):
        """A top-up whose bank goes away."""
        seal = self.terminal.seal

        def keep(message, counter=None):
            self.sealed = seal(message, counter)
            return self.sealed

        with mock.patch.object(self.terminal, "seal", keep):
            try:
                self.top_up(700, known=known)
            except (OSError, t.Failed, t.http.client.HTTPException):
                return


class BinaryBitmap(Killed, unittest.TestCase):
    bitmap = "binary"


class HexBitmap(Hosted, unittest.TestCase):
    bitmap = "hex"


if __name__ == "__main__":
    os.environ.setdefault("PYTHONUNBUFFERED", "1")
    unittest.main(verbosity=2)
