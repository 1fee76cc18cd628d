//! How many statements a request costs: each is a way to the store and back, and on a server most of its time.

use prometheus_client::metrics::counter::Counter;

tokio::task_local! {
    static STATEMENTS: Counter;
}

/// Counts what `work` has the store do, beside beginning and committing.
pub(crate) async fn counted<F: Future>(counter: Counter, work: F) -> F::Output {
    STATEMENTS.scope(counter, work).await
}

/// One statement, of whoever is counted.
pub(super) fn one() {
    // The bank's own work, and commands, are nobody's request.
    let _uncounted = STATEMENTS.try_with(|counter| counter.inc());
}
