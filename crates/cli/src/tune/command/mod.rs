//! `lehr tune -- command`: which rate, schedule and other settings a program of the user's should use.

mod args;
mod dry;
pub mod file;
mod picture;
mod report;
mod show;

pub use args::Program;
pub use report::short;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use lehr::program::describe;
use lehr::strategy::grid_size;
use lehr::study::{OpenOptions, Storage, Study, StudyError, open_with};
use lehr::worker::{Done, Job, Options, Place as Folder, Spec, Stop, WorkerError, record, work};
use lehr_report::Picture;

use super::ANNEALED_BUDGET;
use super::args::Tune;
use crate::failure::Failure;
use crate::output;
use crate::schedule::input::parts;
use file::{Place, Setup};
use show::Show;

/// Where studies are kept if nothing else is said.
pub const STORAGE: &str = "sqlite:///lehr.db";
/// Trials where no limit is given; a grid ends by itself.
const TRIALS: usize = 20;

/// Runs the command.
pub fn run(args: Tune) -> Result<(), Failure> {
    if let Some(file) = &args.output {
        Picture::of(file).map_err(Failure::usage)?;
    }
    let setup = setup(&args)?;
    let more = args.program.more;
    let spec = setup.spec;
    let limited =
        spec.trials.is_some() || more.is_some() || spec.budget.is_some() || setup.place.hours.is_some();
    let name = setup.place.study.clone().unwrap_or_else(|| study_name(&spec.command));
    // Everything is checked before anything is written.
    let mut job = spec.job().map_err(failure)?;
    limit(&mut job, limited, setup.place.hours.is_some() || more.is_some())?;
    let options = options(&job, &setup.place)?;
    let storage = storage(&setup.place, args.program.dry_run)?;
    if args.program.dry_run {
        return dry_run(&job, storage, &name, args.json);
    }
    let Some(storage) = storage else { return Err(Failure::failed("the storage cannot be opened")) };
    let study = Study::open_or_create(storage, &name, job.goal.direction, &job.goal.space);
    let mut study = study.map_err(|error| failure(error.into()))?;
    if let Some(more) = more {
        let total = study.refresh().map_err(Failure::failed)?.trials().len() + more;
        (job.spec.trials, job.goal.max_trials) = (Some(total), Some(total));
    }
    job.spec.keep(&study).map_err(failure)?;
    if !args.json {
        output::text(&heading(&job, &study))?;
    }
    let (done, study) = pursue(&job, study, &options, args.json)?;
    match done {
        Done::Interrupted => Err(Failure::Interrupted(report::interrupted(&study, &super::resume(&[])))),
        Done::TimeUp | Done::Finished(_) => {
            let output = args.output.as_deref();
            report::conclude(&job, &study, &done, output, args.json)
        }
    }
}

/// The limit of a search that was given none. To `annealed` a number of trials is what they would cost as full runs, too:
/// most of its own are much shorter.
fn limit(job: &mut Job, limited: bool, otherwise: bool) -> Result<(), Failure> {
    let trials = match job.spec.strategy.as_deref() {
        Some("annealed") => {
            if job.spec.budget.is_none() && !otherwise {
                job.spec.budget = Some(job.spec.trials.map_or(ANNEALED_BUDGET, |trials| trials as f64));
                job.goal.budget = job.spec.budget;
            }
            return Ok(());
        }
        _ if limited => return Ok(()),
        Some("grid") => grid_size(&job.goal.space).map_err(|error| failure(error.into()))?,
        _ => TRIALS,
    };
    (job.spec.trials, job.goal.max_trials) = (Some(trials), Some(trials));
    Ok(())
}

