//! The PBOC electronic purse: commands, replies, keys and codes of the card, without IO.
