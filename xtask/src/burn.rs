//! `cargo xtask burn`: the feature `burn` of the crate `lehr`, and its example trained, resumed and tuned.
//!
//! It is no part of `cargo xtask test`: burn compiles for more than a quarter of an hour of processor time.
use crate::root;
use crate::step::{Steps, Tally, counted};

const EXAMPLE: &str = "examples/burn/Cargo.toml";

/// Runs the steps. True if all tests have passed.
pub fn run() -> Result<bool, String> {
    let folder = root::target()?.join("burn");
    let mut steps = Steps::default();
    steps.run("The feature burn", || {
        let mut tests = root::cargo();
        tests.args(["test", "--package", "lehr", "--features", "burn", "--test", "burn", "--target-dir"]);
        counted(tests.arg(&folder), Tally::of_rust_line)
    });
    steps.run("Its example", || {
        let built = counted(root::cargo().args(["build", "--workspace", "--bin", "lehr"]), |_| None)?;
        if built.failed > 0 {
            return Ok(built);
        }
        let mut tests = root::cargo();
        tests.args(["test", "--manifest-path", EXAMPLE, "--target-dir"]).arg(&folder);
        counted(tests.env("LEHR_BIN", root::built("lehr")?), Tally::of_rust_line)
    });
    Ok(steps.close())
}