/// How a worker of this process works.
pub fn options(job: &Job, place: &Place) -> Result<Options, Failure> {
    let jobs = place.jobs.unwrap_or(place.devices.len().max(1));
    if jobs == 0 {
        return Err(Failure::usage("--jobs: at least one is needed"));
    }
    if place.devices.iter().any(|device| device.trim().is_empty()) {
        return Err(Failure::usage("--devices: one of them has no name; write --devices 0,1"));
    }
    if job.command.has("device") && place.devices.is_empty() {
        return Err(Failure::usage("the command takes {device}: name the devices, as in --devices 0,1"));
    }
    if let Some(hours) = place.hours.filter(|hours| !(*hours > 0.0 && *hours < 1e6)) {
        return Err(Failure::usage(format!("--hours: a number above 0, not {hours}")));
    }
    let host = host();
    Ok(Options {
        jobs,
        devices: place.devices.clone(),
        name: format!("{host}-{}", std::process::id()),
        host,
        until: place.hours.map(|hours| Instant::now() + Duration::from_secs_f64(3600.0 * hours)),
    })
}

/// Works on a study until it is enough, with progress and signals.
pub fn pursue(job: &Job, mut study: Study, options: &Options, quiet: bool) -> Result<(Done, Study), Failure> {
    let records = study.refresh().map_err(Failure::failed)?;
    let show = Show::new(records, job.goal.direction, job.goal.max_trials, quiet);
    let stop = Arc::new(Stop::default());
    let heard = Arc::clone(&stop);
    let handler = move || {
        if !heard.ask() {
            eprintln!("stopping: runs are paused, or have 5 s to end; once more to stop at once");
        }
    };
    ctrlc::set_handler(handler).map_err(Failure::failed)?;
    let done = work(study, job, options, &stop, &|event| show.see(&event));
    show.finish();
    done.map_err(failure)
}

/// What the file and the arguments say together; the arguments win.
fn setup(args: &Tune) -> Result<Setup, Failure> {
    let program = &args.program;
    let mut setup = program.file.as_deref().map_or_else(|| Ok(Setup::default()), Setup::read)?;
    let spec = &mut setup.spec;
    fn set<T: Clone>(into: &mut T, from: &Option<T>) {
        into.clone_from(from.as_ref().unwrap_or(&into.clone()));
    }
    fn put<T: Clone>(into: &mut Option<T>, from: &Option<T>) {
        if from.is_some() {
            into.clone_from(from);
        }
    }
    if !program.command.is_empty() {
        spec.command.clone_from(&program.command);
    }
    set(&mut spec.space, &program.space);
    set(&mut spec.metric, &program.metric);
    set(&mut spec.rate, &program.rate);
    put(&mut spec.strategy, &args.strategy.clone().or_else(|| args.sampler.clone()));
    set(&mut spec.grace, &program.grace);
    set(&mut spec.silence, &program.silence);
    set(&mut spec.retries, &program.retries);
    set(&mut spec.out, &args.out);
    set(&mut spec.seed, &args.seed);
    set(&mut spec.seeds, &args.seeds);
    put(&mut spec.metric_regex, &program.metric_regex);
    put(&mut spec.metric_file, &program.metric_file);
    put(&mut spec.own_schedule, &program.own_schedule);
    put(&mut spec.steps, &args.steps);
    put(&mut spec.steps_per_epoch, &program.steps_per_epoch);
    put(&mut spec.tokens_per_step, &program.tokens_per_step);
    put(&mut spec.baseline, &program.baseline);
    put(&mut spec.pruner, &program.pruner);
    put(&mut spec.tolerance, &args.tolerance);
    put(&mut spec.trials, &program.trials);
    put(&mut spec.budget, &args.budget);
    put(&mut spec.timeout, &program.timeout);
    spec.maximize = (spec.maximize || program.maximize) && !program.minimize;
    spec.best_report |= program.best_report;
    spec.comparable |= program.comparable_epochs;
    spec.binary_schedule |= program.binary_schedule;
    if !program.reads.is_empty() {
        spec.reads.clone_from(&program.reads);
    }
    if let Some(schedules) = &args.schedules {
        let list: Vec<&str> = parts(schedules).collect();
        set_schedules(spec, &list);
    }
    if let Some(range) = &args.lr {
        let rate = spec.rate.clone();
        add_parameter(spec, &format!("{rate}=log {:e}..{:e}", range.low(), range.high()));
    }
    let place = &mut setup.place;
    put(&mut place.storage, &program.storage);
    put(&mut place.study, &program.study);
    put(&mut place.jobs, &program.jobs);
    put(&mut place.hours, &program.hours);
    if !program.devices.is_empty() {
        place.devices.clone_from(&program.devices);
    }
    Ok(setup)
}

