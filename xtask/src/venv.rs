//! The Python environment of the tests: made on first use, shared by all checkouts.
//!
//! It lies in the user's cache folder under a name that is a hash of its requirements, so a change of the
//! requirements makes a new one and a checkout of an older commit finds its own again. An environment counts only once
//! its marker file is written, as the last thing of an installation; one that was interrupted is removed and made anew.
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant, SystemTime};

use crate::python::{self, Python};
use crate::root;
use crate::system::{self, Lack};

/// Written last into a complete environment, and touched at each use.
const MARKER: &str = "lehr-complete";
/// Environments that nobody used for this long make room for a new one.
const STALE: Duration = Duration::from_secs(30 * 24 * 3600);

/// Which packages an environment has.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Everything that the tests use.
    Full,
    /// Without torch and what stands on it.
    Light,
    /// What builds the wheel of the Python package.
    Wheel,
    /// Ray Tune, which the tests of `lehr.ray` use.
    Ray,
}

impl Kind {
    /// The kind that a `--light` switch asks for.
    pub fn from_light(light: bool) -> Self {
        if light { Self::Light } else { Self::Full }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Full => "full",
            Self::Light => "light",
            Self::Wheel => "wheel",
            Self::Ray => "ray",
        }
    }

    fn requirements(self) -> &'static str {
        match self {
            Self::Full => "requirements.txt",
            Self::Light => "requirements-light.txt",
            Self::Wheel => "requirements-wheel.txt",
            Self::Ray => "requirements-ray.txt",
        }
    }

    /// What an installation costs, measured on two cores.
    fn cost(self) -> &'static str {
        match self {
            Self::Full => "downloads about 3 GB, takes 6.3 GB of disk and 2 to 4 minutes",
            Self::Light => "downloads about 250 MB, takes 800 MB of disk and about a minute",
            Self::Wheel => "downloads 10 MB and takes a few seconds",
            Self::Ray => "takes 640 MB of disk and about a minute",
        }
    }

    /// The path of this environment's Python; installs the environment first where it is not there yet.
    pub fn python(self) -> Result<PathBuf, Lack> {
        self.locked_python(&python::find()?)
    }

    fn locked_python(self, base: &Python) -> Result<PathBuf, Lack> {
        let packages = packages(&root::repository().join("tests/python").join(self.requirements()))?;
        let name = format!("{}-{:016x}", self.name(), hash(&format!("{}\n{packages}", base.tag)));
        let cache = cache()?;
        let dir = cache.join(&name);
        fs::create_dir_all(&cache).map_err(|why| format!("cannot create {}: {why}", cache.display()))?;
        let lock = cache.join(format!("{name}.lock"));
        let held = File::create(&lock).map_err(|why| format!("cannot write {}: {why}", lock.display()))?;
        if held.try_lock().is_err() {
            eprintln!("waiting for another process that is making this Python environment");
            held.lock().map_err(|why| format!("cannot lock {}: {why}", lock.display()))?;
        }
        if !dir.join(MARKER).exists() {
            remove_stale(&cache);
            self.install(base, &dir)?;
        }
        touch(&dir.join(MARKER))?;
        Ok(python_in(&dir))
    }

    fn install(self, base: &Python, dir: &Path) -> Result<(), Lack> {
        eprintln!(
            "making the {} Python environment of the tests with {} ({}) in {}\n\
             it {}; later runs reuse it",
            self.name(),
            base.program,
            base.tag,
            dir.display(),
            self.cost(),
        );
        let start = Instant::now();
        if dir.exists() {
            fs::remove_dir_all(dir).map_err(|why| format!("cannot remove {}: {why}", dir.display()))?;
        }
        create(base, dir)?;
        let requirements = root::repository().join("tests/python").join(self.requirements());
        let mut pip = Command::new(python_in(dir));
        pip.args([
            "-m",
            "pip",
            "install",
            "--no-input",
            "--disable-pip-version-check",
            "--progress-bar",
            "off",
        ]);
        pip.arg("--quiet").arg("--requirement").arg(requirements);
        if !quietly(&mut pip) {
            return Err(Lack::Failed("pip could not install the requirements (its message is above)".into()));
        }
        eprintln!("made it in {:.0} s", start.elapsed().as_secs_f64());
        Ok(())
    }
}

