//! Being asked to stop, once or more often.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// How urgently a worker is asked to stop. Shared with whoever hears signals.
#[derive(Debug)]
pub struct Stop {
    began: Instant,
    /// Milliseconds after `began` at which it was asked first and again; 0: not yet.
    first: AtomicU64,
    again: AtomicU64,
}

impl Default for Stop {
    fn default() -> Self {
        Self { began: Instant::now(), first: AtomicU64::new(0), again: AtomicU64::new(0) }
    }
}

impl Stop {
    /// Asks to stop: nothing is started any more, and what runs is paused, or has a little time to come to its end. Asked
    /// again: at once. True if it was asked before.
    pub fn ask(&self) -> bool {
        let now = (self.began.elapsed().as_millis() as u64).max(1);
        let asked = self.first.compare_exchange(0, now, Ordering::SeqCst, Ordering::SeqCst).is_err();
        if asked {
            self.again.store(now, Ordering::SeqCst);
        }
        asked
    }

    /// Since when it is asked for.
    pub fn asked(&self) -> Option<Duration> {
        let first = self.first.load(Ordering::SeqCst);
        (first > 0).then(|| self.began.elapsed().saturating_sub(Duration::from_millis(first)))
    }

    /// Whether it was asked for again.
    pub fn at_once(&self) -> bool {
        self.again.load(Ordering::SeqCst) > 0
    }
}
