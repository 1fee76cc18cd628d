//! One processor for each worker: a run hands over between threads all the time, and waking one on another processor
//! costs a third of the whole.

/// Keeps this thread, and those that it starts, on the processor of that number. Without effect where that can't be.
#[cfg(target_os = "linux")]
pub(crate) fn stay_on(number: u64) {
    use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};
    let Ok(allowed) = sched_getaffinity(None) else {
        return;
    };
    let mine: Vec<usize> = (0..CpuSet::MAX_CPU)
        .filter(|cpu| allowed.is_set(*cpu))
        .collect();
    let at = usize::try_from(number).unwrap_or_default();
    let Some(cpu) = at.checked_rem(mine.len()).and_then(|at| mine.get(at)) else {
        return;
    };
    let mut one = CpuSet::new();
    one.set(*cpu);
    if let Err(error) = sched_setaffinity(None, &one) {
        log::warn!("a worker stays on no processor: {error}");
    }
}

#[cfg(not(target_os = "linux"))]
pub(crate) fn stay_on(_: u64) {}
