//! `lehr studies`, `trials`, `best`, `export`, `rm` on a real file.
#![allow(clippy::unwrap_used)] // helpers of tests

use std::path::Path;
use std::sync::Arc;

use assert_cmd::Command;
use lehr_search::{Direction, Params};
use lehr_study::{NewRun, Plan, RunEnd, RunOutcome, Storage, Study, Target, open_shared};
use serde_json::Value as Json;

const HOSTILE: &str = "<script>'; DROP TABLE trials;\n\u{1b}[31m";

fn filled(folder: &Path) -> Arc<dyn Storage> {
    let storage = open_shared(&format!("sqlite:///{}/lehr.db", folder.display())).unwrap();
    let space = "lr=log 1e-5..1, loss=a|b".parse().unwrap();
    let study = Study::create(storage.clone(), HOSTILE, Direction::Minimize, &space).unwrap();
    for (i, outcome) in [
        RunOutcome::Complete(0.5),
        RunOutcome::Complete(0.25),
        RunOutcome::Complete(f64::INFINITY),
        RunOutcome::Failed,
    ]
    .into_iter()
    .enumerate()
    {
        let mut params: Params = [("lr", 0.1 * (i + 1) as f64)].into_iter().collect();
        params.set("loss", "a");
        let target = Target::New { params, saw: Vec::new() };
        let run = NewRun { target, plan: Plan::to(100), worker: "w".into(), after: None };
        let attempt = study.start(&run).unwrap();
        attempt.report(50, 1.0).unwrap();
        attempt.finish(&RunEnd::new(outcome, 100).because("evil \u{1b}[2J \"quoted\", with commas")).unwrap();
    }
    storage
}

fn lehr(folder: &Path, args: &[&str]) -> Command {
    let mut command = Command::cargo_bin("lehr").unwrap();
    command.args(args).current_dir(folder).env_remove("LEHR_STORAGE").env("COLUMNS", "200");
    command
}

fn text(folder: &Path, args: &[&str]) -> String {
    let output = lehr(folder, args).assert().success().get_output().stdout.clone();
    let text = String::from_utf8(output).unwrap();
    assert!(!text.contains('\u{1b}') || args.contains(&"csv"), "{text}");
    text
}

fn json(folder: &Path, args: &[&str]) -> Json {
    serde_json::from_str(&text(folder, args)).unwrap()
}

#[test]
fn studies_are_listed_shown_exported_and_removed() {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path();
    filled(dir);
    assert!(text(dir, &["studies"]).contains("<script>'; DROP TABLE trials;\\n\\u{1b}[31m"));
    let studies = json(dir, &["studies", "--json"]);
    assert_eq!(studies["studies"][0]["name"], HOSTILE);
    assert_eq!(studies["studies"][0]["trials"]["COMPLETE"], 3);
    assert_eq!(studies["schema"], "lehr.studies/1");

    let trials = text(dir, &["trials", HOSTILE]);
    assert!(
        trials.contains("lr=0.1") && trials.contains("FAIL") && trials.contains("evil \\u{1b}[2J"),
        "{trials}"
    );
    assert_eq!(text(dir, &["trials", "--last", "1"]).lines().count(), 3);
    let trials = json(dir, &["trials", "--json"]);
    assert_eq!(trials["trials"][2]["value"], Json::Null);
    assert_eq!(trials["trials"][2]["value_is"], "inf");
    assert_eq!(trials["trials"][0]["reports"][0]["step"], 50);

    assert!(text(dir, &["best"]).starts_with("0.25 by trial 1"));
    assert_eq!(json(dir, &["best", "--json"])["trial"]["number"], 1);

    let csv = text(dir, &["export", "--format", "csv"]);
    assert!(csv.starts_with("trial,run,state,loss,horizon,steps,seed,reason,lr,param.loss\n"), "{csv}");
    assert!(csv.contains("\"evil \u{1b}[2J \"\"quoted\"\", with commas\",0.2,a\n"), "{csv}");
    lehr(dir, &["export", "--format", "json", "-o", "out.json"]).assert().success();
    let all: Json = serde_json::from_str(&std::fs::read_to_string(dir.join("out.json")).unwrap()).unwrap();
    assert_eq!(
        (all["trials"].as_array().unwrap().len(), &all["trials"][1]["runs"][0]["horizon"]),
        (4, &100.into())
    );

    let refused = lehr(dir, &["rm", HOSTILE]).assert().code(2).get_output().stderr.clone();
    assert!(String::from_utf8(refused).unwrap().contains("--yes"));
    assert!(text(dir, &["rm", HOSTILE, "--yes"]).contains("4 trials"));
    assert!(text(dir, &["studies"]).contains("no study yet"));
}

#[test]
fn what_is_not_there_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path();
    let error = |args: &[&str], code: i32| {
        String::from_utf8(lehr(dir, args).assert().code(code).get_output().stderr.clone()).unwrap()
    };
    assert!(error(&["studies"], 2).contains("does not exist"));
    assert!(!dir.join("lehr.db").exists(), "looking makes nothing");
    assert!(error(&["studies", "--storage", "ftp://x"], 2).contains("scheme"));
    filled(dir);
    assert!(error(&["trials", "no\u{1b}such"], 2).contains("\\u{1b}"));
    let url = "postgresql://me:secret@127.0.0.1:1/db";
    let refused = error(&["studies", "--storage", url], 1);
    assert!(refused.contains("***") && !refused.contains("secret"), "{refused}");
}
