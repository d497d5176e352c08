//! What is seen while a study is worked on: a bar on a terminal, a line per run elsewhere.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{IsTerminal, stderr};
use std::sync::Mutex;
use std::time::Instant;

use indicatif::{HumanDuration, ProgressBar, ProgressDrawTarget, ProgressStyle};
use lehr::search::Direction;
use lehr::study::{Records, TrialState};
use lehr::worker::{End, Event};
use lehr_report::number;

/// Shows events.
pub struct Show {
    state: Mutex<State>,
    bar: ProgressBar,
    plain: bool,
    began: Instant,
    direction: Direction,
}

#[derive(Default)]
struct State {
    ended: u64,
    ended_here: u64,
    pruned: usize,
    failed: usize,
    diverged: usize,
    /// Value, trial and horizon of the best run; a longer one counts more than any shorter one.
    best: Option<(f64, usize, u64)>,
    seen: BTreeSet<usize>,
    running: BTreeMap<usize, Option<(u64, f64)>>,
}

impl Show {
    /// Starts from what the study holds already. `total`: how many trials there will be, where that is known.
    pub fn new(records: &Records, direction: Direction, total: Option<usize>, quiet: bool) -> Self {
        let terminal = stderr().is_terminal() && !quiet;
        let target =
            if terminal { ProgressDrawTarget::stderr_with_hz(5) } else { ProgressDrawTarget::hidden() };
        let bar = ProgressBar::with_draw_target(total.map(|n| n as u64), target);
        let style = match total {
            Some(_) => "{bar:24} {pos}/{len} trials  {msg}",
            None => "{spinner} {pos} trials  {msg}",
        };
        if let Ok(style) = ProgressStyle::with_template(style) {
            bar.set_style(style.progress_chars("━╸─"));
        }
        let show = Self {
            state: Mutex::default(),
            bar,
            plain: !terminal && !quiet,
            began: Instant::now(),
            direction,
        };
        for trial in records.trials() {
            let end = match trial.state {
                TrialState::Complete => trial.values.first().map(|value| End::Complete(*value)),
                TrialState::Pruned => Some(End::Pruned),
                TrialState::Failed => Some(End::Failed),
                TrialState::Waiting | TrialState::Running => None,
            };
            if let Some(end) = end {
                let horizons =
                    trial.runs.iter().filter_map(|&run| records.runs().get(run)).map(|run| run.horizon);
                show.lock().count(trial.number, horizons.max().unwrap_or(u64::MAX), end, direction);
            }
        }
        show.lock().ended_here = 0;
        show.draw();
        show
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    /// Takes in an event.
    pub fn see(&self, event: &Event<'_>) {
        match event {
            Event::Started { trial, .. } => drop(self.lock().running.insert(*trial, None)),
            Event::Report { trial, step, value } => {
                self.lock().running.insert(*trial, Some((*step, *value)));
            }
            Event::Ended { trial, params, horizon, end, reason } => {
                self.lock().count(*trial, *horizon, *end, self.direction);
                let text = line(*trial, &format!("{params:#}"), *horizon, *end, *reason);
                let best = self.lock().best;
                self.say(&match best {
                    Some((value, best, _)) => format!("{text}; best {} (trial {best})", number::loss(value)),
                    None => text,
                });
            }
            Event::Dead { trial, retry, paused } => {
                let then = match retry {
                    Some(retry) => format!("tried again as trial {retry}"),
                    None if *paused => "its run goes on elsewhere".to_owned(),
                    None => "not tried again".to_owned(),
                };
                self.say(&format!("trial {trial}: its worker is dead; {then}"));
            }
            Event::Trouble(text) => self.say(&format!("warning: {text}")),
        }
        self.draw();
    }

    /// A line: above the bar, or plain.
    fn say(&self, text: &str) {
        if self.plain {
            eprintln!("{text}");
        } else if text.starts_with("warning") || text.contains("dead") {
            self.bar.println(text);
        }
    }

    fn draw(&self) {
        if self.plain {
            return;
        }
        let state = self.lock();
        self.bar.set_position(state.ended);
        self.bar.set_message(state.message(self.bar.length(), self.began));
    }

    /// Clears the bar.
    pub fn finish(&self) {
        self.bar.finish_and_clear();
    }
}

impl State {
    fn count(&mut self, trial: usize, horizon: u64, end: End, direction: Direction) {
        self.running.remove(&trial);
        match end {
            End::Complete(value) => {
                let better = |best: f64| match direction {
                    Direction::Minimize => value < best,
                    Direction::Maximize => value > best,
                };
                if self.best.is_none_or(|(best, _, at)| horizon > at || horizon == at && better(best)) {
                    self.best = Some((value, trial, horizon));
                }
            }
            End::Pruned | End::Stopped => self.pruned += 1,
            End::Diverged => self.diverged += 1,
            End::Failed => self.failed += 1,
            End::Paused | End::HandedBack | End::Lost => return,
        }
        // A trial may have several runs.
        if self.seen.insert(trial) {
            self.ended += 1;
            self.ended_here += 1;
        }
    }

    fn message(&self, total: Option<u64>, began: Instant) -> String {
        let mut parts = Vec::new();
        match self.best {
            Some((value, trial, _)) => parts.push(format!("best {} (trial {trial})", number::loss(value))),
            None => parts.push("no result yet".into()),
        }
        if let Some((trial, Some((step, value)))) = self.running.iter().next_back() {
            parts.push(format!("trial {trial} at step {step}: {}", number::loss(*value)));
        }
        let counts = [
            (self.running.len(), "running"),
            (self.pruned, "pruned"),
            (self.diverged, "diverged"),
            (self.failed, "failed"),
        ];
        parts.extend(counts.iter().filter(|(n, _)| *n > 0).map(|(n, what)| format!("{n} {what}")));
        if let Some(total) = total.filter(|total| *total > self.ended && self.ended_here > 0) {
            let each = began.elapsed() / u32::try_from(self.ended_here).unwrap_or(u32::MAX);
            let left = each * u32::try_from(total - self.ended).unwrap_or(u32::MAX);
            parts.push(format!("{} left", HumanDuration(left)));
        }
        parts.join(", ")
    }
}

/// What became of a run, in one line.
fn line(trial: usize, params: &str, horizon: u64, end: End, reason: Option<&str>) -> String {
    let reason = reason.and_then(|reason| reason.lines().next()).unwrap_or_default();
    let what = match end {
        End::Complete(value) => number::loss(value),
        End::Diverged => format!("diverged: {reason}"),
        End::Pruned => format!("pruned: {reason}"),
        End::Stopped => format!("stopped by hand: {reason}"),
        End::Failed => format!("failed: {reason}"),
        End::Paused => "paused at a checkpoint".into(),
        End::HandedBack => "cut off; it is handed back".into(),
        End::Lost => "taken over by another worker".into(),
    };
    let steps = if horizon > 1 { format!(", {} steps", number::count(horizon)) } else { String::new() };
    format!("trial {trial} ({params}{steps}): {what}")
}
