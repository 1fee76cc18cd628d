//! Where a terminal's secrets live: the OS keystore, or memory in tests.
