//! `cargo xtask bench`: the benchmarks of the repository by name.
//!
//! A benchmark is a file `crates/<crate>/benches/<name>.rs` whose first `//!` line says what it measures. It prints
//! ratios to a peer that it measures in the same run. A line `//! Python: full` (or `light`) asks for the Python
//! environment of the tests; the path of its interpreter is then in `LEHR_VENV_PYTHON`. With `, with the package` behind
//! it, the Python package is built as for users and is on `PYTHONPATH`. A line `//! Ray: where it installs` puts the
//! interpreter of Ray's environment in `LEHR_RAY_PYTHON`, or says why there is none.
use std::fs;
use std::path::Path;

use clap::Args;

use crate::package::{self, Profile};
use crate::root;
use crate::step::shown;
use crate::venv::Kind;

/// Which benchmark to run, and how.
#[derive(Args)]
pub struct BenchArgs {
    /// The benchmark; without a name they are listed. `all` runs them one after another.
    name: Option<String>,
    /// Arguments for the benchmark itself.
    #[arg(last = true)]
    arguments: Vec<String>,
}

#[derive(Debug)]
struct Bench {
    name: String,
    package: String,
    measures: String,
    python: Option<&'static str>,
    with_package: bool,
    with_ray: bool,
}

/// Lists or runs benchmarks. True if every one that ran has succeeded.
pub fn run(args: &BenchArgs) -> Result<bool, String> {
    let benches = find(&root::repository().join("crates"))?;
    let Some(name) = &args.name else {
        for bench in &benches {
            println!("{:<16}{}", bench.name, bench.measures);
        }
        if benches.is_empty() {
            println!("there is no benchmark yet");
        }
        return Ok(true);
    };
    let chosen: Vec<&Bench> = benches.iter().filter(|bench| name == "all" || bench.name == *name).collect();
    if chosen.is_empty() {
        let names: Vec<&str> = benches.iter().map(|bench| bench.name.as_str()).collect();
        return Err(format!("there is no benchmark `{name}`; there are: {}", names.join(", ")));
    }
    let mut good = true;
    for bench in chosen {
        good &= bench.run(&args.arguments)?;
    }
    Ok(good)
}

impl Bench {
    fn run(&self, arguments: &[String]) -> Result<bool, String> {
        println!("=== {}: {}", self.name, self.measures);
        let mut command = root::cargo();
        command
            .args(["bench", "--quiet", "--package", &self.package, "--bench", &self.name, "--"])
            .args(arguments);
        if let Some(kind) = self.python {
            let python = Kind::from_light(kind == "light").python()?;
            if self.with_package {
                command.env("PYTHONPATH", package::install(&python, Profile::Release)?);
            }
            command.env("LEHR_VENV_PYTHON", python);
        }
        if self.with_ray {
            match Kind::Ray.python() {
                Ok(python) => drop(command.env("LEHR_RAY_PYTHON", python)),
                Err(why) => eprintln!("without Ray: {why}"),
            }
        }
        let status = command.status().map_err(|why| format!("cannot start `{}`: {why}", shown(&command)))?;
        Ok(status.success())
    }
}

/// All benchmarks, by name.
fn find(crates: &Path) -> Result<Vec<Bench>, String> {
    let mut benches = Vec::new();
    let entries = fs::read_dir(crates).map_err(|why| format!("cannot read {}: {why}", crates.display()))?;
    for dir in entries.flatten().map(|entry| entry.path()) {
        let Ok(files) = fs::read_dir(dir.join("benches")) else { continue };
        for file in
            files.flatten().map(|entry| entry.path()).filter(|file| file.extension() == Some("rs".as_ref()))
        {
            let read = |path: &Path| {
                fs::read_to_string(path).map_err(|why| format!("cannot read {}: {why}", path.display()))
            };
            let package = package(&read(&dir.join("Cargo.toml"))?)
                .ok_or_else(|| format!("{} names no package", dir.join("Cargo.toml").display()))?;
            let name = file.file_stem().unwrap_or_default().to_string_lossy().into_owned();
            benches.push(describe(name, package, &read(&file)?));
        }
    }
    benches.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(benches)
}

fn package(manifest: &str) -> Option<String> {
    let line = manifest.lines().find(|line| line.starts_with("name"))?;
    Some(line.split('"').nth(1)?.to_owned())
}

fn describe(name: String, package: String, source: &str) -> Bench {
    let with_ray = source.lines().any(|line| line.starts_with("//! Ray: "));
    let mut lines = source.lines().map_while(|line| line.strip_prefix("//!")).fuse().map(str::trim);
    let measures = lines.next().unwrap_or("(its file does not say what it measures)").to_owned();
    let wanted = lines.find_map(|line| line.strip_prefix("Python: ")).unwrap_or_default();
    let wanted = wanted.trim_end_matches('.');
    let (kind, with_package) = match wanted.strip_suffix(", with the package") {
        Some(kind) => (kind, true),
        None => (wanted, false),
    };
    let python = ["full", "light"].into_iter().find(|known| *known == kind);
    Bench { name, package, measures, python, with_package, with_ray }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_benchmark_says_what_it_measures_and_needs() {
        let bench =
            describe("fill".into(), "x".into(), "//! fill against NumPy\n//!\n//! Python: light\nuse std;\n");
        assert_eq!((bench.measures.as_str(), bench.python), ("fill against NumPy", Some("light")));
        let with = describe("x".into(), "x".into(), "//! words\n//! Python: full, with the package\n");
        assert_eq!((with.python, with.with_package, bench.with_package), (Some("full"), true, false));
        let bare = describe("fill".into(), "x".into(), "use std;\n//! Python: light\n");
        assert_eq!(bare.python, None);
        assert_eq!(package("[package]\nname = \"lehr-x\"\n").as_deref(), Some("lehr-x"));
    }

    #[test]
    fn benchmarks_of_the_repository_say_what_they_measure() {
        for bench in find(&root::repository().join("crates")).unwrap() {
            assert!(!bench.measures.starts_with('('), "{}", bench.name);
        }
    }
}
