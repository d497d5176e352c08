//! `--dry-run`: what would be run, and what it would cost.

use lehr::strategy::{Next, Record, Trial};
use lehr::worker::{Hand, Job, words};
use lehr_report::number;
use serde::Serialize;

use super::super::shell;
use crate::failure::Failure;
use crate::output;

/// Most commands that are shown.
const SHOWN: usize = 6;

#[derive(Serialize)]
struct Dry {
    study: String,
    strategy: String,
    abilities: String,
    runs: Vec<Planned>,
    trials: Option<usize>,
    seeds: usize,
    full_runs: Option<f64>,
    updates: Option<u64>,
}

#[derive(Serialize)]
struct Planned {
    trial: usize,
    horizon: u64,
    reason: String,
    command: Vec<String>,
}

/// Prints the first commands and the cost; the study has its files under the name `folder`.
pub fn run(job: &Job, (study, folder): (&str, &str), record: &Record, json: bool) -> Result<(), Failure> {
    let mut record = record.clone();
    let mut runs = Vec::new();
    while runs.len() < SHOWN {
        let Next::Run(plan) = job.strategy.next(&job.goal, &record).map_err(Failure::usage)? else { break };
        let run = record.start(&plan);
        let trial = record.runs.get(run).map_or(0, |run| run.trial);
        let params = match &plan.trial {
            Trial::New(params) => params.clone(),
            Trial::Known(trial) => record.params.get(*trial).cloned().unwrap_or_default(),
        };
        let device = job.command.has("device").then_some("DEVICE");
        let (horizon, seed) = (plan.horizon, plan.seed);
        let hand = Hand { params: &params, trial, run, horizon, seed, resume: None, device };
        let command = words(job, folder, &hand).map_err(Failure::usage)?;
        runs.push(Planned { trial, horizon, reason: plan.reason, command });
    }
    // Strategies that look at short runs first cost what their budget says.
    let seeds = job.goal.seeds;
    let by_trials = job.goal.max_trials.map(|trials| trials as f64 * seeds as f64);
    let by_trials = by_trials.filter(|_| job.strategy.name() != "annealed");
    let full_runs = match (by_trials, job.goal.budget) {
        (Some(trials), Some(budget)) => Some(trials.min(budget)),
        (trials, budget) => trials.or(budget),
    };
    let dry = Dry {
        study: study.to_owned(),
        strategy: job.strategy.name().to_owned(),
        abilities: lehr::program::describe(job.goal.abilities),
        trials: job.goal.max_trials,
        seeds,
        full_runs,
        updates: full_runs.zip(job.spec.steps).map(|(runs, steps)| (runs * steps as f64) as u64),
        runs,
    };
    if json { output::json("lehr.tune.dry-run/1", &dry) } else { output::text(&text(&dry)) }
}

fn text(dry: &Dry) -> String {
    let mut text =
        format!("study '{}', by {}\nthe program takes: {}\n\n", dry.study, dry.strategy, dry.abilities);
    for run in &dry.runs {
        text += &format!(
            "trial {}, {} updates ({})\n  {}\n",
            run.trial,
            number::count(run.horizon),
            run.reason,
            shell(&run.command)
        );
    }
    text += "What follows depends on the results.\n\nCost: ";
    let trials = dry.trials.map_or(String::new(), |trials| match dry.seeds {
        1 => format!("at most {trials} trials, "),
        seeds => format!("at most {trials} trials of {seeds} seeds, "),
    });
    text += &match (dry.full_runs, dry.updates) {
        (Some(runs), Some(updates)) => {
            format!(
                "{trials}at most {} full runs ({} updates)\n",
                number::significant(runs, 4),
                number::count(updates)
            )
        }
        (Some(runs), None) => format!("{trials}at most {} full runs\n", number::significant(runs, 4)),
        (None, _) => format!("{trials}as long as it takes\n"),
    };
    text + "Nothing was run.\n"
}
