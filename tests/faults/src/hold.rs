use std::sync::mpsc;

/// While it lives, simulated time stands still: tokio's paused clock never jumps over a task on the blocking pool.
///
/// The bank's database works on a thread of its own, which the clock can't see.
pub(crate) struct Hold {
    _end: mpsc::Sender<()>,
}

impl Hold {
    pub(crate) fn new() -> Self {
        let (end, ended) = mpsc::channel::<()>();
        let _waits = tokio::task::spawn_blocking(move || ended.recv().is_ok());
        Self { _end: end }
    }
}
