//! `lehr tune -- command`, `lehr worker` and `lehr init`, as a user meets them; the programs are small shell scripts.
#![cfg(unix)]
#![allow(clippy::unwrap_used)]

use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;

/// Reports (ln lr + 5)² and more at each of its steps.
const BOWL: &str = "awk -v lr=$0 'BEGIN { x = log(lr) + 5; print \"val loss: \" x * x }'";

fn lehr(folder: &Path, args: &[&str]) -> Command {
    let mut command = Command::new(assert_cmd::cargo::cargo_bin("lehr"));
    command.args(args).current_dir(folder).stdin(Stdio::null());
    command
}

fn run(folder: &Path, args: &[&str]) -> Output {
    lehr(folder, args).output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// The JSON that a successful call prints.
fn json(folder: &Path, args: &[&str]) -> Value {
    let done = run(folder, args);
    assert!(done.status.success(), "{}", text(&done.stderr));
    serde_json::from_slice(&done.stdout).unwrap()
}

/// Exit code 2, nothing on stdout; gives the message.
fn refused(folder: &Path, args: &[&str]) -> String {
    let done = run(folder, args);
    assert_eq!((done.status.code(), text(&done.stdout)), (Some(2), String::new()), "{}", text(&done.stderr));
    text(&done.stderr)
}

fn wait_for(what: &str, mut is: impl FnMut() -> bool) {
    let start = Instant::now();
    while !is() {
        assert!(start.elapsed() < Duration::from_secs(100), "{what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn a_script_that_prints_its_loss_is_tuned_and_the_study_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let args = |more: &[&'static str]| {
        let mut args = vec!["tune", "--lr", "1e-5..1", "--metric-regex", r"val loss: (\S+)", "--json"];
        args.extend(["--seed", "1", "--baseline", "lr=0.5", "--sampler", "random", "--jobs", "2"]);
        args.extend(more);
        args.extend(["--", "sh", "-c", BOWL, "{lr}"]);
        args
    };
    let first = json(folder.path(), &args(&["--trials", "5"]));
    assert_eq!(first["schema"], "lehr.tune.program/1");
    assert_eq!((&first["study"], &first["counts"]["complete"]), (&"sh".into(), &5.into()));
    assert_eq!(first["baseline"]["trial"], 0);
    assert_eq!(first["baseline"]["params"]["lr"], 0.5);
    let (best, base) =
        (&first["best"]["value"].as_f64().unwrap(), first["baseline"]["value"].as_f64().unwrap());
    assert!((first["gain"].as_f64().unwrap() - (base - best)).abs() < 1e-9);
    // The number is that of the study in all; nothing is run twice.
    assert_eq!(json(folder.path(), &args(&["--trials", "5"]))["trials"], first["trials"]);
    let second = json(folder.path(), &args(&["--trials", "8"]));
    assert_eq!(second["counts"]["complete"], 8);
    assert_eq!(second["trials"].as_array().unwrap()[..5], first["trials"].as_array().unwrap()[..]);
    assert_eq!(json(folder.path(), &args(&["--more", "2"]))["counts"]["complete"], 10);
    // Another question does not get into the same study.
    let mut other = args(&["--trials", "20"]);
    other.splice(1..3, ["--lr", "1e-5..2"]);
    assert!(refused(folder.path(), &other).contains("another name"));
    assert!(refused(folder.path(), &args(&["--maximize"])).contains("study \"sh\""));
}

#[test]
fn an_unbroken_study_and_one_in_pieces_are_the_same() {
    let folder = tempfile::tempdir().unwrap();
    let tune = |study: &str, trials: &str| {
        let args =
            ["tune", "--study", study, "--trials", trials, "--lr", "1e-5..1", "--sampler", "tpe", "--json"];
        let command = ["--metric-regex", r"val loss: (\S+)", "--", "sh", "-c", BOWL, "{lr}"];
        json(folder.path(), &[&args[..], &command[..]].concat())
    };
    let whole = tune("whole", "14");
    ["3", "11", "12", "14"].iter().for_each(|trials| drop(tune("pieces", trials)));
    assert_eq!(tune("pieces", "14")["trials"], whole["trials"]);
}

#[test]
fn what_is_wrong_is_said_before_anything_is_written() {
    let folder = tempfile::tempdir().unwrap();
    let wrong = |args: &[&str]| refused(folder.path(), &[&["tune"], args].concat());
    assert!(wrong(&["--lr", "0.1..1", "--", "p", "{lrr}"]).contains("did you mean {lr}?"));
    assert!(wrong(&["--", "p", "{lr}"]).contains("nothing is to be tried"));
    assert!(wrong(&["--space", "seed=1..3", "--", "p", "{seed}"]).contains("Lehr's own placeholder"));
    assert!(wrong(&["--lr", "0.1..1", "--", "p", "{schedule_file}"]).contains("give --schedule"));
    assert!(wrong(&["--lr", "0.1..1", "--schedule", "cosine", "--", "p", "{lr}"]).contains("--own-schedule"));
    let with = |more: &[&'static str]| [&["--lr", "0.1..1", "--steps", "100"], more].concat();
    assert!(wrong(&with(&["--schedule", "cosin", "--", "p", "{schedule}"])).contains("cosine"));
    assert!(wrong(&with(&["--schedule", "linear {w}", "--", "p", "{schedule}"])).contains("{w}"));
    assert!(wrong(&with(&["--schedule", "linear 200", "--", "p", "{schedule}"])).contains("only 100"));
    assert!(wrong(&with(&["--metric-regex", "(", "--", "p"])).contains("regular expression"));
    assert!(wrong(&with(&["--metric-file", "x", "--", "p"])).contains("FILE:COLUMN"));
    assert!(wrong(&with(&["--pruner", "mediann", "--", "p"])).contains("median"));
    assert!(wrong(&with(&["--sampler", "tpee", "--", "p"])).contains("no strategy 'tpee'"));
    assert!(wrong(&with(&["--baseline", "lr=5", "--", "p"])).contains("lr=5"));
    assert!(wrong(&with(&["--baseline", "wd=5", "--", "p"])).contains("baseline"));
    assert!(wrong(&with(&["--timeout", "-1", "--", "p"])).contains("timeout"));
    assert!(wrong(&with(&["--timeout", "5 parsecs", "--", "p"])).contains("write 90s, 5m"));
    assert!(wrong(&with(&["--devices", "0,", "--storage", "memory:", "--", "p"])).contains("--devices"));
    assert!(wrong(&with(&["--trials", "-1", "--", "p"])).contains("--trials"));
    assert!(wrong(&with(&["--model", "mlp:8", "--", "p"])).contains("built-in models"));
    assert!(wrong(&with(&["--jobs", "0", "--storage", "memory:", "--", "p", "{lr}"])).contains("--jobs"));
    assert!(
        wrong(&["--lr", "0.1..1", "--storage", "memory:", "--", "p", "{device}"]).contains("--devices 0,1")
    );
    assert!(wrong(&["--space", "x=1..2"]).contains("put its command at the end"));
    assert!(wrong(&["--storage", "mysql://x", "--lr", "0.1..1", "--", "p"]).contains("postgresql://"));
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0, "nothing was written");
}

#[test]
fn a_dry_run_says_what_it_would_do_and_does_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let args = [
        "tune",
        "--dry-run",
        "--lr",
        "1e-4..1",
        "--schedules",
        "linear; warmup 5%, cosine",
        "--steps",
        "1000",
    ];
    let command = ["--trials", "7", "--", "train", "--lr={lr}", "{schedule_file}", "{schedule}"];
    let args = [&args[..], &command[..]].concat();
    let done = run(folder.path(), &args);
    let said = text(&done.stdout);
    assert!(done.status.success() && said.contains("at most 7 full runs (7,000 updates)"), "{said}");
    assert!(said.contains("train --lr=") && said.contains("any schedule"), "{said}");
    let dry = json(folder.path(), &[&args[..1], &["--json"], &args[1..]].concat());
    assert_eq!(dry["updates"], 7000);
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
}

#[test]
fn programs_that_fail_end_the_search_and_say_why() {
    let folder = tempfile::tempdir().unwrap();
    let script = "echo Traceback >&2; echo \"ModuleNotFoundError: No module named 'torch'\" >&2; exit 1";
    let done = run(folder.path(), &["tune", "--lr", "0.1..1", "--", "sh", "-c", script]);
    let said = text(&done.stderr);
    assert_eq!(done.status.code(), Some(1));
    assert!(said.contains("the last 5 runs have all failed") && said.contains("exit code 1"), "{said}");
    assert!(said.contains("No module named 'torch'") && said.contains("log.txt"), "{said}");
    let done = run(folder.path(), &["tune", "--study", "b", "--lr", "0.1..1", "--", "./no-such-program"]);
    let said = text(&done.stderr);
    assert!(done.status.code() == Some(1) && said.contains("cannot start './no-such-program'"), "{said}");
}

#[test]
fn a_search_without_a_result_is_a_failure() {
    let folder = tempfile::tempdir().unwrap();
    let cases = [("exit 3", "all have failed"), (r#"echo '{"loss": 1e400}'"#, "all have diverged")];
    for (study, (script, words)) in ["failed", "diverged"].into_iter().zip(cases) {
        let args = ["tune", "--study", study, "--metric", "loss", "--lr", "0.1..1", "--trials", "3"];
        let done = run(folder.path(), &[&args[..], &["--", "sh", "-c", script]].concat());
        let (out, said) = (text(&done.stdout), text(&done.stderr));
        assert_eq!(done.status.code(), Some(1), "{said}");
        assert!(said.contains("no trial has a result") && said.contains(words), "{said}");
        assert!(out.contains(&format!("3 trials: 3 {study}")), "{out}");
        // With --json the object is there as well.
        let done = run(folder.path(), &[&args[..], &["--json", "--", "sh", "-c", script]].concat());
        let found: Value = serde_json::from_slice(&done.stdout).unwrap();
        assert_eq!((done.status.code(), &found["counts"][study]), (Some(1), &3.into()));
    }
    // One result is one.
    let some = "[ $LEHR_TRIAL = 0 ] && exit 3; echo '{\"loss\": 1}'";
    let args = ["tune", "--metric", "loss", "--lr", "0.1..1", "--trials", "3", "--", "sh", "-c", some];
    assert!(run(folder.path(), &args).status.success());
}

#[test]
fn a_dry_run_shows_the_folder_that_a_study_would_have() {
    let folder = tempfile::tempdir().unwrap();
    let args =
        ["--lr", "0.1..1", "--trials", "1", "--", "sh", "-c", "echo '{\"val_loss\": 1}' # {checkpoint}"];
    let dry = || text(&run(folder.path(), &[&["tune", "--dry-run"], &args[..]].concat()).stdout);
    assert!(dry().contains("lehr-out/sh/trial-00000"), "{}", dry());
    assert!(run(folder.path(), &[&["tune", "--storage", "one.db"], &args[..]].concat()).status.success());
    assert!(dry().contains("lehr-out/sh-2/trial-00000"), "{}", dry());
}

#[test]
fn jobs_have_a_device_each_and_programs_their_environment() {
    let folder = tempfile::tempdir().unwrap();
    let script = "echo \"$CUDA_VISIBLE_DEVICES $LEHR_PARAMS $LEHR_STEPS $LEHR_SEED $LEHR_SCHEDULE\" >> seen
        test \"$(head -1 $LEHR_SCHEDULE_FILE)\" = step,lr && test -d $LEHR_CHECKPOINT && test -z \"$LEHR_RESUME\" || exit 9
        sleep 0.3; echo '{\"step\": 50, \"loss\": 1}' >> $LEHR_REPORT";
    let args =
        ["tune", "--space", "lr=log 0.01..1, b=1..4", "--schedule", "warmup 10%, linear", "--steps", "50"];
    let more = [
        "--reads",
        "schedule",
        "--devices",
        "4,7",
        "--trials",
        "4",
        "--seed",
        "3",
        "--metric",
        "loss",
        "--json",
    ];
    let found = json(folder.path(), &[&args[..], &more[..], &["--", "sh", "-c", script]].concat());
    assert_eq!(found["counts"]["complete"], 4);
    let seen = std::fs::read_to_string(folder.path().join("seen")).unwrap();
    assert_eq!(seen.lines().count(), 4);
    assert!(
        seen.lines().any(|l| l.starts_with("4 {\"lr\":"))
            && seen.lines().any(|l| l.starts_with("7 {\"lr\":")),
        "{seen}"
    );
    assert!(seen.lines().all(|line| line.ends_with("} 50 3 warmup 10%, linear")), "{seen}");
}

#[test]
fn a_pruner_stops_runs_and_unannealed_losses_are_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let script = "for i in 1 2 3 4 5 6; do awk -v i=$i -v lr=$0 'BEGIN { x = log(lr) + 5; print \"{\\\"step\\\": \" i * 10 \
                  \", \\\"val_loss\\\": \" x * x \"}\"; fflush() }'; sleep 0.15; done";
    let tune = |study: &'static str, more: &[&'static str]| {
        let args = [
            "tune", "--study", study, "--lr", "1e-5..1", "--steps", "60", "--pruner", "median", "--seed", "5",
        ];
        let rest = ["--sampler", "random", "--trials", "10", "--json", "--", "sh", "-c", script, "{lr}"];
        json(folder.path(), &[&args[..], more, &rest[..]].concat())
    };
    assert_eq!(tune("guarded", &[])["counts"]["complete"], 10, "no program says that its losses compare");
    let pruned = tune("compared", &["--comparable-epochs"]);
    assert!(pruned["counts"]["pruned"].as_u64().unwrap() > 0, "{}", pruned["counts"]);
    let reason = pruned["trials"].as_array().unwrap().iter().find(|t| t["state"] == "pruned").unwrap();
    assert!(reason["reason"].as_str().unwrap().contains("best so far"), "{reason}");
}

/// Counts to 40 in a checkpoint, 10 at the first go; later ones go on to the end.
const COUNTER: &str = "n=0; test -n \"$1\" && n=$(cat $1/n); echo \"begins at $n\" >> seen
    while [ $n -lt 40 ]; do
      n=$((n + 1)); echo $n > $0/n.part; mv $0/n.part $0/n
      echo \"{\\\"step\\\": $n, \\\"val_loss\\\": 0.$n}\"
      if [ $n -eq 10 ] && [ ! -e go ]; then echo $$ > pid.part; mv pid.part pid; sleep 600; fi
    done";

fn counter(folder: &Path, more: &[&str]) -> Command {
    let args =
        ["tune", "--lr", "0.1..1", "--steps", "40", "--trials", "1", "--silence", "10", "--grace", "5"];
    lehr(folder, &[&args[..], more, &["--", "sh", "-c", COUNTER, "{checkpoint}", "{resume}"]].concat())
}

fn begins(folder: &Path) -> String {
    std::fs::read_to_string(folder.join("seen")).unwrap()
}

#[test]
fn ctrl_c_pauses_runs_and_the_printed_command_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    let begun = counter(path, &[]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    wait_for("the run begins", || path.join("pid").exists());
    kill(Pid::from_raw(begun.id() as i32), Signal::SIGINT).unwrap();
    let done = begun.wait_with_output().unwrap();
    let said = text(&done.stderr);
    assert_eq!(done.status.code(), Some(130), "{said}");
    assert!(said.contains("to continue:\n  lehr tune --lr"), "{said}");
    std::fs::write(path.join("go"), "").unwrap();
    let done = counter(path, &["--json"]).output().unwrap();
    assert!(done.status.success(), "{}", text(&done.stderr));
    assert_eq!(begins(path), "begins at 0\nbegins at 10\n");
    let found: Value = serde_json::from_slice(&done.stdout).unwrap();
    assert_eq!((&found["counts"]["complete"], &found["best"]["value"]), (&1.into(), &0.4.into()));
    assert_eq!(found["trials"].as_array().unwrap().len(), 1, "the same trial went on");
}

#[test]
fn a_new_study_does_not_go_on_from_the_files_of_another() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    // What a study of the same name left, whose storage was removed.
    let stale = path.join("lehr-out/sh/trial-00000/run-00000/checkpoint/step-39");
    std::fs::create_dir_all(&stale).unwrap();
    std::fs::write(stale.join("n"), "39").unwrap();
    let begun = counter(path, &[]).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    wait_for("the run begins", || path.join("pid").exists());
    kill(Pid::from_raw(begun.id() as i32), Signal::SIGINT).unwrap();
    assert_eq!(begun.wait_with_output().unwrap().status.code(), Some(130));
    std::fs::write(path.join("go"), "").unwrap();
    assert!(counter(path, &["--json"]).output().unwrap().status.success());
    assert_eq!(begins(path), "begins at 0\nbegins at 10\n");
    assert!(path.join("lehr-out/sh-2/trial-00000/run-00000/log.txt").exists());
    assert_eq!(std::fs::read_to_string(stale.join("n")).unwrap(), "39", "it is left alone");
}

