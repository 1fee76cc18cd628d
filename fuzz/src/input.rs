//! The fuzzer's bytes, taken one after the other. What is missing is zero or empty.

const MOST_EDITS: usize = 12;

pub(crate) struct Input<'a>(&'a [u8]);

impl<'a> Input<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn byte(&mut self) -> u8 {
        let [byte] = self.array();
        byte
    }

    pub(crate) fn array<const N: usize>(&mut self) -> [u8; N] {
        let mut out = [0; N];
        for (place, byte) in out.iter_mut().zip(self.take(N)) {
            *place = *byte;
        }
        out
    }

    /// At most `length` bytes.
    pub(crate) fn take(&mut self, length: usize) -> &'a [u8] {
        let (taken, rest) = self.0.split_at(length.min(self.0.len()));
        self.0 = rest;
        taken
    }

    /// Length (one byte) and bytes.
    pub(crate) fn short(&mut self) -> &'a [u8] {
        let length = usize::from(self.byte());
        self.take(length)
    }

    /// Exactly `length` bytes, filled up with zeros.
    pub(crate) fn padded(&mut self, length: usize) -> Vec<u8> {
        let mut bytes = self.take(length).to_vec();
        bytes.resize(length, 0);
        bytes
    }

    pub(crate) fn number(&mut self) -> u32 {
        u32::from_be_bytes(self.array())
    }

    /// What is still to be taken.
    pub(crate) fn all(&self) -> &'a [u8] {
        self.0
    }

    pub(crate) fn rest(&mut self) -> &'a [u8] {
        std::mem::take(&mut self.0)
    }

    /// `base` with edits: place (2 bytes), bytes to take away (1), bytes to put there (length and bytes).
    pub(crate) fn edited(&mut self, base: &[u8]) -> Vec<u8> {
        let mut bytes = base.to_vec();
        for _ in 0..MOST_EDITS {
            if self.is_empty() {
                break;
            }
            let place = usize::from(u16::from_be_bytes(self.array())) % (bytes.len() + 1);
            let end = bytes.len().min(place + usize::from(self.byte()));
            bytes.splice(place..end, self.short().iter().copied());
        }
        bytes
    }
}
