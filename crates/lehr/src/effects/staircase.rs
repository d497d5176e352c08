//! Annealing in steps against smooth annealing.

use lehr_lab::{Model, TrainPlan};

use super::measure::{Estimate, at_best, rates};
use super::restarts::signed;
use super::setup::{Setup, training_end};
use super::{Axis, EffectError, Finding, Line, Plot, Table};

const BATCH: usize = 16;
const SPECS: [&str; 5] = ["cosine", "linear", "step at 50% 75% by 0.1", "step every 10% by 0.5", "constant"];

pub(super) fn measure(setup: &Setup) -> Result<Finding, EffectError> {
    let plan = TrainPlan { batch: BATCH, ..TrainPlan::new(Model::Mlp(vec![32]), setup.epochs(BATCH, 30)) };
    let rates = rates(0.02, 2.0, 13);
    let mut table = Table::new(["schedule", "best rate", "training loss", "above cosine, paired"]);
    let (mut lines, mut ends) = (Vec::new(), Vec::<Vec<f64>>::new());
    for spec in SPECS {
        let runs = setup.train(&setup.task, &plan, &setup.lanes(&plan, spec, &rates)?)?;
        let losses: Vec<Vec<f64>> =
            runs.iter().map(|seeds| seeds.iter().map(training_end).collect()).collect();
        let (best, end) = at_best(&losses);
        let reference = ends.first().unwrap_or(&end);
        let difference = Estimate::difference(&end, reference);
        table.rows.push(vec![
            spec.into(),
            rates[best].into(),
            Estimate::of(&end).into(),
            match ends.is_empty() {
                true => "".into(),
                false => difference.into(),
            },
        ]);
        let points = rates.iter().zip(&losses).map(|(&rate, of)| (rate, Estimate::of(of)));
        lines.push(Line::new(spec, points.filter(|point| point.1.mean.is_finite())));
        ends.push(end);
    }
    let against: Vec<Estimate> = ends[2..4].iter().map(|of| Estimate::difference(of, &ends[0])).collect();
    let nearest = if against[0].mean < against[1].mean { 0 } else { 1 };
    let lowest = ends[0].iter().sum::<f64>() / ends[0].len() as f64;
    Ok(Finding {
        shown: against[nearest].above(0.0),
        found: format!(
            "at its best rate, annealing in steps ({}) ends {} from cosine; the constant rate ends {} from it",
            SPECS[2 + nearest],
            signed(&against[nearest]),
            signed(&Estimate::difference(&ends[4], &ends[0]))
        ),
        table,
        plot: Plot {
            x: Axis::log("peak rate"),
            y: Axis::linear("training loss at the end").range(lowest - 0.01, lowest + 0.2),
            lines,
            marks: Vec::new(),
        },
        notes: vec![format!(
            "{} with sgd, {} updates in batches of {BATCH}; each schedule at its best of {} rates, chosen for each seed on \
             the others",
            plan.model,
            plan.steps,
            rates.len()
        )],
    })
}
