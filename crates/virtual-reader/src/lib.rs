//! A private PC/SC service with a virtual reader, for tests and the demo.
