"""Writes tests/fixtures/vectors/*.json. The same bytes on every run: all that should be random is made from a label."""

import hashlib
import json
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

import envelope
import hpke
import purse
import relay

FOLDER = Path(__file__).resolve().parent.parent / "fixtures/vectors"
TERMINAL, KEY_ID, TIME = "310015000427", 7, 1_767_225_600_000  # 2026-01-01T00:00:00Z
SERIAL, PASSWORD = "00006217000000004471", "246810"
HOST_TIME = (datetime.fromtimestamp(TIME / 1000, UTC) + timedelta(hours=8)).strftime("%Y%m%d%H%M%S")
REFERENCE = b"TF-7K2M-91QX"
ISSUER = {
    "load": "00112233445566778899aabbccddeeff",
    "tac": "112233445566778899aabbccddeeff00",
    "maintenance": "33445566778899aabbccddeeff001122",
}


def made(label, n):
    """n bytes that anybody can make again: SHA-256 of `tapfill/vectors/<label>`, cut."""
    return hashlib.sha256(b"tapfill/vectors/" + label.encode()).digest()[:n]


MASTER = made("master-key", 32)


def working_key(suite):
    """Suite 0's working key is the master key."""
    return MASTER if suite == 0 else made(f"working-key/{suite}", 32)


# --- envelope.json, keys.json, pin_blocks.json, requests.json, enrolment.json -----------------------------------

def envelopes():
    """Each suite, each direction, messages of several lengths."""
    cases = []
    for suite in range(4):
        for direction in (envelope.TO_BANK, envelope.TO_TERMINAL):
            for number, length in enumerate((0, 1, 7, 8, 100), 1):
                name = f"{suite}/{direction}/{length}"
                message = made(f"message/{name}", 32) * 4
                message, random = message[:length], made(f"random/{name}", 12 if suite == 3 else 8)
                head = envelope.Head(suite, direction, TERMINAL, KEY_ID, number, TIME + number)
                cases.append({
                    "suite": suite, "direction": ("to-bank", "to-terminal")[direction],
                    "working_key": working_key(suite).hex(), "terminal": TERMINAL, "key_id": KEY_ID,
                    "counter": number, "time_ms": TIME + number, "random": random.hex(), "message": message.hex(),
                    "sealed": envelope.seal(head, working_key(suite), message, random).hex(),
                })
    return "Envelopes (protocol, section 2).", cases


def keys():
    """Every key of a terminal, check values, a wrapped working key; each suite."""
    cases, tls = [], envelope.tls_secret(MASTER, TERMINAL)
    for suite in range(4):
        key, expires, nonce = working_key(suite), TIME + 86_400_000, made(f"wrap-nonce/{suite}", 12)
        case = {
            "suite": suite, "terminal": TERMINAL, "key_id": KEY_ID, "master_key": MASTER.hex(),
            "working_key": key.hex(), "not_before_ms": TIME, "expires_ms": expires, "wrap_nonce": nonce.hex(),
            "master_key_check_value": envelope.check_value(MASTER).hex(),
            "working_key_check_value": envelope.check_value(key).hex(),
            "auth_key": envelope.auth_key(MASTER, TERMINAL).hex(),
            "tls_secret": tls.hex(), "tls_public": Ed25519PrivateKey.from_private_bytes(tls).public_key().public_bytes_raw().hex(),
            "wrap_key": envelope.wrap_key(MASTER, TERMINAL).hex(),
            "wrapped": envelope.wrap(MASTER, TERMINAL, KEY_ID, suite, TIME, expires, key, nonce).hex(),
            "pin_key": envelope.pin_key(suite, key, TERMINAL, KEY_ID).hex(),
        }
        for direction, way in enumerate(("to_bank", "to_terminal")):
            cipher, mac = envelope.envelope_keys(suite, direction, key, TERMINAL, KEY_ID)
            case[f"{way}_cipher"], case[f"{way}_mac"] = cipher.hex(), mac and mac.hex()
        cases.append(case)
    return "Keys derived from the master key and the working key (protocol, sections 2, 3.1 and 3.2).", cases


PIN_RANDOM = {0: "", 3: "ABCDEFAB", 4: "0123456789abcdef"}


def pin_blocks():
    """Formats 0 and 3 in suites 0 to 2, format 4 in suite 3."""
    cases = []
    for suite in range(4):
        key = envelope.pin_key(suite, working_key(suite), TERMINAL, KEY_ID)
        for form in (4,) if suite == 3 else (3, 0):
            for password in (PASSWORD, "000000", "999999"):
                random = bytes.fromhex(PIN_RANDOM[4]) if form == 4 else PIN_RANDOM[form]
                block = envelope.pin_block(form, key, password, TERMINAL, random)
                cases.append({
                    "suite": suite, "format": form, "pin_key": key.hex(), "key_id": KEY_ID, "terminal": TERMINAL,
                    "password": password, "random": PIN_RANDOM[form].lower(), "block": block.hex(),
                    "object_c5": (KEY_ID.to_bytes(4, "big") + block).hex(),
                })
    return "PIN blocks (protocol, section 5).", cases


