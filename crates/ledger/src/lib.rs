//! A load's states, transitions and invariants, without IO.
