//! Finds a Python that the test environment can be made from.
use std::process::Command;

use crate::system::Lack;

/// The oldest Python that the tests support.
const OLDEST: (u32, u32) = (3, 10);
const CANDIDATES: [&str; 6] = ["python3", "python3.13", "python3.12", "python3.11", "python3.10", "python"];

/// A Python on this machine.
#[derive(Debug, PartialEq, Eq)]
pub struct Python {
    pub program: String,
    /// Implementation, version and platform, such as `cpython-3.11-linux-x86_64`: packages built for one do not
    /// serve another.
    pub tag: String,
}

/// The first Python that is new enough: `LEHR_PYTHON` if set, else the usual names.
pub fn find() -> Result<Python, Lack> {
    let oldest = format!("{}.{}", OLDEST.0, OLDEST.1);
    if let Ok(program) = std::env::var("LEHR_PYTHON") {
        return probe(&program).ok_or_else(|| {
            let what = format!("which is no Python of version {oldest} or newer");
            Lack::Failed(format!("LEHR_PYTHON is `{program}`, {what}"))
        });
    }
    CANDIDATES.iter().find_map(|program| probe(program)).ok_or_else(|| {
        let how = "install one, or name it in LEHR_PYTHON";
        Lack::Absent(format!("found no Python of version {oldest} or newer; {how}"))
    })
}

fn probe(program: &str) -> Option<Python> {
    const ASK: &str = "import platform as p, sys; print(sys.implementation.name, sys.version_info[0], \
                       sys.version_info[1], sys.platform, p.machine())";
    let answer = Command::new(program).args(["-c", ASK]).output().ok()?;
    let tag = tag(&String::from_utf8(answer.stdout).ok()?)?;
    Some(Python { program: program.into(), tag })
}

fn tag(answer: &str) -> Option<String> {
    let words: Vec<&str> = answer.split_whitespace().collect();
    let [name, major, minor, system, machine] = words[..] else { return None };
    let version = (major.parse().ok()?, minor.parse().ok()?);
    (version >= OLDEST).then(|| format!("{name}-{major}.{minor}-{system}-{machine}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_python_that_is_new_enough_has_a_tag() {
        assert_eq!(tag("cpython 3 11 linux x86_64\n").as_deref(), Some("cpython-3.11-linux-x86_64"));
        assert!(tag("cpython 3 10 linux x86_64").is_some());
        assert_eq!(tag("cpython 3 9 linux x86_64"), None);
        assert_eq!(tag("cpython 2 7 linux x86_64"), None);
        assert_eq!(tag(""), None);
    }
}