def requests():
    """MACs of requests to the security server and of its answers."""
    key, cases = envelope.auth_key(MASTER, TERMINAL), []
    samples = [
        ("/v1/working-key", b"{}", 200, b'{"key_id":7}'),
        ("/v1/key-query", b'{"key_id": 7}', 200, b'{"answer": "current", "time_ms": 1767225600000}'),
        ("/v1/sms/verify", b'{"transaction": "00", "code": "000000"}', 403, b'{"code":"code-wrong","params":{"tries_left":4}}'),
        ("/v1/packages", b"", 400, b""),
    ]
    for number, (path, body, status, answer) in enumerate(samples):
        nonce = made(f"request-nonce/{number}", 16).hex()
        cases.append({
            "auth_key": key.hex(), "path": path, "terminal": TERMINAL, "nonce": nonce, "time_ms": TIME + number,
            "body": body.hex(), "mac": envelope.request_mac(key, path, TERMINAL, nonce, TIME + number, body).hex(),
            "status": status, "answer_body": answer.hex(),
            "answer_mac": envelope.answer_mac(key, nonce, status, answer).hex(),
        })
    return "Authenticated requests and their answers (protocol, section 3.2).", cases


def _enrolment(name, previous):
    """One transcript; `previous` is (terminal, master key) or None."""
    bank, reply = made(f"enrol/{name}/bank", 32), made(f"enrol/{name}/reply", 32)
    ephemeral, answer_ephemeral = made(f"enrol/{name}/ephemeral", 32), made(f"enrol/{name}/answer-ephemeral", 32)
    signer = Ed25519PrivateKey.from_private_bytes(made(f"enrol/{name}/signer", 32))
    nonce, suite = made(f"enrol/{name}/nonce", 16), 3
    previous_key = previous and envelope.auth_key(previous[1], previous[0])
    mac = previous and envelope.succession_mac(previous_key, nonce, hpke.public(reply)).hex()
    request = {
        "reply_key": hpke.public(reply).hex(), "nonce": nonce.hex(), "previous_terminal": previous and previous[0],
        "previous_mac": mac, "device": "vector",
    }
    answer = {
        "terminal": TERMINAL, "master_key": MASTER.hex(), "key_check_value": envelope.check_value(MASTER).hex(),
        "nonce": nonce.hex(), "suite": suite, "time_ms": TIME,
    }
    request_plain, answer_plain = (json.dumps(v, separators=(",", ":")).encode() for v in (request, answer))
    enc, sealed = hpke.seal(hpke.public(bank), b"tapfill/1/enrol", request_plain, ephemeral)
    answer_enc, answer_sealed = hpke.seal(hpke.public(reply), b"tapfill/1/enrolled", answer_plain, answer_ephemeral)
    transcript = envelope.enrolment_transcript(enc, sealed, answer_enc, answer_sealed)
    return {
        "name": name, "enrolment_hpke_private": bank.hex(), "enrolment_hpke": hpke.public(bank).hex(),
        "enrolment_signer_private": signer.private_bytes_raw().hex(),
        "enrolment_signer": signer.public_key().public_bytes_raw().hex(),
        "reply_private": reply.hex(), "reply_key": hpke.public(reply).hex(), "nonce": nonce.hex(),
        "request_ephemeral_private": ephemeral.hex(), "request_plain": request_plain.hex(),
        "request": {"enc": enc.hex(), "sealed": sealed.hex()},
        "answer_ephemeral_private": answer_ephemeral.hex(), "answer_plain": answer_plain.hex(),
        "signed": transcript.hex(),
        "answer": {"enc": answer_enc.hex(), "sealed": answer_sealed.hex(), "signature": signer.sign(transcript).hex()},
        "result": answer,
        "previous_terminal": previous and previous[0], "previous_master_key": previous and previous[1].hex(),
        "previous_auth_key": previous and previous_key.hex(), "previous_mac": mac,
    }


def enrolment():
    """A first enrolment, and one that succeeds another terminal."""
    cases = [_enrolment("first", None), _enrolment("succession", ("310015000001", made("previous-master-key", 32)))]
    return "Enrolment, the whole transcript (protocol, section 3.1).", cases


