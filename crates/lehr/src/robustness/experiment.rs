//! A sweep trained on purpose: schedules × a fine grid of rates × seeds.

use lehr_lab::{Control, Dataset, Features, Group, Lane, Task, TrainPlan, train_groups};
use lehr_schedule::{Horizon, Schedule};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use std::sync::{Mutex, PoisonError};

use super::RobustnessError;
use crate::sweep::{Row, Sweep};

/// What is trained.
#[derive(Debug, Clone)]
pub struct Experiment {
    /// The data.
    pub task: Task,
    /// Model, optimiser, horizon and batch.
    pub training: TrainPlan,
    /// The schedules.
    pub schedules: Vec<Schedule>,
    /// The fine grid of peak rates.
    pub rates: Vec<f64>,
    /// Seeds: each is its own initial weights and order of data, shared by all rates and schedules.
    pub seeds: Vec<u64>,
}

impl Experiment {
    /// Trains everything and gives the final losses: on all training rows, what the theory speaks of, or on the
    /// validation rows. `threads` does not change them. `progress` receives the runs done so far.
    ///
    /// # Errors
    /// If schedules, rates and plan do not fit together, or there are too few of them for a sweep.
    pub fn run(
        &self,
        validation: bool,
        threads: Option<usize>,
        progress: &(dyn Fn(usize) + Sync),
    ) -> Result<Sweep, RobustnessError> {
        let wrong = |why: String| RobustnessError::Option(why);
        let plan = &self.training;
        let horizon = Horizon {
            steps_per_epoch: Some(plan.steps_per_epoch(&self.task) as f64),
            ..Horizon::steps(plan.steps)
        };
        let mut lanes: Vec<(String, Lane)> = Vec::new();
        for schedule in &self.schedules {
            let curve = schedule.resolve(&horizon).map_err(|error| wrong(error.to_string()))?;
            let of = |&peak: &f64| (schedule.to_string(), Lane { peak, curve: curve.clone() });
            lanes.extend(self.rates.iter().map(of));
        }
        let bare: Vec<Lane> = lanes.iter().map(|(_, lane)| lane.clone()).collect();
        let groups: Vec<Group> = self.seeds.iter().map(|&seed| Group { seed, lanes: bare.clone() }).collect();
        let rows: Mutex<Vec<Row>> = Mutex::new(Vec::new());
        let control = Control { threads, ..Control::default() };
        train_groups(&self.task, plan, &groups, &control, &|group, runs| {
            let mut rows = rows.lock().unwrap_or_else(PoisonError::into_inner);
            rows.extend(lanes.iter().zip(runs).map(|((schedule, lane), run)| Row {
                schedule: schedule.clone(),
                rate: lane.peak,
                seed: groups[group].seed,
                loss: match (run.outcome, run.end()) {
                    (lehr_lab::Outcome::Complete, Some(end)) if validation => end.validation_loss,
                    (lehr_lab::Outcome::Complete, Some(end)) => end.train_loss,
                    _ => f64::NAN,
                },
            }));
            progress(rows.len());
        })
        .map_err(|error| wrong(error.to_string()))?;
        Ok(Sweep::new(rows.into_inner().unwrap_or_else(PoisonError::into_inner))?)
    }
}

/// Logistic regression on made data: `rows` vectors of independent standard normal features scaled to unit expected
/// length, a hidden direction, and labels of which the share `flipped` is turned around. Half as many rows again are
/// drawn for validation.
///
/// # Errors
/// No rows or columns, or a share outside [0, ½].
pub fn synthetic(rows: usize, columns: usize, flipped: f64, seed: u64) -> Result<Task, RobustnessError> {
    if rows < 2 || columns == 0 || !(0.0..=0.5).contains(&flipped) {
        return Err(RobustnessError::Option(format!(
            "{rows} rows of {columns} columns with {flipped} of the labels flipped make no data set"
        )));
    }
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut normal = || {
        let (u, v): (f64, f64) = (rng.random(), rng.random());
        ((-2.0 * (1.0 - u).ln()).sqrt() * (std::f64::consts::TAU * v).cos(), rng.random::<f64>())
    };
    let direction: Vec<f64> = (0..columns).map(|_| normal().0).collect();
    let scale = 1.0 / (columns as f64).sqrt();
    let mut draw = |rows: usize| {
        let (mut values, mut labels) = (Vec::with_capacity(rows * columns), Vec::with_capacity(rows));
        for _ in 0..rows {
            let row: Vec<f64> = (0..columns).map(|_| scale * normal().0).collect();
            let positive = row.iter().zip(&direction).map(|(x, w)| x * w).sum::<f64>() > 0.0;
            labels.push(u32::from(positive != (normal().1 < flipped)));
            values.extend(row.into_iter().map(|value| value as f32));
        }
        let classes = vec!["-1".to_owned(), "+1".to_owned()];
        Dataset::new("synthetic", Features::Dense { columns, values }, labels, classes)
            .map_err(|error| RobustnessError::Option(error.to_string()))
    };
    Task::new(draw(rows)?, draw(rows.div_ceil(2))?)
        .map_err(|error| RobustnessError::Option(error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::robustness::{Options, measure};
    use lehr_lab::Model;

    #[test]
    fn annealing_forgives_a_high_rate_more_than_a_constant_rate() {
        let experiment = Experiment {
            task: synthetic(1_000, 20, 0.1, 1).unwrap(),
            training: TrainPlan { batch: 1, ..TrainPlan::new(Model::Logistic, 1_000) },
            schedules: vec!["constant".parse().unwrap(), "linear".parse().unwrap()],
            rates: (0..14).map(|i| 0.02 * 2f64.powi(i)).collect(),
            seeds: (0..6).collect(),
        };
        let sweep = experiment.run(false, Some(2), &|_| ()).unwrap();
        let again = experiment.run(false, Some(1), &|_| ()).unwrap();
        assert_eq!(sweep, again, "threads change nothing");
        let measured = measure(&sweep, &Options { ratios: vec![8.0], ..Options::default() }).unwrap();
        let [constant, linear] = [0, 1].map(|i| measured.schedules[i].too_high[0].excess.unwrap());
        assert!(
            linear < 0.9 * constant,
            "eight times too high costs {linear} under linear, {constant} under constant"
        );
    }

    #[test]
    fn data_that_are_none_are_refused() {
        assert!(synthetic(0, 3, 0.1, 0).is_err());
        assert!(synthetic(10, 0, 0.1, 0).is_err());
        assert!(synthetic(10, 3, 0.9, 0).is_err());
    }
}
