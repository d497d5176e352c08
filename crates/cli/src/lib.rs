//! The program `lehr`: finds, checks and runs learning-rate schedules.
//!
//! Each command is a module that parses its arguments, calls the library and prints. Results go to stdout,
//! progress and errors to stderr. Exit codes: 0 done, 1 failed, 2 wrong usage, 130 interrupted.

mod count;
mod diagnose;
mod failure;
mod find;
mod init;
mod lab;
mod output;
mod progress;
mod report;
mod robustness;
mod schedule;
mod serve;
mod study;
mod theory;
mod time;
mod tune;
mod worker;

use clap::{Parser, Subcommand};
use std::ffi::OsString;

use failure::Failure;

pub use schedule::picture;

/// Finds, checks and runs learning-rate schedules.
#[derive(Parser)]
#[command(name = "lehr", version, max_term_width = 110)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    Tune(Box<tune::Tune>),
    Init(init::Init),
    Worker(worker::Worker),
    Find(find::Find),
    Schedule(schedule::Schedule),
    Diagnose(diagnose::Diagnose),
    Robustness(robustness::Robustness),
    Theory(theory::Theory),
    Lab(lab::Lab),
    Report(report::Report),
    Studies(study::studies::Studies),
    Trials(study::trials::Trials),
    Best(study::best::Best),
    Export(study::export::Export),
    Stop(study::stop::Stop),
    Rm(study::rm::Rm),
    Serve(serve::Serve),
}

fn run(command: Command) -> Result<(), Failure> {
    match command {
        Command::Tune(args) => tune::run(*args),
        Command::Init(args) => init::run(&args),
        Command::Worker(args) => worker::run(args),
        Command::Find(args) => find::run(&args),
        Command::Schedule(args) => schedule::run(args),
        Command::Diagnose(args) => diagnose::run(&args),
        Command::Robustness(args) => robustness::run(&args),
        Command::Theory(args) => theory::run(&args),
        Command::Lab(args) => lab::run(&args),
        Command::Report(args) => report::run(&args),
        Command::Studies(args) => study::studies::run(&args),
        Command::Trials(args) => study::trials::run(&args),
        Command::Best(args) => study::best::run(&args),
        Command::Export(args) => study::export::run(&args),
        Command::Stop(args) => study::stop::run(&args),
        Command::Rm(args) => study::rm::run(&args),
        Command::Serve(args) => serve::run(args),
    }
}

/// Runs the program with these arguments, the first of which is its own name, and gives the exit code.
pub fn run_from(arguments: impl IntoIterator<Item = OsString>) -> u8 {
    match Cli::try_parse_from(arguments) {
        Ok(Cli { command }) => run(command).map_or_else(Failure::report, |()| 0),
        Err(usage) => {
            // Help that nobody reads any more is no failure.
            let _ = usage.print();
            u8::try_from(usage.exit_code()).unwrap_or(2)
        }
    }
}