#[test]
fn a_trial_of_a_killed_worker_is_tried_again_from_its_checkpoint() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    let mut begun = counter(path, &[]).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    wait_for("the run begins", || path.join("pid").exists());
    let program = std::fs::read_to_string(path.join("pid")).unwrap().trim().to_owned();
    // The checkpoint is noted while the run goes on.
    std::thread::sleep(Duration::from_secs(4));
    begun.kill().unwrap();
    begun.wait().unwrap();
    wait_for("the program ends with its worker", || !Path::new("/proc").join(&program).exists());
    std::fs::write(path.join("go"), "").unwrap();
    // Another worker joins, which knows nothing but the study.
    let done = run(path, &["worker", "--study", "sh"]);
    assert!(done.status.success(), "{}", text(&done.stderr));
    assert!(
        text(&done.stderr).contains("its worker is dead; tried again as trial 1"),
        "{}",
        text(&done.stderr)
    );
    assert_eq!(begins(path), "begins at 0\nbegins at 10\n");
    let found = counter(path, &["--json"]).output().unwrap();
    let found: Value = serde_json::from_slice(&found.stdout).unwrap();
    assert_eq!(found["trials"][0]["state"], "failed");
    assert_eq!(found["trials"][1]["state"], "complete");
}

#[test]
fn what_cannot_be_paused_is_handed_back() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    let script = "echo x >> begun; test -e go || sleep 600; echo '{\"val_loss\": 1}'";
    let args = ["tune", "--lr", "0.1..1", "--trials", "2", "--sampler", "random", "--", "sh", "-c", script];
    let begun = lehr(path, &args).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    wait_for("the run begins", || path.join("begun").exists());
    let id = Pid::from_raw(begun.id() as i32);
    kill(id, Signal::SIGTERM).unwrap();
    std::thread::sleep(Duration::from_millis(300));
    kill(id, Signal::SIGTERM).unwrap();
    assert_eq!(begun.wait_with_output().unwrap().status.code(), Some(130));
    std::fs::write(path.join("go"), "").unwrap();
    let found = json(path, &[&args[..1], &["--json"], &args[1..]].concat());
    let trials = found["trials"].as_array().unwrap();
    assert_eq!(trials[0]["state"], "failed");
    assert!(trials[0]["reason"].as_str().unwrap().contains("handed back"));
    assert_eq!(trials[1]["params"], trials[0]["params"], "the same again");
    assert_eq!(trials[1]["state"], "complete");
}

