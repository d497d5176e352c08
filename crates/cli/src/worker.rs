//! `lehr worker`: joins a study that was begun elsewhere.

use clap::Args;
use lehr::study::{OpenOptions, Study, open_with};
use lehr::worker::{Done, Spec, WorkerError};
use std::sync::Arc;

use crate::failure::Failure;
use crate::output;
use crate::tune::command::{self, file::Place};

/// Joins a study that was begun by `lehr tune`, on this machine or another
///
/// It trains what the study's strategy asks for until there is enough. On SIGTERM or Ctrl-C runs are paused at their
/// checkpoints or handed back. The command runs in this folder: its scripts and data have to be here, too, and the folder
/// of checkpoints (--out of the study) has to be shared for runs to go on elsewhere.
#[derive(Args)]
pub struct Worker {
    /// Where the study is kept
    #[arg(long, value_name = "URL", default_value = command::STORAGE)]
    storage: String,
    /// Its name
    #[arg(long, value_name = "NAME")]
    study: String,
    /// Runs at the same time [default: 1, or one per device]
    #[arg(long, short, value_name = "N")]
    jobs: Option<usize>,
    /// Devices that the jobs take in turn (CUDA_VISIBLE_DEVICES, or {device})
    #[arg(long, value_name = "0,1,…", value_delimiter = ',')]
    devices: Vec<String>,
    /// Nothing is started after so many hours
    #[arg(long, value_name = "H")]
    hours: Option<f64>,
}

/// Runs the command.
pub fn run(args: Worker) -> Result<(), Failure> {
    let refused = |error: WorkerError| command::failure(error);
    let storage = open_with(&args.storage, &OpenOptions { create: false, ..OpenOptions::default() });
    let storage = Arc::from(storage.map_err(|error| refused(error.into()))?);
    let study = Study::open(storage, &args.study).map_err(|error| refused(error.into()))?;
    let spec = Spec::load(&study).map_err(refused)?;
    let spec = spec.ok_or_else(|| refused(WorkerError::NoCommand(args.study.clone())))?;
    let job = spec.job().map_err(refused)?;
    let place = Place { jobs: args.jobs, devices: args.devices, hours: args.hours, ..Place::default() };
    let options = command::options(&job, &place)?;
    let (done, study) = command::pursue(&job, study, &options, false)?;
    let text = command::short(&job, &study);
    match done {
        Done::Interrupted => Err(Failure::Interrupted(text.trim_end().to_owned())),
        Done::TimeUp => output::text(&format!("The time is up. {text}")),
        Done::Finished(reason) => output::text(&format!("Nothing is left to do ({reason}). {text}")),
    }
}
