//! What a study of a program found.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use lehr::search::{Direction, Domain, Params};
use lehr::strategy::Recommendation;
use lehr::study::{Records, RunRecord, RunState, Study, TrialRecord, TrialState};
use lehr::sweep::half_width;
use lehr::worker::{Done, Hand, Job, Place, record, words, words_at};
use lehr_page::source;
use lehr_report::number::{self, rate};
use lehr_report::{Align, Figure, Table, terminal};
use serde::Serialize;

use super::super::shell;
use super::picture::figure;
use crate::failure::Failure;
use crate::output;

/// Rows of the table.
const ROWS: usize = 10;

#[derive(Serialize)]
struct Summary<'a> {
    study: &'a str,
    storage: &'a str,
    metric: &'a str,
    state: String,
    counts: BTreeMap<&'static str, usize>,
    best: Option<Found>,
    baseline: Option<Found>,
    /// The command of a run of what is recommended, where that is not the best trial.
    recommended: Option<Vec<String>>,
    /// By how much the best value is better than the baseline's; positive is better.
    gain: Option<f64>,
    recommendation: Recommendation,
    trials: Vec<Row>,
}

/// A trial with a value.
#[derive(Clone, Serialize)]
struct Found {
    trial: usize,
    params: Params,
    value: f64,
    command: Vec<String>,
}

#[derive(Serialize)]
struct Row {
    trial: usize,
    state: &'static str,
    params: Params,
    value: Option<f64>,
    /// Updates of its longest run.
    steps: Option<u64>,
    /// Values of its complete runs of that length, by seed.
    seeds: Vec<f64>,
    /// Half-width of the 95 % Student interval of their mean.
    half_width: Option<f64>,
    reason: Option<String>,
}

/// Prints the result, draws the picture.
pub fn conclude(
    job: &Job,
    study: &Study,
    done: &Done,
    output: Option<&Path>,
    json: bool,
) -> Result<(), Failure> {
    let records = study.records();
    let known = record(records, &job.goal.space, job.goal.target.steps);
    let recommendation = job.strategy.result(&job.goal, &known).map_err(Failure::failed)?;
    let best = study.best().map(|number| found(job, study, &records.trials()[number])).transpose()?.flatten();
    let baseline = match &job.goal.baseline {
        Some(_) => records.trials().first().map(|trial| found(job, study, trial)).transpose()?.flatten(),
        None => None,
    };
    let gain = best.as_ref().zip(baseline.as_ref()).map(|(best, base)| gain(job, best.value, base.value));
    let figure = figure(job, records);
    if let (Some(file), Some(figure)) = (output, &figure) {
        lehr_report::save(figure, file).map_err(Failure::failed)?;
    }
    let summary = Summary {
        study: study.name(),
        storage: study.storage().url(),
        metric: &job.metric.name,
        state: match done {
            Done::Finished(reason) => reason.clone(),
            Done::TimeUp => "the time is up".into(),
            Done::Interrupted => "interrupted".into(),
        },
        counts: counts(records),
        best,
        baseline,
        gain,
        recommended: recommended(job, study, &recommendation)?,
        recommendation,
        trials: records.trials().iter().map(|trial| row(trial, records)).collect(),
    };
    let page = page(job, study);
    let nothing = nothing(&summary);
    if json {
        output::json("lehr.tune.program/1", &summary)?;
        return nothing.map_or(Ok(()), |why| Err(Failure::failed(why)));
    }
    output::text(&text(job, records, &summary, figure.as_ref()))?;
    let url = study.storage().url();
    let live = match url.starts_with("memory:") {
        true => String::new(),
        false => format!(" (live: lehr serve --storage {})", shell(&[url])),
    };
    output::text(&format!("Look at it: {}{live}\n", page?.display()))?;
    nothing.map_or(Ok(()), |why| Err(Failure::failed(why)))
}

/// What to say where trials have failed or diverged and none has a value: whoever goes on with the result has none.
fn nothing(summary: &Summary<'_>) -> Option<String> {
    let count = |state| summary.counts.get(state).copied().unwrap_or(0);
    let (failed, diverged) = (count("failed"), count("diverged"));
    if failed + diverged == 0 || summary.trials.iter().any(|row| row.value.is_some()) {
        return None;
    }
    Some(match (failed, diverged) {
        (_, 0) => "no trial has a result: all have failed; mend the command and start again: the study goes on".into(),
        (0, _) => "no trial has a result: all have diverged; try lower rates, or look whether the loss that is read is the right one".into(),
        _ => format!("no trial has a result: {failed} have failed and {diverged} have diverged"),
    })
}

/// Writes the page of a study beside its runs.
fn page(job: &Job, study: &Study) -> Result<PathBuf, Failure> {
    let name = Place::name_of(&job.spec.out, study).map_err(super::failure)?;
    let folder = Place::of_study(&job.spec.out, &name);
    let path = folder.join("report.html");
    let view = source::of_study(study, source::now()).map_err(Failure::failed)?;
    let html = lehr_page::html(&view).map_err(Failure::failed)?;
    let failed = |error| Failure::failed(format!("cannot write {}: {error}", path.display()));
    std::fs::create_dir_all(&folder).and_then(|()| std::fs::write(&path, html)).map_err(failed)?;
    Ok(path)
}

