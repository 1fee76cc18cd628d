"""A purse card in this process: file 15, balance, load, proof and secured update; and its issuer's keys."""

import os

from envelope import des_cbc, des_ecb, pad80, retail_mac

KIND = b"\x02"


class CardError(Exception):
    """A status word other than 9000."""

    def __init__(self, status):
        super().__init__(status.hex())
        self.status = status


def diversify(issuer_key, factor):
    """A card's key: E3(K, F) || E3(K, not F)."""
    return des_ecb(issuer_key, factor) + des_ecb(issuer_key, bytes(b ^ 0xFF for b in factor))


def mac4(key, data):
    """Single-DES CBC-MAC with padding 80, first 4 bytes."""
    return des_cbc(key, bytes(8), pad80(data))[-8:][:4]


def session_key(load_key, random, counter):
    """SESLK."""
    return des_ecb(load_key, random + counter.to_bytes(2, "big") + b"\x80\x00")


def mac1(key, old_balance, amount, terminal):
    """Card to host: over old balance, amount, type, terminal."""
    return mac4(key, old_balance.to_bytes(4, "big") + amount + KIND + terminal)


def mac2(key, amount, terminal, when):
    """Host to card: over amount, type, terminal, host date and time."""
    return mac4(key, amount + KIND + terminal + when)


def tac(tac_key, new_balance, counter, amount, terminal, when):
    """The card's receipt; `counter` is the one before it rises."""
    key = bytes(a ^ b for a, b in zip(tac_key[:8], tac_key[8:16]))
    data = new_balance.to_bytes(4, "big") + counter.to_bytes(2, "big") + amount + KIND + terminal + when
    return mac4(key, data)


def update_mac(key, challenge, head, data):
    """Secure messaging: retail MAC from the challenge, first 4 bytes."""
    return retail_mac(key, head + bytes([len(data) + 4]) + data, challenge + bytes(4))[:4]


class Purse:
    """One card. `randoms` fixes its random numbers for vectors. `record` keeps commands and replies as hex."""

    def __init__(self, serial, load_key, tac_key, maintenance_key, balance=0, counter=0, active=True,
                 start="20200101", expiry="20401231", randoms=None):
        self.load_key, self.tac_key, self.maintenance_key = load_key, tac_key, maintenance_key
        self.balance, self.counter = balance, counter
        self._file15 = bytearray(
            bytes.fromhex("0000000000000000") + bytes([active, 1]) + bytes.fromhex(serial)
            + bytes.fromhex(start) + bytes.fromhex(expiry) + bytes(2)
        )
        self.log = []
        self.record = []
        self.uid = None
        self._randoms = iter(randoms) if randoms is not None else None
        self._session = self._challenge = self._last = None

    def _random(self, n=4):
        return next(self._randoms) if self._randoms is not None else os.urandom(n)

    def _say(self, command, reply, status=b"\x90\x00"):
        self.record.append({"command": command.hex(), "reply": (reply + status).hex()})
        if status != b"\x90\x00":
            raise CardError(status)
        return reply

    def power_off(self):
        """Taken off the reader: the session is gone."""
        self._session = self._challenge = None

    def file15(self):
        """READ BINARY, 30 bytes."""
        return self._say(bytes.fromhex("00b095001e"), bytes(self._file15))

    def read_balance(self):
        """GET BALANCE, 4 bytes."""
        return self._say(bytes.fromhex("805c000204"), self.balance.to_bytes(4, "big"))

    def read_log(self):
        """All records, newest first, joined."""
        return b"".join(self.log[:10])

    def initialize(self, amount, terminal):
        """INITIALIZE FOR LOAD: `amount` and `terminal` are bytes; the 16-byte reply."""
        command = bytes.fromhex("805000020b01") + amount + terminal + b"\x10"
        random = self._random()
        key = session_key(self.load_key, random, self.counter)
        self._session = key, amount, terminal
        return self._say(
            command,
            self.balance.to_bytes(4, "big") + self.counter.to_bytes(2, "big") + b"\x01\x00" + random
            + mac1(key, self.balance, amount, terminal),
        )

    def credit(self, data):
        """CREDIT FOR LOAD with host date, time and MAC2; the TAC."""
        command = bytes.fromhex("805200000b") + data + b"\x04"
        if self._session is None:
            self._say(command, b"", b"\x69\x85")
        key, amount, terminal = self._session
        self._session = None
        when, mac = data[:7], data[7:]
        if mac != mac2(key, amount, terminal, when):
            self._say(command, b"", b"\x93\x02")
        before = self.counter
        self.balance += int.from_bytes(amount, "big")
        self.counter += 1
        receipt = tac(self.tac_key, self.balance, before, amount, terminal, when)
        self._last = self.counter, mac, receipt
        self.log.insert(0, before.to_bytes(2, "big") + bytes(3) + amount + KIND + terminal + when)
        return self._say(command, receipt)

    def prove(self, counter):
        """GET TRANSACTION PROVE for the counter after the load: MAC || TAC."""
        command = bytes.fromhex("805a000202") + counter + b"\x08"
        if self._last is None or counter != self._last[0].to_bytes(2, "big"):
            self._say(command, b"", b"\x94\x06")
        return self._say(command, self._last[1] + self._last[2])

    def challenge(self):
        """GET CHALLENGE: good for the next command."""
        self._challenge = self._random()
        return self._say(bytes.fromhex("0084000004"), self._challenge)

    def update(self, data):
        """The secured UPDATE BINARY of file 15 from offset 8: 20 bytes and a MAC. The status word."""
        head = bytes.fromhex("04d69508")
        command = head + bytes([len(data)]) + data
        challenge, self._challenge = self._challenge, None
        try:
            if challenge is None:
                self._say(command, b"", b"\x69\x85")
            if data[20:] != update_mac(self.maintenance_key, challenge, head, data[:20]):
                self._say(command, b"", b"\x69\x88")
            self._file15[8:28] = data[:20]
            self._say(command, b"")
        except CardError as error:
            return error.status
        return b"\x90\x00"
