//! MACs of requests to the security server and of its answers (`docs/protocol.md`, 3.2).

use crate::{Refused, Terminal, kdf, keys::AuthKey, secret::same};

/// The value of `Tapfill-Mac` of a request. `nonce` is the header as sent (32 hex digits).
pub fn request_mac(
    key: &AuthKey,
    path: &str,
    terminal: &Terminal,
    nonce: &str,
    time_ms: u64,
    body: &[u8],
) -> [u8; 32] {
    kdf::hmac(
        key.expose(),
        &[
            b"tapfill/1/request\0",
            path.as_bytes(),
            b"\0",
            terminal.to_string().as_bytes(),
            b"\0",
            nonce.as_bytes(),
            b"\0",
            time_ms.to_string().as_bytes(),
            b"\0",
            &kdf::sha256(&[body]),
        ],
    )
}

/// The value of `Tapfill-Mac` of the answer to the request with `nonce`. `status` is the HTTP status.
pub fn answer_mac(key: &AuthKey, nonce: &str, status: u16, body: &[u8]) -> [u8; 32] {
    kdf::hmac(
        key.expose(),
        &[
            b"tapfill/1/answer\0",
            nonce.as_bytes(),
            b"\0",
            status.to_string().as_bytes(),
            b"\0",
            &kdf::sha256(&[body]),
        ],
    )
}

/// The proof that who enrols held the key of the terminal that it was before (`docs/protocol.md`, 3.1).
pub fn succession_mac(key: &AuthKey, nonce: &[u8; 16], reply_key: &[u8; 32]) -> [u8; 32] {
    kdf::hmac(key.expose(), &[b"tapfill/1/succession", nonce, reply_key])
}

/// Compares a MAC with the hex digits of the header, in constant time.
///
/// # Errors
/// [`Refused`] when the header is not 64 hex digits, or of another MAC.
pub fn verify(expected: &[u8; 32], received_hex: &str) -> Result<(), Refused> {
    let mut received = [0; 32];
    hex::decode_to_slice(received_hex, &mut received).map_err(|_| Refused)?;
    same(expected, &received)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NONCE: &str = "00112233445566778899aabbccddeeff";

    #[test]
    fn a_request_is_bound_to_every_part_of_it() {
        let key = AuthKey::new([1; 32]);
        let (one, two): (Terminal, Terminal) = (
            "001122334455".parse().unwrap(),
            "001122334456".parse().unwrap(),
        );
        let mac = request_mac(&key, "/v1/limits", &one, NONCE, 5, b"{}");
        assert_eq!(verify(&mac, &hex::encode(mac)), Ok(()));
        for other in [
            request_mac(&AuthKey::new([2; 32]), "/v1/limits", &one, NONCE, 5, b"{}"),
            request_mac(&key, "/v1/limit", &one, NONCE, 5, b"{}"),
            request_mac(&key, "/v1/limits", &two, NONCE, 5, b"{}"),
            request_mac(&key, "/v1/limits", &one, &NONCE[1..], 5, b"{}"),
            request_mac(&key, "/v1/limits", &one, NONCE, 6, b"{}"),
            request_mac(&key, "/v1/limits", &one, NONCE, 5, b"{ }"),
            answer_mac(&key, NONCE, 200, b"{}"),
        ] {
            assert_eq!(verify(&mac, &hex::encode(other)), Err(Refused));
        }
        for text in ["", "zz", NONCE, &hex::encode(&mac[1..])] {
            assert_eq!(verify(&mac, text), Err(Refused));
        }
    }

    #[test]
    fn an_answer_is_bound_to_its_request_status_and_body() {
        let key = AuthKey::new([1; 32]);
        let mac = answer_mac(&key, NONCE, 200, b"{}");
        for other in [
            answer_mac(&AuthKey::new([2; 32]), NONCE, 200, b"{}"),
            answer_mac(&key, &NONCE[1..], 200, b"{}"),
            answer_mac(&key, NONCE, 403, b"{}"),
            answer_mac(&key, NONCE, 200, b""),
        ] {
            assert_eq!(verify(&mac, &hex::encode(other)), Err(Refused));
        }
    }

    #[test]
    fn the_macs_are_over_the_bytes_that_the_protocol_names() {
        let key = AuthKey::new([1; 32]);
        let terminal = "001122334455".parse().unwrap();
        let mut text = Vec::new();
        for part in ["tapfill/1/request", "/v1/x", "001122334455", NONCE, "17"] {
            text.extend_from_slice(part.as_bytes());
            text.push(0);
        }
        text.extend_from_slice(&kdf::sha256(&[b"body"]));
        let expected = kdf::hmac(&[1; 32], &[&text]);
        assert_eq!(
            request_mac(&key, "/v1/x", &terminal, NONCE, 17, b"body"),
            expected
        );
        let mut text = Vec::new();
        for part in ["tapfill/1/answer", NONCE, "200"] {
            text.extend_from_slice(part.as_bytes());
            text.push(0);
        }
        text.extend_from_slice(&kdf::sha256(&[b"body"]));
        assert_eq!(
            answer_mac(&key, NONCE, 200, b"body"),
            kdf::hmac(&[1; 32], &[&text])
        );
    }
}
