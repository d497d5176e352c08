//! Screenshots of the page for the documentation, by a browser.
use std::fs;
use std::path::Path;
use std::process::Command;

use crate::{python, root};

/// The pictures: file below `docs/src/report/img`, and how the page is looked at.
const PICTURES: [(&str, &str); 2] = [("page.webp", "light"), ("page-dark.webp", "dark")];

/// Makes the report of the built-in tuning run and takes its pictures.
pub fn run() -> Result<bool, String> {
    execute(root::cargo().args(["build", "--quiet", "-p", "lehr-cli"]))?;
    let work = root::build_dir()?.join("screenshots");
    fs::create_dir_all(&work).map_err(|why| format!("cannot create {}: {why}", work.display()))?;
    let (results, page) = (work.join("tune-001"), work.join("page.html"));
    let lehr = root::built("lehr")?;
    execute(
        Command::new(&lehr)
            .arg("tune")
            .arg("--json")
            .arg("--out")
            .arg(&results)
            .stdout(std::process::Stdio::null()),
    )?;
    execute(Command::new(&lehr).arg("report").arg(&results).arg("-o").arg(&page))?;
    let images = root::repository().join("docs/src/report/img");
    fs::create_dir_all(&images).map_err(|why| format!("cannot create {}: {why}", images.display()))?;
    for (name, kind) in PICTURES {
        take(&page, &images.join(name), kind)?;
        println!("{name}");
    }
    Ok(true)
}

fn take(page: &Path, image: &Path, kind: &str) -> Result<(), String> {
    let script = root::repository().join("tests/python/screenshot.py");
    let python = python::find().map_err(|lack| lack.to_string())?;
    execute(
        Command::new(python.program)
            .arg(script)
            .arg(page)
            .arg(image)
            .arg(kind)
            .env("PYTHONDONTWRITEBYTECODE", "1"),
    )
}

fn execute(command: &mut Command) -> Result<(), String> {
    let program = command.get_program().to_string_lossy().into_owned();
    match command.status().map_err(|why| format!("cannot start {program}: {why}"))?.success() {
        true => Ok(()),
        false => Err(format!("{program} failed")),
    }
}