/// What was kept, and how to go on.
pub fn interrupted(study: &Study, command: &str) -> String {
    let trials = study.records().trials();
    let finished = trials.iter().filter(|trial| trial.state.is_finished()).count();
    format!("{finished} trials are finished and kept in {}; to continue:\n  {command}", study.storage().url())
}

fn gain(job: &Job, best: f64, base: f64) -> f64 {
    match job.goal.direction {
        Direction::Minimize => base - best,
        Direction::Maximize => best - base,
    }
}

fn found(job: &Job, study: &Study, trial: &TrialRecord) -> Result<Option<Found>, Failure> {
    let Some(&value) = trial.values.first() else { return Ok(None) };
    let run = longest(trial, study.records());
    let hand = Hand {
        params: &trial.params,
        trial: trial.number,
        run: run.map_or(0, |run| run.number),
        horizon: run.map_or(job.goal.target.steps, |run| run.horizon),
        seed: run.map_or(job.goal.seed, |run| run.seed),
        resume: None,
        device: job.command.has("device").then_some("DEVICE"),
    };
    let name = Place::name_of(&job.spec.out, study).map_err(super::failure)?;
    let command = words(job, &name, &hand).map_err(super::failure)?;
    Ok(Some(Found { trial: trial.number, params: trial.params.clone(), value, command }))
}

/// The command that trains what was recommended to the target, with its schedule file, where no trial is the recommendation.
fn recommended(job: &Job, study: &Study, found: &Recommendation) -> Result<Option<Vec<String>>, Failure> {
    if job.strategy.name() != "annealed" {
        return Ok(None);
    }
    let Some(params) = &found.params else { return Ok(None) };
    let name = Place::name_of(&job.spec.out, study).map_err(super::failure)?;
    let place = Place::recommended(&job.spec.out, &name);
    let device = job.command.has("device").then_some("DEVICE");
    let command = words_at(&place, job, params, device).map_err(super::failure)?;
    Ok(Some(command))
}

/// The run that speaks for a trial.
fn longest<'a>(trial: &TrialRecord, records: &'a Records) -> Option<&'a RunRecord> {
    trial.runs.iter().filter_map(|&run| records.runs().get(run)).max_by_key(|run| run.horizon)
}

fn row(trial: &TrialRecord, records: &Records) -> Row {
    let run = longest(trial, records);
    let all = || trial.runs.iter().filter_map(|&run| records.runs().get(run));
    let diverged = all().find(|run| run.state == RunState::Diverged);
    let steps = run.map(|run| run.horizon);
    let ends = all().filter(|run| run.state == RunState::Complete && Some(run.horizon) == steps);
    let seeds: Vec<f64> = ends.filter_map(|run| run.value).collect();
    let state = match trial.state {
        TrialState::Failed if diverged.is_some() => "diverged",
        TrialState::Waiting => "waiting",
        TrialState::Running => "running",
        TrialState::Complete => "complete",
        TrialState::Pruned => "pruned",
        TrialState::Failed => "failed",
    };
    Row {
        trial: trial.number,
        state,
        params: trial.params.clone(),
        value: trial.values.first().copied(),
        steps,
        half_width: half_width(&seeds, 0.95),
        seeds,
        reason: diverged.or(run).and_then(|run| run.reason.clone()),
    }
}

fn counts(records: &Records) -> BTreeMap<&'static str, usize> {
    let mut counts = BTreeMap::new();
    for trial in records.trials() {
        *counts.entry(row(trial, records).state).or_default() += 1;
    }
    counts
}

fn text(job: &Job, records: &Records, summary: &Summary<'_>, figure: Option<&Figure>) -> String {
    let counts: Vec<String> = summary.counts.iter().map(|(state, n)| format!("{n} {state}")).collect();
    let mut text =
        format!("{} trials: {} ({})\n\n", records.trials().len(), counts.join(", "), summary.state);
    text += &table(job, summary);
    if let Some(figure) = figure {
        let width = u16::try_from(output::width().clamp(60, 140)).unwrap_or(100);
        text += &format!("\n{}", terminal(figure, width, 20, output::color()));
    }
    text.push('\n');
    text += &advice(job, summary);
    if let Some(failed) =
        records.trials().iter().rev().map(|trial| row(trial, records)).find(|r| r.state == "failed")
    {
        let reason =
            failed.reason.as_deref().and_then(|reason| reason.lines().next()).unwrap_or("no reason is known");
        text += &format!("Trials failed; the last one, {}: {reason}\n", failed.trial);
        let run = records.trials().get(failed.trial).and_then(|trial| longest(trial, records));
        if let Some(log) = run.and_then(|run| run.log.as_ref()) {
            text += &format!("  its log: {log}\n");
        }
    }
    text
}

