"""The operators' page in Chromium, on a bank with loads of every kind. `TAPFILL_BANK` names the bank's binary."""

import base64
import os
import re
import subprocess
import sys
import tempfile
import time
import unittest
from pathlib import Path
from unittest import mock

from selenium import webdriver
from selenium.common.exceptions import WebDriverException
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.ui import Select, WebDriverWait

ROOT = Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(ROOT / "tests/interop"))

import terminal as t  # noqa: E402
import test_core_host as core  # noqa: E402
import test_interop as shared  # noqa: E402
from core_host import CoreHost  # noqa: E402

SCREENS = Path(os.environ.get("TAPFILL_SCREENS", ROOT / "target/artefacts/console"))
AXE = ROOT / "tests/ui/node_modules/axe-core/axe.min.js"
SECRET = "a long enough one"
STAFF = {"chen": "operator", "wang": "operator", "lin": "viewer"}
PLACES = ["/", "/loads", "/queues", "/days", "/terminals", "/packages", "/sms", "/checks"]
TIMEOUT_S = 20
# Themes change colours and languages change lengths: each with each other is not needed.
DRESSES = {
    "en": [("light", 1280), ("dark", 1280), ("light", 390), ("dark", 390)],
    "zh-CN": [("light", 1280), ("light", 390)],
}


class Staffed(shared.Bank):
    """A bank with a console, three people and a few loads."""

    def __init__(self):
        config = shared.CONFIG.replace("[bank]\n", '[bank]\nconsole = "127.0.0.1:0"\n')
        with mock.patch.object(shared, "CONFIG", config):
            super().__init__(3)
        self.url = "http://" + re.search(r"\bconsole=(\S+)", self.log.read_text())[1]
        for name, role in STAFF.items():
            self.command("operator", "--name", name, "--role", role)

    def command(self, verb, *words):
        """A verb of the bank's own, with the password that everybody here has."""
        config = self.dir.parent / "bank.toml"
        command = [shared.BANK, verb, "--dir", self.dir, "--config", config, *words]
        subprocess.run(command, input=SECRET + "\n", text=True, check=True, capture_output=True, timeout=60)

    def load(self, terminal, card, amount, tear=None, password=shared.PASSWORD):
        """One top-up with everything that belongs to it."""
        transaction = os.urandom(15) + b"\x00"
        tail = card.file15()[18:20].hex()
        before = len(terminal.inbox())
        terminal.send_sms(transaction, tail, shared.PHONE)
        for _ in range(200):
            inbox = terminal.inbox()
            if len(inbox) > before:
                break
            time.sleep(0.05)
        proof = terminal.verify_sms(transaction, inbox[0]["code"])
        try:
            return t.top_up(terminal, card, amount, password, proof, transaction, tear)
        except t.Torn:
            return None

    def queue(self, terminal, amounts):
        """Money for many cards at once, by serial; the queue's name."""
        queue, industry = os.urandom(16).hex(), "0001"
        before = len(terminal.inbox())
        about = {"queue": queue, "industry": industry}
        total = sum(amounts.values())
        terminal.ask("/v1/queue/send", about | {"phone": shared.PHONE, "cards": len(amounts), "total": total})
        for _ in range(200):
            inbox = terminal.inbox()
            if len(inbox) > before:
                break
            time.sleep(0.05)
        paid = {"code": inbox[0]["code"], "pin_block": terminal.pin_block(shared.PASSWORD).hex()}
        items = [{"card": serial, "amount": amount} for serial, amount in amounts.items()]
        terminal.ask("/v1/queue/open", about | paid | {"items": items})
        return queue

    def busy_day(self):
        """Two loads on the card, a refused one, one whose card was torn off, and a queue that waits for both cards."""
        terminal = t.Terminal(self.profile)
        terminal.enrol()
        terminal.fetch_key()
        card, other = shared.card(shared.SERIAL, balance=1234), shared.card(shared.SECOND, balance=0)
        self.load(terminal, card, 5_000)
        self.load(terminal, card, 12_345)
        self.load(terminal, other, 2_000, password=shared.WRONG)
        self.load(terminal, card, 3_000, tear="before")
        self.queue(terminal, {shared.SERIAL: 4_000, shared.SECOND: 5_000})
        return terminal


