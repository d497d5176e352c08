//! Strategies on the built-in models.

use lehr_lab::{Control, Lane, Outcome, Task, TrainPlan, train_lanes};
use lehr_schedule::Horizon;
use lehr_search::Params;

use super::{Goal, Next, Record, RunPlan, RunState, Strategy, StrategyError};

/// A built-in model with its data: the objective is the validation loss at the end of a run.
pub struct BuiltIn<'a> {
    /// The data.
    pub task: &'a Task,
    /// Model, optimiser, batch; `steps` is the target.
    pub plan: &'a TrainPlan,
}

impl BuiltIn<'_> {
    /// The length of the run that an answer is for.
    pub fn target(&self) -> Horizon {
        let per_epoch = self.plan.steps_per_epoch(self.task) as f64;
        Horizon::steps(self.plan.steps).with_steps_per_epoch(per_epoch)
    }

    /// Trains one run, from its initial weights.
    ///
    /// # Errors
    /// If the schedule does not fit the horizon, or the lab refuses the training.
    pub fn run(&self, goal: &Goal, params: &Params, plan: &RunPlan) -> Result<RunState, StrategyError> {
        let refused = |error: lehr_lab::Error| StrategyError::Goal(error.to_string());
        let curve = goal.curve(params, plan.horizon)?.ok_or_else(|| {
            StrategyError::Goal("the built-in models have no schedule of their own: name one".into())
        })?;
        // The curve's rates are absolute.
        let lanes = [Lane { peak: 1.0, curve }];
        let training = TrainPlan { steps: plan.horizon, ..self.plan.clone() };
        let runs =
            train_lanes(self.task, &training, &lanes, plan.seed, &Control::default()).map_err(refused)?;
        let end = runs.first().and_then(|run| Some((run.outcome, run.end()?.validation_loss)));
        Ok(match (runs.first().map(|run| run.outcome), end) {
            (Some(Outcome::Diverged { step, .. }), _) => RunState::Diverged { at: step },
            (_, Some((_, loss))) => RunState::Complete(loss),
            _ => RunState::Failed,
        })
    }
}

/// Does what a strategy says, one run after the other, until it stops; returns its reason, or `None` if `tell`, which is
/// called after each run with the record and the run's number, wanted an end.
///
/// # Errors
/// What the strategy or the training refuses; the record keeps what was run.
pub fn drive(
    strategy: &dyn Strategy,
    goal: &Goal,
    record: &mut Record,
    mut train: impl FnMut(&Params, &RunPlan) -> Result<RunState, StrategyError>,
    mut tell: impl FnMut(&Record, usize) -> bool,
) -> Result<Option<String>, StrategyError> {
    loop {
        match strategy.next(goal, record)? {
            Next::Stop { reason } => return Ok(Some(reason)),
            Next::Wait => return Ok(Some("a run of the record is still under way".into())),
            Next::Run(plan) => {
                let run = record.start(&plan);
                let end = train(&record.params[record.runs[run].trial], &plan)?;
                record.finish(run, end);
                if !tell(record, run) {
                    return Ok(None);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::strategy::by_name;
    use lehr_lab::Model;

    #[test]
    fn a_built_in_model_is_tuned() {
        let task = Task::wine().unwrap();
        let plan = TrainPlan { batch: 8, ..TrainPlan::new(Model::Softmax, 400) };
        let model = BuiltIn { task: &task, plan: &plan };
        let goal = Goal::new("lr=log 1e-4..100".parse().unwrap(), model.target()).schedule("linear");
        let strategy = by_name("annealed", None).unwrap();
        let mut record = Record::default();
        let train = |params: &Params, plan: &RunPlan| model.run(&goal, params, plan);
        let reason = drive(&*strategy, &goal.clone().budget(3.0), &mut record, train, |_, _| true).unwrap();
        assert!(reason.is_some() && record.steps_spent() <= 1200);
        let rate = strategy.result(&goal, &record).unwrap().rate.unwrap().value;
        let loss = |rate: f64| {
            let params: Params = [("lr", rate)].into_iter().collect();
            let trial = super::super::Trial::Known(0);
            let run = RunPlan {
                trial,
                horizon: 400,
                branch: None,
                checkpoints: vec![],
                seed: 99,
                reason: String::new(),
            };
            model.run(&goal, &params, &run).unwrap().value().unwrap_or(f64::INFINITY)
        };
        assert!(loss(rate) < loss(rate / 30.0) && loss(rate) < loss(rate * 30.0), "{rate}");
        let mut cut = Record::default();
        let stopped =
            drive(&*strategy, &goal, &mut cut, |p, r| model.run(&goal, p, r), |_, run| run < 1).unwrap();
        assert_eq!((stopped, cut.runs.len()), (None, 2));
        let bare = Goal { schedule: None, ..goal.clone() };
        assert!(
            model
                .run(
                    &bare,
                    &record.params[0],
                    &RunPlan {
                        trial: super::super::Trial::Known(0),
                        horizon: 9,
                        branch: None,
                        checkpoints: vec![],
                        seed: 0,
                        reason: String::new()
                    }
                )
                .is_err()
        );
    }
}
