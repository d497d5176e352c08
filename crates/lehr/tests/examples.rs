//! The examples run, and say what they are there to say. `cargo test -p lehr` builds them.
#![allow(clippy::unwrap_used, clippy::panic)]

use std::process::Command;

/// What an example prints.
fn example(name: &str) -> String {
    let test = std::env::current_exe().unwrap();
    let path =
        test.ancestors().nth(2).unwrap().join(format!("examples/{name}{}", std::env::consts::EXE_SUFFIX));
    assert!(path.is_file(), "{} is not built: `cargo build -p lehr --examples`", path.display());
    let done = Command::new(path).output().unwrap();
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    String::from_utf8(done.stdout).unwrap()
}

/// The number behind a text.
fn number(printed: &str, behind: &str) -> f64 {
    let (_, rest) = printed.split_once(behind).unwrap_or_else(|| panic!("no '{behind}' in {printed}"));
    let end =
        rest.find(|c: char| !(c.is_ascii_digit() || matches!(c, '.' | 'e' | '-'))).unwrap_or(rest.len());
    rest[..end].trim_end_matches('.').parse().unwrap()
}

#[test]
fn schedule() {
    let printed = example("schedule");
    assert!(printed.contains("update   199: 3.000e-4"), "{printed}");
    assert!(printed.contains(r#"{"version":1,"updates":3}"#), "{printed}");
}

#[test]
fn find() {
    let printed = example("find");
    let (steepest, lowest) = (number(&printed, "fastest at "), number(&printed, "lowest at "));
    assert!(0.001 < steepest && steepest < lowest && lowest < number(&printed, "breaks at "), "{printed}");
}

#[test]
fn tune() {
    let printed = example("tune");
    assert_eq!(printed.lines().filter(|line| line.starts_with("lr=")).count(), 12, "{printed}");
    assert!(printed.contains("use lr="), "{printed}");
}

#[test]
fn diagnose() {
    let printed = example("diagnose");
    let (sane, high) = printed.split_once("too high: ").unwrap();
    assert!(!sane.contains("spike") && high.contains("spike"), "{printed}");
    assert!(
        high.contains("overfits") && number(sane, "sane: ends at ") > number(high, "ends at "),
        "{printed}"
    );
}

#[test]
fn robustness() {
    let printed = example("robustness");
    let cost: Vec<f64> = printed.split("10× too high costs ").skip(1).map(|rest| number(rest, "")).collect();
    assert!(cost.len() == 2 && cost[1] < cost[0], "the cosine forgives more: {printed}");
}

#[test]
fn theory() {
    let printed = example("theory");
    assert!((number(&printed, "3e-4 there is ") / 2.9e-4 - 1.0).abs() < 0.05, "1.94 · ½ of it: {printed}");
}

#[test]
fn lab() {
    let printed = example("lab");
    let rows = printed.lines().filter_map(|line| {
        line.split_whitespace().map(|word| word.parse::<f64>().ok()).collect::<Option<Vec<f64>>>()
    });
    let rows: Vec<Vec<f64>> = rows.collect();
    let lowest = |column: usize| rows.iter().map(|row| row[column]).fold(f64::INFINITY, f64::min);
    assert_eq!(rows.len(), 20, "{printed}");
    assert!(lowest(2) < lowest(1), "the annealed runs are better: {printed}");
}
