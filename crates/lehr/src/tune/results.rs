//! The folder that a tuning run writes its results to.
//!
//! | file | what |
//! |---|---|
//! | `plan.json` | what is being run; a folder belongs to one plan |
//! | `trials.jsonl` | one [`Trial`] per line, appended and synced the moment the trial ends |
//! | `runs.csv` | one row per run (`schedule,lr,seed,loss,…`), rewritten when the work ends |
//!
//! Opening a folder of the same plan again continues it: its finished trials are handed back. A line torn by a crash is
//! dropped. A folder is locked while it is written to.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// How a run ended.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum End {
    /// The run reached its horizon.
    Complete,
    /// The run diverged.
    Diverged {
        /// The update at which it was stopped, from 0.
        step: u64,
        /// What was seen.
        reason: String,
    },
}

/// One training: a configuration with one seed. Losses are `None` where they are not finite.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Run {
    /// The seed of the initial weights and of the order of the data.
    pub seed: u64,
    /// How it ended.
    #[serde(flatten)]
    pub end: End,
    /// Mean loss over the training set at the end.
    pub train_loss: Option<f64>,
    /// Mean loss over the validation set at the end.
    pub validation_loss: Option<f64>,
    /// Share of the validation set that is classified rightly at the end.
    pub validation_accuracy: Option<f64>,
}

impl Run {
    /// The loss that the run is judged by: infinite if it diverged.
    pub fn loss(&self) -> f64 {
        match self.end {
            End::Complete => self.validation_loss.unwrap_or(f64::INFINITY),
            End::Diverged { .. } => f64::INFINITY,
        }
    }
}

/// One configuration and its runs, one per seed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Trial {
    /// Number of the trial in its plan, from 0.
    pub number: usize,
    /// Spec of the schedule.
    pub schedule: String,
    /// Peak rate.
    pub lr: f64,
    /// Updates of each run.
    pub steps: u64,
    /// The runs, in the order of the plan's seeds.
    pub runs: Vec<Run>,
}

/// Why results cannot be written.
#[derive(Debug, thiserror::Error)]
pub enum ResultsError {
    /// The folder cannot be used.
    #[error("cannot {action} {path}: {source}")]
    Io {
        /// What was tried.
        action: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// The system's answer.
        source: io::Error,
    },
    /// The folder belongs to another plan.
    #[error("{0} holds the results of another plan (see its plan.json): give another --out")]
    OtherPlan(PathBuf),
    /// The folder holds something else.
    #[error("{0} is not empty and holds no plan.json: give another --out")]
    Foreign(PathBuf),
    /// Another process is writing to the folder.
    #[error("another process is writing to {0}: wait for it, or give another --out")]
    Locked(PathBuf),
    /// A finished trial cannot be read back.
    #[error("{path}, line {line}: not a trial ({reason}): repair or remove the line, or give another --out")]
    Corrupt {
        /// The file of trials.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
        /// What is wrong with it.
        reason: String,
    },
}

/// A folder of results, open for writing.
#[derive(Debug)]
pub struct Results {
    folder: PathBuf,
    trials: File,
}

