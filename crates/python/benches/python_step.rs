//! One step of schedulers for PyTorch against torch's own, by number of parameter groups
//!
//! Python: full, with the package
use std::process::{Command, ExitCode};

fn main() -> ExitCode {
    let Some(python) = std::env::var_os("LEHR_VENV_PYTHON") else {
        eprintln!("run it as `cargo xtask bench python_step`");
        return ExitCode::FAILURE;
    };
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/benches/python_step.py");
    match Command::new(python).arg(script).env("OMP_NUM_THREADS", "1").status() {
        Ok(status) if status.success() => ExitCode::SUCCESS,
        Ok(status) => {
            eprintln!("{script} ended with {status}");
            ExitCode::FAILURE
        }
        Err(why) => {
            eprintln!("cannot start Python: {why}");
            ExitCode::FAILURE
        }
    }
}
