//! Who trained what, when.
use lehr_study::Worker as Entered;

use super::context::Context;
use super::curves::state;
use super::trials::Row;
use crate::view::{Work, Worker, Workers};

/// Runs that are drawn: the latest.
const SHOWN: usize = 2000;
/// Seconds without a sign of life after which a worker counts as gone.
const SILENT: f64 = 90.0;

/// The timeline, of the runs whose worker and times are known.
pub(super) fn of(context: &Context<'_>, rows: &[Row<'_>], workers: &[Entered], now: i64) -> Option<Workers> {
    let known = |run: &&lehr_study::RunRecord| run.worker.is_some() && run.started.is_some();
    let mut runs: Vec<&lehr_study::RunRecord> = context.records.runs().iter().filter(known).collect();
    runs.drain(..runs.len().saturating_sub(SHOWN));
    let mut lines: Vec<Worker> = Vec::new();
    for run in runs {
        let (Some(name), Some(started)) = (&run.worker, run.started) else { continue };
        let Some(row) = rows.get(run.trial) else { continue };
        let several = row.record.runs.len() > 1;
        let label = if several {
            format!("trial {}, run {}", run.trial, run.number)
        } else {
            format!("trial {}", run.trial)
        };
        let work = Work {
            row: run.trial,
            name: label,
            from: (started / 1000) as f64,
            to: (run.ended.unwrap_or(now).max(started) / 1000) as f64,
            state: state(run.state).to_owned(),
        };
        match lines.iter_mut().find(|line| line.name == *name) {
            Some(line) => line.work.push(work),
            None => lines.push(Worker { name: name.clone(), note: note(workers, name), work: vec![work] }),
        }
    }
    let times = || lines.iter().flat_map(|line| &line.work);
    let from = times().map(|work| work.from).fold(f64::INFINITY, f64::min);
    let to = times().map(|work| work.to).fold(f64::NEG_INFINITY, f64::max);
    (from < to).then_some(Workers { lines, from, to })
}

/// Where a worker is and whether it lives.
fn note(workers: &[Entered], name: &str) -> String {
    let Some(worker) = workers.iter().rev().find(|worker| worker.name == name) else { return String::new() };
    let state = match (worker.ended, worker.silent > SILENT) {
        (true, _) => "ended".to_owned(),
        (false, true) => format!("no sign of life for {:.0} s", worker.silent),
        (false, false) => "alive".to_owned(),
    };
    format!("{} (process {}), {state}", worker.host, worker.pid)
}

/// How many workers are at work.
pub(super) fn alive(workers: &[Entered]) -> usize {
    workers.iter().filter(|worker| !worker.ended && worker.silent <= SILENT).count()
}
