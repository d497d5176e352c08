//! The same rate with and without warm-up.

use lehr_lab::{Model, Optimizer, Task, TrainPlan};

use super::measure::{Estimate, rates};
use super::setup::{Setup, scaled, training_end};
use super::{Axis, EffectError, Finding, Line, Plot, Table};

const BATCH: usize = 16;
const SPECS: [&str; 2] = ["linear", "warmup 20%, linear"];
/// A run whose training loss ends above this share of that of guessing by frequency has learned nothing.
const GUESSING: f64 = 0.98;
/// By what the inputs are multiplied to make a start that is steep.
const STEEP: f32 = 10.0;

pub(super) fn measure(setup: &Setup) -> Result<Finding, EffectError> {
    let plan = TrainPlan {
        batch: BATCH,
        optimizer: Optimizer::Momentum { momentum: 0.9 },
        ..TrainPlan::new(Model::Mlp(vec![64, 64]), setup.epochs(BATCH, 10))
    };
    let steep = scaled(&setup.task, |_| STEEP)?;
    let flat_rates = rates(0.08, 1.28, 13);
    let steep_rates = rates(0.02, 0.32, 13);
    let flat = lost(setup, &setup.task, &plan, &flat_rates)?;
    let hard = lost(setup, &steep, &plan, &steep_rates)?;
    let mut table = Table::new(["inputs", "rate", "lost without warm-up", "lost with warm-up"]);
    for (name, rates, lost) in
        [("standardised", &flat_rates, &flat), ("ten times as large", &steep_rates, &hard)]
    {
        for (i, rate) in rates.iter().enumerate() {
            let cells = [0, 1].map(|with| share(&lost[with][i]));
            table.rows.push(vec![name.into(), (*rate).into(), cells[0].into(), cells[1].into()]);
        }
    }
    // The rate at which they differ most.
    let gain = |i: &usize| share(&hard[0][*i]).mean - share(&hard[1][*i]).mean;
    let at = (0..steep_rates.len()).max_by(|a, b| gain(a).total_cmp(&gain(b))).unwrap_or(0);
    let (without, with) = (share(&hard[0][at]), share(&hard[1][at]));
    let (saved, saved_flat) = (saved(setup, &hard, &steep_rates), saved(setup, &flat, &flat_rates));
    let line = |with: usize, name: &str| {
        Line::new(name, steep_rates.iter().copied().zip(hard[with].iter().map(|of| share(of))))
    };
    Ok(Finding {
        shown: saved.above(0.0),
        found: format!(
            "with inputs ten times as large, at the peak rate {:.3}, {:.0} % of the runs without warm-up are lost and {:.0} % \
             of those with it (warm-up saves {} octaves of rates); on standardised inputs it saves {}",
            steep_rates[at],
            100.0 * without.mean,
            100.0 * with.mean,
            saved.text(2),
            saved_flat.text(2)
        ),
        table,
        plot: Plot {
            x: Axis::log("peak rate"),
            y: Axis::linear("share of runs that are lost").range(0.0, 1.0),
            lines: vec![line(0, SPECS[0]), line(1, SPECS[1])],
            marks: Vec::new(),
        },
        notes: vec![
            format!(
                "{} with {}, {} updates in batches of {BATCH}; a run is lost if it diverged or ends no better than guessing \
                 by frequency; shares have Wilson's intervals",
                plan.model, plan.optimizer, plan.steps
            ),
            "large inputs make the loss steep at the start only: that is where warm-up has something to prevent".into(),
        ],
    })
}

/// Which runs are lost, without and with warm-up, by rate and seed.
fn lost(
    setup: &Setup,
    task: &Task,
    plan: &TrainPlan,
    rates: &[f64],
) -> Result<Vec<Vec<Vec<bool>>>, EffectError> {
    let guessing = GUESSING * entropy(&task.train().class_counts());
    let of = |spec: &&str| {
        let runs = setup.train(task, plan, &setup.lanes(plan, spec, rates)?)?;
        let is_lost = |seeds: &Vec<_>| seeds.iter().map(|run| training_end(run) > guessing).collect();
        Ok(runs.iter().map(is_lost).collect())
    };
    SPECS.iter().map(of).collect()
}

/// Octaves of rates that warm-up saves, over the seeds.
fn saved(setup: &Setup, lost: &[Vec<Vec<bool>>], rates: &[f64]) -> Estimate {
    let octave = (rates[1] / rates[0]).log2();
    let count = |lost: &[Vec<bool>], k: usize| lost.iter().filter(|of| of[k]).count() as f64;
    let of_seed = |k: usize| octave * (count(&lost[0], k) - count(&lost[1], k));
    Estimate::of(&(0..setup.seeds as usize).map(of_seed).collect::<Vec<_>>())
}

/// The cross-entropy of guessing by frequency.
fn entropy(counts: &[usize]) -> f64 {
    let all: usize = counts.iter().sum();
    let shares = counts.iter().filter(|&&count| count > 0).map(|&count| count as f64 / all as f64);
    -shares.map(|share| share * share.ln()).sum::<f64>()
}

fn share(lost: &[bool]) -> Estimate {
    Estimate::share(lost.iter().filter(|lost| **lost).count(), lost.len())
}
