//! The Python package, built as a wheel and installed for the tests of this checkout.
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::root;
use crate::step::shown;
use crate::system::Lack;
use crate::venv::Kind;

/// How the extension module is compiled.
#[derive(Clone, Copy)]
pub enum Profile {
    /// As for the tests, from what is compiled already.
    Dev,
    /// As for users, for benchmarks.
    Release,
}

impl Profile {
    fn name(self) -> &'static str {
        match self {
            Self::Dev => "dev",
            Self::Release => "release",
        }
    }
}

/// Builds the wheel with `python` and unpacks it into a folder of this checkout, which is to be put on `PYTHONPATH`:
/// the environments are shared by all checkouts and must not change.
pub fn install(python: &Path, profile: Profile) -> Result<PathBuf, Lack> {
    let tools = Kind::Wheel.python()?;
    let folder = root::target()?.join("python").join(profile.name());
    let (wheels, site) = (folder.join("wheels"), folder.join("site"));
    remove(&wheels)?;
    let mut maturin = Command::new(&tools);
    maturin.args(["-m", "maturin", "build", "--quiet", "--profile", profile.name(), "--out"]).arg(&wheels);
    maturin.arg("--interpreter").arg(python).current_dir(root::repository().join("python"));
    run(&mut maturin)?;
    let wheel = fs::read_dir(&wheels)
        .map_err(|why| format!("cannot read {}: {why}", wheels.display()))?
        .flatten()
        .map(|entry| entry.path())
        .find(|path| path.extension() == Some("whl".as_ref()))
        .ok_or_else(|| format!("there is no wheel in {}", wheels.display()))?;
    let size = fs::metadata(&wheel).map_or(0, |wheel| wheel.len());
    println!("{}: {:.1} MB", wheel.display(), size as f64 / 1e6);
    // What was installed before serves until here.
    remove(&site)?;
    let mut pip = Command::new(python);
    pip.args(["-m", "pip", "install", "--no-input", "--disable-pip-version-check", "--quiet", "--no-deps"]);
    pip.arg("--target").arg(&site).arg(&wheel);
    run(&mut pip)?;
    Ok(site)
}

fn remove(folder: &Path) -> Result<(), String> {
    match fs::remove_dir_all(folder) {
        Err(why) if folder.exists() => Err(format!("cannot remove {}: {why}", folder.display())),
        _ => Ok(()),
    }
}

fn run(command: &mut Command) -> Result<(), String> {
    let shown = shown(command);
    println!("$ {shown}");
    let status = command.status().map_err(|why| format!("cannot start `{shown}`: {why}"))?;
    if status.success() { Ok(()) } else { Err(format!("`{shown}` ended with {status}")) }
}
