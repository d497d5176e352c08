//! Trials a second against Optuna's RDB storage, on disk and in memory-backed files; time and memory to load 100,000 trials.
//!
//! Python: light
//!
//! 5 real parameters and 10 reports a trial, each trial ended by a commit that waits for the disk. `--seconds 10` measures
//! longer, `--folder DIR` measures on the disk of that folder, `--no-peers` leaves Optuna out.
#![allow(clippy::unwrap_used)]
use std::path::Path;
use std::process::{Command, ExitCode};
use std::sync::Arc;
use std::time::Instant;

use lehr_search::sampler::Random;
use lehr_search::{Direction, Space};
use lehr_study::{Plan, RunEnd, RunOutcome, Storage, Study, open_shared};

const TRIALS: usize = 100_000;

fn space() -> Space {
    "p0=0.0..1.0, p1=0.0..1.0, p2=0.0..1.0, p3=0.0..1.0, p4=0.0..1.0".parse().unwrap()
}

fn study(path: &Path) -> Study {
    let storage = open_shared(&format!("sqlite:///{}", path.display())).unwrap();
    Study::open_or_create(storage, "bench", Direction::Minimize, &space()).unwrap()
}

/// One trial as a worker runs it: asked for, reported on, ended.
fn trial(study: &mut Study) {
    let attempt = study.ask(&Random::default(), 1, &Plan::to(10), "bench").unwrap();
    let x: f64 = attempt.params().iter().filter_map(|(_, v)| v.as_f64()).sum();
    for step in 0..10 {
        attempt.report(step, x + 10.0 - step as f64).unwrap();
    }
    attempt.finish(&RunEnd::new(RunOutcome::Complete(x), 10)).unwrap();
}

/// Trials a second, and a second of processor time.
fn rate(path: &Path, seconds: f64) -> (f64, f64) {
    let mut study = study(path);
    (0..2).for_each(|_| trial(&mut study));
    let (start, before, mut done) = (Instant::now(), processor(), 0);
    while start.elapsed().as_secs_f64() < seconds {
        (0..20).for_each(|_| trial(&mut study));
        done += 20;
    }
    (f64::from(done) / start.elapsed().as_secs_f64(), f64::from(done) / (processor() - before))
}

/// The processor time of this process in seconds, to a hundredth.
fn processor() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let fields = stat.rsplit(')').next().unwrap_or_default().split_whitespace().skip(11).take(2);
    fields.filter_map(|ticks| ticks.parse::<f64>().ok()).sum::<f64>() / 100.0
}

fn compare(what: &str, folder: &Path, seconds: f64, python: Option<&str>) {
    let folder = tempfile::tempdir_in(folder).unwrap();
    let (mine, my_processor) = rate(&folder.path().join("lehr.db"), seconds);
    let Some(python) = python else {
        return println!("{what:<8} lehr {mine:.0} trials/s, {my_processor:.0} a second of processor time");
    };
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/python/storage_optuna.py");
    let out = Command::new(python)
        .arg(script)
        .arg(folder.path().join("optuna.db"))
        .arg(seconds.to_string())
        .output()
        .unwrap();
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
    let text = String::from_utf8(out.stdout).unwrap();
    let theirs: Vec<f64> = text.split_whitespace().map(|number| number.parse().unwrap()).collect();
    println!(
        "{what:<8} lehr {mine:.0} trials/s   optuna {:.1} trials/s   {:.0} times as many ({:.0} in processor time)",
        theirs[0],
        mine / theirs[0],
        my_processor / theirs[1]
    );
}

