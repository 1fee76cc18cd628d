"""The bank's cryptography as docs/protocol.md has it: envelopes, keys, PIN blocks, MACs of requests."""

import hashlib
import hmac
import os
import struct
from dataclasses import dataclass

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from hpke import hkdf

try:  # where newer versions of the library keep it
    from cryptography.hazmat.decrepit.ciphers.algorithms import TripleDES
except ImportError:
    TripleDES = algorithms.TripleDES

TO_BANK, TO_TERMINAL = 0, 1
HEADER = struct.Struct(">2sBBBB6sIQQI")


class Refused(Exception):
    """Any failure to open, whatever the reason."""


# --- DES ---------------------------------------------------------------------------------------------------------

def _tdes(key):
    """Single keys thrice; the library takes 16 and 24 bytes as they are."""
    return TripleDES(key * 3 if len(key) == 8 else key + key[:8] if len(key) == 16 else key)


def des_ecb(key, data):
    """Encipher whole blocks, each on its own."""
    run = Cipher(_tdes(key), modes.ECB()).encryptor()
    return run.update(data) + run.finalize()


def des_ecb_open(key, data):
    """Decipher whole blocks, each on its own."""
    run = Cipher(_tdes(key), modes.ECB()).decryptor()
    return run.update(data) + run.finalize()


def des_cbc(key, iv, data):
    """Encipher whole blocks, chained."""
    run = Cipher(_tdes(key), modes.CBC(iv)).encryptor()
    return run.update(data) + run.finalize()


def des_cbc_open(key, iv, data):
    """Decipher whole blocks, chained."""
    run = Cipher(_tdes(key), modes.CBC(iv)).decryptor()
    return run.update(data) + run.finalize()


def odd_parity(key):
    """The lowest bit of each byte makes its number of ones odd."""
    return bytes(b & 0xFE | ((b >> 1).bit_count() + 1) % 2 for b in key)


def pad80(data, block=8):
    """ISO/IEC 9797-1 padding method 2: always added."""
    data += b"\x80"
    return data + bytes(-len(data) % block)


def unpad80(data):
    """The inverse of pad80."""
    plain = data.rstrip(b"\x00")
    if not plain.endswith(b"\x80") or len(data) - len(plain) > 7:
        raise Refused
    return plain[:-1]


def retail_mac(key, data, iv=bytes(8)):
    """ISO/IEC 9797-1 algorithm 3 with padding method 2, all 8 bytes."""
    last = des_cbc(key[:8], iv, pad80(data))[-8:]
    return des_ecb(key[:8], des_ecb_open(key[8:16], last))


# --- keys --------------------------------------------------------------------------------------------------------

def bcd(terminal):
    """The terminal's 12 digits as 6 bytes."""
    return bytes.fromhex(terminal)


def _label(suite, rest):
    return f"tapfill/1/suite-{suite}/{rest}".encode()


def envelope_keys(suite, direction, working_key, terminal, key_id):
    """(cipher key, MAC key or None) of one direction."""
    salt = bcd(terminal) + struct.pack(">I", key_id)
    way = ("to-bank", "to-terminal")[direction]
    length = {0: 8, 1: 8, 2: 24, 3: 32}[suite]
    cipher = hkdf(working_key, salt, _label(suite, f"{way}/cipher"), length)
    if suite == 3:
        return cipher, None
    if suite == 0:
        cipher = working_key[:8]
    return odd_parity(cipher), odd_parity(hkdf(working_key, salt, _label(suite, f"{way}/mac"), 16))


def pin_key(suite, working_key, terminal, key_id):
    """16 bytes: for AES-128 in suite 3, for 2-key TDES (odd parity) below."""
    key = hkdf(working_key, bcd(terminal) + struct.pack(">I", key_id), _label(suite, "pin"), 16)
    return key if suite == 3 else odd_parity(key)


def auth_key(master_key, terminal):
    """K of the authenticated requests."""
    return hkdf(master_key, terminal.encode(), b"tapfill/1/auth", 32)


def tls_secret(master_key, terminal):
    """The Ed25519 secret of the certificate that a terminal shows where its bank asks for one."""
    return hkdf(master_key, terminal.encode(), b"tapfill/1/tls", 32)


def wrap_key(master_key, terminal):
    """The key that wraps working keys."""
    return hkdf(master_key, terminal.encode(), b"tapfill/1/wrap", 32)


def check_value(key):
    """Three bytes by which two people see that they mean the same key."""
    return hmac.new(key, b"tapfill/1/kcv", hashlib.sha256).digest()[:3]


def _wrap_data(terminal, key_id, suite, not_before, expires):
    return terminal.encode() + struct.pack(">IBQQ", key_id, suite, not_before, expires)


def wrap(master_key, terminal, key_id, suite, not_before, expires, working_key, nonce=None):
    """A working key on its way to the terminal."""
    nonce = nonce or os.urandom(12)
    data = _wrap_data(terminal, key_id, suite, not_before, expires)
    return nonce + AESGCM(wrap_key(master_key, terminal)).encrypt(nonce, working_key, data)


