//! How many statements a request costs, and on a server how many ways there and back: they are most of its time.

use prometheus_client::metrics::counter::Counter;

tokio::task_local! {
    static COST: Cost;
}

/// What is counted.
#[derive(Clone, Default)]
pub(crate) struct Cost {
    /// Beside beginning and committing.
    pub(crate) statements: Counter,
    /// To the server, with those of beginning and committing; none to a file.
    pub(crate) ways: Counter,
}

/// Counts what `work` has the store do.
pub(crate) async fn counted<F: Future>(cost: Cost, work: F) -> F::Output {
    COST.scope(cost, work).await
}

/// One statement, of whoever is counted.
pub(super) fn one() {
    // The bank's own work, and commands, are nobody's request.
    let _uncounted = COST.try_with(|cost| cost.statements.inc());
}

/// One way, of whoever is counted.
pub(super) fn way() {
    let _uncounted = COST.try_with(|cost| cost.ways.inc());
}