class Page(unittest.TestCase):
    """One bank and one browser; each test signs in for itself."""

    @classmethod
    def staffed(cls):
        """The bank whose page it is."""
        return Staffed()

    @classmethod
    def setUpClass(cls):
        cls.bank = cls.staffed()
        cls.addClassCleanup(cls.bank.stop)
        SCREENS.mkdir(parents=True, exist_ok=True)
        cls.profile = tempfile.TemporaryDirectory(prefix="tapfill-console-")
        cls.addClassCleanup(cls.profile.cleanup)
        options = webdriver.ChromeOptions()
        options.binary_location = os.environ.get("TAPFILL_CHROMIUM", "/usr/bin/chromium")
        for argument in ("--headless=new", "--no-sandbox", "--disable-dev-shm-usage", "--window-size=1280,900",
                         "--no-proxy-server", f"--user-data-dir={cls.profile.name}"):
            options.add_argument(argument)
        options.add_experimental_option("prefs", {"intl.accept_languages": "zh-CN,zh"})
        options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
        service = webdriver.ChromeService(os.environ.get("TAPFILL_CHROMEDRIVER", "/usr/bin/chromedriver"))
        cls.browser = webdriver.Chrome(options=options, service=service)
        cls.addClassCleanup(cls.browser.quit)

    @classmethod
    def tearDownClass(cls):
        findings = cls.bank.check()["findings"]
        assert findings == [], findings

    def setUp(self):
        self.browser.delete_all_cookies()
        self.dress("light")

    # --- what tests are made of ---

    def dress(self, theme, width=1280, height=900):
        """Light or dark, as the system would say; the size of the window."""
        features = [{"name": "prefers-color-scheme", "value": theme}]
        self.browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})
        size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600}
        self.browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)

    def open(self, path):
        self.browser.get(self.bank.url + path)

    def find(self, name):
        """The element with this `data-testid`."""
        found = WebDriverWait(self.browser, TIMEOUT_S).until(
            lambda browser: browser.find_elements(By.CSS_SELECTOR, f'[data-testid="{name}"]'), name
        )
        return found[0]

    def text(self, name):
        return self.find(name).text

    def has(self, name):
        return bool(self.browser.find_elements(By.CSS_SELECTOR, f'[data-testid="{name}"]'))

    def sign_in(self, name, secret=SECRET):
        self.open("/sign-in")
        self.find("name").send_keys(name)
        self.find("password").send_keys(secret)
        self.press("sign-in")

    def press(self, name):
        self.leave(lambda: self.find(name).click())

    def leave(self, act):
        """Does what leads to another page, and waits for it: whoever asks for a page before the answer is there takes the
        question back."""
        self.browser.execute_script("window.pressed = true")
        act()

        def answered(browser):
            try:
                return browser.execute_script("return !window.pressed && document.readyState === 'complete'")
            except WebDriverException:
                return False  # between two pages

        WebDriverWait(self.browser, TIMEOUT_S).until(answered, "another page")

    def english(self):
        self.open("/language?to=en")

    def picture(self, name):
        """The whole page, however long."""
        shot = self.browser.execute_cdp_cmd("Page.captureScreenshot", {"captureBeyondViewport": True})
        (SCREENS / f"{name}.png").write_bytes(base64.b64decode(shot["data"]))

    def open_load(self):
        """The page of the load whose card was torn off."""
        self.open("/loads?phase=issued")
        links = self.browser.find_elements(By.CSS_SELECTOR, '[data-testid="loads"] tbody a')
        if not links:
            self.open("/loads?phase=manual")
            links = self.browser.find_elements(By.CSS_SELECTOR, '[data-testid="loads"] tbody a')
        path = links[0].get_attribute("href")
        self.browser.get(path)
        return path

    def open_queue(self):
        """The page of the newest queue."""
        self.open("/queues")
        path = self.browser.find_element(By.CSS_SELECTOR, '[data-testid="queues"] tbody a').get_attribute("href")
        self.browser.get(path)
        return path

    def sign(self, evidence, end=None):
        if end:
            self.find(f"as-{end}").click()
        self.find("evidence").send_keys(evidence)
        self.find("password").send_keys(SECRET)
        self.press("sign")

    def faults(self):
        """What axe finds; it runs as a test's own script, outside the page's policy."""
        if not AXE.exists():
            self.fail(f"axe is not installed: npm ci in {AXE.parent.parent.parent.relative_to(ROOT)}")
        self.browser.execute_script(AXE.read_text())
        found = self.browser.execute_async_script(
            "axe.run(document, {resultTypes: ['violations']}).then((r) => arguments[0](r.violations))"
        )
        return [(it["id"], [node["html"][:120] for node in it["nodes"]]) for it in found]


