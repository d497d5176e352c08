//! `lehr tune`: which peak rate and schedule to use, for a built-in model or for any training program.

mod args;
mod builtin;
pub mod command;

pub use args::Tune;

use crate::failure::Failure;

/// Full runs where no limit is given to the strategy `annealed`, which ends by itself, most often much sooner.
const ANNEALED_BUDGET: f64 = 10.0;

/// Runs the command.
pub fn run(args: Tune) -> Result<(), Failure> {
    if args.program.is_given() {
        args.refuse_builtin()?;
        command::run(args)
    } else {
        args.program.refuse()?;
        builtin::run(args)
    }
}

/// The command line that this program was called with, and more of it (before `--`).
fn resume(more: &[String]) -> String {
    let mut words: Vec<String> = std::env::args().skip(1).collect();
    let end = words.iter().position(|word| word == "--").unwrap_or(words.len());
    words.splice(end..end, more.iter().cloned());
    format!("lehr {}", shell(&words))
}

/// Words as a shell reads them back.
pub fn shell<S: AsRef<str>>(words: &[S]) -> String {
    words.iter().map(|word| quoted(word.as_ref())).collect::<Vec<_>>().join(" ")
}

/// A word as a shell reads it back.
fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_alphanumeric() || "_-+=./:,@%".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::quoted;

    #[test]
    fn words_are_quoted_for_a_shell() {
        assert_eq!(quoted("--lr=1e-4..1"), "--lr=1e-4..1");
        assert_eq!(quoted("constant; linear"), "'constant; linear'");
        assert_eq!(quoted("it's"), r"'it'\''s'");
        assert_eq!(quoted(""), "''");
    }
}
