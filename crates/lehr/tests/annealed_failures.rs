//! What the strategy `annealed` does where picking a rate with little compute is known to go wrong (theory, §7): its answer is
//! good, or it says that it may not be.
#![allow(clippy::unwrap_used)]

use lehr::schedule::Horizon;
use lehr::strategy::{Abilities, Annealed, BuiltIn, Goal, Recommendation, Record, RunState, Strategy, drive};
use lehr_search::{Params, Stream};

const TARGET: u64 = 6400;
/// What an octave costs in the landscapes below.
const OCTAVE: f64 = 0.02;

/// A made landscape: how a run ends that has this rate (in log₂) and these parameters, over τ octaves of horizon from the target.
struct World<'a> {
    /// log₂ of the best rate.
    best: &'a dyn Fn(&Params, f64) -> f64,
    /// log₂ of the rate from which runs diverge.
    cliff: &'a dyn Fn(f64) -> f64,
    /// Loss at the best rate, above that of the best parameters.
    level: &'a dyn Fn(&Params) -> f64,
    noise: f64,
    /// The part of the noise that a seed gives to all runs of a horizon alike.
    common: f64,
}

const PLAIN: World<'static> =
    World { best: &|_, tau| -7.0 - 0.5 * tau, cliff: &|_| -1.0, level: &|_| 0.0, noise: 0.002, common: 0.7 };

impl World<'_> {
    fn regret(&self, params: &Params) -> f64 {
        let x = params.float("lr").unwrap().log2();
        if x > (self.cliff)(0.0) {
            return 1.0;
        }
        self.rise(params, 0.0) + (self.level)(params)
    }

    fn rise(&self, params: &Params, tau: f64) -> f64 {
        let d = params.float("lr").unwrap().log2() - (self.best)(params, tau);
        let rise = OCTAVE * d * d * if d > 0.0 { 0.7 } else { 1.0 };
        rise / (1.0 + rise)
    }

    fn run(&self, params: &Params, horizon: u64, seed: u64) -> RunState {
        let tau = (horizon as f64 / TARGET as f64).log2();
        let x = params.float("lr").unwrap().log2();
        if x > (self.cliff)(tau) {
            return RunState::Diverged { at: horizon / 10 };
        }
        // A seed moves all runs of a horizon together, and each a little by itself.
        let common = Stream::for_trial(seed, horizon).normal();
        let own = Stream::for_trial(seed, (x * 1e6) as i64 as u64 ^ horizon).normal();
        let mean = 2.0 + 0.1 * (0.6 * -tau).exp2() + self.rise(params, tau) + (self.level)(params);
        let own_share = (1.0 - self.common * self.common).sqrt();
        RunState::Complete(mean + self.noise * (self.common * common + own_share * own))
    }

    fn search(&self, goal: &Goal) -> (Record, Recommendation) {
        let mut record = Record::default();
        drive(
            &Annealed::default(),
            goal,
            &mut record,
            |params, plan| Ok(self.run(params, plan.horizon, plan.seed)),
            |record, _| record.runs.len() < 120,
        )
        .unwrap();
        let found = Annealed::default().result(goal, &record).unwrap();
        (record, found)
    }
}

fn goal(seed: u64, space: &str) -> Goal {
    let goal = Goal::new(space.parse().unwrap(), Horizon::steps(TARGET)).schedule("linear");
    Goal { seed, ..goal }.budget(12.0)
}

fn answer(found: &Recommendation) -> Params {
    let mut params = found.params.clone().unwrap();
    params.set("lr", found.rate.unwrap().value);
    params
}

/// Good: within an octave. Honest: the interval of the best rate holds it, or a doubt is stated.
fn good_or_honest(world: &World<'_>, found: &Recommendation) {
    let params = answer(found);
    let regret = world.regret(&params);
    let best = (world.best)(&params, 0.0).min((world.cliff)(0.0)).exp2();
    let held = found.rate.unwrap().interval.is_some_and(|range| range.low <= best && best <= range.high);
    assert!(
        regret <= OCTAVE || held || !found.doubts.is_empty(),
        "regret {regret} with {:?} and no doubt, the best is {best}",
        found.rate
    );
}

