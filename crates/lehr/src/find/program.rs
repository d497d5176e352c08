//! A range test of any program: one run under the contract, whose schedule is the ramp.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use lehr_schedule::Horizon;

use super::smooth::Smoother;
use super::{FEWEST, FindError, Ramp, Readings};
use crate::program::{
    self, Ended, Fill, Metric, MetricFile, Outcome, ProgramError, Source, Start, Template, Watch, Wish,
    write_schedule,
};

/// Time that a program has for ending once its loss has run away.
const GRACE: Duration = Duration::from_secs(5);
/// Lines of output that an error quotes.
const QUOTED: usize = 10;

/// A program whose training loss answers to a ramp.
#[derive(Clone, Debug)]
pub struct Command {
    /// Its words.
    pub template: Template,
    /// Where its training loss is read.
    pub metric: Metric,
    /// A log of the program that holds it.
    pub metric_file: Option<MetricFile>,
    /// It follows `LEHR_SCHEDULE_FILE` or `LEHR_SCHEDULE` without a placeholder.
    pub reads_schedule: bool,
    /// Folder of the schedule, the log and what the program keeps.
    pub folder: PathBuf,
    /// Longest time that it may take.
    pub timeout: Option<Duration>,
}

/// Runs a program once along a ramp. It is ended as soon as a loss is no number or the smoothed loss has left four times its
/// lowest value.
///
/// A report at step `s` (updates made) is the loss of the update before it, whose rate is that of row `s − 1` of the schedule; a
/// program whose first step is 0 counts from there.
///
/// # Errors
/// A ramp that is none; a command that does not take the schedule; a program that breaks, or reports too little.
pub fn of_program(command: &Command, ramp: &Ramp, seed: u64) -> Result<Readings, FindError> {
    let schedule = ramp.schedule()?;
    let wrong = |error: String| FindError::Ramp(error);
    let curve = schedule
        .resolve_with_peak(&Horizon::steps(ramp.steps), ramp.high)
        .map_err(|error| wrong(error.to_string()))?;
    command.template.check(["lr"])?;
    if !(command.reads_schedule || command.template.has("schedule_file") || command.template.has("schedule"))
    {
        return Err(wrong(
            "a range test needs a program that follows a schedule: give its command {schedule_file} (CSV step,lr), or say \
             --reads schedule if it takes LEHR_SCHEDULE_FILE"
                .into(),
        ));
    }
    let own = own(command, ramp, seed, &schedule.to_string());
    let place = |name: &str| command.folder.join(name);
    let made = std::fs::create_dir_all(place("checkpoint"));
    made.map_err(|source| ProgramError::Io { action: "make", path: place("checkpoint"), source })?;
    write_schedule(&curve, &place("schedule.csv"))?;
    let start = start(command, &own);
    let mut heard = Heard { reports: Vec::new(), smoother: Smoother::new(true) };
    let ended = program::run(&start, &command.metric, &mut heard)?;
    readings(&ended, &heard.reports, &curve.iter().collect::<Vec<_>>(), &start.log)
}

/// What the program is handed, by name.
fn own(command: &Command, ramp: &Ramp, seed: u64, schedule: &str) -> BTreeMap<&'static str, String> {
    let path = |name: &str| command.folder.join(name).to_string_lossy().into_owned();
    BTreeMap::from([
        ("steps", ramp.steps.to_string()),
        ("seed", seed.to_string()),
        ("schedule", schedule.to_owned()),
        ("schedule_file", path("schedule.csv")),
        ("checkpoint", path("checkpoint")),
        ("resume", String::new()),
        ("device", std::env::var("CUDA_VISIBLE_DEVICES").unwrap_or_default()),
        ("trial", "0".into()),
        ("run", "0".into()),
        ("report", path("report.jsonl")),
        ("lr", format!("{:e}", ramp.high)),
    ])
}

