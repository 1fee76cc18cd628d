"""Relay messages: a letter, the industry, body version 1, then BER-TLV objects."""

from dataclasses import dataclass, field

BALANCE, TOPUP, RETOPUP, ACTIVATION = 1, 2, 3, 4

TAGS = {
    "operation": 0xC0, "transaction": 0xC1, "step": 0xC2, "amount": 0xC3, "terminal": 0xC4, "pin_block": 0xC5,
    "sms_proof": 0xC6, "phase": 0xC7, "outcome": 0xC8, "reference": 0xC9, "about": 0xCA, "package_version": 0xCB, "refund": 0xCC,
}
NAMES = {tag: name for name, tag in TAGS.items()}


class Bad(Exception):
    """Not a relay message."""


@dataclass
class Message:
    """`objects` by the names of TAGS, `fields` by the industry package's; all values bytes."""

    letter: str
    industry: str
    objects: dict = field(default_factory=dict)
    fields: dict = field(default_factory=dict)

    @property
    def step(self):
        """As a number."""
        return self.objects["step"][0]

    @property
    def phase(self):
        """As text, None when absent."""
        return self.objects["phase"].decode() if "phase" in self.objects else None

    @property
    def outcome(self):
        """As text, None when absent."""
        return self.objects["outcome"].decode() if "outcome" in self.objects else None


def _length(n):
    if n < 0x80:
        return bytes([n])
    return bytes([0x81, n]) if n < 0x100 else b"\x82" + n.to_bytes(2, "big")


def _object(tag, value):
    return bytes([tag]) + _length(len(value)) + value


def encode(message):
    """The bytes; objects in the order of their tags, then the fields in their own order."""
    out = message.letter.encode() + message.industry.encode() + b"\x01"
    for name, tag in TAGS.items():
        if name in message.objects:
            out += _object(tag, message.objects[name])
    for name, value in message.fields.items():
        out += _object(0xD0, bytes([len(name)]) + name.encode() + value)
    if len(out) > 65536:
        raise Bad("too long")
    return out


def decode(data):
    """The message, or Bad."""
    if len(data) < 6 or data[:1] not in (b"A", b"I") or data[5] != 1:
        raise Bad("head")
    message = Message(data[:1].decode(), data[1:5].decode())
    at = 6
    while at < len(data):
        try:
            tag, n, at = data[at], data[at + 1], at + 2
        except IndexError:
            raise Bad("cut") from None
        if n >= 0x80:
            more = n & 0x7F
            if more not in (1, 2):
                raise Bad("length")
            n, at = int.from_bytes(data[at : at + more], "big"), at + more
        value, at = data[at : at + n], at + n
        if len(value) != n:
            raise Bad("cut")
        if tag == 0xD0:
            name = value[1 : 1 + value[0]].decode()
            if name in message.fields:
                raise Bad("field twice")
            message.fields[name] = value[1 + value[0] :]
        elif tag not in NAMES or NAMES[tag] in message.objects:
            raise Bad(f"tag {tag:02X}")
        else:
            message.objects[NAMES[tag]] = value
    return message
