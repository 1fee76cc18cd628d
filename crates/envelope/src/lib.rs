//! Sealed messages between terminal and bank: suites, derived keys, replay windows, key life, PIN blocks, without IO.
