//! Which number of a program is tuned, and where it is read.

use std::path::PathBuf;

use regex::bytes::Regex;

use super::error::ProgramError;
use super::json;
use super::lines::Line;
use super::template::Text;

/// Which of a run's reports is its value.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Take {
    /// The last one.
    #[default]
    Last,
    /// The best one.
    Best,
}

/// The number that is tuned, and where the program says it: always in JSON lines on its standard output and in the report
/// channel; besides by a regular expression in any line, or in a file.
#[derive(Clone, Debug)]
pub struct Metric {
    /// Its name in JSON lines.
    pub name: String,
    /// Finds it in lines of output.
    pub regex: Option<Scrape>,
    /// A log of the program that holds it.
    pub file: Option<MetricFile>,
    /// Which report is the value of a run.
    pub take: Take,
    /// Whether small is good; only [`Take::Best`] asks.
    pub minimize: bool,
}

/// A report: a value at a step, as far as the program named one.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Seen {
    /// The step, if it was said.
    pub step: Option<u64>,
    /// The value; need not be finite.
    pub value: f64,
}

impl Metric {
    /// The metric of a name, in JSON lines, of which the last report counts.
    pub fn new(name: &str, minimize: bool) -> Self {
        Self { name: name.to_owned(), regex: None, file: None, take: Take::Last, minimize }
    }

    /// The report in a JSON line; `None` if it is not one. `names` learns what a report of other metrics has.
    pub(super) fn in_json(&self, line: Line<'_>, names: &mut Names) -> Option<Seen> {
        let object = if line.cut { None } else { json::object(line.bytes) }?;
        match object.get(&self.name).and_then(json::number) {
            Some(value) => Some(Seen { step: json::step(&object), value }),
            None => {
                names.learn(object.keys().map(String::as_str));
                None
            }
        }
    }

    /// The report that the regular expression finds in a line.
    pub(super) fn in_text(&self, line: Line<'_>) -> Option<Seen> {
        self.regex.as_ref()?.find(line.bytes)
    }
}

/// A regular expression that finds the metric in a line: the group `value`, else the first group without a name, else the
/// whole match. A group `step` is the step.
#[derive(Clone, Debug)]
pub struct Scrape {
    regex: Regex,
    value: usize,
}

impl Scrape {
    /// Reads an expression.
    ///
    /// # Errors
    /// [`ProgramError::Regex`] if it is not one.
    pub fn new(text: &str) -> Result<Self, ProgramError> {
        let wrong = |reason: String| ProgramError::Regex { text: text.to_owned(), reason };
        let regex = Regex::new(text).map_err(|error| wrong(error.to_string()))?;
        let place = |name: &str| regex.capture_names().position(|n| n == Some(name));
        let unnamed = || regex.capture_names().skip(1).position(|n| n.is_none()).map(|i| i + 1);
        let value = match place("value").or_else(unnamed) {
            Some(value) => value,
            None if regex.captures_len() == 1 => 0,
            None => {
                let reason = "it has no group for the value: put the number in parentheses";
                return Err(wrong(reason.into()));
            }
        };
        Ok(Self { regex, value })
    }

    fn find(&self, line: &[u8]) -> Option<Seen> {
        let found = self.regex.captures(line)?;
        let value = text(found.get(self.value)?)?.parse().ok()?;
        let step = found.name("step").and_then(text).and_then(|step| step.parse().ok());
        Some(Seen { step, value })
    }
}

fn text(found: regex::bytes::Match<'_>) -> Option<&str> {
    std::str::from_utf8(found.as_bytes()).ok().map(str::trim)
}

/// A log that the program writes: CSV with a header, JSON lines, or TensorBoard's event files in a folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MetricFile {
    /// The file or folder, with placeholders; from the program's working folder.
    pub path: Text,
    /// The column, field or tag.
    pub column: String,
}

impl std::str::FromStr for MetricFile {
    type Err = ProgramError;

    /// Reads `FILE:COLUMN`; the column begins after the first colon that a folder's name cannot hold.
    fn from_str(text: &str) -> Result<Self, ProgramError> {
        match text.split_once(':') {
            Some((path, column)) if !path.is_empty() && !column.is_empty() => {
                Ok(Self { path: Text::new(path), column: column.to_owned() })
            }
            _ => Err(ProgramError::MetricFile(text.to_owned())),
        }
    }
}

/// A log of a run, as it is tailed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Source {
    /// The file or folder.
    pub path: PathBuf,
    /// The column, field or tag.
    pub column: String,
}

/// Names of metrics that were reported instead of the one that is tuned.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Names(Vec<String>);

impl Names {
    /// Most names that are kept.
    const MOST: usize = 12;

    pub(super) fn learn<'a>(&mut self, names: impl Iterator<Item = &'a str>) {
        for name in names.filter(|name| *name != "step") {
            if self.0.len() < Self::MOST && !self.0.iter().any(|known| known == name) {
                self.0.push(name.to_owned());
            }
        }
    }

    /// The names, in the order in which they were seen.
    pub fn seen(&self) -> &[String] {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(text: &str) -> Line<'_> {
        Line { bytes: text.as_bytes(), cut: false, overwritten: false }
    }

    #[test]
    fn expressions_find_value_and_step() {
        let find = |regex: &str, text: &str| Scrape::new(regex).unwrap().find(text.as_bytes());
        let seen = |step, value| Some(Seen { step, value });
        assert_eq!(find(r"val loss[: ]+([0-9.eE+-]+)", "epoch 3 val loss: 1.5e-1 ok"), seen(None, 0.15));
        assert_eq!(find(r"step (?<step>\d+).*loss (\S+)", "step 30: loss 2"), seen(Some(30), 2.0));
        assert_eq!(find(r"(\d+) (?<value>\S+)", "7 inf"), seen(None, f64::INFINITY));
        assert!(find(r"loss (\S+)", "loss nan").unwrap().value.is_nan());
        assert_eq!(find(r"[0-9.]+$", "loss 2.5"), seen(None, 2.5));
        assert_eq!(find(r"loss (\S+)", "loss low"), None, "not a number");
        assert_eq!(find(r"loss (\S+)", "lost"), None);
        assert!(Scrape::new("(").unwrap_err().to_string().contains("cannot be used"));
        assert!(Scrape::new(r"(?<step>\d+)").unwrap_err().to_string().contains("parentheses"));
        assert_eq!(Scrape::new("loss (.+)").unwrap().find(b"x\xff loss 1"), seen(None, 1.0));
    }

    #[test]
    fn reports_of_other_metrics_are_remembered_by_name() {
        let (metric, mut names) = (Metric::new("val_loss", true), Names::default());
        assert_eq!(metric.in_json(line(r#"{"step": 1, "loss": 2, "acc": 1}"#), &mut names), None);
        assert_eq!(names.seen(), ["acc", "loss"]);
        let seen = metric.in_json(line(r#"{"step": 1, "val_loss": 2}"#), &mut names);
        assert_eq!(seen, Some(Seen { step: Some(1), value: 2.0 }));
    }

    #[test]
    fn files_name_their_column() {
        let file: MetricFile = "{checkpoint}/log.csv:val/loss:0".parse().unwrap();
        assert_eq!((file.path.written(), file.column.as_str()), ("{checkpoint}/log.csv", "val/loss:0"));
        for text in ["log.csv", ":x", "log.csv:", ""] {
            assert!(text.parse::<MetricFile>().is_err(), "{text}");
        }
    }
}
