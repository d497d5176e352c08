//! What must not break a study: death in mid-write, a full disk, files of others, a million reports, a server that goes away.
#![allow(clippy::unwrap_used, clippy::panic)]
mod common;

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use lehr_search::{Direction, Params, Space};
use lehr_study::{
    Attempt, NewRun, OpenOptions, Plan, Records, Reports, RunEnd, RunOutcome, Standing, Storage, Study,
    StudyError, Target, TrialState, open, open_shared, open_with,
};

fn space() -> Space {
    "lr=log 1e-5..1".parse().unwrap()
}

fn new_run() -> NewRun {
    let params: Params = [("lr", 0.1)].into_iter().collect();
    NewRun {
        target: Target::New { params, saw: Vec::new() },
        plan: Plan::to(100),
        worker: "w".into(),
        after: None,
    }
}

fn study(storage: Arc<dyn Storage>) -> Study {
    Study::open_or_create(storage, "s", Direction::Minimize, &space()).unwrap()
}

fn start(study: &Study) -> Attempt {
    study.start(&new_run()).unwrap()
}

fn url(path: &Path) -> String {
    format!("sqlite:///{}", path.display())
}

/// Run by the tests below in a process of its own: trials without end, each told on standard output once it is finished.
#[test]
fn endless_writer() {
    let Some(url) = std::env::var_os("LEHR_TEST_WRITER") else { return };
    let study = study(open_shared(url.to_str().unwrap()).unwrap());
    loop {
        let attempt = start(&study);
        (1..30).for_each(|step| attempt.report(step, 1.0).unwrap());
        attempt.finish(&RunEnd::new(RunOutcome::Complete(0.5), 30)).unwrap();
        println!("finished {}", attempt.claim().trial);
    }
}

#[test]
fn what_was_finished_survives_a_kill_in_mid_write() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("s.db");
    for _ in 0..4 {
        let log = folder.path().join("log");
        let writers: Vec<_> = (0..2)
            .map(|_| {
                Command::new(std::env::current_exe().unwrap())
                    .args(["--exact", "endless_writer", "--nocapture"])
                    .env("LEHR_TEST_WRITER", url(&path))
                    .stdout(fs::File::options().append(true).create(true).open(&log).unwrap())
                    .stderr(Stdio::null())
                    .spawn()
                    .unwrap()
            })
            .collect();
        while fs::read_to_string(&log)
            .unwrap_or_default()
            .lines()
            .filter(|l| l.starts_with("finished"))
            .count()
            < 40
        {
            thread::sleep(Duration::from_millis(5));
        }
        writers.into_iter().for_each(|mut w| {
            w.kill().unwrap();
            w.wait().unwrap();
        });
        let mut study = study(open_shared(&url(&path)).unwrap());
        let trials = study.refresh().unwrap().trials();
        for line in fs::read_to_string(&log).unwrap().lines().filter_map(|l| l.strip_prefix("finished ")) {
            let Ok(number) = line.parse::<usize>() else { continue };
            assert_eq!(trials[number].state, TrialState::Complete, "trial {number}");
            assert_eq!(trials[number].reports.len(), 29);
        }
        assert!(trials.iter().enumerate().all(|(i, t)| t.number == i));
        assert!(trials.iter().filter(|t| t.state == TrialState::Running).count() <= 2 * 4);
        fs::remove_file(&log).unwrap();
    }
}

#[test]
fn a_full_disk_loses_nothing_that_was_committed() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("s.db");
    let limit = |kb: u64| {
        // A file-size limit is what a full disk is to SQLite: the write fails.
        Command::new("bash")
            .arg("-c")
            .arg(format!("trap '' XFSZ; ulimit -f {kb}; exec \"$0\" --exact endless_writer --nocapture"))
            .arg(std::env::current_exe().unwrap())
            .env("LEHR_TEST_WRITER", url(&path))
            .output()
            .unwrap()
    };
    let done = limit(1500);
    let said = String::from_utf8_lossy(&done.stdout).into_owned() + &String::from_utf8_lossy(&done.stderr);
    // The limit is told as an error of the file, a disk without room as a full disk.
    assert!(!done.status.success() && said.contains("disk"), "{said}");
    let finished = said.lines().filter(|l| l.starts_with("finished")).count();
    assert!(finished > 3, "{said}");
    let mut study = study(open_shared(&url(&path)).unwrap());
    let complete =
        study.refresh().unwrap().trials().iter().filter(|t| t.state == TrialState::Complete).count();
    assert_eq!(complete, finished);
    start(&study).finish(&RunEnd::new(RunOutcome::Complete(1.0), 1)).unwrap();
}

