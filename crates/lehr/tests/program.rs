//! Programs of every kind of behaviour, as small shell and Python scripts: each ends in a clear state and leaves nothing.
#![cfg(unix)]
#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;
use std::path::Path;
use std::time::{Duration, Instant};

use lehr::program::{Ended, Failure, Metric, Outcome, ProgramError, Scrape, Source, Start, Watch, Wish, run};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

/// Keeps the reports, and stops the run after some of them.
#[derive(Default)]
struct Keep {
    reports: Vec<(u64, f64)>,
    stop_after: Option<usize>,
    wish: Option<Wish>,
}

impl Watch for Keep {
    fn report(&mut self, step: u64, value: f64) -> Wish {
        self.reports.push((step, value));
        let stop = self.stop_after.is_some_and(|n| self.reports.len() >= n);
        if stop { self.wish.unwrap_or(Wish::Stop) } else { Wish::Go }
    }
}

struct Case {
    folder: tempfile::TempDir,
    start: Start,
    metric: Metric,
    keep: Keep,
}

impl Case {
    fn new(words: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        let report = path("report.jsonl");
        let start = Start {
            words: words.iter().map(|word| (*word).to_owned()).collect(),
            environment: BTreeMap::from([("LEHR_REPORT".into(), report.clone().into())]),
            folder: Some(folder.path().to_owned()),
            log: path("log.txt"),
            report,
            source: None,
            after: None,
            timeout: Some(Duration::from_secs(120)),
            grace: Duration::from_secs(60),
        };
        Self { folder, start, metric: Metric::new("loss", true), keep: Keep::default() }
    }

    fn sh(script: &str) -> Self {
        Self::new(&["sh", "-c", script])
    }

    fn python(script: &str) -> Self {
        Self::new(&["python3", "-c", script])
    }

    fn run(&mut self) -> Ended {
        run(&self.start, &self.metric, &mut self.keep).unwrap()
    }

    fn log(&self) -> String {
        String::from_utf8_lossy(&std::fs::read(&self.start.log).unwrap()).into_owned()
    }

