//! The live page with 10,000 trials of 100 reports each: first paint, sorting, hovering, memory of the server.
//!
//! Builds the program; needs Python 3 and a Chromium. Arguments: other numbers of trials and reports.
use std::error::Error;
use std::path::PathBuf;
use std::process::Command;

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|a| !a.starts_with("--")).collect();
    let trials = arguments.first().map_or("10000", String::as_str);
    let reports = arguments.get(1).map_or("100", String::as_str);
    // In memory where there is such a folder, since making the study is not what is measured.
    let memory = PathBuf::from("/dev/shm");
    let folder = if memory.is_dir() { tempfile::tempdir_in(memory)? } else { tempfile::tempdir()? };
    let database = folder.path().join("study.db");
    let built = std::env::current_exe()?;
    // target/release/deps/page-… → target/release
    let target = built.ancestors().nth(2).ok_or("the benchmark lies in no target folder")?.to_owned();
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../..");
    let cargo = std::env::var("CARGO").unwrap_or_else(|_| "cargo".into());
    run(Command::new(cargo)
        .args([
            "build",
            "--release",
            "-p",
            "lehr-cli",
            "-p",
            "lehr-page",
            "--bin",
            "lehr",
            "--example",
            "study",
        ])
        .current_dir(&root))?;
    println!("a study of {trials} trials with {reports} reports each");
    run(Command::new(target.join("examples/study")).arg(&database).args(["large", trials, reports]))?;
    let script = root.join("tests/python/measure_page.py");
    run(Command::new("python3")
        .arg(script)
        .arg(target.join("lehr"))
        .arg(&database)
        .arg(folder.path().join("browser")))
}

fn run(command: &mut Command) -> Result<(), Box<dyn Error>> {
    match command.status()?.success() {
        true => Ok(()),
        false => Err(format!("{} failed", command.get_program().to_string_lossy()).into()),
    }
}
