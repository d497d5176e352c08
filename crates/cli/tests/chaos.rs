//! Eight workers on one PostgreSQL study, killed at random, and the server restarted under them: every trial ends exactly
//! once, none is lost, numbers have no gaps, nothing is left running.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, clippy::panic)]

#[path = "../../study/tests/common/mod.rs"]
mod common;

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use lehr::search::Stream;
use lehr::study::{Records, RunState, Study, TrialState, open_shared};

const TRIALS: usize = 500;
const WORKERS: usize = 8;
/// A word that is in the command line of every program and of nothing else.
const MARK: &str = "lehr-chaos-program";

fn worker(folder: &Path, url: &str) -> Child {
    let mut command = Command::new(assert_cmd::cargo::cargo_bin("lehr"));
    command.args(["worker", "--study", "chaos", "--storage", url]).current_dir(folder);
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
}

/// Begins the study; the one trial of this call is handed to the workers like all others.
fn begin(folder: &Path, url: &str) {
    let script = "sleep 0.0$(( $$ % 10 )); echo \"{\\\"step\\\": 1, \\\"val_loss\\\": $0}\"";
    let mut command = Command::new(assert_cmd::cargo::cargo_bin("lehr"));
    command.args(["tune", "--study", "chaos", "--storage", url, "--lr", "1e-5..1", "--sampler", "random"]);
    command.args(["--silence", "15", "--retries", "50", "--hours", "1e-9", "--trials", &TRIALS.to_string()]);
    command.args(["--", "/bin/sh", "-c", script, "{lr}", MARK]).current_dir(folder);
    let done = command.output().unwrap();
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
}

fn finished(records: &Records) -> usize {
    records.trials().iter().filter(|trial| trial.state.is_finished()).count()
}

/// Processes with the mark in their command line.
fn programs() -> Vec<String> {
    let entries = std::fs::read_dir("/proc").unwrap().flatten();
    let lines = entries.filter_map(|entry| std::fs::read(entry.path().join("cmdline")).ok());
    lines.map(|line| String::from_utf8_lossy(&line).into_owned()).filter(|line| line.contains(MARK)).collect()
}

#[test]
fn every_trial_ends_exactly_once() {
    let Some(server) = common::server() else { return };
    let folder = tempfile::tempdir().unwrap();
    let url = server.url();
    begin(folder.path(), &url);
    let mut study = Study::open(open_shared(&url).unwrap(), "chaos").unwrap();
    let mut workers: Vec<Child> = (0..WORKERS).map(|_| worker(folder.path(), &url)).collect();
    let (mut random, begun) = (Stream::for_trial(11, 0), Instant::now());
    let (mut kills, mut restarted) = (0, false);
    loop {
        assert!(
            begun.elapsed() < Duration::from_secs(400),
            "{} trials have ended",
            finished(study.records())
        );
        std::thread::sleep(Duration::from_millis(400));
        let done = finished(study.refresh().unwrap());
        if done > TRIALS * 4 / 5 {
            break;
        }
        if !restarted && done > TRIALS / 3 {
            restarted = true;
            server.stop().unwrap();
            std::thread::sleep(Duration::from_millis(500));
            server.up().unwrap();
        }
        let victim = random.below(WORKERS);
        workers[victim].kill().unwrap();
        workers[victim].wait().unwrap();
        workers[victim] = worker(folder.path(), &url);
        kills += 1;
    }
    for mut worker in workers {
        let status = worker.wait().unwrap();
        assert!(status.success(), "a worker that nobody killed ended with {status}");
    }
    assert!(kills > 3 && restarted, "{kills} kills");
    check(study.refresh().unwrap());
    assert_eq!(programs(), Vec::<String>::new(), "programs that outlive the study");
    eprintln!(
        "{} trials, {kills} kills, {:.0} s",
        study.records().trials().len(),
        begun.elapsed().as_secs_f64()
    );
}

fn check(records: &Records) {
    let trials = records.trials();
    assert!(trials.len() >= TRIALS);
    for (number, trial) in trials.iter().enumerate() {
        assert_eq!(trial.number, number, "numbers without gaps");
        let [run] = trial.runs[..] else { panic!("trial {number} has the runs {:?}", trial.runs) };
        let run = &records.runs()[run];
        assert_eq!((run.trial, run.attempt), (number, 1), "each run was started once");
        match trial.state {
            TrialState::Complete => {
                assert_eq!(run.state, RunState::Complete);
                assert_eq!(trial.values, [trial.params.float("lr").unwrap()], "its own value");
            }
            TrialState::Failed => {
                assert_eq!(run.state, RunState::Failed);
                assert!(run.reason.as_deref().unwrap().contains("no sign of life"), "{:?}", run.reason);
                let again = |other: &&lehr::study::TrialRecord| {
                    other.state == TrialState::Complete && other.params == trial.params
                };
                assert!(trials.iter().any(|other| again(&other)), "trial {number} is lost");
            }
            state => panic!("trial {number} is {state}"),
        }
    }
    let runs = records.runs();
    assert!(runs.iter().enumerate().all(|(number, run)| run.number == number) && runs.len() == trials.len());
}