/// Short runs stand less than the long one: a warm-up that is a share of the run is short there. The best rate of the target is
/// wrecked in all of them up to a quarter of it. What is recommended may be too low then, and the cliff is named.
#[test]
fn a_cliff_that_is_lower_in_short_runs() {
    let world = World { best: &|_, tau| -6.0 - 0.5 * tau, cliff: &|tau| -5.0 + 0.6 * tau, ..PLAIN };
    for seed in [1, 2, 5] {
        let (record, found) = world.search(&goal(seed, "lr=log 1e-5..1"));
        // That a rate diverges is learnt once: it is not made sure of again and again.
        let diverged = record.runs.iter().filter(|run| run.state.is_diverged()).count();
        assert!((1..12).contains(&diverged), "{diverged} runs diverged");
        let warned = found.doubts.iter().any(|doubt| doubt.contains("diverge"));
        assert!(world.regret(&answer(&found)) < OCTAVE || warned, "{:?} {:?}", found.rate, found.doubts);
    }
}

/// The long run stands less than short ones, as where clipping holds back only the beginning: rates that are the best in short
/// runs are wrecked at the target.
#[test]
fn a_cliff_that_is_lower_at_the_target() {
    let world = World { best: &|_, tau| -7.0 - 0.5 * tau, cliff: &|tau| -6.6 - 0.9 * tau, ..PLAIN };
    for seed in [1, 2] {
        let (_, found) = world.search(&goal(seed, "lr=log 1e-5..1"));
        let regret = world.regret(&answer(&found));
        assert!(regret < 1.0, "a rate is recommended that is wrecked at the target: {:?}", found.rate);
        good_or_honest(&world, &found);
    }
}

/// A warm-up of a fixed number of updates is another share of each rung, and the best rate depends on the share. Rungs whose
/// share is much larger are not run.
#[test]
fn a_warmup_whose_share_differs_between_rungs() {
    let share = |tau: f64| (400.0 / (TARGET as f64 * tau.exp2())).min(1.0);
    let best = |_: &Params, tau: f64| -7.0 - 0.5 * tau + 2.0 * share(tau);
    let world = World { best: &best, ..PLAIN };
    let goal = goal(3, "lr=log 1e-5..1").schedule("warmup 400, linear");
    let (record, found) = world.search(&goal);
    assert!(record.runs.iter().all(|run| run.horizon > 800), "a run that is warm-up for half of its length");
    assert!(world.regret(&answer(&found)) <= OCTAVE, "{:?}", found.rate);
}

/// Many epochs over few data: up to half of the target nothing moves, then over-fitting sets in and the best rate falls by an
/// octave and a half. Short runs cannot know.
#[test]
fn epochs_that_move_the_best_rate_near_the_target() {
    let best = |_: &Params, tau: f64| -5.0 - 1.5 * (1.0 + tau).max(0.0);
    let world = World { best: &best, ..PLAIN };
    let (record, found) = world.search(&goal(1, "lr=log 1e-5..1"));
    good_or_honest(&world, &found);
    assert!(record.runs.iter().any(|run| run.horizon >= TARGET / 2), "it trusts short runs alone");
}

/// The same on real data: a network that goes over the wine data many times. It is held against a grid of rates.
#[test]
fn epochs_on_real_data() {
    let task = lehr::lab::Task::wine().unwrap();
    let plan =
        lehr::lab::TrainPlan { batch: 16, ..lehr::lab::TrainPlan::new(lehr::lab::Model::Softmax, 1600) };
    let model = BuiltIn { task: &task, plan: &plan };
    let goal = Goal::new("lr=log 1e-3..30".parse().unwrap(), model.target()).schedule("linear").budget(8.0);
    let mut record = Record::default();
    drive(
        &Annealed::default(),
        &goal,
        &mut record,
        |params, plan| model.run(&goal, params, plan),
        |_, _| true,
    )
    .unwrap();
    let found = Annealed::default().result(&goal, &record).unwrap();
    let rate = found.rate.unwrap();
    let lanes: Vec<f64> = (0..30).map(|i| 1e-3 * (f64::from(i) / 2.0).exp2()).collect();
    let mut losses = vec![0.0; lanes.len()];
    for seed in 900..908 {
        let curve = "linear".parse::<lehr::schedule::Schedule>().unwrap().resolve(&model.target()).unwrap();
        let all: Vec<_> = lanes.iter().map(|&peak| lehr::lab::Lane { peak, curve: curve.clone() }).collect();
        let runs = lehr::lab::train_lanes(&task, &plan, &all, seed, &lehr::lab::Control::default()).unwrap();
        for (sum, run) in losses.iter_mut().zip(&runs) {
            *sum += run.end().map_or(f64::INFINITY, |end| end.validation_loss) / 8.0;
        }
    }
    let best = (0..lanes.len()).min_by(|&a, &b| losses[a].total_cmp(&losses[b])).unwrap();
    let off = (rate.value / lanes[best]).log2().abs();
    let held = rate.interval.is_some_and(|range| range.low <= lanes[best] && lanes[best] <= range.high);
    assert!(off < 2.0 || held || !found.doubts.is_empty(), "{rate:?}, the best is {}", lanes[best]);
    let near = |rate: f64| {
        (0..lanes.len())
            .min_by(|&a, &b| (lanes[a] / rate).ln().abs().total_cmp(&(lanes[b] / rate).ln().abs()))
    };
    let regret = losses[near(rate.value).unwrap()] - losses[best];
    assert!(regret < 0.01, "{regret}");
}

