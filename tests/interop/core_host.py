"""A core banking host: ISO 8583:1987 over TCP by an independent codec (pyiso8583), with books and faults of its own."""

import copy
import socket
import struct
import threading
import time

import iso8583
from iso8583.specs import default_ascii

START = 1_000_000
ECHOED = ("3", "4", "7", "11", "12", "13", "32", "37", "41", "42", "49")


def spec(bitmap):
    """ASCII fields, the bitmap in bytes (`binary`) or in hex digits (`hex`)."""
    form = copy.deepcopy(default_ascii)
    for bits in ("p", "1"):
        form[bits]["data_enc"] = "b" if bitmap == "binary" else "ascii"
        form[bits]["max_len"] = 8 if bitmap == "binary" else 16
    return form


class CoreHost:
    """One account. `faults` are taken by the next 0200s: `51`, `lost`, `silent`, `late`; `reversal_faults` by reversals."""

    def __init__(self, account, bitmap="binary", port=0):
        self.account, self.spec = account, spec(bitmap)
        self.balance, self.loads, self.came, self.problems = START, {}, [], []
        self.faults, self.reversal_faults = [], []
        self.lock = threading.Lock()
        self.lines = []
        self.listener = socket.create_server(("127.0.0.1", port))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def stop(self):
        """Closes the listener and every connection."""
        self.listener.close()
        for line in self.lines:
            line.close()

    def count(self, mti):
        """How many messages of this type came."""
        with self.lock:
            return sum(message["t"] == mti for message in self.came)

    def wait(self, mti, count):
        """Waits for so many of them."""
        for _ in range(400):
            if self.count(mti) >= count:
                return
            time.sleep(0.05)
        raise AssertionError(f"{self.count(mti)} of {count} {mti} came")

    def _accept(self):
        while True:
            try:
                line, _ = self.listener.accept()
            except OSError:
                return
            self.lines.append(line)
            threading.Thread(target=self._serve, args=(line,), daemon=True).start()

    def _serve(self, line):
        stream = line.makefile("rb")
        try:
            while head := stream.read(2):
                body = stream.read(struct.unpack(">H", head)[0])
                message, _ = iso8583.decode(body, self.spec)
                answer = self._answer(message)
                if answer is not None:
                    raw, _ = iso8583.encode(answer, self.spec)
                    line.sendall(struct.pack(">H", len(raw)) + bytes(raw))
        except (OSError, ValueError):
            return

    def _answer(self, message):
        with self.lock:
            self.came.append(message)
        if message["t"] == "0800":
            return {"h": "", "t": "0810", "39": "00"} | {name: message[name] for name in ("7", "11", "70")}
        answer = {"h": ""} | {name: message[name] for name in ECHOED}
        if message["t"] == "0200":
            fault = self.faults.pop(0) if self.faults else None
            answer["t"] = "0210"
            if fault == "silent":
                return None
            answer["39"] = fault if fault == "51" else self._book(message)
            if fault == "late":
                time.sleep(2.5)
            if fault == "lost":
                return None
            if answer["39"] == "00":
                answer["38"] = "PY0001"
            return answer
        answer["t"] = "0430"
        fault = self.reversal_faults.pop(0) if self.reversal_faults else None
        if fault == "silent":
            return None
        answer["39"] = fault or self._reverse(message)
        return answer

    def _book(self, message):
        with self.lock:
            amount = int(message["4"])
            if message["102"] != self.account or message["49"] != "156":
                self.problems.append(f"account or currency of {message}")
            if message["37"] in self.loads:
                self.problems.append("asked twice")
                return "94"
            if self.balance < amount:
                return "51"
            self.balance -= amount
            self.loads[message["37"]] = [amount, message["11"], message["7"], True]
            return "00"

    def _reverse(self, message):
        with self.lock:
            load = self.loads.get(message["37"])
            if load is None:
                return "25"
            amount, stan, sent, booked = load
            original = "0200" + stan + sent + message["32"].rjust(11, "0") + "0" * 11
            if message["90"] != original:
                self.problems.append(f"field 90 {message['90']} is not {original}")
            if booked:
                self.balance += amount
                load[3] = False
            return "00"
