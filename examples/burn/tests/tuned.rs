//! The example, tuned by the program `lehr`, whose path is in `LEHR_BIN`: `cargo xtask burn` runs this.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::{Value, json};

const EXAMPLE: &str = env!("CARGO_BIN_EXE_lehr-burn-example");

fn output(command: &mut Command) -> String {
    let done = command.stdin(Stdio::null()).output().unwrap();
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    String::from_utf8(done.stdout).unwrap()
}

fn losses(arguments: &[&str]) -> Vec<f64> {
    let lines = output(Command::new(EXAMPLE).args(arguments));
    lines
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap()["val_loss"].as_f64().unwrap())
        .collect()
}

#[test]
fn a_run_that_goes_on_from_a_checkpoint_ends_as_one_that_was_not_stopped() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path().to_str().unwrap();
    let whole = losses(&["--steps", "200", "--every", "50", "--checkpoint", folder]);
    assert_eq!(whole.len(), 4);
    assert!(whole[3] < 0.95, "three classes by chance are 1.1: {whole:?}");
    let resume = format!("{folder}/step-100");
    assert_eq!(losses(&["--steps", "200", "--every", "50", "--resume", &resume]), whole[2..]);
    // Without the moments of AdamW it would be another run.
    assert!(Path::new(&resume).join("optimizer.bpk").exists());
}

#[test]
fn the_example_is_tuned_through_the_contract() {
    let lehr =
        std::env::var_os("LEHR_BIN").expect("LEHR_BIN is to name the program lehr; cargo xtask burn sets it");
    let folder = tempfile::tempdir().unwrap();
    let mut tune = Command::new(lehr);
    tune.args([
        "tune",
        "--json",
        "--lr",
        "1e-4..0.3",
        "--steps",
        "300",
        "--schedules",
        "linear; warmup 5%, cosine",
    ]);
    tune.args([
        "--sampler",
        "sobol",
        "--trials",
        "4",
        "--",
        EXAMPLE,
        "--steps",
        "{steps}",
        "--seed",
        "{seed}",
    ]);
    tune.args(["--schedule-file", "{schedule_file}", "--checkpoint", "{checkpoint}", "--resume", "{resume}"]);
    let found: Value = serde_json::from_str(&output(tune.current_dir(folder.path()))).unwrap();
    assert_eq!(found["counts"], json!({"complete": 4}), "{found}");
    assert!(found["best"]["value"].as_f64().unwrap() < 0.95, "{found}");
}
