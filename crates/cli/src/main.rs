//! The program `lehr`; its commands are in the library beside it.
use std::process::ExitCode;

fn main() -> ExitCode {
    ExitCode::from(lehr_cli::run_from(std::env::args_os()))
}
