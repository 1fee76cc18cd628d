//! The one pinned HTTPS client for both of the bank's servers.
