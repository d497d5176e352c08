//! The Rust program of the book's page on programs is compiled and tuned as the page says.
#![cfg(unix)]
#![allow(clippy::unwrap_used, clippy::panic)]

use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::Value;

#[test]
fn the_program_in_rust_is_tuned_as_the_page_says() {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/src/program.md");
    let page = std::fs::read_to_string(page).unwrap();
    let code = page.split("```rust,no_run\n").nth(1).unwrap().split("```").next().unwrap();
    let command = page.lines().find(|line| line.ends_with("-- target/release/train")).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let source = folder.path().join("train.rs");
    std::fs::write(&source, code).unwrap();
    let compiler = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let built = Command::new(compiler)
        .args(["--edition", "2024", "-o"])
        .arg(folder.path().join("train"))
        .arg(&source)
        .output()
        .unwrap();
    assert!(built.status.success(), "{}", String::from_utf8_lossy(&built.stderr));

    let shell = command.replacen("lehr tune", "\"$LEHR\" tune --strategy auto --trials 8 --json", 1);
    let shell = shell.replace("target/release/train", "./train");
    let done = Command::new("sh")
        .args(["-c", &shell])
        .env("LEHR", assert_cmd::cargo::cargo_bin("lehr"))
        .current_dir(folder.path())
        .stdin(Stdio::null())
        .output()
        .unwrap();
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    let found: Value = serde_json::from_slice(&done.stdout).unwrap();
    // The highest rates of the range are too high for it.
    let count = |state: &str| found["counts"][state].as_u64().unwrap_or(0);
    assert_eq!((count("complete") + count("diverged"), count("complete") > 4), (8, true), "{found}");
    assert!(found["best"]["value"].as_f64().unwrap() < 1e-3, "it learns: {}", found["best"]);
    let last = folder.path().join("lehr-out/train/trial-00000/run-00000/checkpoint/step-1000");
    assert!(std::fs::read_to_string(last).unwrap().starts_with("1000 "));
}