class Console(Page):
    """A bank with loads of every kind."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.terminal = cls.bank.busy_day()

    def test_1_signing_in_and_out(self):
        """A wrong secret is refused; a right one shows today's figures, and after signing out nothing is there."""
        self.open("/loads")
        self.assertTrue(self.browser.current_url.endswith("/sign-in"))
        self.sign_in("chen", "not that one at all")
        self.assertIn("不正确", self.text("refused"))
        self.picture("sign-in")
        self.sign_in("chen")
        self.assertEqual(self.text("title"), "今日")
        self.assertIn("chen", self.text("who"))
        self.assertIn("¥173.45", self.text("loaded"))
        cookie = self.browser.get_cookie("tapfill-console")
        self.assertTrue(cookie["httpOnly"])
        self.assertEqual(cookie["sameSite"], "Strict")
        self.press("sign-out")
        self.open("/")
        self.assertTrue(self.browser.current_url.endswith("/sign-in"))

    def test_2_finding_a_load(self):
        """By the card's last digits, by reference and by state; a whole card number finds nothing."""
        self.sign_in("lin")
        self.english()
        self.open("/loads")
        self.leave(lambda: self.find("find").send_keys("4471", Keys.ENTER))
        rows = self.browser.find_elements(By.CSS_SELECTOR, '[data-testid="loads"] tbody tr')
        self.assertEqual(len(rows), 3)
        reference = rows[-1].text.split()[0]
        self.find("find").clear()
        self.leave(lambda: self.find("find").send_keys(reference.lower(), Keys.ENTER))
        rows = self.browser.find_elements(By.CSS_SELECTOR, '[data-testid="loads"] tbody tr')
        self.assertEqual([row.text.split()[0] for row in rows], [reference])
        self.leave(self.browser.find_element(By.LINK_TEXT, reference).click)
        self.assertEqual(self.text("title"), reference)
        self.assertIn("the card's TAC", self.text("proof"))
        self.assertIn("debit ¥50.00", self.text("timeline"))
        self.assertFalse(self.has("act"), "nothing to decide, and nobody to do it")
        self.open("/loads")
        Select(self.find("phase")).select_by_value("declined")
        self.press("search")
        self.assertIn("8826", self.text("loads"))
        self.open("/loads?find=" + shared.SERIAL)
        self.assertTrue(self.has("none"))

    def test_3_two_people_decide(self):
        """Who may look sees no form; one operator takes over, two decide, and the money is back."""
        self.sign_in("lin")
        self.open_load()
        self.assertFalse(self.has("act"))
        self.press("sign-out")
        self.sign_in("chen")
        self.english()
        path = self.open_load()
        self.assertEqual(self.faults(), [])
        self.sign("holder reported the loss")
        self.assertIn("two operators", self.text("said"))
        self.sign("card seen: 6217000000004471", "refund")
        self.assertIn("last four digits", self.text("said"))
        self.assertEqual(self.faults(), [])
        self.sign("card seen at the counter", "refund")
        self.assertIn("different operator", self.text("said"))
        self.picture("decide-light")
        self.press("sign-out")
        self.sign_in("wang")
        self.browser.get(path)
        self.assertIn("card seen at the counter", self.text("timeline"))
        self.sign("same card, same balance", "refund")
        self.assertIn("carried out", self.text("said"))
        self.assertIn("two operators", self.text("proof"))
        self.assertFalse(self.has("act"), "an end is an end")
        self.open("/checks")
        self.assertIn("Every rule holds", self.text("findings"))

    def test_4_every_place_in_both_languages_and_themes(self):
        """Nothing of a secret on any page, nothing refused by the policy, no fault that axe finds; a picture of each."""
        self.browser.get_log("browser")  # what earlier tests asked for wrongly is theirs
        self.sign_in("chen")
        secrets = [shared.SERIAL, shared.SECOND, shared.SERIAL[4:], shared.PHONE, shared.PASSWORD,
                   self.terminal.master_key.hex(), self.terminal.working_key.hex()]
        self.open("/days")
        day = self.browser.find_element(By.CSS_SELECTOR, '[data-testid="days"] a').get_attribute("href")
        self.open("/loads")
        load = self.browser.find_element(By.CSS_SELECTOR, '[data-testid="loads"] tbody a').get_attribute("href")
        queue = self.open_queue()
        self.assertTrue(self.has("act"), "it can be closed")
        places = [self.bank.url + path for path in PLACES] + [day, load, queue]
        for language in DRESSES:
            self.open(f"/language?to={language}")
            for place in places:
                for theme, width in DRESSES[language]:
                    self.dress(theme, width)
                    self.browser.get(place)
                    source = self.browser.page_source
                    for secret in secrets:
                        self.assertNotIn(secret.lower(), source.lower(), place)
                    name = place.removeprefix(self.bank.url).strip("/").replace("/", "-") or "today"
                    name = re.sub(r"^(load|day|queue)s-.*", r"\1", name)
                    self.picture(f"{name}-{language}-{theme}-{width}")
                    wide = self.browser.execute_script("return document.documentElement.scrollWidth")
                    self.assertLessEqual(wide, width, f"{place} is wider than {width}")
                    self.assertEqual(self.faults(), [], f"{place}, {language}, {theme}, {width}")
        said = [line["message"][:500] for line in self.browser.get_log("browser")]
        self.assertEqual(said, [], "the browser has nothing to complain of")

    def test_5_figures_change_by_themselves(self):
        """A load that is made elsewhere appears on the open page."""
        self.sign_in("lin")
        self.english()
        self.open("/")
        before = self.text("loaded")
        card = shared.card(shared.SECOND, balance=0)
        self.assertEqual(self.bank.load(self.terminal, card, 1_000).outcome, "ok")
        WebDriverWait(self.browser, TIMEOUT_S).until(lambda _: self.text("loaded") != before, "the figure stays")
        self.assertIn("loads", self.browser.find_element(By.CSS_SELECTOR, ".figures").text)

    def test_6_closing_a_queue(self):
        """Who may look sees no form; an operator closes it, and what waited is the payer's again."""
        self.sign_in("lin")
        self.english()
        path = self.open_queue()
        self.assertIn("¥90.00", self.text("waiting"))
        self.assertFalse(self.has("act"))
        self.press("sign-out")
        self.sign_in("chen")
        self.browser.get(path)
        self.sign("the school asked")
        self.assertIn("Closed", self.text("said"))
        self.assertIn("¥90.00", self.text("returned"))
        self.assertFalse(self.has("act"), "an end is an end")


