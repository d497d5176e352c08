//! System packages that tests need, installed where that is allowed.
use std::fmt;
use std::process::{Command, Stdio};

/// Why something that tests need is not to be had.
#[derive(Debug)]
pub enum Lack {
    /// This machine does not have it, and it may not be installed here: the tests that need it are left out.
    Absent(String),
    /// Installing it should have worked and did not: that is a failure.
    Failed(String),
}

impl fmt::Display for Lack {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (Self::Absent(why) | Self::Failed(why)) = self;
        f.write_str(why)
    }
}

impl From<String> for Lack {
    fn from(why: String) -> Self {
        Self::Failed(why)
    }
}

impl From<Lack> for String {
    fn from(lack: Lack) -> Self {
        lack.to_string()
    }
}

/// Installs Debian packages, or says why it cannot.
pub fn install(packages: &[&str]) -> Result<(), Lack> {
    let list = packages.join(" ");
    if !answers("apt-get", &["--version"]) {
        let why = "there is no apt-get here to install it with";
        return Err(Lack::Absent(format!("needs the system package {list}, and {why}")));
    }
    if !is_root() {
        let how = format!("`apt-get install {list}`");
        return Err(Lack::Absent(format!(
            "needs the system package {list}; only root may install it: {how}"
        )));
    }
    eprintln!("installing the system package {list}");
    // A first attempt without the update: where the package lists are fresh it saves their download.
    if apt(&["install", "-y", "-qq", "--no-install-recommends"], packages)
        || (apt(&["update", "-qq"], &[])
            && apt(&["install", "-y", "-qq", "--no-install-recommends"], packages))
    {
        Ok(())
    } else {
        Err(Lack::Failed(format!("`apt-get install {list}` failed")))
    }
}

/// Sees to it that the programs of a PostgreSQL server are there. False where they may not be installed.
pub fn postgresql() -> Result<bool, String> {
    let found = || {
        let mut versions = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
        answers("initdb", &["--version"]) || versions.any(|v| v.path().join("bin/initdb").exists())
    };
    match found() {
        true => Ok(true),
        false => match install(&["postgresql"]) {
            Ok(()) => Ok(found()),
            Err(Lack::Absent(_)) => Ok(false),
            Err(Lack::Failed(why)) => Err(why),
        },
    }
}

/// Whether a program can be started and succeeds.
pub fn answers(program: &str, arguments: &[&str]) -> bool {
    let mut command = Command::new(program);
    command.args(arguments).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}

fn is_root() -> bool {
    Command::new("id").arg("-u").output().is_ok_and(|id| id.stdout.trim_ascii() == b"0")
}

fn apt(arguments: &[&str], packages: &[&str]) -> bool {
    let mut command = Command::new("apt-get");
    command.args(arguments).args(packages).env("DEBIAN_FRONTEND", "noninteractive").stdin(Stdio::null());
    // What apt says goes to the error stream: the standard output of `xtask venv` is one path.
    command.stdout(std::io::stderr()).status().is_ok_and(|status| status.success())
}