impl Results {
    /// Opens `folder` for `plan`: makes it if it does not exist, continues it if it holds the same plan. Gives the
    /// trials that are already finished there.
    ///
    /// # Errors
    /// [`ResultsError`] if the folder cannot be written to, belongs to another plan or to something else, or is in use.
    pub fn open(folder: &Path, plan: &Value) -> Result<(Self, Vec<Trial>), ResultsError> {
        let fail = |action, path: &Path| {
            let path = path.to_owned();
            move |source| ResultsError::Io { action, path, source }
        };
        fs::create_dir_all(folder).map_err(fail("create", folder))?;
        let path = folder.join("trials.jsonl");
        let plan_path = folder.join("plan.json");
        let known = match fs::read(&plan_path) {
            Ok(bytes) => Some(serde_json::from_slice::<Value>(&bytes).ok()),
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(error) => return Err(fail("read", &plan_path)(error)),
        };
        let empty = holds_nothing(folder).map_err(fail("read", folder))?;
        match known {
            Some(known) if known.as_ref() != Some(plan) => {
                return Err(ResultsError::OtherPlan(folder.to_owned()));
            }
            None if !empty => return Err(ResultsError::Foreign(folder.to_owned())),
            _ => {}
        }
        let mut options = OpenOptions::new();
        let mut trials = options
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(&path)
            .map_err(fail("open", &path))?;
        match trials.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(ResultsError::Locked(folder.to_owned())),
            // Some network file systems know no locks; the folder is used without one there.
            Err(TryLockError::Error(_)) => {}
        }
        if known.is_none() {
            replace(&plan_path, format!("{plan:#}\n").as_bytes()).map_err(fail("write", &plan_path))?;
        }
        let finished = read_trials(&mut trials, &path)?;
        Ok((Self { folder: folder.to_owned(), trials }, finished))
    }

    /// The folder.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Appends a finished trial; when this returns, it is on disk.
    ///
    /// # Errors
    /// [`ResultsError::Io`] if it cannot be written.
    pub fn append(&mut self, trial: &Trial) -> Result<(), ResultsError> {
        let line = serde_json::to_string(trial).map_err(io::Error::other);
        line.and_then(|line| self.trials.write_all(format!("{line}\n").as_bytes()))
            .and_then(|()| self.trials.sync_data())
            .map_err(|source| self.failed("append to", "trials.jsonl", source))
    }

    /// Writes `runs.csv`, one row per run: the sweep as `lehr` and any spreadsheet read it. The loss of a diverged run
    /// is `inf`.
    ///
    /// # Errors
    /// [`ResultsError::Io`] if it cannot be written.
    pub fn write_runs(&self, trials: &[Trial]) -> Result<(), ResultsError> {
        self.write("runs.csv", runs_csv(trials).map_err(|e| self.failed("write", "runs.csv", e))?.as_slice())
    }

    /// Writes a file of the folder as a whole: there is never half of it.
    ///
    /// # Errors
    /// [`ResultsError::Io`] if it cannot be written.
    pub fn write(&self, name: &str, content: &[u8]) -> Result<(), ResultsError> {
        replace(&self.folder.join(name), content).map_err(|source| self.failed("write", name, source))
    }

    fn failed(&self, action: &'static str, name: &str, source: io::Error) -> ResultsError {
        ResultsError::Io { action, path: self.folder.join(name), source }
    }
}

fn runs_csv(trials: &[Trial]) -> io::Result<Vec<u8>> {
    let mut csv = csv::Writer::from_writer(Vec::new());
    csv.write_record([
        "schedule",
        "lr",
        "seed",
        "steps",
        "state",
        "loss",
        "accuracy",
        "train_loss",
        "diverged_at",
    ])?;
    let number = |value: Option<f64>| value.map_or_else(String::new, |value| value.to_string());
    for trial in trials {
        for run in &trial.runs {
            let (state, diverged_at) = match &run.end {
                End::Complete => ("complete", String::new()),
                End::Diverged { step, .. } => ("diverged", step.to_string()),
            };
            csv.write_record([
                &trial.schedule,
                &trial.lr.to_string(),
                &run.seed.to_string(),
                &trial.steps.to_string(),
                state,
                &run.loss().to_string(),
                &number(run.validation_accuracy),
                &number(run.train_loss),
                &diverged_at,
            ])?;
        }
    }
    csv.into_inner().map_err(|error| error.into_error())
}

