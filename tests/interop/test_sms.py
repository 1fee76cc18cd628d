"""SMS on their way to phones, against an SMSC and a provider that are not the bank's. `TAPFILL_BANK` names its binary."""

import os
import re
import signal
import sqlite3
import sys
import time
import unittest
import urllib.request
from pathlib import Path
from unittest import mock

sys.path.insert(0, str(Path(__file__).resolve().parent))

import provider as http  # noqa: E402
import smsc  # noqa: E402
import terminal as t  # noqa: E402
import test_interop as shared  # noqa: E402

SECRET = "hush-717"
SMPP = """
[sms.smpp]
address = "127.0.0.1:{port}"
system_id = "bank"
source = "Tapfill"
prefix = "86"
"""
HTTP = """
[sms.http]
url = "{url}"
authority = "{authority}"
id = "/message/id"
body = {{ to = "+86{{phone}}", content = {{ text = "{{text}}" }}, channel = 3 }}
"""
TO = "86" + shared.PHONE
CODE = re.compile(r"Code (\d{6}) for topping up the card ending in 4471")


class SmsBank(shared.Bank):
    """A bank with a sender; it can be killed and started again."""

    def __init__(self, sender, secret=SECRET, name="Interop Bank", valid_s=300, timeout_s=2):
        self.secret, self.logs = secret, []
        text = shared.CONFIG.replace("Interop Bank", name).replace("{", "{{").replace("}", "}}")
        text = re.sub(r"\{\{(suite|load|tac|maintenance|phone|password|serial|second)\}\}", r"{\1}", text)
        text = text.replace("[bank]\n", "[bank]\nmetrics = \"127.0.0.1:0\"\n")
        text = text.replace("[sms]\n", f"[sms]\ntimeout_s = {timeout_s}\nvalid_s = {valid_s}\n")
        with mock.patch.object(shared, "CONFIG", text + sender.replace("{", "{{").replace("}", "}}")):
            super().__init__(3)

    def prepare(self):
        self.dir.mkdir(mode=0o700)
        (self.dir / "sms.key").write_text(self.secret + "\n")

    def kill(self):
        """As a loss of power would."""
        self.process.send_signal(signal.SIGKILL)
        self.process.wait(20)
        self.logs.append(self.log.read_text())

    def metric(self, name):
        """A number, 0 when it has not been counted."""
        address = re.search(r"^bank: ready .*\bmetrics=(\S+)", self.log.read_text(), re.MULTILINE)[1]
        text = urllib.request.urlopen(f"http://{address}/metrics", timeout=10).read().decode()
        found = re.search(rf"^tapfill_bank_{re.escape(name)} (\S+)$", text, re.MULTILINE)
        return float(found[1]) if found else 0

    def counted(self, result):
        return self.metric(f'sms_total{{result="{result}"}}')

    def rows(self):
        """(outcome, what is still sealed, message, receipt) of all SMS."""
        with sqlite3.connect(f"file:{self.dir / 'bank.sqlite'}?mode=ro", uri=True) as store:
            sql = "SELECT outcome, sealed, message, receipt FROM outbox WHERE kind = 'sms' ORDER BY id"
            return store.execute(sql).fetchall()


def until(condition, seconds=20):
    """Waits for it; what it gave."""
    end = time.monotonic() + seconds
    while not (found := condition()):
        if time.monotonic() > end:
            raise AssertionError("it never came to that")
        time.sleep(0.05)
    return found


class Case(unittest.TestCase):
    """A bank and a terminal for each test; the log is looked through at its end."""

    def start(self, sender, **wishes):
        self.bank, self.codes = SmsBank(sender, **wishes), []
        self.addCleanup(self.bank.stop)
        self.terminal = t.Terminal(self.bank.profile)
        self.terminal.enrol()
        self.terminal.fetch_key()

    def tearDown(self):
        log = "\n".join([*self.bank.logs, self.bank.log.read_text()])
        for secret in (shared.PHONE, SECRET, *self.codes):
            self.assertNotIn(secret, log, "no number, code or secret is in the log")
        self.assertEqual(self.bank.check()["findings"], [])

    def ask(self):
        """Asks for a code; its transaction."""
        transaction = os.urandom(15) + b"\x00"
        self.terminal.send_sms(transaction, shared.SERIAL[-4:], shared.PHONE)
        return transaction

    def assertGood(self, transaction, text):
        """The code in this text proves this transaction."""
        code = CODE.search(text)[1]
        self.codes.append(code)
        self.assertEqual(len(self.terminal.verify_sms(transaction, code)), 16)


