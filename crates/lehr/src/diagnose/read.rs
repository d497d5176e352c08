//! Runs from logs: CSV, or TensorBoard's event files.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use lehr_schedule::{Horizon, Schedule};

use super::{DiagnoseError, Run};
use crate::logs::{Line, Log};
use crate::tensorboard::{Reader, TensorBoardError, find_runs, series};

/// What the logged quantities are called: columns of a CSV file, or tags. Those not given are looked for under usual
/// names, such as `loss`, `train/loss` and `Loss/train`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Names {
    /// Step (CSV only).
    pub step: Option<String>,
    /// Training loss.
    pub loss: Option<String>,
    /// Validation loss.
    pub validation: Option<String>,
    /// Rate.
    pub rate: Option<String>,
    /// What tells the runs of a file apart (CSV only).
    pub by: Option<String>,
}

pub(crate) const LOSS: [&str; 7] =
    ["loss", "train_loss", "train/loss", "loss/train", "Loss/train", "training_loss", "training/loss"];
pub(crate) const VALIDATION: [&str; 8] = [
    "val_loss",
    "val/loss",
    "loss/val",
    "Loss/val",
    "eval_loss",
    "eval/loss",
    "validation_loss",
    "validation/loss",
];
pub(crate) const RATE: [&str; 5] = ["lr", "learning_rate", "train/lr", "train/learning_rate", "LR"];

/// One logged step of a run.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Point {
    /// The step.
    pub step: u64,
    /// Training loss.
    pub loss: Option<f64>,
    /// Validation loss.
    pub validation: Option<f64>,
    /// Rate.
    pub rate: Option<f64>,
}

/// What was logged of a run, before anything is asked of it.
#[derive(Debug, Clone, PartialEq)]
pub struct Logged {
    /// The run.
    pub name: String,
    /// Its steps, rising.
    pub points: Vec<Point>,
    /// Steps that were logged twice, by a run that was taken up again; the later line counts.
    pub twice: usize,
    /// Records of event files that could not be read.
    pub unreadable: u64,
}

impl Logged {
    /// A run of points in the order in which they were logged.
    pub fn new(name: impl Into<String>, mut points: Vec<Point>) -> Self {
        let logged = points.len();
        points.reverse();
        points.sort_by_key(|point| point.step);
        points.dedup_by_key(|point| point.step);
        Self { name: name.into(), twice: logged - points.len(), points, unreadable: 0 }
    }

    /// The run that is to be diagnosed. A schedule with its peak rate stands in for rates that were not logged.
    ///
    /// # Errors
    /// As of [`Run::new`], or if the schedule does not fit the run's last step.
    pub fn run(&self, schedule: Option<(&Schedule, f64)>) -> Result<Run, DiagnoseError> {
        let points = &self.points;
        let losses: Vec<(u64, f64)> =
            points.iter().filter_map(|point| Some((point.step, point.loss?))).collect();
        let validation = points.iter().filter_map(|point| Some((point.step, point.validation?))).collect();
        let rates = match (schedule, losses.last()) {
            (Some((schedule, peak)), Some(&(last, _))) => {
                let last = last.max(1);
                let curve = schedule
                    .resolve_with_peak(&Horizon::steps(last), peak)
                    .map_err(|error| DiagnoseError::Run { run: self.name.clone(), why: error.to_string() })?;
                Some(losses.iter().map(|&(step, _)| curve.at(step.min(last - 1))).collect())
            }
            _ => points.iter().filter(|point| point.loss.is_some()).map(|point| point.rate).collect(),
        };
        Run::new(self.name.clone(), &losses, validation, rates)
    }
}

/// Reads the runs of a CSV file, of an event file, or of a folder with event files, in it or below.
///
/// # Errors
/// If there is nothing to read, or no loss under any of the names; the message says what there is.
pub fn read(path: &Path, names: &Names) -> Result<Vec<Logged>, DiagnoseError> {
    let tensorboard = |error: TensorBoardError| DiagnoseError::Input(error.to_string());
    if path.is_dir() {
        let found = find_runs(path).map_err(tensorboard)?;
        if found.is_empty() {
            return Err(DiagnoseError::Input(format!(
                "{} holds no TensorBoard event files (files with `tfevents` in their names), nor do its folders",
                path.display()
            )));
        }
        return events(path, &found, names);
    }
    if path.file_name().is_some_and(|name| name.to_string_lossy().contains("tfevents")) {
        return events(path, &[path.to_owned()], names);
    }
    let log = Log::read(path).map_err(|error| DiagnoseError::Input(error.0))?;
    lines(&log, names).map_err(|error| DiagnoseError::Input(error.0))
}

fn lines(log: &Log, names: &Names) -> Result<Vec<Logged>, crate::logs::LogError> {
    let step = log.place(names.step.as_deref().unwrap_or("step"))?;
    let find = |name: &Option<String>, usual: &[&str]| match name {
        Some(name) => log.find(name),
        None => usual.iter().find_map(|name| log.find(name)),
    };
    let loss = match find(&names.loss, &LOSS) {
        Some(place) => place,
        None => log.place(names.loss.as_deref().unwrap_or("loss"))?,
    };
    let validation = find(&names.validation, &VALIDATION).filter(|&place| place != loss);
    let rate = find(&names.rate, &RATE);
    let runs = log.runs(names.by.as_deref().unwrap_or("run"));
    let run = |(name, lines): (String, Vec<&Line>)| {
        let point = |line: &Line| {
            let optional = |column: Option<usize>| column.map_or(Ok(None), |column| log.value(line, column));
            Ok(Point {
                step: log.step(line, step)?,
                loss: log.value(line, loss)?,
                validation: optional(validation)?,
                rate: optional(rate)?,
            })
        };
        Ok(Logged::new(name, lines.into_iter().map(point).collect::<Result<_, _>>()?))
    };
    runs.into_iter().map(run).collect()
}

