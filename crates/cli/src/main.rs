//! The program `lehr`: finds, checks and runs learning-rate schedules.
//!
//! Each command is a module that parses its arguments, calls the library and prints. Results go to stdout,
//! progress and errors to stderr. Exit codes: 0 done, 1 failed, 2 wrong usage, 130 interrupted.

mod diagnose;
mod failure;
mod lab;
mod output;
mod progress;
mod report;
mod robustness;
mod schedule;
mod theory;
mod tune;

use clap::{Parser, Subcommand};
use std::process::ExitCode;

use failure::Failure;

/// Finds, checks and runs learning-rate schedules.
#[derive(Parser)]
#[command(name = "lehr", version, max_term_width = 110)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    Tune(tune::Tune),
    Schedule(schedule::Schedule),
    Diagnose(diagnose::Diagnose),
    Robustness(robustness::Robustness),
    Theory(theory::Theory),
    Lab(lab::Lab),
    Report(report::Report),
}

fn run(command: Command) -> Result<(), Failure> {
    match command {
        Command::Tune(args) => tune::run(args),
        Command::Schedule(args) => schedule::run(args),
        Command::Diagnose(args) => diagnose::run(&args),
        Command::Robustness(args) => robustness::run(&args),
        Command::Theory(args) => theory::run(&args),
        Command::Lab(args) => lab::run(&args),
        Command::Report(args) => report::run(&args),
    }
}

fn main() -> ExitCode {
    let Cli { command } = Cli::parse();
    match run(command) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => failure.report(),
    }
}
