"""SMS of two processes of one bank on one PostgreSQL, by SMPP. `TAPFILL_BANK` names the bank's binary."""

import json
import os
import shutil
import subprocess
import sys
import time
import unittest
from pathlib import Path
from unittest import mock

sys.path.insert(0, str(Path(__file__).resolve().parent))

import private_postgres  # noqa: E402
import smsc  # noqa: E402
import terminal as t  # noqa: E402
import test_interop as shared  # noqa: E402
from test_sms import CODE, SECRET, SMPP, SmsBank, until  # noqa: E402
from twisted.internet import reactor  # noqa: E402

CODES = 12
# Of one attempt; it is the other process's 5 s after that.
ATTEMPT_S = 6
LEASE_S = ATTEMPT_S + 5


class TwoGates(smsc.Smsc):
    """The same SMSC at two addresses: it can be deaf at the second one."""

    def back(self):
        super().back()
        self.second = smsc.in_reactor(lambda: reactor.listenTCP(0, self.factory, interface="127.0.0.1"))

    def away(self):
        super().away()
        smsc.in_reactor(self.second.stopListening)

    def _of_second(self):
        port = self.second.getHost().port
        return [it for it in self.connections if it.transport and it.transport.getHost().port == port]

    def be_deaf(self):
        """What comes at the second address from now on is read by nobody."""
        smsc.in_reactor(lambda: [it.transport.pauseProducing() for it in self._of_second()])

    def forget(self):
        """Nor ever will be."""
        smsc.in_reactor(lambda: [it.transport.abortConnection() for it in self._of_second()])


class OneOfTwo(SmsBank):
    """A process on the common store; `keys` is the folder of the one that was there first."""

    def __init__(self, store, port, keys=None):
        self.keys = keys
        text = shared.CONFIG.replace("[bank]\n", f'[bank]\nstore = "{store}"\n')
        with mock.patch.object(shared, "CONFIG", text):
            super().__init__(SMPP.format(port=port), timeout_s=ATTEMPT_S)

    def prepare(self):
        if self.keys is None:
            super().prepare()
        else:
            shutil.copytree(self.keys, self.dir, ignore=shutil.ignore_patterns("profile.json"))

    def check(self):
        config = self.dir.with_name("bank.toml")
        command = [shared.BANK, "check", "--dir", self.dir, "--config", config]
        return json.loads(subprocess.run(command, capture_output=True, check=True, timeout=60).stdout)


@unittest.skipUnless(private_postgres.programs(), "PostgreSQL is not installed")
class Pair(unittest.TestCase):
    """Two processes, each bound to the SMSC at an address of its own; a terminal at each."""

    def setUp(self):
        self.store = private_postgres.Postgres()
        self.addCleanup(self.store.stop)
        self.smsc = TwoGates(SECRET)
        self.addCleanup(self.smsc.away)
        one = OneOfTwo(self.store.url, self.smsc.port)
        self.addCleanup(one.stop)
        two = OneOfTwo(self.store.url, self.smsc.second.getHost().port, one.dir)
        self.addCleanup(two.stop)
        self.banks = [one, two]
        self.terminals = [self.terminal(bank) for bank in self.banks]
        until(lambda: all("the SMSC is there" in bank.log.read_text() for bank in self.banks), 40)

    def terminal(self, bank):
        terminal = t.Terminal(bank.profile)
        terminal.enrol()
        terminal.fetch_key()
        return terminal

    def ask(self, terminal):
        """Asks for a code; its transaction."""
        transaction = os.urandom(15) + b"\x00"
        terminal.send_sms(transaction, shared.SERIAL[-4:], shared.PHONE)
        return transaction

    def assertEachOnce(self, asked):
        """Each of these transactions has one SMS, and what it says is good."""
        self.assertEqual(len(self.smsc.seen()), len(asked), "no SMS came twice")
        left = [CODE.search(text)[1] for _, text in self.smsc.seen()]
        for terminal, transaction in asked:
            good = [code for code in left if self.is_good(terminal, transaction, code)]
            self.assertEqual(len(good), 1)
            left.remove(good[0])

    def is_good(self, terminal, transaction, code):
        try:
            return len(terminal.verify_sms(transaction, code)) == 16
        except t.Failed:
            return False

    def leased(self, also=""):
        return self.store.number(f"SELECT count(*) FROM outbox WHERE kind = 'sms' AND tries > 0 {also}")

    def test_each_code_of_two_processes_is_submitted_once(self):
        asked = []
        for number in range(CODES):
            terminal = self.terminals[number % 2]
            asked.append((terminal, self.ask(terminal)))
        until(lambda: len(self.smsc.taken()) >= CODES)
        # Rounds of both, with nothing left for either.
        time.sleep(3)
        self.assertEqual(len(self.smsc.seen()), CODES)
        self.assertEqual(sum(bank.counted("accepted") for bank in self.banks), CODES)
        self.assertEqual(self.leased("AND tries = 1 AND outcome = 'accepted'"), CODES)
        for bank in self.banks:
            self.assertEqual(bank.check()["findings"], [])

    def test_what_a_process_had_taken_when_it_was_killed_is_submitted_by_the_other_one(self):
        one, two = self.banks
        terminal = self.terminals[1]
        self.smsc.be_deaf()
        taken = [self.ask(terminal) for _ in range(4)]
        until(lambda: self.leased() == len(taken), ATTEMPT_S)
        two.kill()
        self.smsc.forget()
        held = self.leased("AND outcome IS NULL")
        self.assertGreater(held, 0, "the process that is gone had some")
        time.sleep(2)
        self.assertEqual(len(self.smsc.seen()), len(taken) - held, "they are nobody else's yet")
        until(lambda: len(self.smsc.taken()) == len(taken), LEASE_S + 10)
        time.sleep(3)
        # The same terminal, at the process that is left.
        heir = t.Terminal(one.profile)
        for name in ("number", "master_key", "suite", "key_id", "key_suite", "working_key", "counter"):
            setattr(heir, name, getattr(terminal, name))
        self.assertEachOnce([(heir, transaction) for transaction in taken])
        self.assertEqual(one.check()["findings"], [])


if __name__ == "__main__":
    unittest.main()