/// The runs of these files or folders that have a loss.
fn events(path: &Path, runs: &[PathBuf], names: &Names) -> Result<Vec<Logged>, DiagnoseError> {
    let (mut logged, mut tags) = (Vec::new(), Vec::new());
    for run in runs {
        let mut reader = Reader::open(run).map_err(|error| DiagnoseError::Input(error.to_string()))?;
        let scalars = reader.read_new().map_err(|error| DiagnoseError::Input(error.to_string()))?;
        let found = series(scalars);
        tags.extend(found.keys().cloned());
        let Some(loss) = pick(&found, &names.loss, &LOSS) else { continue };
        let rate = pick(&found, &names.rate, &RATE).map(Vec::as_slice).unwrap_or_default();
        // Rates may be logged at other steps: the latest one counts.
        let rate_at = |step: u64| {
            let known = rate.partition_point(|point| point.0 <= step);
            rate.get(known.saturating_sub(1)).map(|point| point.1)
        };
        let mut points: Vec<Point> = loss
            .iter()
            .map(|&(step, loss)| Point { step, loss: Some(loss), validation: None, rate: rate_at(step) })
            .collect();
        for &(step, value) in pick(&found, &names.validation, &VALIDATION).into_iter().flatten() {
            match points.binary_search_by_key(&step, |point| point.step) {
                Ok(place) => points[place].validation = Some(value),
                Err(place) => {
                    points.insert(place, Point { step, loss: None, validation: Some(value), rate: None });
                }
            }
        }
        let mut run = Logged::new(run_name(path, run), points);
        run.unreadable = reader.skipped().records + u64::from(reader.skipped().bytes > 0);
        logged.push(run);
    }
    if logged.is_empty() {
        tags.sort_unstable();
        tags.dedup();
        let wanted = names.loss.as_deref().unwrap_or("loss");
        let there = if tags.is_empty() { "no numbers at all".to_owned() } else { tags.join(", ") };
        return Err(DiagnoseError::Input(format!(
            "{}: no numbers are logged as '{wanted}'; there are {there}; name the loss with --loss",
            path.display()
        )));
    }
    Ok(logged)
}

/// The series of the named tag, or the first there is of the usual ones.
pub(crate) fn pick<'a>(
    found: &'a HashMap<String, Vec<(u64, f64)>>,
    name: &Option<String>,
    usual: &[&str],
) -> Option<&'a Vec<(u64, f64)>> {
    match name {
        Some(name) => found.get(name),
        None => usual.iter().find_map(|name| found.get(*name)),
    }
}

/// A run's folder as seen from the one that was named.
pub(crate) fn run_name(path: &Path, run: &Path) -> String {
    let inner = run.strip_prefix(path).unwrap_or(run);
    let shown =
        if inner.as_os_str().is_empty() { run.file_name().map(Path::new).unwrap_or(run) } else { inner };
    shown.to_string_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn usual_names_of_columns_are_found_and_a_name_given_is_meant() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log.csv");
        let lines = (1..=12).map(|i| format!("{i},{}.5,{},0.1\n", 20 - i, 30 - i)).collect::<String>();
        std::fs::write(&path, format!("step,train_loss,eval_loss,learning_rate\n{lines}")).unwrap();
        let found = read(&path, &Names::default()).unwrap();
        let wanted = Point { step: 1, loss: Some(19.5), validation: Some(29.0), rate: Some(0.1) };
        assert_eq!((found[0].name.as_str(), found[0].points[0]), ("log", wanted));
        let names = Names { loss: Some("eval_loss".into()), ..Names::default() };
        let found = read(&path, &names).unwrap();
        assert_eq!((found[0].points[0].loss, found[0].points[0].validation), (Some(29.0), None));
        let names = Names { loss: Some("perplexity".into()), ..Names::default() };
        assert!(read(&path, &names).unwrap_err().to_string().contains("no column 'perplexity'"));
        assert!(read(folder.path(), &Names::default()).unwrap_err().to_string().contains("tfevents"));
        assert!(read(&folder.path().join("none"), &Names::default()).is_err());
    }

    #[test]
    fn a_schedule_stands_in_for_rates_that_were_not_logged() {
        let point = |step| Point { step, loss: Some(1.0 / step as f64), validation: None, rate: None };
        let logged = Logged::new("a", (1..=20).map(point).collect());
        let run = logged.run(Some((&"linear".parse().unwrap(), 2.0))).unwrap();
        let rates = run.rates.unwrap();
        assert!((rates[0] - 1.9).abs() < 1e-12 && (rates[19] - 0.1).abs() < 1e-12, "{rates:?}");
        assert_eq!(logged.run(None).unwrap().rates, None);
        assert!(logged.run(Some((&"warmup 30, linear".parse().unwrap(), 2.0))).is_err());
    }
}
