//! Signed industry packages and their interpreter, without IO.