/// Of a pair that is coupled: what it loses against the best one is small, or a doubt is stated; it is never large.
fn near_or_doubted(world: &World<'_>, found: &Recommendation) {
    let regret = world.regret(&answer(found));
    assert!(regret < 2.0 * OCTAVE || !found.doubts.is_empty(), "{regret}: {:?}", found.params);
    assert!(regret < 5.0 * OCTAVE, "{regret}: {:?}", found.params);
}

/// Weight decay and rate act as a product: the best rate falls by an octave for each octave of decay above its usual value. The
/// pair is good, whatever each of them is.
#[test]
fn a_rate_that_is_coupled_with_weight_decay() {
    let decay = |params: &Params| (params.float("wd").unwrap() / 1e-3).log2() / 3.0;
    let world = World {
        best: &|params, tau| -7.0 - 0.5 * tau - decay(params).clamp(-3.0, 3.0) / 1.5,
        level: &|params| 0.01 * (decay(params) - 0.5).powi(2),
        ..PLAIN
    };
    let (_, found) = world.search(&goal(5, "lr=log 1e-5..1, wd=log 1e-5..1e-1").budget(4.0));
    near_or_doubted(&world, &found);
}

/// The best rate is proportional to the batch, as the linear rule says; larger batches are a little better.
#[test]
fn a_rate_that_is_coupled_with_the_batch() {
    let doublings = |params: &Params| (params.float("batch").unwrap() / 8.0).log2();
    let world = World {
        best: &|params, tau| -8.0 - 0.5 * tau + doublings(params),
        level: &|params| 0.01 * (4.0 - doublings(params)),
        ..PLAIN
    };
    let (_, found) = world.search(&goal(6, "lr=log 1e-5..1, batch=log 8..128").budget(4.0));
    near_or_doubted(&world, &found);
}

/// One seed per run, and noise as large as what an octave costs: the lowest of the losses seen is too good to be true. The
/// expected loss is not that one, and its interval holds the truth.
#[test]
fn the_winner_is_cursed() {
    let world = World { noise: OCTAVE, common: 0.0, ..PLAIN };
    let (mut held, mut flattered, mut lowest) = (0, 0.0, 0.0);
    const SEARCHES: u64 = 6;
    for seed in 1..=SEARCHES {
        let goal = Goal {
            abilities: Abilities::RATE_ONLY,
            schedule: None,
            // It would stop after three or four runs, whose lowest loss is not too good yet.
            tolerance: Some(0.0),
            ..goal(seed * 31, "lr=log 1e-4..0.3")
        };
        let (record, found) = world.search(&goal.max_trials(10));
        let truth = 2.1 + world.regret(&answer(&found));
        let loss = found.loss.unwrap();
        held += u32::from(loss.interval.is_some_and(|range| range.low <= truth && truth <= range.high));
        flattered += (truth - loss.value) / SEARCHES as f64;
        let seen = record.runs.iter().filter_map(|run| run.state.value()).fold(f64::INFINITY, f64::min);
        lowest += (truth - seen) / SEARCHES as f64;
    }
    assert!(held >= 4, "{held} of {SEARCHES} intervals hold the loss");
    assert!(lowest > 0.0, "the landscape shows no curse: {lowest}");
    assert!(
        flattered < lowest && flattered < OCTAVE,
        "expected losses are too low by {flattered}, the lowest seen by {lowest}"
    );
}
