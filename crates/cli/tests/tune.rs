//! `lehr tune` as a user runs it: real trainings, wrong input, interruption.
#![allow(missing_docs, clippy::unwrap_used)]

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use assert_cmd::assert::OutputAssertExt;
use assert_cmd::cargo::cargo_bin;
use predicates::prelude::*;
use predicates::str::contains;
use serde_json::Value;
use tempfile::TempDir;

fn tune(folder: &Path) -> Command {
    let mut command = Command::new(cargo_bin("lehr"));
    command.current_dir(folder).arg("tune").env("COLUMNS", "100").env("NO_COLOR", "1");
    command
}

/// A quick sweep: 3 rates × 2 schedules × 2 seeds of logistic regression.
fn small(folder: &Path) -> Command {
    let mut command = tune(folder);
    command.args(["--model", "softmax", "--steps", "60", "--points", "3", "--seeds", "2"]);
    command.args(["--schedules", "constant; warmup 5%, linear", "--lr", "1e-3..1", "--out", "out"]);
    command
}

fn results(folder: &Path) -> Vec<Value> {
    let lines = fs::read_to_string(folder.join("trials.jsonl")).unwrap_or_default();
    lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// One clear message, the exit code, and never a panic.
fn refused(mut command: Command, code: i32, messages: &[&str]) {
    let mut assert = command.assert().code(code).stderr(contains("panicked").not());
    for message in messages {
        assert = assert.stderr(contains(*message));
    }
}

#[test]
fn a_sweep_prints_a_table_a_picture_and_a_recommendation_and_writes_every_trial() {
    let folder = TempDir::new().unwrap();
    let out = small(folder.path()).assert().success().get_output().clone();
    let text = String::from_utf8(out.stdout).unwrap();
    for part in ["wine", "constant", "warmup 5%, linear", "safe", "peak rate", "out"] {
        assert!(text.contains(part), "'{part}' is missing in:\n{text}");
    }
    let trials = results(&folder.path().join("out"));
    assert_eq!(trials.len(), 6);
    assert!(trials.iter().all(|trial| trial["runs"].as_array().unwrap().len() == 2));
    let csv = fs::read_to_string(folder.path().join("out/runs.csv")).unwrap();
    assert_eq!(csv.lines().count(), 1 + 12);
    assert!(csv.starts_with("schedule,lr,seed,"));
}

#[test]
fn json_is_one_object_with_a_schema() {
    let folder = TempDir::new().unwrap();
    let out = small(folder.path()).arg("--json").assert().success().get_output().clone();
    let json: Value = serde_json::from_slice(&out.stdout).unwrap();
    assert_eq!(json["schema"], "lehr.tune/1");
    assert_eq!(json["analysis"]["schedules"].as_array().unwrap().len(), 2);
    let recommended = &json["analysis"]["recommendation"];
    assert!(recommended["best"]["rate"].as_f64().unwrap() > 0.0);
    assert!(recommended["schedule"].is_string());
}

#[test]
fn the_same_seed_gives_the_same_results_on_any_number_of_threads() {
    let folder = TempDir::new().unwrap();
    let run = |threads: &str, out: &str| {
        let mut command = small(folder.path());
        command.args(["--model", "mlp:8", "--sampler", "random", "--seed", "7", "--threads", threads]);
        command.args(["--out", out]).assert().success();
        fs::read_to_string(folder.path().join(out).join("runs.csv")).unwrap()
    };
    assert_eq!(run("1", "a"), run("3", "b"));
}

#[test]
fn another_plan_in_the_same_folder_is_refused_and_the_same_one_continues() {
    let folder = TempDir::new().unwrap();
    small(folder.path()).assert().success();
    let before = fs::read(folder.path().join("out/trials.jsonl")).unwrap();
    let mut other = small(folder.path());
    other.args(["--steps", "61"]);
    refused(other, 1, &["another plan"]);
    small(folder.path()).assert().success();
    assert_eq!(fs::read(folder.path().join("out/trials.jsonl")).unwrap(), before);
}

#[test]
fn wrong_arguments_are_refused() {
    let folder = TempDir::new().unwrap();
    let cases: &[(&[&str], &[&str])] = &[
        (&["--schedules", "constant; cosin"], &["cosin", "^", "cosine"]),
        (&["--schedules", " ; "], &["schedule"]),
        (&["--schedules", "warmup 500, linear"], &["warmup"]),
        (&["--lr", "0..1"], &["above 0"]),
        (&["--lr", "-1..1"], &["above 0"]),
        (&["--lr", "10..1e-4"], &["reversed"]),
        (&["--lr", "nan..1"], &["above 0"]),
        (&["--steps", "0"], &["steps"]),
        (&["--batch", "0"], &["batch"]),
        (&["--points", "0"], &["points"]),
        (&["--seeds", "0"], &["seeds"]),
        (&["--seed", "-1"], &["--seed", "a seed is a whole number from 0"]),
        (&["--seed", "1.5"], &["--seed", "a seed is a whole number from 0"]),
        (&["--weight-decay", "-1"], &["weight-decay"]),
        (&["--weight-decay", "nan"], &["weight-decay"]),
        (&["--model", "resnet"], &["resnet", "mlp"]),
        (&["--model", "mlp:0"], &["mlp:0"]),
        (&["--model", "mlp:65536,65536"], &["mlp:65536,65536", "GB"]),
        (&["--steps", "18446744073709551615"], &["steps"]),
        (&["--optimizer", "adagrad"], &["adagrad", "adam"]),
        (&["--target", "quality"], &["--data"]),
        (&["-o", "picture.gif"], &[".gif", ".svg"]),
    ];
    for (arguments, messages) in cases {
        let mut command = small(folder.path());
        command.args(*arguments);
        refused(command, 2, messages);
    }
    assert!(!folder.path().join("out").exists(), "nothing is written for wrong arguments");
}

#[test]
fn wrong_data_is_refused_with_its_place() {
    let folder = TempDir::new().unwrap();
    let cases: &[(&str, &str, &[&str])] = &[
        ("empty.csv", "", &["empty.csv"]),
        ("header.csv", "a,b,y\n", &["header.csv"]),
        ("ragged.csv", "a,b,y\n1,2,0\n1,1\n", &["line 3"]),
        ("word.csv", "a,b,y\n1,2,0\n1,two,1\n", &["line 3", "b", "two"]),
        ("one.csv", "a,b,y\n1,2,0\n1,3,0\n", &["class"]),
        ("target.csv", "a,b,z\n1,2,0\n1,3,1\n", &["`y`", "`z`"]),
        ("nan.csv", "a,b,y\n1,nan,0\n1,3,1\n", &["line 2"]),
        ("bad.svm", "+1 1:1 2:x\n-1 1:2\n", &["line 1"]),
        ("order.svm", "+1 3:1 2:1\n-1 1:2\n", &["line 1"]),
        ("empty.svm", "", &["empty.svm"]),
        ("one.svm", "+1 1:1\n+1 2:1\n", &["class"]),
    ];
    for (name, content, messages) in cases {
        fs::write(folder.path().join(name), content).unwrap();
        let mut command = small(folder.path());
        command.args(["--data", name]);
        if name.ends_with(".csv") {
            command.args(["--target", "y"]);
        }
        refused(command, 1, messages);
    }
    let mut missing = small(folder.path());
    missing.args(["--data", "nowhere.csv", "--target", "y"]);
    refused(missing, 1, &["nowhere.csv"]);
    assert!(!folder.path().join("out").exists());
}

#[test]
fn an_unwritable_folder_is_refused_before_any_work() {
    let folder = TempDir::new().unwrap();
    fs::write(folder.path().join("file"), "").unwrap();
    for out in ["file", "file/below"] {
        let mut command = small(folder.path());
        command.args(["--out", out]);
        refused(command, 1, &["file"]);
    }
}

#[test]
fn ctrl_c_keeps_the_finished_trials_and_the_same_command_continues() {
    let folder = TempDir::new().unwrap();
    let long = || {
        let mut command = tune(folder.path());
        command.args(["--model", "mlp:16", "--steps", "4000", "--points", "4", "--seeds", "2"]);
        command.args(["--schedules", "constant; linear; cosine; poly power 2", "--lr", "1e-3..1e-1"]);
        command.args(["--threads", "1", "--out", "out"]);
        command
    };
    let child = long().stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let start = Instant::now();
    let out = folder.path().join("out");
    while results_so_far(&out) == 0 {
        assert!(start.elapsed() < Duration::from_secs(120), "no trial finished");
        std::thread::sleep(Duration::from_millis(5));
    }
    Command::new("kill").args(["-INT", &child.id().to_string()]).assert().success();
    let output = child.wait_with_output().unwrap();
    let finished = results(&out).len();
    let stderr = String::from_utf8(output.stderr).unwrap();
    if output.status.code() != Some(0) {
        assert_eq!(output.status.code(), Some(130), "{stderr}");
        assert!(stderr.contains(&format!("{finished} of 16")), "{stderr}");
        assert!(stderr.contains("--out"), "says how to continue: {stderr}");
    }
    long().assert().success();
    let mut numbers: Vec<u64> = results(&out).iter().map(|t| t["number"].as_u64().unwrap()).collect();
    numbers.sort_unstable();
    assert_eq!(numbers, (0..16).collect::<Vec<u64>>());
}

fn results_so_far(folder: &Path) -> usize {
    fs::read_to_string(folder.join("trials.jsonl")).map_or(0, |text| text.lines().count())
}

#[test]
fn real_data_in_libsvm_text_with_its_own_validation_file() {
    let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data/a9a");
    if !data.join("a9a").exists() {
        eprintln!("left out: {} is not here", data.display());
        return;
    }
    let folder = TempDir::new().unwrap();
    let mut command = tune(folder.path());
    command.arg("--data").arg(data.join("a9a")).arg("--validation").arg(data.join("a9a.t"));
    command.args(["--model", "logistic", "--steps", "300", "--batch", "64", "--points", "5", "--seeds", "2"]);
    command.args(["--schedules", "constant; linear", "--lr", "1e-2..100", "--json", "--out", "out"]);
    let out = command.assert().success().get_output().clone();
    let json: Value = serde_json::from_slice(&out.stdout).unwrap();
    let loss = json["analysis"]["recommendation"]["best"]["loss"].as_f64().unwrap();
    // The optimum of logistic regression on a9a is near 0.323; the share of the larger class gives 0.551.
    assert!((0.32..0.36).contains(&loss), "{loss}");
}

/// With a tolerance that no search reaches it ends all the same, and says why.
#[test]
fn a_strategy_without_a_limit_ends_within_ten_full_runs() {
    let folder = TempDir::new().unwrap();
    let search = || {
        let mut command = tune(folder.path());
        command.args(["--strategy", "annealed", "--model", "softmax", "--schedules", "linear"]);
        command.args(["--steps", "128", "--tolerance", "0"]);
        command
    };
    let found = search().arg("--json").output().unwrap();
    let found: Value = serde_json::from_slice(&found.stdout).unwrap();
    let spent = found["spent"]["full_runs"].as_f64().unwrap();
    assert!(spent > 5.0 && spent <= 10.0, "{}", found["spent"]);
    assert_eq!(found["state"], "not finished");
    search().assert().success().stdout(contains("Not finished: nothing is left to try within the budget."));
}