#[test]
fn a_disk_without_room_is_told_and_loses_nothing() {
    let folder = tempfile::tempdir().unwrap();
    // A disk of its own, in a room that ends with the process.
    let shell = "mount -t tmpfs -o size=1m none \"$LEHR_TEST_DISK\" || { echo no room; exit 0; }; \
                 exec \"$0\" --exact writer_on_a_small_disk --nocapture";
    let test = std::env::current_exe().unwrap();
    let done = Command::new("unshare")
        .args(["--user", "--map-root-user", "--mount", "sh", "-c", shell])
        .arg(test)
        .env("LEHR_TEST_DISK", folder.path())
        .output();
    let Ok(done) = done else { return eprintln!("skipped: there is no program unshare") };
    let said = String::from_utf8_lossy(&done.stdout).into_owned() + &String::from_utf8_lossy(&done.stderr);
    if said.contains("no room") || said.contains("unshare failed") {
        return eprintln!("skipped: this system does not let one mount a disk: {said}");
    }
    assert!(done.status.success() && said.contains("went on"), "{said}");
}

#[test]
fn writer_on_a_small_disk() {
    let Some(disk) = std::env::var_os("LEHR_TEST_DISK").map(std::path::PathBuf::from) else { return };
    let ballast = disk.join("ballast");
    fs::write(&ballast, vec![1; 200_000]).unwrap();
    let url = url(&disk.join("s.db"));
    let study = study(open_shared(&url).unwrap());
    let complete = |url: &str| {
        let mut again = Study::open(open_shared(url).unwrap(), "s").unwrap();
        let trials = again.refresh().unwrap().trials().to_vec();
        (trials.iter().filter(|t| t.state == TrialState::Complete).count(), trials.len())
    };
    let end = |value: usize| RunEnd::new(RunOutcome::Complete(value as f64), 50);
    let mut finished = 0;
    let (open, error) = loop {
        assert!(finished < 10_000, "the disk is never full");
        let attempt = match study.start(&new_run()) {
            Ok(attempt) => attempt,
            Err(error) => break (None, error),
        };
        (0..50).for_each(|step| attempt.report(step, 1.0).unwrap());
        if let Err(error) = attempt.finish(&end(finished)) {
            break (Some(attempt), error);
        }
        finished += 1;
    };
    assert!(matches!(error, StudyError::Full { .. }), "{error:?}");
    assert!(error.to_string().contains("the disk is full"), "{error}");
    assert!(finished > 3, "{finished}");
    // While it is still full, all of it can be read.
    assert_eq!(complete(&url), (finished, finished + usize::from(open.is_some())));
    fs::remove_file(ballast).unwrap();
    if let Some(open) = open {
        open.finish(&end(finished)).unwrap();
        finished += 1;
    }
    start(&study).finish(&end(finished)).unwrap();
    assert_eq!(complete(&url), (finished + 1, finished + 1));
    println!("went on");
}

#[test]
fn files_of_others_are_refused_and_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let text = folder.path().join("text.db");
    fs::write(&text, "this is no database, however long it may be, and it should stay as it is").unwrap();
    assert!(matches!(open(&url(&text)).err(), Some(StudyError::Foreign { .. })));
    assert!(fs::read_to_string(&text).unwrap().starts_with("this is no database"));
    let other = folder.path().join("other.db");
    let connection = rusqlite::Connection::open(&other).unwrap();
    connection.execute_batch("CREATE TABLE bookmarks (x); CREATE TABLE trials (y)").unwrap();
    let before = fs::read(&other).unwrap();
    let error = open(&url(&other)).err().unwrap();
    assert!(error.to_string().contains("bookmarks"), "{error}");
    assert_eq!(fs::read(&other).unwrap(), before);
    let missing = folder.path().join("missing.db");
    let options = OpenOptions { create: false, ..OpenOptions::default() };
    assert!(matches!(open_with(&url(&missing), &options).err(), Some(StudyError::Missing { .. })));
    assert!(!missing.exists());
    assert!(matches!(open("/no/such/folder/x.db").err(), Some(StudyError::Open { .. })));
    assert!(matches!(open(&url(folder.path())).err(), Some(StudyError::Open { .. })));
}

#[test]
fn a_damaged_database_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("s.db");
    let study = study(open_shared(&url(&path)).unwrap());
    let id = study.id();
    start(&study);
    drop(study);
    let connection = rusqlite::Connection::open(&path).unwrap();
    connection.execute_batch("UPDATE trial_params SET distribution_json = '{'").unwrap();
    let storage = open(&url(&path)).unwrap();
    let error = storage.refresh(id, &mut Records::new()).unwrap_err();
    assert!(matches!(error, StudyError::Content { .. }), "{error}");
}

#[test]
fn a_lock_is_waited_for_and_then_told() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("s.db");
    let options = OpenOptions { patience: Duration::from_millis(300), ..OpenOptions::default() };
    let study = study(open_with(&url(&path), &options).map(Arc::from).unwrap());
    let other = rusqlite::Connection::open(&path).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    assert!(matches!(study.start(&new_run()).err(), Some(StudyError::Locked { .. })));
    other.execute_batch("COMMIT").unwrap();
    start(&study);
}

