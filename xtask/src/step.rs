//! Steps of a test run: a header, the output as it comes, the time taken, and what was counted.
use std::fmt;
use std::io::{BufRead, BufReader, Write};
use std::ops::AddAssign;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// Tests counted.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Tally {
    pub passed: u64,
    pub failed: u64,
    pub skipped: u64,
}

impl AddAssign for Tally {
    fn add_assign(&mut self, other: Self) {
        self.passed += other.passed;
        self.failed += other.failed;
        self.skipped += other.skipped;
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} passed, {} failed", self.passed, self.failed)?;
        if self.skipped > 0 { write!(f, ", {} skipped", self.skipped) } else { Ok(()) }
    }
}

impl Tally {
    /// One check that passed or failed.
    pub fn one(passed: bool) -> Self {
        Self { passed: passed.into(), failed: (!passed).into(), skipped: 0 }
    }

    /// Reads the closing line of a Rust test binary (`test result: ok. 3 passed; …`); `None` for any other line.
    pub fn of_rust_line(line: &str) -> Option<Self> {
        let counts = line.strip_prefix("test result: ")?.split_once(". ")?.1;
        Some(Self::of_counts(counts.split(';')))
    }

    /// Reads the closing line of pytest (`== 3 passed, 1 skipped in 0.12s ==`); `None` for any other line.
    pub fn of_pytest_line(line: &str) -> Option<Self> {
        let (counts, time) = line.trim_matches(['=', ' ']).rsplit_once(" in ")?;
        let timed = time.split([' ', 's']).next().is_some_and(|seconds| seconds.parse::<f64>().is_ok());
        let counted = counts == "no tests ran" || counts.starts_with(|c: char| c.is_ascii_digit());
        (timed && counted).then(|| Self::of_counts(counts.split(',')))
    }

    fn of_counts<'a>(counts: impl Iterator<Item = &'a str>) -> Self {
        let mut tally = Self::default();
        for count in counts {
            let mut words = count.split_whitespace();
            let Some(Ok(number)) = words.next().map(str::parse::<u64>) else { continue };
            match words.next() {
                Some("passed" | "xpassed") => tally.passed += number,
                Some("failed" | "error" | "errors") => tally.failed += number,
                Some("skipped" | "ignored" | "xfailed" | "deselected") => tally.skipped += number,
                _ => {}
            }
        }
        tally
    }
}

/// The steps of one run, in order.
#[derive(Default)]
pub struct Steps {
    done: Vec<(String, Duration, Tally)>,
    left_out: Vec<String>,
}

impl Steps {
    /// Runs `work` as the step `name`. Work that cannot be done at all counts as one failure.
    pub fn run(&mut self, name: &str, work: impl FnOnce() -> Result<Tally, String>) {
        println!("\n=== {name}");
        let start = Instant::now();
        let tally = work().unwrap_or_else(|why| {
            println!("failed: {why}");
            Tally::one(false)
        });
        let time = start.elapsed();
        println!("--- {name}: {} ({:.1} s)", counts(tally), time.as_secs_f64());
        self.done.push((name.into(), time, tally));
    }

    /// Names tests that are left out, and why.
    pub fn leave_out(&mut self, what: &str, why: &str) {
        self.left_out.push(format!("{what}: {why}"));
    }

    /// Prints the times, what was left out, and the closing line. True if nothing failed.
    pub fn close(self) -> bool {
        let mut total = Tally::default();
        println!("\n=== Summary");
        for (name, time, tally) in &self.done {
            println!("{:>8.1} s  {name}: {}", time.as_secs_f64(), counts(*tally));
            total += *tally;
        }
        for what in &self.left_out {
            println!("left out: {what}");
        }
        println!("\n{total}");
        total.failed == 0
    }
}

/// A step's counts; a step that only prepares something has none.
fn counts(tally: Tally) -> String {
    if tally == Tally::default() { "done".into() } else { tally.to_string() }
}

/// Runs `command`, passes its output on as it comes, and sums up the lines that `count` can read.
/// A command that fails without having counted a failure counts as one.
pub fn counted(command: &mut Command, count: fn(&str) -> Option<Tally>) -> Result<Tally, String> {
    let shown = shown(command);
    println!("$ {shown}");
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .map_err(|why| format!("cannot start `{shown}`: {why}"))?;
    let mut total = Tally::default();
    if let Some(output) = child.stdout.take() {
        let mut output = BufReader::new(output);
        let mut line = Vec::new();
        while output
            .read_until(b'\n', &mut line)
            .map_err(|why| format!("cannot read from `{shown}`: {why}"))?
            > 0
        {
            let mut out = std::io::stdout().lock();
            out.write_all(&line).and_then(|()| out.flush()).map_err(|why| format!("cannot print: {why}"))?;
            if let Some(tally) = count(String::from_utf8_lossy(&line).trim_end()) {
                total += tally;
            }
            line.clear();
        }
    }
    let status = child.wait().map_err(|why| format!("cannot wait for `{shown}`: {why}"))?;
    if !status.success() && total.failed == 0 {
        println!("`{shown}` ended with {status}");
        total.failed = 1;
    }
    Ok(total)
}

/// A command as one would type it.
pub fn shown(command: &Command) -> String {
    let program = std::path::Path::new(command.get_program());
    let mut text = program.file_name().unwrap_or(command.get_program()).to_string_lossy().into_owned();
    for argument in command.get_args() {
        text.push(' ');
        text.push_str(&argument.to_string_lossy());
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tally(passed: u64, failed: u64, skipped: u64) -> Option<Tally> {
        Some(Tally { passed, failed, skipped })
    }

    #[test]
    fn rust_lines() {
        let ok =
            "test result: ok. 12 passed; 0 failed; 2 ignored; 0 measured; 1 filtered out; finished in 0.00s";
        assert_eq!(Tally::of_rust_line(ok), tally(12, 0, 2));
        assert_eq!(Tally::of_rust_line("test result: FAILED. 1 passed; 3 failed; 0 ignored"), tally(1, 3, 0));
        assert_eq!(Tally::of_rust_line("test schedule ... ok"), None);
    }

    #[test]
    fn pytest_lines() {
        assert_eq!(
            Tally::of_pytest_line("===== 1 failed, 3 passed, 2 skipped, 4 warnings in 0.12s ====="),
            tally(3, 1, 2)
        );
        assert_eq!(Tally::of_pytest_line("7 passed in 61.02s (0:01:01)"), tally(7, 0, 0));
        assert_eq!(Tally::of_pytest_line("1 error in 0.5s"), tally(0, 1, 0));
        assert_eq!(Tally::of_pytest_line("no tests ran in 0.00s"), tally(0, 0, 0));
        assert_eq!(Tally::of_pytest_line("3 is a word in a sentence"), None);
        assert_eq!(Tally::of_pytest_line("tests/python/test_x.py ..."), None);
    }

    #[test]
    fn a_command_that_fails_uncounted_is_a_failure() {
        assert_eq!(counted(&mut Command::new("false"), Tally::of_rust_line), Ok(tally(0, 1, 0).unwrap()));
        assert!(counted(&mut Command::new("no-such-program-at-all"), Tally::of_rust_line).is_err());
    }
}
