//! A trial that runs is stopped from another process: its program ends within seconds, its worker goes on with the next one.
#![cfg(unix)]
#![allow(clippy::unwrap_used, clippy::panic)]

#[path = "../../study/tests/common/mod.rs"]
mod common;

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use lehr::study::{Records, RunState, Study, TrialState, open_shared};

fn lehr(folder: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(assert_cmd::cargo::cargo_bin("lehr"));
    command
        .args(arguments)
        .current_dir(folder)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    command
}

/// Workers that end with the test.
struct Workers(Vec<Child>);

impl Drop for Workers {
    fn drop(&mut self) {
        for worker in &mut self.0 {
            let _ = worker.kill();
            let _ = worker.wait();
        }
    }
}

fn until(study: &mut Study, what: &str, holds: impl Fn(&Records) -> bool) {
    let begun = Instant::now();
    while !holds(study.refresh().unwrap()) {
        assert!(begun.elapsed() < Duration::from_secs(60), "{what}: {:#?}", study.records().trials());
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// Trial numbers that run and have reported.
fn at_work(records: &Records) -> Vec<usize> {
    let runs = records.trials().iter().filter(|t| t.state == TrialState::Running && !t.reports.is_empty());
    runs.map(|trial| trial.number).collect()
}

/// Two workers with programs that never end by themselves and, like many, do not listen to a polite request.
fn stops(folder: &Path, url: &str) {
    let program = "trap '' TERM; i=0; while :; do i=$((i+1)); echo \"{\\\"step\\\": $i, \\\"val_loss\\\": 1.5}\"; sleep 0.2; done";
    let mut begin =
        lehr(folder, &["tune", "--study", "s", "--storage", url, "--lr", "1e-5..1", "--sampler", "random"]);
    begin.args(["--trials", "50", "--hours", "1e-9", "--", "/bin/sh", "-c", program, "{lr}"]);
    assert!(begin.status().unwrap().success());
    let worker = || lehr(folder, &["worker", "--study", "s", "--storage", url]).spawn().unwrap();
    let _workers = Workers(vec![worker(), worker()]);
    let mut study = Study::open(open_shared(url).unwrap(), "s").unwrap();
    until(&mut study, "two trials run", |records| at_work(records).len() == 2);
    let stopped = at_work(study.records());
    for trial in &stopped {
        let begun = Instant::now();
        let arguments =
            ["stop", "s", &trial.to_string(), "--storage", url, "--because", "stopped by the test"];
        assert!(lehr(folder, &arguments).status().unwrap().success());
        assert!(begun.elapsed() < Duration::from_secs(20), "the program does not listen, and is killed");
    }
    study.refresh().unwrap();
    for &trial in &stopped {
        let trial = &study.records().trials()[trial];
        assert_eq!((trial.state, trial.values.as_slice()), (TrialState::Pruned, [1.5].as_slice()));
        let [run] = trial.runs.as_slice() else { panic!("{:?}", trial.runs) };
        let run = &study.records().runs()[*run];
        assert_eq!((run.state, run.reason.as_deref()), (RunState::Pruned, Some("stopped by the test")));
    }
    until(&mut study, "the workers go on", |records| {
        at_work(records).iter().any(|trial| !stopped.contains(trial))
    });
    assert!(
        study.records().trials().iter().all(|trial| trial.state != TrialState::Waiting),
        "none is tried again"
    );
    let again = lehr(folder, &["stop", "s", &stopped[0].to_string(), "--storage", url]).status().unwrap();
    assert_eq!(again.code(), Some(1), "it has ended");
    for trial in at_work(study.refresh().unwrap()) {
        lehr(folder, &["stop", "s", &trial.to_string(), "--storage", url]).status().unwrap();
    }
}

#[test]
fn on_sqlite() {
    let folder = tempfile::tempdir().unwrap();
    let url = format!("sqlite:///{}/s.db", folder.path().display());
    stops(folder.path(), &url);
}

#[test]
fn on_postgresql() {
    let Some(server) = common::server() else { return };
    let folder = tempfile::tempdir().unwrap();
    stops(folder.path(), &server.url());
}