def unwrap(master_key, terminal, key_id, suite, not_before, expires, wrapped):
    """The working key, or Refused."""
    data = _wrap_data(terminal, key_id, suite, not_before, expires)
    try:
        return AESGCM(wrap_key(master_key, terminal)).decrypt(wrapped[:12], wrapped[12:], data)
    except InvalidTag:
        raise Refused from None


# --- envelopes ---------------------------------------------------------------------------------------------------

@dataclass(frozen=True)
class Head:
    """The header in clear, less magic, version and length."""

    suite: int
    direction: int
    terminal: str
    key_id: int
    counter: int
    time: int

    def pack(self, length):
        """The 36 bytes."""
        return HEADER.pack(
            b"TF", 1, self.suite, self.direction, 0, bcd(self.terminal), self.key_id, self.counter, self.time, length
        )


def parse_head(envelope):
    """Head and body; Refused when the form is wrong."""
    if len(envelope) < HEADER.size:
        raise Refused
    magic, version, suite, direction, zero, terminal, key_id, counter, time, length = HEADER.unpack(envelope[:36])
    if (magic, version, zero) != (b"TF", 1, 0) or suite > 3 or direction > 1 or length != len(envelope) - 36:
        raise Refused
    return Head(suite, direction, terminal.hex(), key_id, counter, time), envelope[36:]


def seal(head, working_key, message, random=None):
    """An envelope. `random` is the nonce (12) or IV (8)."""
    cipher, mac = envelope_keys(head.suite, head.direction, working_key, head.terminal, head.key_id)
    if head.suite == 3:
        random = random or os.urandom(12)
        header = head.pack(12 + len(message) + 16)
        return header + random + AESGCM(cipher).encrypt(random, message, header)
    random = random or os.urandom(8)
    secret = des_cbc(cipher, random, pad80(message))
    clear = head.pack(8 + len(secret) + 8) + random + secret
    return clear + retail_mac(mac, clear)


def open_(envelope, working_key):
    """(head, message), or Refused."""
    head, body = parse_head(envelope)
    cipher, mac = envelope_keys(head.suite, head.direction, working_key, head.terminal, head.key_id)
    if head.suite == 3:
        try:
            return head, AESGCM(cipher).decrypt(body[:12], body[12:], envelope[:36])
        except (InvalidTag, ValueError):
            raise Refused from None
    if len(body) < 24 or len(body) % 8 or not hmac.compare_digest(retail_mac(mac, envelope[:-8]), body[-8:]):
        raise Refused
    return head, unpad80(des_cbc_open(cipher, body[:8], body[8:-8]))


# --- PIN blocks --------------------------------------------------------------------------------------------------

def _xor(a, b):
    return bytes(x ^ y for x, y in zip(a, b, strict=True))


def _aes(key, block):
    run = Cipher(algorithms.AES(key), modes.ECB()).encryptor()
    return run.update(block) + run.finalize()


def pin_block(form, key, password, account, random=None):
    """ISO 9564 formats 0 and 3 (8 bytes, TDES), 4 (16 bytes, AES).

    `random` is the fill: digits A to F as text in format 3, 8 bytes in format 4.
    """
    head = f"{form}{len(password):X}{password}"
    if form == 4:
        field = bytes.fromhex(head.ljust(16, "A")) + (random or os.urandom(8))
        pan = bytes.fromhex(f"{len(account) - 12}{account}".ljust(32, "0"))
        return _aes(key, _xor(_aes(key, field), pan))
    if form == 3:
        head += (random or "".join("ABCDEF"[b % 6] for b in os.urandom(14)))[: 16 - len(head)]
    field = bytes.fromhex(head.ljust(16, "F"))
    return des_ecb(key, _xor(field, bytes.fromhex("0000" + account[-12:])))


# --- MACs of the security server ---------------------------------------------------------------------------------

def _sha(data):
    return hashlib.sha256(data).digest()


def request_mac(key, path, terminal, nonce, time, body):
    """Tapfill-Mac of a request; `nonce` is hex text, `time` a number."""
    parts = [b"tapfill/1/request", path.encode(), terminal.encode(), nonce.encode(), str(time).encode(), _sha(body)]
    return hmac.new(key, b"\x00".join(parts), hashlib.sha256).digest()


def answer_mac(key, nonce, status, body):
    """Tapfill-Mac of an answer."""
    parts = [b"tapfill/1/answer", nonce.encode(), str(status).encode(), _sha(body)]
    return hmac.new(key, b"\x00".join(parts), hashlib.sha256).digest()


def succession_mac(previous_key, nonce, reply_key):
    """previous_mac: proof that the enrolling terminal holds the previous terminal's K."""
    return hmac.new(previous_key, b"tapfill/1/succession" + nonce + reply_key, hashlib.sha256).digest()


def enrolment_transcript(request_enc, request_sealed, answer_enc, answer_sealed):
    """What the enrolment signer signs."""
    return b"tapfill/1/enrolment" + _sha(request_enc + request_sealed) + _sha(answer_enc + answer_sealed)