class BySmpp(Case):
    """Every test has an SMSC of its own."""

    def begin(self, extra="", receipts=None, **wishes):
        self.smsc = smsc.Smsc(SECRET, receipts)
        self.addCleanup(self.smsc.away)
        self.start(SMPP.format(port=self.smsc.port) + extra, **wishes)

    def is_bound(self, times):
        until(lambda: self.bank.log.read_text().count("the SMSC is there") == times, 40)

    def test_a_text_of_the_default_alphabet_arrives_in_it(self):
        self.begin(receipts="DELIVRD", name="Bänk Süd [€]")
        transaction = self.ask()
        [(to, text)] = until(self.smsc.taken)
        self.assertEqual(to, TO)
        self.assertTrue(text.startswith("[Bänk Süd [€]] Code "), text)
        self.assertGood(transaction, text)
        [part] = self.smsc.parts
        self.assertEqual((part.coding, part.source, part.source_ton), ("SMSC_DEFAULT_ALPHABET", "Tapfill", "ALPHANUMERIC"))
        self.assertIsNotNone(part.validity, "the SMSC keeps no code that is not good any more")
        until(lambda: self.bank.counted("arrived"))
        self.assertEqual(self.bank.rows(), [("accepted", None, "1", "arrived")])

    def test_chinese_arrives_in_parts_of_ucs2(self):
        self.begin(name="充值银行")
        transaction = self.ask()
        [(to, text)] = until(self.smsc.taken)
        self.assertTrue(text.startswith("[充值银行] Code "), text)
        self.assertGood(transaction, text)
        self.assertEqual([part.coding for part in self.smsc.parts], ["UCS2", "UCS2"])
        self.assertEqual([part.header[4:] for part in self.smsc.parts], [b"\x02\x01", b"\x02\x02"])

    def test_a_long_text_goes_whole_where_the_smsc_makes_the_parts(self):
        self.begin('long = "payload"\n', name="Bank " + "x" * 150)
        transaction = self.ask()
        [(_, text)] = until(self.smsc.taken)
        self.assertGood(transaction, text)
        self.assertEqual(len(self.smsc.parts), 1)
        self.assertGreater(len(text), 160)

    def test_a_receipt_that_says_no_is_kept(self):
        self.begin(receipts="UNDELIV")
        self.ask()
        until(lambda: self.bank.counted("not-arrived"))
        self.assertEqual(self.bank.rows()[0][3], "failed")

    def test_an_smsc_that_was_away_gets_what_waited(self):
        self.begin()
        first = self.ask()
        until(self.smsc.taken)
        card = shared.card(shared.SERIAL, balance=0)
        proof = self.terminal.verify_sms(first, CODE.search(self.smsc.taken()[0][1])[1])
        self.smsc.away()
        waiting = [self.ask() for _ in range(3)]
        answer = t.top_up(self.terminal, card, 500, shared.PASSWORD, proof, first)
        self.assertEqual(answer.outcome, "ok")
        until(lambda: self.bank.metric('load_moves_total{phase="confirmed"}'))
        self.assertEqual(self.bank.metric('outbox_waiting{kind="sms"}'), 3, "loads do not wait for SMS")
        self.smsc.back()
        until(lambda: len(self.smsc.taken()) == 4)
        texts = [text for _, text in self.smsc.taken()[1:]]
        for transaction in waiting:
            good = [text for text in texts if self.is_good(transaction, text)]
            self.assertEqual(len(good), 1, "each of them has come, once")

    def is_good(self, transaction, text):
        try:
            self.assertGood(transaction, text)
            return True
        except t.Failed:
            return False

    def test_an_smsc_that_has_too_much_gets_it_later(self):
        for status in (smsc.Status.ESME_RTHROTTLED, smsc.Status.ESME_RMSGQFUL):
            with self.subTest(status.name):
                self.begin()
                self.smsc.answers += [status, status]
                transaction = self.ask()
                [(_, text)] = until(self.smsc.taken)
                self.assertGood(transaction, text)
                self.assertEqual(len(self.smsc.parts), 3)
                self.assertEqual(self.bank.counted("again"), 2)
                self.assertIn(status.name, self.bank.log.read_text())

    def test_what_the_smsc_refuses_is_over(self):
        self.begin()
        self.smsc.answers.append(smsc.Status.ESME_RINVDSTADR)
        self.ask()
        until(lambda: self.bank.counted("refused"))
        second = self.ask()
        [(_, text)] = until(self.smsc.taken)
        self.assertGood(second, text)
        self.assertEqual([row[:2] for row in self.bank.rows()], [("refused", None), ("accepted", None)])

    def test_a_connection_that_breaks_after_a_submit_costs_one_extra_at_most(self):
        self.begin()
        self.smsc.answers.append(smsc.DROP)
        transaction = self.ask()
        [(_, text)] = until(self.smsc.taken)
        self.assertGood(transaction, text)
        self.assertEqual(len(self.smsc.seen()), 2)

    def test_an_smsc_that_never_answers_gets_it_twice_and_no_oftener(self):
        self.begin()
        self.smsc.answers += [smsc.SILENT] * 5
        transaction = self.ask()
        until(lambda: self.bank.counted("unanswered"))
        texts = [text for _, text in self.smsc.seen()]
        self.assertEqual(len(texts), 2)
        self.assertEqual(texts[0], texts[1])
        self.assertGood(transaction, texts[0])
        self.assertEqual(self.bank.rows(), [("unanswered", None, None, None)])

    def test_a_code_that_nobody_took_in_time_is_given_up(self):
        self.begin(valid_s=8)
        self.is_bound(1)
        self.smsc.away()
        self.ask()
        until(lambda: self.bank.counted("given-up"))
        self.assertEqual(self.bank.rows(), [("given-up", None, None, None)], "and wiped")
        self.smsc.back()
        self.is_bound(2)
        transaction = self.ask()
        until(self.smsc.taken)
        self.assertEqual(len(self.smsc.seen()), 1, "what was given up does not come")
        self.assertGood(transaction, self.smsc.taken()[0][1])

    def test_a_bad_password_is_told_and_a_right_one_mends_it(self):
        self.begin(secret="hush-718")
        transaction = self.ask()
        until(lambda: "ESME_RINVPASWD" in self.bank.log.read_text())
        self.assertNotIn("hush-718", self.bank.log.read_text())
        self.assertEqual(self.smsc.parts, [])
        self.smsc.set_password("hush-718")
        [(_, text)] = until(self.smsc.taken, 40)
        self.assertGood(transaction, text)

    def test_over_tls(self):
        authority = http.Authority()
        self.smsc = smsc.Smsc(SECRET)
        self.addCleanup(self.smsc.away)
        tunnel = http.Tunnel(authority, self.smsc.port)
        self.addCleanup(tunnel.stop)
        self.start(SMPP.format(port=tunnel.port) + f'tls = true\nauthority = "{authority.pem}"\n')
        transaction = self.ask()
        [(_, text)] = until(self.smsc.taken)
        self.assertGood(transaction, text)

    def test_a_kill_between_sending_and_writing_costs_one_extra_at_most(self):
        self.begin()
        self.smsc.answers.append(smsc.SILENT)
        transaction = self.ask()
        until(self.smsc.seen)
        self.bank.kill()
        self.bank.start()
        self.terminal = self.again()
        [(_, text)] = until(self.smsc.taken)
        self.assertEqual(self.smsc.seen(), [(TO, text)] * 2, "the same once more")
        time.sleep(3)
        self.assertEqual(len(self.smsc.seen()), 2, "and no oftener")
        self.assertGood(transaction, text)

    def again(self):
        """The same terminal, of a bank that has new addresses."""
        heir = t.Terminal(self.bank.profile)
        for name in ("number", "master_key", "suite", "key_id", "key_suite", "working_key", "counter"):
            setattr(heir, name, getattr(self.terminal, name))
        return heir

    def test_whenever_the_bank_is_killed_each_code_comes_and_at_most_twice(self):
        self.begin()
        for after_s in (0.0, 0.004, 0.02):
            before = len(self.smsc.seen())
            transaction = self.ask()
            time.sleep(after_s)
            self.bank.kill()
            self.bank.start()
            self.terminal = self.again()
            until(lambda: len(self.smsc.taken()) > before or self.bank.rows()[-1][0])
            texts = {text for _, text in until(lambda: self.smsc.seen()[before:])}
            until(lambda: self.bank.rows()[-1][0] == "accepted")
            came = self.smsc.seen()[before:]
            self.assertIn(len(came), (1, 2), f"killed after {after_s} s")
            self.assertEqual(len(texts), 1)
            self.assertGood(transaction, came[0][1])