# --- relay.json, session.json ------------------------------------------------------------------------------------

def demo_card(label, **state):
    """The demo bank's card, with its random numbers fixed."""
    factor = bytes.fromhex(SERIAL)[2:10]
    own = {name: purse.diversify(bytes.fromhex(key), factor) for name, key in ISSUER.items()}
    randoms = (made(f"card-random/{label}/{n}", 4) for n in range(10))
    card = purse.Purse(SERIAL, own["load"], own["tac"], own["maintenance"], randoms=randoms, **state)
    card.uid = made("uid", 4)
    return card, own


class Talk:
    """One transaction between app, driver and bank, written down message by message."""

    def __init__(self, name, operation, **opening):
        self.name, self.messages, self.step = name, [], 0
        self.head = {"operation": bytes([operation]), "transaction": made(f"transaction/{name}", 15) + b"\x00"}
        self.opening = self.head | {"terminal": bytes.fromhex(TERMINAL)} | opening
        self._note("app-to-driver", "A", self.opening, {})

    def _note(self, direction, letter, objects, fields):
        data = relay.encode(relay.Message(letter, "0001", objects, fields))
        read = relay.decode(data)
        self.messages.append({
            "transaction": self.name, "direction": direction, "message": data.hex(), "letter": letter,
            "industry": "0001", "body_version": 1, "objects": {n: v.hex() for n, v in read.objects.items()},
            "fields": {n: v.hex() for n, v in read.fields.items()},
        })

    def driver(self, phase, **fields):
        """The driver's next `I`."""
        self.step += 1
        objects = self.opening if self.step == 1 else self.head
        objects = objects | {"step": bytes([self.step]), "phase": phase.encode(), "package_version": (1).to_bytes(4, "big")}
        self._note("driver-to-bank", "I", objects, fields)

    def bank(self, phase, **fields):
        """The bank's `I`."""
        objects = self.head | {"step": bytes([self.step]), "phase": phase.encode()}
        self._note("bank-to-driver", "I", objects, fields)

    def end(self, fields, by="bank-to-driver", **objects):
        """The closing `A`."""
        self._note(by, "A", self.head | {"outcome": b"ok"} | objects, fields)


def _pin(suite=3):
    """C5 in the suite's own format."""
    key = envelope.pin_key(suite, working_key(suite), TERMINAL, KEY_ID)
    form, random = (4, bytes.fromhex(PIN_RANDOM[4])) if suite == 3 else (3, PIN_RANDOM[3])
    return KEY_ID.to_bytes(4, "big") + envelope.pin_block(form, key, PASSWORD, TERMINAL, random)


def _credit_data(own, init, amount):
    """What the bank makes of an INITIALIZE reply: host date, host time, MAC2."""
    terminal, when = bytes.fromhex(TERMINAL), bytes.fromhex(HOST_TIME)
    key = purse.session_key(own["load"], init[8:12], int.from_bytes(init[4:6], "big"))
    if purse.mac1(key, int.from_bytes(init[:4], "big"), amount, terminal) != init[12:]:
        raise ValueError("MAC1")
    return when + purse.mac2(key, amount, terminal, when)


def _loaded(talk, card, old, amount, **more):
    """The closing `A` of a load."""
    fields = {"old_balance": old, "new_balance": card.balance.to_bytes(4, "big"), "time": TIME.to_bytes(8, "big")}
    talk.end(fields | more, reference=REFERENCE, amount=amount)


def _top_up(name, card, own, amount, torn=None, suite=3):
    """A top-up, whole or torn `before` or `after` CREDIT FOR LOAD."""
    talk = Talk(name, relay.TOPUP, amount=amount, pin_block=_pin(suite), sms_proof=made(f"sms-proof/{name}", 16))
    file15, old = card.file15(), card.read_balance()
    init = card.initialize(amount, bytes.fromhex(TERMINAL))
    talk.driver("load", file15=file15, balance=old, init=init, uid=card.uid)
    data = _credit_data(own, init, amount)
    talk.bank("credit", credit_data=data)
    if torn != "before":
        tac = card.credit(data)
    if torn is None:
        talk.driver("credit", tac=tac, status=b"\x90\x00")
        _loaded(talk, card, old, amount)
    card.power_off()
    return talk


