//! Bytes that are wiped when dropped and never printed.

use std::fmt;

use subtle::ConstantTimeEq;
use zeroize::{Zeroize, ZeroizeOnDrop};

use crate::Refused;

/// `N` secret bytes. Equality takes the same time whatever the bytes.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub struct Secret<const N: usize>([u8; N]);

impl<const N: usize> Secret<N> {
    /// Takes the bytes over. The caller's own copy is the caller's to wipe.
    pub fn new(bytes: [u8; N]) -> Self {
        Self(bytes)
    }

    /// The bytes, for one use.
    pub fn expose(&self) -> &[u8; N] {
        &self.0
    }

    pub(crate) fn expose_mut(&mut self) -> &mut [u8; N] {
        &mut self.0
    }
}

impl<const N: usize> TryFrom<&[u8]> for Secret<N> {
    type Error = Refused;

    fn try_from(bytes: &[u8]) -> Result<Self, Refused> {
        bytes.try_into().map(Self).map_err(|_| Refused)
    }
}

impl<const N: usize> fmt::Debug for Secret<N> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "Secret<{N}>(hidden)")
    }
}

impl<const N: usize> PartialEq for Secret<N> {
    fn eq(&self, other: &Self) -> bool {
        self.0.ct_eq(&other.0).into()
    }
}

impl<const N: usize> Eq for Secret<N> {}

/// Compares in constant time; lengths are public.
pub(crate) fn same(left: &[u8], right: &[u8]) -> Result<(), Refused> {
    if bool::from(left.ct_eq(right)) {
        Ok(())
    } else {
        Err(Refused)
    }
}

/// A key of one purpose: a [`Secret`] that can't be taken for another key.
macro_rules! key {
    ($(#[$doc:meta])* $name:ident, $size:literal) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq)]
        pub struct $name($crate::Secret<$size>);

        impl $name {
            /// Takes the bytes over. The caller's own copy is the caller's to wipe.
            pub fn new(bytes: [u8; $size]) -> Self {
                Self($crate::Secret::new(bytes))
            }

            /// The bytes, for one use.
            pub fn expose(&self) -> &[u8; $size] {
                self.0.expose()
            }
        }

        impl From<$crate::Secret<$size>> for $name {
            fn from(secret: $crate::Secret<$size>) -> Self {
                Self(secret)
            }
        }

        impl TryFrom<&[u8]> for $name {
            type Error = $crate::Refused;

            fn try_from(bytes: &[u8]) -> Result<Self, $crate::Refused> {
                $crate::Secret::try_from(bytes).map(Self)
            }
        }
    };
}
pub(crate) use key;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_never_printed() {
        assert_eq!(format!("{:?}", Secret::new([0xAB; 4])), "Secret<4>(hidden)");
        let key = crate::keys::MasterKey::new([0xAB; 32]);
        assert_eq!(format!("{key:?}"), "MasterKey(Secret<32>(hidden))");
    }

    #[test]
    fn only_the_same_bytes_are_the_same() {
        assert_eq!(same(&[1, 2], &[1, 2]), Ok(()));
        for other in [&[1, 3][..], &[1], &[], &[1, 2, 0]] {
            assert_eq!(same(&[1, 2], other), Err(Refused));
        }
        assert_ne!(Secret::new([1]), Secret::new([2]));
        assert_eq!(Secret::<2>::try_from(&[1u8][..]), Err(Refused));
    }
}
