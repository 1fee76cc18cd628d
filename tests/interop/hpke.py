"""HPKE base mode (RFC 9180): DHKEM(X25519, HKDF-SHA256), HKDF-SHA256, AES-256-GCM. One message per context."""

import hashlib
import hmac
import os

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

KEM_SUITE = b"KEM" + bytes.fromhex("0020")
HPKE_SUITE = b"HPKE" + bytes.fromhex("002000010002")


def hkdf_extract(salt, material):
    """HKDF-SHA256, first half (RFC 5869)."""
    return hmac.new(salt or bytes(32), material, hashlib.sha256).digest()


def hkdf_expand(key, info, length):
    """HKDF-SHA256, second half."""
    out = block = b""
    number = 1
    while len(out) < length:
        block = hmac.new(key, block + info + bytes([number]), hashlib.sha256).digest()
        out += block
        number += 1
    return out[:length]


def hkdf(material, salt, info, length):
    """Both halves at once."""
    return hkdf_expand(hkdf_extract(salt, material), info, length)


def _labeled_extract(suite, salt, label, material):
    return hkdf_extract(salt, b"HPKE-v1" + suite + label + material)


def _labeled_expand(suite, key, label, info, length):
    return hkdf_expand(key, length.to_bytes(2, "big") + b"HPKE-v1" + suite + label + info, length)


def _kem_secret(shared, enc, recipient):
    """The KEM's shared secret out of the Diffie-Hellman value and both public keys."""
    key = _labeled_extract(KEM_SUITE, b"", b"eae_prk", shared)
    return _labeled_expand(KEM_SUITE, key, b"shared_secret", enc + recipient, 32)


def schedule(secret, info):
    """Key and first nonce of the context."""
    context = (
        b"\x00"
        + _labeled_extract(HPKE_SUITE, b"", b"psk_id_hash", b"")
        + _labeled_extract(HPKE_SUITE, b"", b"info_hash", info)
    )
    key = _labeled_extract(HPKE_SUITE, secret, b"secret", b"")
    return (
        _labeled_expand(HPKE_SUITE, key, b"key", context, 32),
        _labeled_expand(HPKE_SUITE, key, b"base_nonce", context, 12),
    )


def public(private):
    """The public key of a 32-byte private key."""
    return X25519PrivateKey.from_private_bytes(private).public_key().public_bytes_raw()


def seal(recipient, info, plain, ephemeral=None):
    """Returns (enc, sealed). `ephemeral` is the private key of the encapsulation: random unless a vector fixes it."""
    ephemeral = ephemeral or os.urandom(32)
    enc = public(ephemeral)
    shared = X25519PrivateKey.from_private_bytes(ephemeral).exchange(X25519PublicKey.from_public_bytes(recipient))
    key, nonce = schedule(_kem_secret(shared, enc, recipient), info)
    return enc, AESGCM(key).encrypt(nonce, plain, b"")


def open_(private, info, enc, sealed):
    """The plaintext, or cryptography.exceptions.InvalidTag."""
    shared = X25519PrivateKey.from_private_bytes(private).exchange(X25519PublicKey.from_public_bytes(enc))
    key, nonce = schedule(_kem_secret(shared, enc, public(private)), info)
    return AESGCM(key).decrypt(nonce, sealed, b"")
