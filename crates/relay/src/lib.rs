//! Relay messages and the relay's state machine, without IO.
