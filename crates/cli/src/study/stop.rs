//! `lehr stop`: ends a trial.
use std::thread;
use std::time::{Duration, Instant};

use clap::Args;
use lehr_study::{Records, Stopping, Storage, StudyId};
use serde_json::json;

use super::{Place, failure, shown};
use crate::failure::Failure;
use crate::output;

/// Time that a worker has to end a trial before the command stops waiting for it.
const PATIENCE: Duration = Duration::from_secs(20);

/// Stops a trial: one that runs, on whichever machine, one that is paused, or one that waits for a worker
///
/// A worker learns of it within seconds and ends its program. A trial that has reported a value ends as PRUNED and keeps what
/// it reported; one that has not ends as FAIL. The study goes on with other trials.
#[derive(Args)]
pub struct Stop {
    /// The study
    study: String,
    /// The number of the trial
    trial: usize,
    #[command(flatten)]
    place: Place,
    /// Why, as the study will say it [default: stopped by USER]
    #[arg(long, value_name = "TEXT")]
    because: Option<String>,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

pub fn run(args: &Stop) -> Result<(), Failure> {
    let storage = args.place.open()?;
    let (study, _) = storage.find_study(&args.study).map_err(failure)?;
    let reason = args.because.clone().unwrap_or_else(reason);
    let state = match storage.stop_trial(study, args.trial, &reason).map_err(failure)? {
        Stopping::Ended(state) => Some(state),
        Stopping::Asked => wait(&*storage, study, args.trial)?,
    };
    let name = state.map(|state| state.name());
    if args.json {
        let answer = json!({"study": args.study, "trial": args.trial, "reason": reason, "state": name});
        return output::json("lehr.stop/1", &answer);
    }
    let what = format!("trial {} of {}", args.trial, shown(&args.study));
    output::text(&match name {
        Some(name) => format!("{what} has ended as {name} ({})\n", shown(&reason)),
        None => format!(
            "{what} is asked to end, but its worker has not answered in {} s; if it is dead, the next one that looks for \
             dead workers ends the trial\n",
            PATIENCE.as_secs()
        ),
    })
}

/// Who asks.
fn reason() -> String {
    let user = ["USER", "LOGNAME", "USERNAME"].iter().find_map(|name| std::env::var(name).ok());
    format!("stopped by {}", user.filter(|user| !user.is_empty()).unwrap_or_else(|| "hand".into()))
}

/// The state in which the trial has ended, if it does so in time.
fn wait(
    storage: &dyn Storage,
    study: StudyId,
    trial: usize,
) -> Result<Option<lehr_study::TrialState>, Failure> {
    let began = Instant::now();
    let mut records = Records::new();
    while began.elapsed() < PATIENCE {
        storage.refresh(study, &mut records).map_err(failure)?;
        let state = records.trials().get(trial).map(|trial| trial.state);
        if let Some(state) = state.filter(|state| state.is_finished()) {
            return Ok(Some(state));
        }
        thread::sleep(Duration::from_millis(200));
    }
    Ok(None)
}
