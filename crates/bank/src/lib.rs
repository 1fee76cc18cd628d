//! The bank: transaction server and security server on one store.
