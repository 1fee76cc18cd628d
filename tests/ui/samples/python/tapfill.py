"""The app and everything around it for one test.

Copy this file and change it: it uses nothing of the project's own tests, only what docs/ui-testing.md promises, and
speaks the WebDriver protocol itself. With the package selenium, `webdriver.Remote` takes the same capabilities.
"""

import json
import os
import shutil
import socket
import ssl
import subprocess
import tempfile
import time
import urllib.error
import urllib.request
from pathlib import Path

# The checkout. A copy of this file somewhere else is told where it is.
ROOT = Path(os.environ["TAPFILL_ROOT"]) if "TAPFILL_ROOT" in os.environ else Path(__file__).resolve().parents[4]
APP = ROOT / "target/debug/tapfill"
XTASK = ROOT / "target/debug/xtask"
WAIT_S = 30
ELEMENT = "element-6066-11e4-a52e-4f735466cecf"  # the name that the W3C gave it

PHONE = "13800006021"
PASSWORD = "246810"


class WebDriverError(Exception):
    """What the driver answered instead of a value."""


class Tapfill:
    def __init__(self, *rig_options: str) -> None:
        self.session = None
        self.driver = None
        self.dir = tempfile.mkdtemp(prefix="sample-", dir=ROOT / "target")
        self.rig = subprocess.Popen(
            [XTASK, "rig", "--dir", self.dir, *rig_options],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        try:
            self.env = self._environment()
            self._start_app()
        except BaseException:
            self.stop()
            raise

    def _environment(self) -> dict[str, str]:
        """`cargo xtask rig` prints the environment of the app and then "ready"."""
        found = {}
        for line in self.rig.stdout:
            if line.strip() == "ready":
                return found
            name, _, value = line.rstrip("\n").partition("=")
            found[name] = value
        raise RuntimeError("the rig did not start")

    def _start_app(self) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        env = os.environ | self.env
        env |= {"HOME": self.env["RIG_HOME"], "XDG_RUNTIME_DIR": self.env["RIG_RUNTIME_DIR"]}
        env["TAURI_WEBVIEW_AUTOMATION"] = "true"
        self.driver = subprocess.Popen(
            ["WebKitWebDriver", f"--port={port}", "--host=127.0.0.1"],
            env=env,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        self.url = f"http://127.0.0.1:{port}"
        self.until(lambda: self._ask("GET", "/status"), "the driver answers")
        wanted = {"browserName": "wry", "webkitgtk:browserOptions": {"binary": str(APP), "args": []}}
        answer = self._ask("POST", "/session", {"capabilities": {"alwaysMatch": wanted}})
        self.session = f"/session/{answer['sessionId']}"

    def _ask(self, method: str, path: str, body: dict | None = None):
        data = json.dumps(body or {}).encode() if method == "POST" else None
        request = urllib.request.Request(self.url + path, data, {"Content-Type": "application/json"}, method=method)
        try:
            with urllib.request.urlopen(request, timeout=WAIT_S) as response:
                return json.load(response)["value"]
        except urllib.error.HTTPError as error:
            raise WebDriverError(error.read().decode()) from error

    def tell(self, line: str) -> None:
        """A line for the rig, like "bank stop"."""
        self.rig.stdin.write(line + "\n")
        self.rig.stdin.flush()
        answer = self.rig.stdout.readline().strip()
        if answer != "ok":
            raise RuntimeError(f"{line}: {answer}")

    def card(self, line: str) -> str:
        """A line for the virtual card, like "tear 52 before"."""
        host, port = self.env["TAPFILL_CARD_CONTROL"].split(":")
        with socket.create_connection((host, int(port)), WAIT_S) as control:
            control.sendall(f"{line}\n".encode())
            answer = control.makefile(encoding="utf-8").readline().strip()
        if not answer.startswith("ok"):
            raise RuntimeError(f"{line}: {answer}")
        return answer[2:].strip()

    def sms_code(self, since_ms: float) -> str:
        """The code of the newest message sent since."""
        profile = json.loads(Path(self.env["TAPFILL_PROFILE"]).read_text(encoding="utf-8"))
        trust = ssl.create_default_context(cadata=profile["authority_pem"])

        def newest():
            with urllib.request.urlopen(self.env["TAPFILL_INBOX"], timeout=WAIT_S, context=trust) as response:
                inbox = json.load(response)
            return next((sms["code"] for sms in inbox if sms["sent_ms"] >= since_ms), None)

        return self.until(newest, "a message with a code")

    def click(self, testid: str) -> None:
        self._use(testid, lambda element: self._ask("POST", f"{element}/click"))

    def type(self, testid: str, text: str) -> None:
        def put(element: str) -> None:
            self._ask("POST", f"{element}/clear")
            self._ask("POST", f"{element}/value", {"text": text})

        self._use(testid, put)

    def text(self, testid: str) -> str:
        return self._use(testid, lambda element: self._ask("GET", f"{element}/text").strip())

    def shown(self, testid: str) -> str | None:
        """The text of what is on the screen now, or nothing: for the words of a failing test."""
        element = self._find(testid)
        return self._ask("GET", f"{element}/text").strip() if element else None

    def state(self, testid: str, *states: str) -> str:
        """Waits for `data-state`; which of the given ones it is."""

        def now():
            found = self._find(testid)
            state = self._ask("GET", f"{found}/attribute/data-state") if found else None
            return state if state in states else None

        return self.until(now, f"{testid} is {' or '.join(states)}")

    def _find(self, testid: str) -> str | None:
        query = {"using": "css selector", "value": f'[data-testid="{testid}"]'}
        found = self._ask("POST", f"{self.session}/elements", query)
        return f"{self.session}/element/{found[0][ELEMENT]}" if found else None

    def _use(self, testid: str, use):
        """The page draws an element anew when its value changes, so it is found again and tried until it works."""

        def attempt():
            element = self._find(testid)
            if not element or not self._ask("GET", f"{element}/enabled"):
                return None
            value = use(element)
            return True if value is None else value

        return self.until(attempt, f"{testid} can be used")

    @staticmethod
    def until(probe, what: str):
        end = time.monotonic() + WAIT_S
        last = None
        while time.monotonic() < end:
            try:
                if value := probe():
                    return value
            except (WebDriverError, OSError) as error:
                last = error
            time.sleep(0.1)
        raise TimeoutError(f"not within {WAIT_S} s: {what}") from last

    def stop(self) -> None:
        if self.session:
            try:
                self._ask("DELETE", self.session)
            except (WebDriverError, OSError):
                pass  # the app may have ended by itself
        if self.driver:
            self.driver.terminate()
            self.driver.wait()
        if self.rig.stdin:
            self.rig.stdin.close()  # the rig stops all of its parts
        self.rig.wait()
        self.rig.stdout.close()
        shutil.rmtree(self.dir, ignore_errors=True)