class ByHttp(Case):
    """Every test has a provider of its own."""

    def begin(self, config=HTTP, extra="", **wishes):
        self.authority = http.Authority()
        self.provider = http.Provider(self.authority)
        self.addCleanup(self.provider.stop)
        config = config.format(url=self.provider.url, authority=self.authority.pem)
        self.start(config + extra, **wishes)

    def texts(self):
        return [fields["content"]["text"] for _, fields in self.provider.posts]

    def test_json_with_a_bearer(self):
        self.begin(name="充值银行")
        transaction = self.ask()
        [(headers, fields)] = until(lambda: self.provider.posts)
        self.assertEqual(headers["authorization"], f"Bearer {SECRET}")
        self.assertEqual((fields["to"], fields["channel"]), ("+86" + shared.PHONE, 3))
        self.assertTrue(fields["content"]["text"].startswith("[充值银行] Code "))
        self.assertGood(transaction, fields["content"]["text"])
        until(lambda: self.bank.rows() == [("accepted", None, "m1", None)])

    def test_a_form_with_basic(self):
        form = '[sms.http]\nurl = "{url}"\nauthority = "{authority}"\nform = "urlencoded"\nauth = "basic"\nuser = "bank"\n'
        self.begin(form + 'body = {{ To = "{{phone}}", Body = "{{text}}", From = "Tapfill" }}\n', name="Bänk")
        transaction = self.ask()
        [(headers, fields)] = until(lambda: self.provider.posts)
        self.assertEqual(headers["authorization"], "Basic YmFuazpodXNoLTcxNw==")
        self.assertEqual((fields["To"], fields["From"]), (shared.PHONE, "Tapfill"))
        self.assertTrue(fields["Body"].startswith("[Bänk] Code "))
        self.assertGood(transaction, fields["Body"])

    def test_429_and_500_are_tried_again(self):
        self.begin()
        self.provider.answers += [(429, {"Retry-After": 2}), 500]
        transaction = self.ask()
        until(lambda: self.bank.counted("accepted"))
        self.assertEqual(len(self.provider.posts), 3)
        self.assertEqual(len({headers["idempotency-key"] for headers, _ in self.provider.posts}), 1)
        self.assertGood(transaction, self.texts()[2])

    def test_400_and_401_are_not(self):
        self.begin()
        self.provider.answers += [400, 401]
        self.ask()
        self.ask()
        until(lambda: self.bank.counted("refused") == 2)
        time.sleep(3)
        self.assertEqual(len(self.provider.posts), 2)
        self.assertEqual([row[:2] for row in self.bank.rows()], [("refused", None)] * 2)

    def test_a_provider_that_answers_too_late_gets_it_once_more(self):
        self.begin()
        self.provider.answers.append(4.0)
        transaction = self.ask()
        until(lambda: self.bank.counted("accepted"))
        self.assertEqual(len(self.provider.posts), 2)
        self.assertGood(transaction, self.texts()[0])

    def test_a_slow_one_holds_nobody_up(self):
        self.begin(timeout_s=30)
        self.provider.answers.append(12.0)
        began = time.monotonic()
        self.ask()
        until(lambda: self.provider.posts)
        second = self.ask()
        until(lambda: self.bank.counted("accepted") == 1)
        self.assertLess(time.monotonic() - began, 12, "neither the answer nor the second SMS waits for the first")
        self.assertGood(second, self.texts()[1])
        until(lambda: self.bank.counted("accepted") == 2)

    def test_whoever_has_another_authority_is_sent_nothing(self):
        stranger = http.Authority()
        self.begin(HTTP.replace("{authority}", str(stranger.pem)))
        self.ask()
        until(lambda: self.bank.counted("again"))
        self.assertEqual(self.provider.posts, [])

    def test_a_kill_between_sending_and_writing_costs_one_extra_at_most(self):
        self.begin()
        self.provider.answers.append(1.5)
        self.ask()
        until(lambda: self.provider.posts)
        self.bank.kill()
        self.bank.start()
        until(lambda: self.bank.counted("accepted"))
        self.assertEqual(len(self.provider.posts), 2)
        self.assertEqual(len(set(self.texts())), 1)


class Settings(unittest.TestCase):
    """What the bank says of a sender that it can't use."""

    def test_a_bank_without_the_secret_says_where_it_belongs(self):
        with mock.patch.object(SmsBank, "prepare", lambda self: None), self.assertRaises(RuntimeError) as caught:
            SmsBank(SMPP.format(port=2775))
        self.assertRegex(str(caught.exception), r"file-unusable: \S*sms\.key: put the password")

    def test_a_password_that_no_bind_can_hold_is_told(self):
        with self.assertRaises(RuntimeError) as caught:
            SmsBank(SMPP.format(port=2775), secret="longer-than-8")
        self.assertRegex(str(caught.exception), r"file-unusable: \S*sms\.key: .*8")
        self.assertNotIn("longer-than-8", str(caught.exception))


if __name__ == "__main__":
    unittest.main()