fn start(command: &Command, own: &BTreeMap<&'static str, String>) -> Start {
    let value = |name: &str| own.get(name).map_or(Fill::Inactive, |value| Fill::With(value.clone()));
    let mut environment: BTreeMap<String, std::ffi::OsString> = own
        .iter()
        .filter(|(name, _)| !matches!(**name, "device" | "lr"))
        .map(|(name, value)| (format!("LEHR_{}", name.to_uppercase()), value.into()))
        .collect();
    environment.insert("LEHR_PARAMS".into(), format!("{{\"lr\": {}}}", own["lr"]).into());
    environment.insert("LEHR_METRIC".into(), command.metric.name.clone().into());
    environment.insert("LEHR_CHECKPOINTS".into(), "".into());
    if std::env::var_os("PYTHONUNBUFFERED").is_none() {
        environment.insert("PYTHONUNBUFFERED".into(), "1".into());
    }
    Start {
        words: command.template.fill(&value),
        environment,
        folder: None,
        log: command.folder.join("log.txt"),
        report: command.folder.join("report.jsonl"),
        source: command.metric_file.as_ref().map(|file| {
            let path = file.path.fill(&value).unwrap_or_else(|_| file.path.written().to_owned());
            Source { path: path.into(), column: file.column.clone() }
        }),
        after: None,
        timeout: command.timeout,
        grace: GRACE,
    }
}

/// The reports of the run; wishes its end once the loss has run away.
struct Heard {
    reports: Vec<(u64, f64)>,
    smoother: Smoother,
}

impl Watch for Heard {
    fn report(&mut self, step: u64, value: f64) -> Wish {
        if !self.smoother.is_lost() {
            self.reports.push((step, value));
            self.smoother.push(value);
        }
        if self.smoother.is_lost() { Wish::Stop } else { Wish::Go }
    }
}

/// Reports as readings: each with the rate of its update.
fn readings(ended: &Ended, reports: &[(u64, f64)], rates: &[f64], log: &Path) -> Result<Readings, FindError> {
    let told = |what: String| {
        let tail =
            ended.tail.iter().rev().take(QUOTED).rev().fold(String::new(), |text, line| text + "\n  " + line);
        let tail = if tail.is_empty() { tail } else { format!("; its last lines:{tail}") };
        Err(FindError::Ended(format!("{what}{tail}\n(its log: {})", log.display())))
    };
    let mut reports = reports.to_vec();
    match &ended.outcome {
        Outcome::Failed(failure) => return told(format!("the program failed: {failure}")),
        Outcome::Diverged { value, .. } if reports.is_empty() => {
            return told(format!(
                "the first loss that it reported is {value}, at the lowest rate: it does not train at all, or its rates are not \
                 those of the schedule"
            ));
        }
        Outcome::Diverged { step, value } => reports.push((*step, *value)),
        Outcome::Complete(_) | Outcome::Stopped => {}
    }
    let from_zero = reports.first().is_some_and(|(step, _)| *step == 0);
    let mut found = Readings::default();
    for (step, loss) in &reports {
        let row = if from_zero { Some(*step) } else { step.checked_sub(1) };
        let Some(rate) = row.and_then(|row| rates.get(usize::try_from(row).ok()?)) else {
            return told(format!(
                "it reported step {step}, and its schedule has {} updates: steps are updates made so far",
                rates.len()
            ));
        };
        found.rates.push(*rate);
        found.losses.push(*loss);
    }
    let early = matches!(ended.outcome, Outcome::Diverged { .. } | Outcome::Stopped);
    let row = |step: u64| (step - u64::from(!from_zero)) as usize;
    let (first, last) = (reports.first().map_or(0, |r| row(r.0)), reports.last().map_or(0, |r| row(r.0)));
    let gap = (last - first).checked_div(reports.len().saturating_sub(1)).unwrap_or(1).max(1);
    // With a report of every update it is the range that is at fault, which is said where the readings are read.
    if found.rates.len() < FEWEST && (!early || gap > 1) {
        return told(format!(
            "it reported {} losses in {} updates, and at least {FEWEST} are needed: report the training loss of every update",
            found.rates.len(),
            if early { last + 1 } else { rates.len() }
        ));
    }
    if early {
        // The updates that were not made any more count as planned, and their losses as lost.
        for rate in rates.iter().skip(last + gap).step_by(gap) {
            found.rates.push(*rate);
            found.losses.push(f64::NAN);
        }
    }
    Ok(found)
}
