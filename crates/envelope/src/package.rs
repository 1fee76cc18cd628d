//! Signatures of industry packages (`docs/protocol.md`, section 6).

use ed25519_dalek::{Signature, Signer, SigningKey, VerifyingKey};

use crate::Refused;

const LABEL: &[u8] = b"tapfill/1/package";

/// Checks the bank's signature over a package.
///
/// # Errors
/// [`Refused`] for another signer, another package or an altered signature.
pub fn verify_package(signer: &[u8; 32], package: &[u8], signature: &[u8]) -> Result<(), Refused> {
    verify(signer, &[LABEL, package].concat(), signature)
}

/// Signs a package with the bank's Ed25519 secret.
pub fn sign_package(secret: &[u8; 32], package: &[u8]) -> [u8; 64] {
    sign(secret, &[LABEL, package].concat())
}

/// The Ed25519 public key of a secret, for profiles.
pub fn signer_public(secret: &[u8; 32]) -> [u8; 32] {
    SigningKey::from_bytes(secret).verifying_key().to_bytes()
}

pub(crate) fn verify(signer: &[u8; 32], data: &[u8], signature: &[u8]) -> Result<(), Refused> {
    let key = VerifyingKey::from_bytes(signer).map_err(|_| Refused)?;
    let signature = Signature::from_slice(signature).map_err(|_| Refused)?;
    key.verify_strict(data, &signature).map_err(|_| Refused)
}

pub(crate) fn sign(secret: &[u8; 32], data: &[u8]) -> [u8; 64] {
    SigningKey::from_bytes(secret).sign(data).to_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_signed_package_of_the_pinned_signer_is_good() {
        let signer = signer_public(&[7; 32]);
        let signature = sign_package(&[7; 32], b"package");
        assert_eq!(verify_package(&signer, b"package", &signature), Ok(()));
        assert_eq!(
            verify_package(&signer, b"packagf", &signature),
            Err(Refused)
        );
        assert_eq!(
            verify_package(&signer_public(&[8; 32]), b"package", &signature),
            Err(Refused)
        );
        assert_eq!(
            verify_package(&signer, b"package", &signature[..63]),
            Err(Refused)
        );
        assert_eq!(
            verify_package(&signer, b"package", &sign(&[7; 32], b"package")),
            Err(Refused)
        );
        for bit in 0..512 {
            let mut bytes = signature;
            bytes[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(
                verify_package(&signer, b"package", &bytes),
                Err(Refused),
                "bit {bit}"
            );
        }
    }

    #[test]
    fn ed25519_gives_the_second_vector_of_rfc_8032() {
        let secret = "4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb";
        let secret: [u8; 32] = hex::decode(secret).unwrap().try_into().unwrap();
        assert_eq!(
            hex::encode(signer_public(&secret)),
            "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c"
        );
        assert_eq!(
            hex::encode(sign(&secret, &[0x72])),
            "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da\
             085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00"
        );
    }
}
