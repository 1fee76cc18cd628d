//! Whether the PC/SC service answers. A call to one that hangs never returns: only somebody else can tell.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use tokio::time::{Instant, sleep};

/// Between two looks at the watching thread's signs of life.
const TICK: Duration = Duration::from_millis(500);

/// Looks without a sign of life after which the service counts as hung. The watching thread gives one every quarter of
/// a second while the service answers. Looks are counted, not time: a machine that slept or is late with everything
/// says nothing of the service.
const MISSED: u32 = 6;

/// The longest wait for the word whether it answers: the looks, and two for what is late.
const LONGEST_DOUBT: Duration = Duration::from_secs(4);

/// Signs of life of the thread that calls the service.
#[derive(Default)]
pub(crate) struct Heart {
    beats: AtomicU64,
    silent: AtomicBool,
    over: AtomicBool,
}

impl Heart {
    /// A call to the service returned.
    pub(crate) fn beat(&self) {
        self.beats.fetch_add(1, Ordering::Relaxed);
        self.silent.store(false, Ordering::Relaxed);
    }

    pub(crate) fn is_silent(&self) -> bool {
        self.silent.load(Ordering::Relaxed)
    }

    /// Nobody is watched any more.
    pub(crate) fn stop(&self) {
        self.over.store(true, Ordering::Relaxed);
    }

    /// Whether the service answers now: its next sign of life, or that it is overdue.
    pub(crate) async fn answers(&self) -> bool {
        let before = self.beats.load(Ordering::Relaxed);
        let began = Instant::now();
        while !self.is_silent() && began.elapsed() < LONGEST_DOUBT {
            if self.beats.load(Ordering::Relaxed) != before {
                return true;
            }
            sleep(TICK / 10).await;
        }
        !self.is_silent()
    }
}

/// Starts to look after `heart`; `on_silence` is called once for each silence.
pub(crate) fn look_after(
    heart: Arc<Heart>,
    on_silence: impl Fn() + Send + 'static,
) -> std::io::Result<JoinHandle<()>> {
    thread::Builder::new()
        .name("pcsc-heart".to_owned())
        .spawn(move || {
            let mut pulse = Pulse::default();
            while !heart.over.load(Ordering::Relaxed) {
                if pulse.falls_silent(heart.beats.load(Ordering::Relaxed)) {
                    heart.silent.store(true, Ordering::Relaxed);
                    on_silence();
                }
                thread::park_timeout(TICK);
            }
        })
}

/// What successive looks at the count of beats say.
#[derive(Default)]
struct Pulse {
    beats: u64,
    missed: u32,
}

impl Pulse {
    /// Whether this look is the one by which the silence is long enough.
    fn falls_silent(&mut self, beats: u64) -> bool {
        let alive = beats != self.beats;
        self.beats = beats;
        self.missed = if alive {
            0
        } else {
            self.missed.saturating_add(1)
        };
        self.missed == MISSED
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_silence_is_told_once_and_anew_after_a_sign_of_life() {
        let mut pulse = Pulse::default();
        let silent =
            |pulse: &mut Pulse, beats| (0..20).filter(|_| pulse.falls_silent(beats)).count();
        assert_eq!(silent(&mut pulse, 7), 1, "once for each silence");
        assert_eq!(silent(&mut pulse, 8), 1, "and for the next one");
        let busy = (9..60).filter(|&beats| pulse.falls_silent(beats)).count();
        assert_eq!(busy, 0, "who gives signs of life is not silent");
    }

    #[test]
    fn a_slow_answer_is_no_silence() {
        let mut pulse = Pulse::default();
        for beats in 1..10 {
            let late = (1..MISSED).any(|_| pulse.falls_silent(beats));
            assert!(!late, "one look less than it takes, again and again");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn who_asks_whether_it_answers_hears_it_in_any_case() {
        let heart = Heart::default();
        heart.silent.store(true, Ordering::Relaxed);
        assert!(!heart.answers().await, "known to be silent");
        heart.beat();
        assert!(heart.answers().await, "nobody says that it is silent");
    }
}
