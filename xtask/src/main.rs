//! Development tasks, run as `cargo xtask <task>`: `test`, `burn`, `bench`, `venv`, `pictures`.
mod bench;
mod burn;
mod charts;
mod links;
mod no_std;
mod package;
mod pictures;
mod python;
mod root;
mod screenshots;
mod step;
mod system;
mod test;
mod venv;

use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};

/// Development tasks of Lehr.
#[derive(Parser)]
#[command(bin_name = "cargo xtask")]
struct Cli {
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Runs every test: Rust, documentation, no_std, links, Python. Installs what they need.
    Test(TestArgs),
    /// Runs a benchmark by name, or lists them all.
    Bench(bench::BenchArgs),
    /// Tests the feature `burn` of the crate `lehr` and its example, which `test` leaves out: burn compiles for long.
    Burn,
    /// Makes the pictures and the output that the documentation shows, by the commands that it names.
    Pictures(pictures::PicturesArgs),
    /// Makes the charting library of the page anew from its pinned packages (needs npm).
    Charts(charts::ChartsArgs),
    /// Builds the Python package, installs it into a folder of this checkout and prints that, for `PYTHONPATH`.
    Package {
        /// Compile it as for users, not as for the tests.
        #[arg(long)]
        release: bool,
    },
    /// Takes the screenshots of the page that the documentation shows (needs a Chromium).
    Screenshots,
    /// Creates the Python environment of the tests (first use) and prints the path of its Python.
    Venv {
        /// Without torch and what stands on it.
        #[arg(long)]
        light: bool,
    },
}

/// What `cargo xtask test` leaves out on request.
#[derive(Args)]
pub struct TestArgs {
    /// Use the Python environment without torch; tests that need torch are named as left out.
    #[arg(long)]
    light: bool,
    /// Run no Python tests.
    #[arg(long, conflicts_with = "light")]
    no_python: bool,
    /// Run no Rust tests: only build the program and run the Python tests.
    #[arg(long, conflicts_with = "no_python")]
    no_rust: bool,
}

fn package(release: bool) -> Result<bool, String> {
    let profile = if release { package::Profile::Release } else { package::Profile::Dev };
    let site = package::install(&venv::Kind::Full.python()?, profile)?;
    println!("{}", site.display());
    Ok(true)
}

fn main() -> ExitCode {
    let outcome = match Cli::parse().task {
        Task::Test(args) => test::run(&args),
        Task::Bench(args) => bench::run(&args),
        Task::Burn => burn::run(),
        Task::Pictures(args) => pictures::run(&args),
        Task::Charts(args) => charts::run(&args),
        Task::Package { release } => package(release),
        Task::Screenshots => screenshots::run(),
        Task::Venv { light } => venv::Kind::from_light(light).python().map_err(String::from).map(|python| {
            println!("{}", python.display());
            true
        }),
    };
    match outcome {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(why) => {
            eprintln!("xtask: {why}");
            ExitCode::FAILURE
        }
    }
}