#[test]
fn a_file_says_the_same_as_arguments() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    assert!(run(path, &["init"]).status.success());
    assert_eq!(run(path, &["init"]).status.code(), Some(1), "it is not overwritten");
    let dry = json(path, &["tune", "study.toml", "--dry-run", "--json"]);
    assert_eq!((&dry["study"], &dry["updates"]), (&"train".into(), &80_000.into()));
    let study = "command = ['sh', '-c', 'echo \"loss $0\"', '{lr}']\nmetric-regex = 'loss (\\S+)'\nmaximize = true\n\
                 storage = 'x.db'\nstudy = 'mine'\ntrials = 9\nstrategy = 'random'\n[space]\nlr = 'log 1e-3..1'\n";
    std::fs::write(path.join("mine.toml"), study).unwrap();
    let found = json(path, &["tune", "mine.toml", "--trials", "3", "--json"]);
    assert_eq!((&found["study"], &found["counts"]["complete"]), (&"mine".into(), &3.into()));
    assert_eq!(found["best"]["value"], found["best"]["params"]["lr"]);
    // What is fixed goes without saying, and a share is a share.
    let based = "command = ['sh', '-c', 'echo \"{\\\"val_loss\\\": 1}\"', '{lr}', '{wd}', '{w}', '{opt}']\nstudy = 'based'\n\
                 trials = 1\n[space]\nlr = 'log 1e-3..1'\nwd = 0.1\nw = '0%..10%'\nopt = ['a', 'b']\n\
                 [baseline]\nlr = 0.01\nw = '5%'\nopt = 'b'\n";
    std::fs::write(path.join("based.toml"), based).unwrap();
    let found = json(path, &["tune", "based.toml", "--json"]);
    let wanted = serde_json::json!({"lr": 0.01, "wd": 0.1, "w": 0.05, "opt": "b"});
    assert_eq!(found["baseline"]["params"], wanted, "{found}");
    std::fs::write(path.join("bad.toml"), "comand = 'x'").unwrap();
    assert!(refused(path, &["tune", "bad.toml"]).contains("bad.toml: unknown field `comand`"));
}