#[test]
fn a_step_beyond_the_format_is_refused_and_holds_nothing_up() {
    let study = study(open_shared("memory:").unwrap());
    let attempt = start(&study);
    attempt.report(1, 2.0).unwrap();
    let error = attempt.report(3_000_000_000, 1.0).unwrap_err();
    assert!(error.to_string().contains("2147483647"), "{error}");
    attempt.report(2, 1.0).unwrap();
    attempt.finish(&RunEnd::new(RunOutcome::Complete(1.0), 2)).unwrap();
    let mut again = study;
    assert_eq!(again.refresh().unwrap().trials()[0].reports, [(1, 2.0), (2, 1.0)]);
}

#[test]
fn a_million_reports_in_one_trial() {
    let storage = open_shared("memory:").unwrap();
    let mut study = study(storage.clone());
    let attempt = start(&study);
    for step in 0..1_000_000 {
        attempt.report(step, step as f64).unwrap();
    }
    attempt.finish(&RunEnd::new(RunOutcome::Complete(0.0), 1_000_000)).unwrap();
    assert_eq!(study.refresh().unwrap().trials()[0].reports.len(), 1_000_000);
    assert_eq!(study.history().unwrap().trial(0).unwrap().reports().len(), 1_000_000);
}

#[test]
fn reports_are_written_within_a_second_without_being_asked() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("s.db");
    let study = study(open_shared(&url(&path)).unwrap());
    let attempt = start(&study);
    attempt.report(1, 1.0).unwrap();
    let reader = open(&url(&path)).unwrap();
    let mut records = Records::new();
    for _ in 0..200 {
        reader.refresh(study.id(), &mut records).unwrap();
        if !records.trials()[0].reports.is_empty() {
            return;
        }
        thread::sleep(Duration::from_millis(50));
    }
    panic!("no report was written");
}

#[test]
fn a_run_that_was_taken_away_is_told_so() {
    let storage = open_shared("memory:").unwrap();
    let study = study(storage.clone());
    let attempt = start(&study);
    thread::sleep(Duration::from_millis(30));
    storage.fail_stale(study.id(), Duration::from_millis(5), 0).unwrap();
    attempt.report(1, 1.0).unwrap();
    assert!(attempt.flush().is_err());
    assert!(attempt.is_lost() && attempt.report(2, 1.0).is_err());
    let end = attempt.finish(&RunEnd::new(RunOutcome::Complete(0.0), 1));
    assert!(matches!(end, Err(StudyError::Taken { .. })));
}

#[test]
fn a_server_that_restarts_loses_and_doubles_nothing() {
    let Some(server) = common::server() else { return };
    let study = study(open_shared(&server.url()).unwrap());
    let writers = 4;
    let each = 40;
    thread::scope(|scope| {
        for _ in 0..writers {
            scope.spawn(|| {
                let storage = open_shared(&server.url()).unwrap();
                let study = Study::open(storage.clone(), "s").unwrap();
                for i in 0..each {
                    let claim = storage.start(study.id(), &space(), &new_run()).unwrap();
                    let values = vec![(1, 1.0)];
                    assert_eq!(
                        storage.report(&[Reports { claim: claim.clone(), values }]).unwrap(),
                        [Standing::Holds]
                    );
                    storage
                        .end(&claim, &[(2, 2.0)], &RunEnd::new(RunOutcome::Complete(f64::from(i)), 2))
                        .unwrap();
                    thread::sleep(Duration::from_millis(20));
                }
            });
        }
        for _ in 0..2 {
            thread::sleep(Duration::from_millis(400));
            server.stop().unwrap();
            thread::sleep(Duration::from_millis(100));
            server.up().unwrap();
        }
    });
    let mut records = Records::new();
    study.storage().refresh(study.id(), &mut records).unwrap();
    assert_eq!(records.trials().len(), (writers * each) as usize);
    assert_eq!(records.runs().len(), records.trials().len());
    assert!(records.trials().iter().all(|t| t.state == TrialState::Complete && t.reports.len() == 2));
    let wrong = server.url().replace("5432", "1").replace("/postgres", "/no such database");
    let error = open(&wrong).err().unwrap().to_string();
    assert!(error.contains("does not exist") && !error.contains("secret"), "{error}");
}

#[test]
fn optuna_sees_that_a_silent_run_lives_and_nothing_of_one_that_was_short() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("s.db");
    let study = study(open_shared(&url(&path)).unwrap());
    let optuna = rusqlite::Connection::open(&path).unwrap();
    let signs = || -> Vec<i64> {
        let mut statement = optuna.prepare("SELECT trial_id FROM trial_heartbeats").unwrap();
        statement.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect()
    };
    let short = start(&study);
    short.finish(&RunEnd::new(RunOutcome::Complete(0.5), 100)).unwrap();
    let silent = start(&study);
    // Within a second; more where the machine is busy.
    (0..400).find(|_| {
        thread::sleep(Duration::from_millis(25));
        !signs().is_empty()
    });
    assert_eq!(signs(), [silent.claim().trial_id]);
}