/// One schedule is that of all trials; several are a parameter.
pub fn set_schedules(spec: &mut Spec, list: &[&str]) {
    match list {
        [] => {}
        [one] => spec.schedule = Some((*one).to_owned()),
        several => {
            let choices: Vec<String> = several.iter().map(|text| format!("'{text}'")).collect();
            add_parameter(spec, &format!("schedule={}", choices.join("|")));
        }
    }
}

fn add_parameter(spec: &mut Spec, text: &str) {
    let separator = if spec.space.trim().is_empty() { "" } else { ", " };
    spec.space = format!("{}{separator}{text}", spec.space);
}

/// The storage; for a dry run only if it is there already.
fn storage(place: &Place, dry: bool) -> Result<Option<Arc<dyn Storage>>, Failure> {
    let url = place.storage.as_deref().unwrap_or(STORAGE);
    match open_with(url, &OpenOptions { create: !dry, ..OpenOptions::default() }) {
        Ok(storage) => Ok(Some(Arc::from(storage))),
        Err(StudyError::Missing { .. }) if dry => Ok(None),
        Err(error) => Err(failure(error.into())),
    }
}

fn dry_run(job: &Job, storage: Option<Arc<dyn Storage>>, name: &str, json: bool) -> Result<(), Failure> {
    let mut known = lehr::strategy::Record::default();
    let study = match storage.map(|storage| Study::open(storage, name)) {
        Some(Ok(mut study)) => {
            let records = study.refresh().map_err(Failure::failed)?;
            known = record(records, &job.goal.space, job.goal.target.steps);
            Some(study)
        }
        None | Some(Err(StudyError::NoStudy { .. })) => None,
        Some(Err(error)) => return Err(failure(error.into())),
    };
    let folder = Folder::name_foreseen(&job.spec.out, name, study.as_ref()).map_err(failure)?;
    dry::run(job, (name, &folder), &known, json)
}

/// A name for the study of a command: that of its script.
fn study_name(command: &[String]) -> String {
    let script = |word: &&String| {
        [".py", ".sh", ".jl", ".R", ".lua"].iter().any(|ending| word.ends_with(ending)) && !word.contains('{')
    };
    let word = command.iter().find(script).or_else(|| command.first());
    let stem =
        word.map(PathBuf::from).and_then(|path| Some(path.file_stem()?.to_string_lossy().into_owned()));
    stem.filter(|stem| !stem.is_empty()).unwrap_or_else(|| "study".into())
}

fn heading(job: &Job, study: &Study) -> String {
    let finished = study.records().trials().iter().filter(|trial| trial.state.is_finished()).count();
    let known = match finished {
        0 => String::new(),
        n => format!(" ({n} trials are finished in it already)"),
    };
    format!(
        "study '{}' in {}{known}\nsearching {}, by {}\nthe program takes: {}\n\n",
        study.name(),
        study.storage().url(),
        job.goal.space,
        job.strategy.name(),
        describe(job.goal.abilities)
    )
}

/// What is wrong with the user's words is wrong usage, everything else failed work.
pub fn failure(error: WorkerError) -> Failure {
    match &error {
        WorkerError::Setting { .. }
        | WorkerError::Differs { .. }
        | WorkerError::NoCommand(_)
        | WorkerError::Strategy(_)
        | WorkerError::Search(_)
        | WorkerError::Study(StudyError::Url { .. } | StudyError::Search(_) | StudyError::State { .. }) => {
            Failure::usage(error)
        }
        WorkerError::Program(
            lehr::program::ProgramError::Start { .. } | lehr::program::ProgramError::Io { .. },
        ) => Failure::failed(error),
        WorkerError::Program(_) => Failure::usage(error),
        _ => Failure::failed(error),
    }
}

/// The name of this machine.
fn host() -> String {
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname").ok().map(|name| name.trim().to_owned());
    name.or_else(|| std::env::var("HOSTNAME").ok())
        .filter(|name| !name.is_empty())
        .unwrap_or_else(|| "host".into())
}