/// Makes an empty environment. Debian keeps the module for that in a package of its own.
fn create(base: &Python, dir: &Path) -> Result<(), Lack> {
    if !system::answers(&base.program, &["-c", "import ensurepip, venv"]) {
        system::install(&["python3-venv"])?;
    }
    let made = quietly(Command::new(&base.program).args(["-m", "venv"]).arg(dir));
    if made {
        Ok(())
    } else {
        Err(Lack::Failed(format!("`{} -m venv {}` failed", base.program, dir.display())))
    }
}

/// Runs a command with its output on the error stream: the standard output of `xtask venv` is one path.
fn quietly(command: &mut Command) -> bool {
    command.stdin(Stdio::null()).stdout(std::io::stderr()).status().is_ok_and(|status| status.success())
}

/// The folder that holds the environments: `LEHR_CACHE`, or `lehr` in the user's cache folder.
fn cache() -> Result<PathBuf, String> {
    let set = |name| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    set("LEHR_CACHE")
        .or_else(|| set("XDG_CACHE_HOME").map(|dir| dir.join("lehr")))
        .or_else(|| set("HOME").map(|dir| dir.join(".cache/lehr")))
        .or_else(|| set("LOCALAPPDATA").map(|dir| dir.join("lehr")))
        .map(|dir| dir.join("python"))
        .ok_or_else(|| "no folder for the Python environment: set LEHR_CACHE, XDG_CACHE_HOME or HOME".into())
}

fn python_in(dir: &Path) -> PathBuf {
    if cfg!(windows) { dir.join("Scripts").join("python.exe") } else { dir.join("bin").join("python") }
}

/// The lines of a requirements file that name packages, those of the files it includes among them.
fn packages(file: &Path) -> Result<String, String> {
    let text = fs::read_to_string(file).map_err(|why| format!("cannot read {}: {why}", file.display()))?;
    let mut found = String::new();
    for line in text.lines().map(|line| line.split('#').next().unwrap_or_default().trim()) {
        if let Some(included) = line.strip_prefix("-r ") {
            found.push_str(&packages(&file.with_file_name(included.trim()))?);
        } else if !line.is_empty() {
            found.push_str(line);
            found.push('\n');
        }
    }
    Ok(found)
}

/// FNV-1a, 64 bits.
fn hash(text: &str) -> u64 {
    text.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
    })
}

fn touch(marker: &Path) -> Result<(), String> {
    let file = File::create(marker).map_err(|why| format!("cannot write {}: {why}", marker.display()))?;
    file.set_modified(SystemTime::now()).map_err(|why| format!("cannot touch {}: {why}", marker.display()))
}

/// Removes environments that were complete and that nobody has used for a long time.
fn remove_stale(cache: &Path) {
    let Ok(entries) = fs::read_dir(cache) else { return };
    for dir in entries.flatten().map(|entry| entry.path()) {
        let used = fs::metadata(dir.join(MARKER)).and_then(|marker| marker.modified());
        if used.is_ok_and(|used| used.elapsed().is_ok_and(|age| age > STALE)) {
            eprintln!("removing a Python environment that was not used for 30 days: {}", dir.display());
            // If it cannot be removed it is merely still there.
            let _ = fs::remove_dir_all(&dir);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_do_not_change_the_packages_and_includes_are_read() {
        let dir = std::env::temp_dir().join(format!("lehr-xtask-{}", std::process::id()));
        fs::create_dir_all(&dir).unwrap();
        fs::write(dir.join("a.txt"), "# words\n-r b.txt\ntorch==2 # why\n").unwrap();
        fs::write(dir.join("b.txt"), "\nnumpy==1; python_version < \"3.11\"\n").unwrap();
        let found = packages(&dir.join("a.txt")).unwrap();
        assert!(packages(&dir.join("c.txt")).is_err());
        fs::remove_dir_all(&dir).unwrap();
        assert_eq!(found, "numpy==1; python_version < \"3.11\"\ntorch==2\n");
    }

    #[test]
    fn the_full_environment_holds_the_light_one() {
        let dir = root::repository().join("tests/python");
        let light = packages(&dir.join(Kind::Light.requirements())).unwrap();
        let full = packages(&dir.join(Kind::Full.requirements())).unwrap();
        assert!(full.starts_with(&light) && full.len() > light.len());
        for line in full.lines() {
            assert!(line.contains("=="), "not pinned: {line}");
        }
    }

    #[test]
    fn hash_is_fnv_1a() {
        assert_eq!(hash(""), 0xcbf2_9ce4_8422_2325);
        assert_eq!(hash("foobar"), 0x8594_4171_f739_67e8);
    }
}