/// A study of many finished trials, written by this very process in few commits.
fn fill(path: &Path) {
    drop(study(path));
    let connection = rusqlite::Connection::open(path).unwrap();
    connection.pragma_update(None, "foreign_keys", "OFF").unwrap();
    let numbers =
        format!("WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {TRIALS})");
    let distribution = r#"{"name": "FloatDistribution", "attributes": {"step": null, "low": 0.0, "high": 1.0, "log": false}}"#;
    let mut sql = format!(
        "BEGIN;
         INSERT INTO trials SELECT * FROM ({numbers} SELECT i, i - 1, 1, 'COMPLETE', '2026-01-01 00:00:00.000000', '2026-01-01 00:00:01.000000' FROM n);
         INSERT INTO trial_values (trial_id, objective, value, value_type) SELECT trial_id, 0, abs(random()) / 9.3e18, 'FINITE' FROM trials;
         INSERT INTO lehr_runs (study_id, trial_id, number, state, horizon, seed, comparability, attempt, steps_before, steps_spent, value, value_type, token, worker, started, ended)
             SELECT 1, trial_id, number, 'complete', 10, 1, 0, 1, 0, 10, 0.5, 'FINITE', 'token', 'worker', datetime_start, datetime_complete FROM trials;
         INSERT INTO trial_intermediate_values (trial_id, step, intermediate_value, intermediate_value_type)
             SELECT trial_id, s.value, abs(random()) / 9.3e18, 'FINITE' FROM trials, (SELECT 0 AS value UNION ALL SELECT 1 UNION ALL SELECT 2 UNION ALL SELECT 3 UNION ALL SELECT 4 UNION ALL SELECT 5 UNION ALL SELECT 6 UNION ALL SELECT 7 UNION ALL SELECT 8 UNION ALL SELECT 9) s ORDER BY trial_id, s.value;"
    );
    sql.push_str(&format!(
        "INSERT INTO trial_params (trial_id, param_name, param_value, distribution_json)
             SELECT trial_id, 'p' || p.value, abs(random()) / 9.3e18, '{distribution}' FROM trials, (SELECT 0 AS value UNION ALL SELECT 1 UNION ALL SELECT 2 UNION ALL SELECT 3 UNION ALL SELECT 4) p ORDER BY trial_id, p.value;
         COMMIT; PRAGMA wal_checkpoint(TRUNCATE);"
    ));
    connection.execute_batch(&sql).unwrap();
}

fn memory(field: &str) -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|l| l.strip_prefix(field)).unwrap_or("0");
    line.trim().trim_end_matches(" kB").trim().parse::<f64>().unwrap_or(0.0) / 1e3
}

/// In a process of its own, so that its memory is that of the load.
fn load(path: &Path) {
    let before = memory("VmRSS:");
    let start = Instant::now();
    let storage: Arc<dyn Storage> = open_shared(&format!("sqlite:///{}", path.display())).unwrap();
    let mut study = Study::open(storage, "bench").unwrap();
    let read = study.refresh().unwrap().trials().len();
    let records = start.elapsed();
    let history = study.history().unwrap();
    assert_eq!((read, history.informative().len()), (TRIALS, TRIALS));
    assert_eq!(history.trial(7).unwrap().reports().len(), 10);
    println!(
        "load     {TRIALS} trials: {:.2} s to the history ({:.2} s to the records), {:.0} MB at most (process before: {before:.0} MB)",
        start.elapsed().as_secs_f64(),
        records.as_secs_f64(),
        memory("VmHWM:"),
    );
}

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().collect();
    let after =
        |flag: &str| arguments.iter().position(|a| a == flag).and_then(|i| arguments.get(i + 1)).cloned();
    if let Some(path) = after("--load") {
        load(Path::new(&path));
        return ExitCode::SUCCESS;
    }
    let seconds = after("--seconds").and_then(|s| s.parse().ok()).unwrap_or(5.0);
    let python =
        std::env::var("LEHR_VENV_PYTHON").ok().filter(|_| !arguments.iter().any(|a| a == "--no-peers"));
    let disk = after("--folder").unwrap_or_else(|| env!("CARGO_TARGET_TMPDIR").into());
    compare("disk", Path::new(&disk), seconds, python.as_deref());
    if Path::new("/dev/shm").is_dir() {
        compare("tmpfs", Path::new("/dev/shm"), seconds, python.as_deref());
    }
    let folder = tempfile::tempdir_in(&disk).unwrap();
    let path = folder.path().join("many.db");
    fill(&path);
    let loaded = Command::new(&arguments[0]).arg("--load").arg(&path).status().unwrap();
    ExitCode::from(u8::from(!loaded.success()))
}
