//! A purse that behaves like a card: power, field session, tearing, proof, PIN, log.
