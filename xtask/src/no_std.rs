//! Checks that the core of `lehr-schedule` needs no standard library.
//!
//! A library marked `no_std` may still pull the standard library in through a dependency. So the library is built
//! without its default features and linked into a program that has a panic handler of its own: if anything had brought
//! `std` along, there would be two, which is an error.
use std::process::Command;

use crate::root;
use crate::step::{Tally, shown};

const CRATE: &str = "lehr-schedule";

/// Whether there is anything to check yet.
pub fn applies() -> bool {
    root::repository().join("crates/schedule/Cargo.toml").exists()
}

/// Builds the library without default features and links it without `std`.
pub fn check() -> Result<Tally, String> {
    let target = root::build_dir()?.join("no-std");
    let mut build = root::cargo();
    build.args(["build", "--quiet", "--package", CRATE, "--lib", "--no-default-features", "--target-dir"]);
    succeed(build.arg(&target))?;
    let debug = target.join("debug");
    let library = debug.join("liblehr_schedule.rlib");
    let mut link = Command::new(std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into()));
    link.args(["--edition", "2024", "--crate-type", "staticlib", "-C", "panic=abort", "--extern"]);
    link.arg(format!("lehr_schedule={}", library.display()));
    link.arg("-L").arg(format!("dependency={}", debug.join("deps").display()));
    link.arg("-o").arg(debug.join("libprobe.a"));
    succeed(link.arg(root::repository().join("xtask/no_std_probe.rs")))?;
    Ok(Tally::one(true))
}

fn succeed(command: &mut Command) -> Result<(), String> {
    println!("$ {}", shown(command));
    match command.status() {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(format!("it ended with {status}")),
        Err(why) => Err(format!("cannot start it: {why}")),
    }
}