def _re_top_up(name, card, own, torn, amount):
    """A re-top-up of the torn load."""
    n = card.counter - (torn == "after")
    about = made(f"transaction/torn-{torn}", 15) + b"\x00"
    talk = Talk(name, relay.RETOPUP, about=about)
    talk.driver("resume", file15=card.file15(), balance=card.read_balance(), uid=card.uid)
    after, before = (n + 1).to_bytes(2, "big"), n.to_bytes(2, "big")
    talk.bank("prove", after=after, before=before)
    fields = {}
    for field, counter in (("proof", after), ("proof_before", before)):
        try:
            fields[field] = card.prove(counter)
        except purse.CardError:
            pass
    if card.read_log():
        fields["log"] = card.read_log()
    talk.driver("prove", **fields)
    if torn == "after":
        old = card.balance - int.from_bytes(amount, "big")
        _loaded(talk, card, old.to_bytes(4, "big"), amount, already=b"\x01")
        return talk
    talk.bank("load", amount=amount)
    old = card.read_balance()
    init = card.initialize(amount, bytes.fromhex(TERMINAL))
    talk.driver("load", init=init, balance=old)
    data = _credit_data(own, init, amount)
    talk.bank("credit", credit_data=data)
    talk.driver("credit", tac=card.credit(data), status=b"\x90\x00")
    _loaded(talk, card, old, amount)
    return talk


def _activation():
    card, own = demo_card("activation", active=False)
    talk = Talk("activation", relay.ACTIVATION, pin_block=_pin())
    file15, challenge = card.file15(), card.challenge()
    talk.driver("activate", file15=file15, challenge=challenge, uid=card.uid)
    data = b"\x01\x01" + bytes.fromhex(SERIAL + HOST_TIME[:8] + "20401231")
    data += purse.update_mac(own["maintenance"], challenge, bytes.fromhex("04d69508"), data)
    talk.bank("enable", update=data)
    status = card.update(data)
    talk.driver("enable", status=status, file15=card.file15())
    talk.end({}, reference=REFERENCE)
    return talk


def talks():
    """All four transactions, one after the other."""
    amount = (5000).to_bytes(4, "big")
    out = []
    card, own = demo_card("load", balance=1234, counter=41)
    out.append(_top_up("top-up", card, own, amount))
    for torn in ("before", "after"):
        out.append(_top_up(f"torn-{torn}", card, own, amount, torn))
        out.append(_re_top_up(f"re-top-up-{torn}", card, own, torn, amount))
    talk = Talk("balance", relay.BALANCE)
    shown = {"file15": card.file15(), "balance": card.read_balance(), "log": card.read_log(), "uid": card.uid}
    talk.end(shown, by="driver-to-app")
    out += [talk, _activation()]
    return out


def relays():
    """Every message of every transaction."""
    cases = [message for talk in talks() for message in talk.messages]
    return "Relay messages of all four transactions (protocol, section 1), with the demo bank's issuer keys.", cases


def session():
    """One whole top-up in each suite: messages, envelopes, card commands and replies."""
    cases = []
    for suite in range(4):
        card, own = demo_card("session", balance=1234, counter=41)
        amount = (5000).to_bytes(4, "big")
        talk = _top_up("top-up", card, own, amount, suite=suite)
        key, exchanges = working_key(suite), []
        sent = [m for m in talk.messages if m["direction"] != "app-to-driver"]
        for number, message in enumerate(sent):
            counter, direction = number // 2 + 1, number % 2
            random = made(f"session/{suite}/{number}", 12 if suite == 3 else 8)
            head = envelope.Head(suite, direction, TERMINAL, KEY_ID, counter, TIME + number)
            exchanges.append({
                "direction": ("to-bank", "to-terminal")[direction], "counter": counter, "time_ms": TIME + number,
                "random": random.hex(), "message": message["message"],
                "sealed": envelope.seal(head, key, bytes.fromhex(message["message"]), random).hex(),
            })
        cases.append({
            "suite": suite, "terminal": TERMINAL, "key_id": KEY_ID, "working_key": key.hex(), "password": PASSWORD,
            "issuer_keys": ISSUER, "card_keys": {name: value.hex() for name, value in own.items()}, "serial": SERIAL,
            "host_date_time": HOST_TIME, "opening": talk.messages[0]["message"], "exchanges": exchanges,
            "card": card.record,
        })
    return "One whole top-up in each suite.", cases


FILES = {
    "envelope.json": envelopes, "keys.json": keys, "enrolment.json": enrolment, "pin_blocks.json": pin_blocks,
    "requests.json": requests, "relay.json": relays, "session.json": session,
}


def build():
    """{file name: bytes}."""
    out = {}
    for name, make in FILES.items():
        about, cases = make()
        out[name] = (json.dumps({"about": about, "cases": cases}, indent=1) + "\n").encode()
    return out


def main():
    FOLDER.mkdir(parents=True, exist_ok=True)
    for name, data in build().items():
        (FOLDER / name).write_bytes(data)
        sys.stdout.write(f"{name}: {len(data)} bytes\n")


if __name__ == "__main__":
    main()
