//! Which store the flows run on: here a schema of its own for each bank, in one server for all.

use std::sync::LazyLock;

use private_postgres::{Durability, PrivatePostgres};

/// Ends with this process.
static SERVER: LazyLock<Option<PrivatePostgres>> = LazyLock::new(|| {
    let server = PrivatePostgres::start(Durability::None).unwrap();
    if server.is_none() {
        #[allow(clippy::print_stderr)] // who reads the tests' output is told what they did not try
        {
            eprintln!("PostgreSQL is not installed: these flows run on SQLite once more");
        }
    }
    server
});

pub(crate) fn server() -> Option<&'static PrivatePostgres> {
    SERVER.as_ref()
}

/// URL of a store of its own for one bank; none: the file.
pub(crate) fn store() -> Option<String> {
    server().map(|server| server.schema().unwrap())
}