class Hosted(Page):
    """A bank whose customers' money is at a core banking host that does not take a load back."""

    @classmethod
    def staffed(cls):
        cls.host = CoreHost(core.ACCOUNT)
        cls.addClassCleanup(cls.host.stop)
        with mock.patch.object(shared, "CONFIG", core.configured(cls.host)):
            bank = Staffed()
        cls.host.wait("0800", 1)
        time.sleep(0.3)
        return bank

    def words(self, name):
        """What an element of a page that changes by itself says now."""
        script = "return document.querySelector(`[data-testid='${arguments[0]}']`)?.textContent ?? ''"
        return self.browser.execute_script(script, name)

    def test_1_what_waits_at_the_host(self):
        """A reversal that is owed appears on the open page of today, and on the load's own page; no account does."""
        self.sign_in("lin")
        self.english()
        self.open("/")
        self.assertEqual(self.text("core-line"), "signed on")
        self.assertFalse(self.has("core-waiting"))
        terminal = t.Terminal(self.bank.profile)
        terminal.enrol()
        terminal.fetch_key()
        self.host.faults.append("lost")
        self.host.reversal_faults += ["91"] * 4
        answer = self.bank.load(terminal, shared.card(shared.SERIAL, balance=1234), 2_000)
        self.assertEqual(answer.outcome, "in-doubt")
        told = WebDriverWait(self.browser, TIMEOUT_S)
        told.until(lambda _: "91" in self.words("core-waiting"), "the host's answer")
        self.assertEqual(self.words("core-owed"), "¥20.00")
        self.assertIn("a reversal is owed", self.words("core-waiting"))
        link = self.browser.find_element(By.CSS_SELECTOR, '[data-testid="core-waiting"] a').get_attribute("href")
        for name, place in (("core-today", self.bank.url + "/"), ("core-load", link)):
            for theme, width in DRESSES["en"]:
                self.dress(theme, width)
                self.browser.get(place)
                self.picture(f"{name}-{theme}-{width}")
                self.assertNotIn(core.ACCOUNT, self.browser.page_source)
                wide = self.browser.execute_script("return document.documentElement.scrollWidth")
                self.assertLessEqual(wide, width, f"{place} is wider than {width}")
                self.assertEqual(self.faults(), [], f"{place}, {theme}, {width}")
        self.assertEqual(self.text("core-state"), "a reversal is owed")
        self.assertEqual(self.text("core-response"), "none")
        self.assertEqual(self.text("core-reversal-response"), "91")
        asked = next(message for message in self.host.came if message["t"] == "0200")
        self.assertEqual(self.text("core-rrn"), asked["37"])


if __name__ == "__main__":
    unittest.main()
