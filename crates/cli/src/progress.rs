//! Progress of long work on stderr: a bar with rate and time left on a terminal, a plain line every few seconds
//! elsewhere.

use std::io::{IsTerminal, stderr};
use std::time::{Duration, Instant};

use indicatif::{HumanDuration, ProgressBar, ProgressDrawTarget, ProgressStyle};

/// Time between two plain lines.
const PLAIN_EVERY: Duration = Duration::from_secs(5);

/// Progress of work that consists of `total` equal units.
pub struct Progress {
    bar: ProgressBar,
    plain: Option<Plain>,
    unit: &'static str,
}

struct Plain {
    start: Instant,
    last: Instant,
}

impl Progress {
    /// Starts to count; `unit` names what is counted, in the plural.
    pub fn new(total: u64, unit: &'static str) -> Self {
        let terminal = stderr().is_terminal();
        let target =
            if terminal { ProgressDrawTarget::stderr_with_hz(10) } else { ProgressDrawTarget::hidden() };
        let bar = ProgressBar::with_draw_target(Some(total), target);
        let template =
            format!("{{bar:32}} {{percent}} %  {{msg}}  {{human_pos}} {unit}, {{per_sec}}, {{eta}} left");
        if let Ok(style) = ProgressStyle::with_template(&template) {
            bar.set_style(style.progress_chars("━╸─"));
        }
        let now = Instant::now();
        Self { bar, plain: (!terminal).then_some(Plain { start: now, last: now }), unit }
    }

    /// Says how much is done, and in a few words what has been seen.
    pub fn update(&mut self, done: u64, seen: impl FnOnce() -> String) {
        self.bar.set_position(done);
        let Some(plain) = &mut self.plain else {
            self.bar.set_message(seen());
            return;
        };
        if plain.last.elapsed() < PLAIN_EVERY || done == 0 {
            return;
        }
        plain.last = Instant::now();
        let total = self.bar.length().unwrap_or(done).max(done);
        let per_second = done as f64 / plain.start.elapsed().as_secs_f64();
        let left = Duration::from_secs_f64((total - done) as f64 / per_second);
        eprintln!(
            "{:.0} %  {}  {per_second:.0} {} a second, {} left",
            100.0 * done as f64 / total as f64,
            seen(),
            self.unit,
            HumanDuration(left)
        );
    }

    /// Clears the bar.
    pub fn finish(self) {
        self.bar.finish_and_clear();
    }
}
