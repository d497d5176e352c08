//! `lehr tune` without a command: a built-in model on data.

mod input;
mod report;
mod strategy;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::{fs, io};

use lehr::sweep::{Analysis, analyse};
use lehr::tune::{Event, Plan, Results, Trial, TuneError, Tuned};
use lehr_report::Picture;
use serde::Serialize;

use super::args::Tune;
use super::resume;
use crate::failure::Failure;
use crate::output;
use crate::progress::Progress;

/// Runs the command.
pub fn run(args: Tune) -> Result<(), Failure> {
    if let Some(file) = &args.output {
        Picture::of(file).map_err(Failure::usage)?;
    }
    let plan = input::plan(&args)?;
    if let Some(name) = &args.strategy {
        if args.out.is_some() {
            return Err(Failure::usage("--out: with --strategy nothing is kept in a folder"));
        }
        return strategy::run(&args, &plan, name);
    }
    if args.budget.is_some() || args.tolerance.is_some() {
        return Err(Failure::usage("--budget and --tolerance need --strategy, or a program behind --"));
    }
    // The plan is checked before anything is written.
    lehr::tune::work(&plan, &[]).map_err(refused)?;
    let folder = match &args.out {
        Some(folder) => folder.clone(),
        None => new_folder(Path::new("lehr-out"))?,
    };
    let (mut results, finished) = Results::open(&folder, &plan.describe()).map_err(Failure::failed)?;
    if !args.json {
        output::text(&report::heading(&plan))?;
    }
    let resumed = finished.len();
    if resumed > 0 {
        eprintln!("{resumed} trials are finished in {} already", folder.display());
    }
    let tuned = train(&plan, args.builtin.threads, &mut results, finished)?;
    results.write_runs(&tuned.trials).map_err(Failure::failed)?;
    if tuned.interrupted {
        return Err(Failure::Interrupted(interrupted(&tuned, &folder, args.out.is_some())));
    }
    conclude(&args, &plan, &tuned, &results)
}

/// Arguments that a plan cannot be made of are wrong usage, everything else is failed work.
fn refused(error: TuneError) -> Failure {
    match error {
        TuneError::Results(_) => Failure::failed(error),
        _ => Failure::usage(error),
    }
}

fn train(
    plan: &Plan,
    threads: Option<usize>,
    results: &mut Results,
    finished: Vec<Trial>,
) -> Result<Tuned, Failure> {
    let stop = Arc::new(AtomicBool::new(false));
    let flag = Arc::clone(&stop);
    // The second Ctrl-C does not wait.
    let handler = move || {
        if flag.swap(true, Ordering::Relaxed) {
            std::process::exit(130);
        }
    };
    ctrlc::set_handler(handler).map_err(Failure::failed)?;
    let mut progress = Progress::new(lehr::tune::work(plan, &finished).map_err(refused)?, "updates");
    let mut done = 0;
    let mut best = report::BestSoFar::new(&finished);
    let tuned = lehr::tune::tune(plan, threads, results, finished, &stop, |event| {
        match event {
            Event::Updates(updates) => done += updates,
            Event::Finished(trial) => best.see(trial),
        }
        progress.update(done, || best.to_string());
    });
    progress.finish();
    tuned.map_err(refused)
}

fn conclude(args: &Tune, plan: &Plan, tuned: &Tuned, results: &Results) -> Result<(), Failure> {
    let sweep = tuned.sweep().ok_or_else(|| Failure::failed("no trial was run"))?;
    let analysis = analyse(&sweep);
    let figure = report::figure(plan, &sweep, &analysis);
    results
        .write("loss.svg", lehr_report::svg(&figure).map_err(Failure::failed)?.as_bytes())
        .map_err(Failure::failed)?;
    if let Some(file) = &args.output {
        lehr_report::save(&figure, file).map_err(Failure::failed)?;
    }
    let summary = Summary {
        folder: results.folder(),
        plan: plan.describe(),
        analysis: &analysis,
        trials: &tuned.trials,
    };
    let text = serde_json::to_string_pretty(&summary).map_err(Failure::failed)?;
    results.write("summary.json", text.as_bytes()).map_err(Failure::failed)?;
    let page = lehr_page::source::of_folder(results.folder()).and_then(|view| lehr_page::html(&view));
    results.write("report.html", page.map_err(Failure::failed)?.as_bytes()).map_err(Failure::failed)?;
    if args.json {
        return output::json("lehr.tune/1", &summary);
    }
    output::text(&report::results(tuned, &analysis, &figure, results.folder()))
}

/// The result as data.
#[derive(Serialize)]
struct Summary<'a> {
    folder: &'a Path,
    plan: serde_json::Value,
    analysis: &'a Analysis,
    trials: &'a [Trial],
}

/// Makes the first of `tune-001`, `tune-002`, … that does not exist yet.
fn new_folder(parent: &Path) -> Result<PathBuf, Failure> {
    let failed = |path: &Path, error| Failure::failed(format!("cannot create {}: {error}", path.display()));
    fs::create_dir_all(parent).map_err(|error| failed(parent, error))?;
    for number in 1u64.. {
        let folder = parent.join(format!("tune-{number:03}"));
        match fs::create_dir(&folder) {
            Ok(()) => return Ok(folder),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(failed(&folder, error)),
        }
    }
    Err(Failure::failed(format!("{} is full", parent.display())))
}

/// What was kept, and the command that continues.
fn interrupted(tuned: &Tuned, folder: &Path, named: bool) -> String {
    let out = ["--out".to_owned(), folder.display().to_string()];
    let command = resume(if named { &[] } else { &out });
    format!(
        "{} of {} trials are finished and kept in {}; to continue:\n  {command}",
        tuned.trials.len(),
        tuned.planned,
        folder.display()
    )
}