/// Whether a folder is empty but for what a start that was cut off leaves behind.
fn holds_nothing(folder: &Path) -> io::Result<bool> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let left_behind = match entry.file_name().to_str() {
            Some("plan.json.part") => true,
            Some("trials.jsonl") => entry.metadata()?.len() == 0,
            _ => false,
        };
        if !left_behind {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Writes beside the file and renames.
fn replace(path: &Path, content: &[u8]) -> io::Result<()> {
    let mut beside = path.as_os_str().to_owned();
    beside.push(".part");
    let mut file = File::create(&beside)?;
    file.write_all(content)?;
    file.sync_all()?;
    fs::rename(&beside, path)
}

/// Reads the finished trials and leaves the file at its end, without the line that a crash tore.
fn read_trials(file: &mut File, path: &Path) -> Result<Vec<Trial>, ResultsError> {
    let fail = |source| ResultsError::Io { action: "read", path: path.to_owned(), source };
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes).map_err(fail)?;
    let whole = bytes.iter().rposition(|&byte| byte == b'\n').map_or(0, |end| end + 1);
    let lines = bytes[..whole].split(|&byte| byte == b'\n').enumerate().filter(|(_, line)| !line.is_empty());
    let trials = lines
        .map(|(i, line)| {
            let corrupt = |error: serde_json::Error| ResultsError::Corrupt {
                path: path.to_owned(),
                line: i + 1,
                reason: error.to_string(),
            };
            serde_json::from_slice(line).map_err(corrupt)
        })
        .collect::<Result<_, _>>()?;
    file.set_len(whole as u64).and_then(|()| file.seek(SeekFrom::End(0))).map_err(fail)?;
    Ok(trials)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn trial(number: usize) -> Trial {
        let complete = Run {
            seed: 1,
            end: End::Complete,
            train_loss: Some(0.5),
            validation_loss: Some(0.625),
            validation_accuracy: Some(0.75),
        };
        let diverged = Run {
            seed: 2,
            end: End::Diverged { step: 7, reason: "loss is NaN".into() },
            train_loss: None,
            validation_loss: None,
            validation_accuracy: None,
        };
        Trial {
            number,
            schedule: "warmup 5%, linear".into(),
            lr: 0.1,
            steps: 100,
            runs: vec![complete, diverged],
        }
    }

    #[test]
    fn continues_the_same_plan_and_refuses_another() {
        let folder = tempfile::tempdir().unwrap();
        let out = folder.path().join("a/b");
        let plan = json!({"lr": [0.1, 0.2]});
        let (mut results, finished) = Results::open(&out, &plan).unwrap();
        assert_eq!(finished, []);
        results.append(&trial(0)).unwrap();
        assert!(matches!(Results::open(&out, &plan), Err(ResultsError::Locked(_))), "two at once");
        results.append(&trial(3)).unwrap();
        drop(results);
        assert!(matches!(Results::open(&out, &json!({"lr": [0.1]})), Err(ResultsError::OtherPlan(_))));
        let (_, finished) = Results::open(&out, &plan).unwrap();
        assert_eq!(finished, [trial(0), trial(3)]);
    }

    #[test]
    fn a_torn_line_is_dropped_and_the_next_trial_follows_the_whole_ones() {
        let folder = tempfile::tempdir().unwrap();
        let plan = json!({});
        let (mut results, _) = Results::open(folder.path(), &plan).unwrap();
        results.append(&trial(0)).unwrap();
        results.trials.write_all(br#"{"number":1,"sche"#).unwrap();
        drop(results);
        let (mut results, finished) = Results::open(folder.path(), &plan).unwrap();
        assert_eq!(finished, [trial(0)]);
        results.append(&trial(1)).unwrap();
        drop(results);
        assert_eq!(Results::open(folder.path(), &plan).unwrap().1, [trial(0), trial(1)]);
    }

    #[test]
    fn a_spoilt_line_in_the_middle_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let plan = json!({});
        let (mut results, _) = Results::open(folder.path(), &plan).unwrap();
        results.trials.write_all(b"{}\n").unwrap();
        results.append(&trial(1)).unwrap();
        drop(results);
        let error = Results::open(folder.path(), &plan).unwrap_err();
        assert!(matches!(error, ResultsError::Corrupt { line: 1, .. }), "{error}");
    }

    #[test]
    fn a_folder_with_other_things_is_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("plan.json.part"), "{").unwrap();
        fs::write(folder.path().join("trials.jsonl"), "").unwrap();
        assert!(holds_nothing(folder.path()).unwrap(), "a start that was cut off");
        fs::write(folder.path().join("thesis.tex"), "x").unwrap();
        assert!(matches!(Results::open(folder.path(), &json!({})), Err(ResultsError::Foreign(_))));
        let file = folder.path().join("thesis.tex");
        assert!(matches!(Results::open(&file, &json!({})), Err(ResultsError::Io { .. })));
    }

    #[test]
    fn runs_are_written_as_a_sweep() {
        let folder = tempfile::tempdir().unwrap();
        let (results, _) = Results::open(folder.path(), &json!({})).unwrap();
        results.write_runs(&[trial(0)]).unwrap();
        let csv = fs::read_to_string(folder.path().join("runs.csv")).unwrap();
        assert_eq!(
            csv,
            "schedule,lr,seed,steps,state,loss,accuracy,train_loss,diverged_at\n\
             \"warmup 5%, linear\",0.1,1,100,complete,0.625,0.75,0.5,\n\
             \"warmup 5%, linear\",0.1,2,100,diverged,inf,,,7\n"
        );
    }
}