fn table(job: &Job, summary: &Summary<'_>) -> String {
    let mut rows: Vec<&Row> = summary.trials.iter().filter(|row| row.value.is_some()).collect();
    let key = |row: &Row| match job.goal.direction {
        Direction::Minimize => row.value.unwrap_or(f64::INFINITY),
        Direction::Maximize => -row.value.unwrap_or(f64::NEG_INFINITY),
    };
    // A value of a pruned trial is of an unfinished run: complete ones come first.
    rows.sort_by(|a, b| {
        (a.state != "complete").cmp(&(b.state != "complete")).then(key(a).total_cmp(&key(b)))
    });
    let names: Vec<&str> = job.goal.space.parameters().iter().map(|parameter| &*parameter.name).collect();
    let head = [("trial".to_owned(), Align::Right), (job.metric.name.clone(), Align::Right)];
    let left = |name: &&str| ((*name).to_owned(), Align::Left);
    let columns = head.into_iter();
    let state = rows.iter().any(|row| row.state != "complete").then(|| ("state".to_owned(), Align::Left));
    let seeds = rows.iter().any(|row| row.half_width.is_some());
    let spread = seeds.then(|| ("±".to_owned(), Align::Left));
    let several = rows.windows(2).any(|pair| pair[0].steps != pair[1].steps);
    let steps = several.then(|| ("steps".to_owned(), Align::Right));
    let columns = columns.chain(spread).chain(steps).chain(names.iter().map(left));
    let mut table = Table::new(columns.chain(state));
    for row in rows.iter().take(ROWS) {
        let values =
            job.goal.space.parameters().iter().map(|parameter| match row.params.get(&parameter.name) {
                Some(value) => match (&parameter.domain, value.as_f64()) {
                    (Domain::Float { .. }, Some(x)) if parameter.suffix.is_none() => {
                        number::significant(x, 4)
                    }
                    (Domain::Float { .. }, _) => rounded(&parameter.show(value)),
                    _ => parameter.show(value),
                },
                None => "–".into(),
            });
        let head = [row.trial.to_string(), row.value.map_or(String::new(), number::loss)];
        let spread =
            seeds.then(|| row.half_width.map_or_else(|| "–".into(), |width| number::significant(width, 2)));
        let steps = several.then(|| row.steps.map_or_else(|| "–".into(), number::count));
        table.row(head.into_iter().chain(spread).chain(steps).chain(values).chain([row.state.to_owned()]));
    }
    if table.is_empty() { String::new() } else { table.text() }
}

/// A number with a unit, as `2.5879387544806045%`, to as many digits as can be read.
fn rounded(shown: &str) -> String {
    let number = shown.trim_end_matches(|c: char| c.is_alphabetic() || c == '%');
    let unit = &shown[number.len()..];
    number.parse().map_or_else(|_| shown.to_owned(), |x| number::significant(x, 4) + unit)
}

fn advice(job: &Job, summary: &Summary<'_>) -> String {
    let mut text = format!("{}\n", summary.recommendation.advice);
    if let Some(command) = &summary.recommended {
        text += &format!("  {}\n", shell(command));
    }
    if let Some(best) = &summary.best {
        text += &format!("Best: trial {}, {} {}", best.trial, job.metric.name, number::loss(best.value));
        text += &match (&summary.baseline, summary.gain) {
            (Some(base), Some(_)) if base.trial == best.trial => {
                ": your present setting; nothing was better".into()
            }
            (Some(base), Some(gain)) => {
                let share = match base.value {
                    0.0 => String::new(),
                    value => format!(", {}", number::percent(gain / value.abs())),
                };
                format!(
                    ": a gain of {}{share} over your present setting ({})",
                    number::loss(gain),
                    number::loss(base.value)
                )
            }
            _ => String::new(),
        };
        text += &format!("\n  {}\n", shell(&best.command));
    }
    if job.goal.baseline.is_some() && summary.baseline.is_none() {
        text += "Your present setting (trial 0) has no result to compare with.\n";
    }
    for doubt in &summary.recommendation.doubts {
        text += &format!("Mind: {doubt}.\n");
    }
    text
}

/// The best rate in words; used by `lehr worker`, which does not own the study.
pub fn short(job: &Job, study: &Study) -> String {
    let trials = study.records().trials();
    let best = study.best().and_then(|number| trials.get(number));
    let finished = trials.iter().filter(|trial| trial.state.is_finished()).count();
    match best {
        Some(best) => format!(
            "{finished} trials are finished; best {} (trial {}: {})\n",
            best.values.first().map_or(String::new(), |value| number::loss(*value)),
            best.number,
            best.params
                .float(&job.goal.rate)
                .map_or_else(|| best.params.to_string(), |lr| format!("{}={}", job.goal.rate, rate(lr)))
        ),
        None => format!("{finished} trials are finished; none has a value\n"),
    }
}