    /// The process whose id the program wrote to a file.
    fn pid(&self, name: &str) -> i32 {
        let path = self.folder.path().join(name);
        let start = Instant::now();
        loop {
            match std::fs::read_to_string(&path).ok().and_then(|text| text.trim().parse().ok()) {
                Some(pid) => return pid,
                None => assert!(start.elapsed() < Duration::from_secs(60), "no {name}"),
            }
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}

fn lives(pid: i32) -> bool {
    if Path::new("/proc/self/stat").exists() {
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        return stat.rsplit_once(") ").is_some_and(|(_, rest)| !rest.starts_with('Z'));
    }
    kill(Pid::from_raw(pid), None).is_ok()
}

fn wait_until_dead(pid: i32) {
    let start = Instant::now();
    while lives(pid) {
        assert!(start.elapsed() < Duration::from_secs(60), "process {pid} lives on");
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn reports_are_read_and_the_rest_is_the_log() {
    let mut case = Case::sh(
        "echo hello; echo '{\"step\": 1, \"loss\": 2.5}'; echo oops >&2; echo '{\"step\": 5, \"loss\": 1.5, \"x\": 1}'
         echo '{\"step\": 5, \"loss\": 9}'; printf '{\"loss\": 1.25}'",
    );
    let ended = case.run();
    assert_eq!(ended.outcome, Outcome::Complete(1.25));
    assert_eq!(case.keep.reports, [(1, 2.5), (5, 1.5), (6, 1.25)]);
    assert_eq!((ended.reports, ended.ignored, ended.last_step), (3, 1, Some(6)));
    let log = case.log();
    assert!(log.contains("hello") && log.contains("oops") && !log.contains("loss"), "{log}");
}

#[test]
fn the_report_channel_leaves_stdout_to_the_program() {
    let script =
        "for i in 1 2 3; do echo \"{\\\"step\\\": $i, \\\"loss\\\": 0.$i}\" >> \"$LEHR_REPORT\"; done";
    let mut case = Case::sh(script);
    assert_eq!(case.run().outcome, Outcome::Complete(0.3));
    assert_eq!(case.keep.reports, [(1, 0.1), (2, 0.2), (3, 0.3)]);
}

#[test]
fn scraped_lines_and_tailed_files() {
    let mut case = Case::sh("echo 'epoch 1 val loss: 2.5'; sleep 0.2; echo 'epoch 4 val loss: 1.5' >&2");
    case.metric.regex = Some(Scrape::new(r"epoch (?<step>\d+) val loss: (\S+)").unwrap());
    assert_eq!(case.run().outcome, Outcome::Complete(1.5));
    assert_eq!(case.keep.reports, [(1, 2.5), (4, 1.5)]);
    assert!(case.log().contains("val loss: 2.5"), "scraped lines stay in the log");

    let mut case = Case::sh("echo step,loss > log.csv; for i in 1 2 3; do echo $i,0.$i >> log.csv; done");
    let path = case.folder.path().join("log.csv");
    case.start.source = Some(Source { path, column: "loss".into() });
    assert_eq!(case.run().outcome, Outcome::Complete(0.3));
    assert_eq!(case.keep.reports.len(), 3);
}

#[test]
fn ends_have_a_reason_and_the_last_lines() {
    let ended = Case::sh("echo training; echo done").run();
    assert!(matches!(ended.outcome, Outcome::Failed(Failure::NoMetric { .. })));
    assert!(ended.reason().unwrap().contains("without a report of 'loss'"));
    assert_eq!(ended.tail, ["training", "done"]);

    let ended = Case::sh("echo '{\"accuracy\": 1}'").run();
    assert!(ended.reason().unwrap().ends_with("it reported accuracy"), "{:?}", ended.reason());

    let ended = Case::sh("echo '{\"loss\": \"0.5\"}'").run();
    assert!(ended.reason().unwrap().ends_with("'loss' that is a number"), "{:?}", ended.reason());

    let ended = Case::sh("echo '{\"loss\": 1}'; echo 'ValueError: bad' >&2; exit 3").run();
    assert_eq!(ended.outcome, Outcome::Failed(Failure::Exit(3)));
    assert_eq!(ended.tail, ["ValueError: bad"]);

    let ended = Case::sh("kill -SEGV $$").run();
    assert_eq!(ended.reason().unwrap(), "ended by SIGSEGV");

    let ended = Case::sh("kill -KILL $$").run();
    assert!(matches!(ended.outcome, Outcome::Failed(Failure::Killed { .. })), "{ended:?}");
    assert!(ended.reason().unwrap().contains("out of memory"));
}

#[test]
fn a_metric_that_is_not_finite_is_divergence_and_ends_the_run() {
    for value in ["NaN", "Infinity", "-Infinity", "null", "\"inf\""] {
        let mut case = Case::sh(&format!("echo '{{\"step\": 7, \"loss\": {value}}}'; sleep 600"));
        let ended = case.run();
        assert!(
            matches!(ended.outcome, Outcome::Diverged { step: 7, value } if !value.is_finite()),
            "{value}: {ended:?}"
        );
        assert!(ended.reason().unwrap().contains("at step 7: diverged"));
        assert_eq!(case.keep.reports, []);
    }
    let mut case = Case::sh("echo '{\"loss\": 1}'; echo '{\"loss\": NaN}'; exit 1");
    assert!(matches!(case.run().outcome, Outcome::Diverged { step: 1, .. }), "whatever the exit code");
}

#[test]
fn what_takes_too_long_is_stopped() {
    let mut case = Case::sh("echo begun; sleep 600");
    case.start.timeout = Some(Duration::from_secs(1));
    let ended = case.run();
    assert_eq!(ended.outcome, Outcome::Failed(Failure::Timeout(Duration::from_secs(1))));
    assert_eq!(ended.tail, ["begun"]);
}

#[test]
fn a_million_reports_and_garbage() {
    let mut case = Case::python(
        "import sys, os
out = sys.stdout.buffer
for i in range(1_000_000):
    out.write(b'{\"step\": %d, \"loss\": %d.5}\\n' % (i, i % 7))
    if i % 1000 == 0:
        out.write(os.urandom(200) + b'\\n{\"step\": \\n')
out.write(b'x' * (8 << 20) + b'\\n{\"step\": 1000001, \"loss\": 0.25}\\n')",
    );
    let ended = case.run();
    assert_eq!(ended.outcome, Outcome::Complete(0.25));
    assert_eq!(case.keep.reports.len(), 1_000_001);
    assert!(case.keep.reports.iter().take(1_000_000).enumerate().all(|(i, r)| r.0 == i as u64));
    assert!(std::fs::metadata(&case.start.log).unwrap().len() < 2 << 20);
}

#[test]
fn a_stopped_program_has_time_to_save_and_no_more() {
    let mut case = Case::sh(
        "trap 'echo saved > saved; exit 0' TERM; echo '{\"step\": 1, \"loss\": 1}'; while :; do sleep 0.05; done",
    );
    case.keep.stop_after = Some(1);
    let ended = case.run();
    assert_eq!((ended.outcome, ended.killed), (Outcome::Stopped, false));
    assert!(case.folder.path().join("saved").exists());

    let mut deaf =
        Case::sh("trap '' TERM; echo $$ > pid; echo '{\"loss\": 1}'; while :; do sleep 0.05; done");
    deaf.keep.stop_after = Some(1);
    deaf.start.grace = Duration::from_millis(300);
    let ended = deaf.run();
    assert_eq!((ended.outcome, ended.killed), (Outcome::Stopped, true));
    assert!(!lives(deaf.pid("pid")));

    let mut now = Case::sh("trap '' TERM; echo '{\"loss\": 1}'; while :; do sleep 0.05; done");
    now.keep = Keep { stop_after: Some(1), wish: Some(Wish::Kill), ..Keep::default() };
    assert_eq!(now.run().outcome, Outcome::Stopped);

    // A stopped process hears nothing; it is continued so that it can end.
    let mut frozen = Case::sh("echo '{\"loss\": 1}'; kill -STOP $$; sleep 600");
    frozen.keep.stop_after = Some(1);
    assert_eq!(frozen.run().outcome, Outcome::Stopped);
}

#[test]
fn processes_that_are_left_behind_end_with_the_program() {
    // One in the group, one that made itself a daemon in a session of its own; both hold the program's stdout.
    let mut case = Case::python(
        "import os, subprocess, time
a = subprocess.Popen(['sleep', '600'])
open('a', 'w').write(str(a.pid))
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        open('b.part', 'w').write(str(os.getpid()))
        os.rename('b.part', 'b')
        time.sleep(600)
    os._exit(0)
while not os.path.exists('b'):
    time.sleep(0.01)
print('{\"loss\": 1}', flush=True)",
    );
    let ended = case.run();
    assert_eq!(ended.outcome, Outcome::Complete(1.0));
    assert!(!lives(case.pid("a")));
    if cfg!(target_os = "linux") {
        assert_eq!(ended.left_behind, 2);
        assert!(!lives(case.pid("b")));
        assert!(case.log().contains("[lehr] processes that it left behind"), "{}", case.log());
    }
}

#[test]
fn a_program_that_cannot_be_started_is_an_error_with_advice() {
    let mut case = Case::new(&["no-such-program-anywhere"]);
    let error = run(&case.start, &case.metric, &mut case.keep).unwrap_err();
    assert!(matches!(error, ProgramError::Start { .. }));
    assert!(error.to_string().contains("in PATH"), "{error}");
    let mut folder = Case::new(&["/"]);
    assert!(run(&folder.start, &folder.metric, &mut folder.keep).is_err());
    assert!(run(&Start { words: vec![], ..folder.start }, &folder.metric, &mut folder.keep).is_err());
}

#[test]
fn many_at_once() {
    std::thread::scope(|scope| {
        for i in 0..16 {
            scope.spawn(move || {
                let mut case =
                    Case::sh(&format!("sleep 600 & for i in 1 2 3; do echo '{{\"loss\": {i}}}'; done"));
                let ended = case.run();
                assert_eq!(ended.outcome, Outcome::Complete(f64::from(i)));
                assert_eq!(ended.left_behind, u32::from(cfg!(target_os = "linux")));
            });
        }
    });
}

/// A worker to be killed: this very test program, which runs a program that leaves a daemon behind.
#[test]
#[ignore = "a part of the tests below"]
fn worker_to_be_killed() {
    let Ok(folder) = std::env::var("LEHR_TEST_FOLDER") else { return };
    let mut case = Case::python(
        "import os, time
def write(name):
    open(name + '.part', 'w').write(str(os.getpid()))
    os.rename(name + '.part', name)
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        write('daemon')
        time.sleep(600)
    os._exit(0)
write('program')
time.sleep(600)",
    );
    case.start.folder = Some(folder.into());
    case.run();
}

#[cfg(target_os = "linux")]
struct Worker {
    case: Case,
    process: std::process::Child,
    program: i32,
    daemon: i32,
}

#[cfg(target_os = "linux")]
fn worker() -> Worker {
    let case = Case::sh("");
    let mut process = std::process::Command::new(std::env::current_exe().unwrap());
    process.args(["--exact", "worker_to_be_killed", "--ignored"]).env("LEHR_TEST_FOLDER", case.folder.path());
    let process = process.stdout(std::process::Stdio::null()).spawn().unwrap();
    let (program, daemon) = (case.pid("program"), case.pid("daemon"));
    assert!(lives(program) && lives(daemon));
    Worker { case, process, program, daemon }
}

#[test]
#[cfg(target_os = "linux")]
fn nothing_outlives_a_worker_that_is_killed() {
    let mut worker = worker();
    worker.process.kill().unwrap();
    worker.process.wait().unwrap();
    wait_until_dead(worker.program);
    wait_until_dead(worker.daemon);
    drop(worker.case);
}

#[test]
#[cfg(target_os = "linux")]
fn a_program_does_not_outlive_its_guardian() {
    let mut worker = worker();
    let stat = std::fs::read_to_string(format!("/proc/{}/stat", worker.program)).unwrap();
    let guardian = stat.rsplit_once(") ").unwrap().1.split(' ').nth(1).unwrap().parse().unwrap();
    assert_ne!(guardian, worker.process.id() as i32);
    kill(Pid::from_raw(guardian), Signal::SIGKILL).unwrap();
    wait_until_dead(worker.program);
    worker.process.wait().unwrap();
    // A daemon that outlives its guardian is out of reach; it is ended here.
    kill(Pid::from_raw(worker.daemon), Signal::SIGKILL).unwrap();
    drop(worker.case);
}
