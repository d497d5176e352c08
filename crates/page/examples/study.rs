//! Makes a study to look at: `study FILE.db NAME TRIALS REPORTS [SECONDS]`. With a number of seconds the last trial is left running and
//! reports for so long. The losses are those of a made-up bowl over rate and weight decay; a high rate diverges.
use std::sync::Arc;
use std::time::{Duration, Instant};

use lehr::search::{Direction, Space, sampler::Random};
use lehr_study::{After, Plan, RunEnd, RunOutcome, Storage, Study, StudyError, TrialState, open_shared};
use serde_json::json;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [file, name, trials, reports, rest @ ..] = arguments.as_slice() else {
        return Err("usage: study FILE.db NAME TRIALS REPORTS [SECONDS]".into());
    };
    let (trials, reports): (u64, u64) = (trials.parse()?, reports.parse()?);
    let storage: Arc<dyn Storage> = open_shared(file)?;
    let space: Space =
        "lr=log 1e-4..3, wd=log 1e-6..1e-1, width=int 16..256, schedule=cosine|linear|constant".parse()?;
    let mut study = Study::open_or_create(storage, name, Direction::Minimize, &space)?;
    study.set_setting(
        "program",
        json!({ "metric": "val_loss", "steps": 100 * reports, "command": ["python", "train.py"] }),
    )?;
    for trial in 0..trials {
        train(&mut study, trial, reports)?;
    }
    if let Some(seconds) = rest.first() {
        keep_running(&mut study, reports, Duration::from_secs(seconds.parse()?))?;
    }
    Ok(())
}

fn train(study: &mut Study, trial: u64, reports: u64) -> Result<(), StudyError> {
    let horizon = 100 * reports;
    let worker = format!("worker {}", trial % 4);
    let attempt = study.ask(&Random::default(), 7, &Plan::to(horizon), &worker)?;
    let get = |name: &str| attempt.params().float(name).unwrap_or(1.0);
    let (rate, decay) = (get("lr"), get("wd"));
    let schedule = attempt.params().text("schedule").unwrap_or("cosine").to_owned();
    let diverged = rate > 1.2;
    let pruned = !diverged && (rate.log10() + 1.3).abs() > 1.6 && !trial.is_multiple_of(3);
    let last = if diverged {
        1 + reports / 8
    } else if pruned {
        1 + reports / 4
    } else {
        reports
    };
    let mut value = 0.0;
    for k in 1..=last {
        value = loss(trial, k as f64 / reports as f64, rate, decay, &schedule);
        attempt.report(k * 100, if diverged && k == last { f64::NAN } else { value })?;
    }
    let end = match (diverged, pruned) {
        (true, _) => RunEnd::new(RunOutcome::Diverged, last * 100)
            .because("the loss is not a number")
            .then(After::Close(TrialState::Failed)),
        (_, true) => RunEnd::new(RunOutcome::Pruned, last * 100)
            .because("worse than the median of 12 trials at this step"),
        _ => RunEnd::new(RunOutcome::Complete(value), horizon),
    };
    attempt.finish(&end)
}

/// The loss after a share of the training.
fn loss(trial: u64, share: f64, rate: f64, decay: f64, schedule: &str) -> f64 {
    let noise = |k: f64| ((trial as f64 + 1.0) * 12.9898 + k * 78.233).sin() * 43_758.545_3;
    let wobble = noise(share).fract() * 0.012 * (1.0 - 0.8 * share);
    let best = match schedule {
        "constant" => 0.02,
        "linear" => 0.06,
        _ => 0.05,
    };
    let off = (rate / best).log10();
    let floor = 0.31
        + 0.055 * off * off
        + 0.004 * (decay / 1e-3).log10().powi(2)
        + if schedule == "constant" { 0.02 } else { 0.0 };
    let spike = if trial % 17 == 3 && (0.4..0.42).contains(&share) { 1.5 } else { 0.0 };
    floor
        + (0.9 - 0.2 * off.min(1.0)) * (-share * 5.0 * (1.0 + 0.3 * off).clamp(0.3, 2.0)).exp()
        + wobble
        + 0.02 * noise(7.0).fract() * 0.3
        + spike
}

/// A trial that reports five times a second.
fn keep_running(study: &mut Study, reports: u64, time: Duration) -> Result<(), StudyError> {
    let attempt = study.ask(&Random::default(), 7, &Plan::to(100 * reports), "worker 0")?;
    let start = Instant::now();
    let mut k = 0;
    while start.elapsed() < time {
        k += 1;
        attempt.report(k * 10, 0.4 + 0.6 * (-(k as f64) / 40.0).exp())?;
        std::thread::sleep(Duration::from_millis(200));
    }
    attempt.finish(&RunEnd::new(RunOutcome::Complete(0.4), k * 10))
}
