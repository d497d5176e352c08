//! What lanes promise: the right weights, and the same whatever trains beside them.
#![allow(clippy::unwrap_used, reason = "a helper of a test may end it")]

mod common;

use lehr_lab::{
    Control, Dataset, Divergence, Features, Group, Landscape, Lane, LaneRun, Model, Outcome, Task, TrainPlan,
    train_groups, train_lanes,
};
use lehr_schedule::{Curve, Horizon, Schedule};
use proptest::prelude::*;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

const MODELS: [&str; 5] = ["logistic", "softmax", "mlp:5", "mlp:13,6", "mlp:7,4,9"];
// A gradient that is zero by symmetry is noise in single precision, and Adam divides it by its own size: the larger ε
// keeps that out of the comparison.
const OPTIMIZERS: [&str; 5] =
    ["sgd", "momentum", "nesterov 0.8", "adam eps 1e-4", "adamw beta1 0.8 beta2 0.9 eps 1e-4"];

/// Rows of whole and half numbers in `columns` columns, a third of them zero, dense or sparse; the classes follow a
/// rule, with some noise.
fn data(rows: usize, columns: usize, classes: usize, sparse: bool, salt: u64) -> Dataset {
    let mut state = salt;
    let mut draw = |n: u64| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) % n
    };
    let (mut dense, mut starts, mut indices, mut values, mut labels) =
        (vec![], vec![0], vec![], vec![], vec![]);
    for _ in 0..rows {
        let row: Vec<f32> =
            (0..columns).map(|_| if draw(3) == 0 { 0.0 } else { (draw(9) as f32 - 4.0) / 4.0 }).collect();
        let rule = row.iter().enumerate().map(|(i, v)| v * (i as f32 - 2.0)).sum::<f32>().abs() as u64;
        labels.push(((rule + draw(5) / 4) % classes as u64) as u32);
        for (i, &v) in row.iter().enumerate().filter(|(_, v)| **v != 0.0) {
            indices.push(i as u32);
            values.push(v);
        }
        starts.push(indices.len());
        dense.extend(row);
    }
    let features = if sparse {
        Features::Sparse { columns, starts, indices, values }
    } else {
        Features::Dense { columns, values: dense }
    };
    Dataset::new("made up", features, labels, (0..classes).map(|c| c.to_string()).collect()).unwrap()
}

fn task(classes: usize, sparse: bool) -> Task {
    Task::new(data(83, 9, classes, sparse, 1), data(31, 9, classes, sparse, 2)).unwrap()
}

fn classes_for(model: &str) -> usize {
    if model == "logistic" { 2 } else { 4 }
}

fn plan(model: &str, optimizer: &str) -> TrainPlan {
    TrainPlan {
        optimizer: optimizer.parse().unwrap(),
        batch: 10,
        weight_decay: 0.02,
        evaluate_every: Some(7),
        keep_weights: true,
        ..TrainPlan::new(model.parse().unwrap(), 21)
    }
}

fn curve(spec: &str, steps: u64) -> Curve {
    spec.parse::<Schedule>().unwrap().resolve(&Horizon::steps(steps)).unwrap()
}

/// Lanes at rising rates, the even ones constant, the odd ones with warm-up and cosine.
fn lanes(n: usize, plan: &TrainPlan) -> Vec<Lane> {
    let curves = ["constant", "warmup 3, cosine to 0.1"].map(|spec| curve(spec, plan.steps));
    (0..n).map(|i| Lane { peak: 0.001 * 1.2f64.powi(i as i32), curve: curves[i % 2].clone() }).collect()
}

fn lane(peak: f64, plan: &TrainPlan) -> Lane {
    Lane { peak, curve: curve("constant", plan.steps) }
}

fn run(task: &Task, plan: &TrainPlan, lanes: &[Lane], threads: usize) -> Vec<LaneRun> {
    train_lanes(task, plan, lanes, 3, &Control { threads: Some(threads), ..Control::default() }).unwrap()
}

#[test]
fn the_reference_gradient_agrees_with_finite_differences() {
    for model in MODELS {
        let data = data(20, 6, classes_for(model), false, 9);
        let model: Model = model.parse().unwrap();
        let landscape = Landscape::new(&model, &data).unwrap();
        let layers = Model::Mlp(vec![3]).initial_weights(40, 40, 5).unwrap();
        let count = landscape.weights();
        let mut w: Vec<f64> = Landscape::flatten(&layers).into_iter().map(|v| v * 3.0).take(count).collect();
        assert_eq!(w.len(), count);
        let (_, gradient) = landscape.loss_and_gradient(&w);
        for i in 0..w.len() {
            let (at, h) = (w[i], 1e-6);
            let mut loss = |v: f64| {
                w[i] = v;
                landscape.loss_and_gradient(&w).0
            };
            let slope = (loss(at + h) - loss(at - h)) / (2.0 * h);
            w[i] = at;
            assert!(
                (slope - gradient[i]).abs() < 1e-7,
                "{model} weight {i}: {slope} against {}",
                gradient[i]
            );
        }
    }
}

#[test]
fn every_optimizer_and_model_agrees_with_double_precision() {
    for sparse in [false, true] {
        for model in MODELS {
            let task = task(classes_for(model), sparse);
            for optimizer in OPTIMIZERS {
                let plan = plan(model, optimizer);
                let peaks = [0.003, 0.02, 0.1];
                let warm = curve("warmup 3, cosine to 0.1", plan.steps);
                let lanes = peaks.map(|peak| Lane { peak, curve: warm.clone() });
                let runs = run(&task, &plan, &lanes, 1);
                for (peak, run) in peaks.iter().zip(runs) {
                    let expected = common::train(&task, &plan, 3, |t| peak * warm.at(t));
                    let got = Landscape::flatten(&run.weights.unwrap());
                    let worst = got
                        .iter()
                        .zip(&expected)
                        .map(|(a, b)| (a - b).abs() / (1.0 + b.abs()))
                        .fold(0.0, f64::max);
                    // 21 steps of single precision; Adam divides small numbers by their own size.
                    assert!(worst < 2e-5, "{model} {optimizer} sparse {sparse} at {peak}: {worst:e}");
                    for (data, loss) in [
                        (task.train(), run.history.last().unwrap().train_loss),
                        (task.validation(), run.history.last().unwrap().validation_loss),
                    ] {
                        let landscape = Landscape::new(&plan.model, data).unwrap();
                        let exact = landscape.loss_and_gradient(&expected).0;
                        assert!(
                            (loss - exact).abs() < 2e-5 * exact.max(1.0),
                            "{model} {optimizer}: {loss} {exact}"
                        );
                    }
                }
            }
        }
    }
}

#[test]
fn a_lane_does_not_notice_its_neighbours_or_the_threads() {
    for sparse in [false, true] {
        for (model, optimizer) in [("logistic", "momentum"), ("softmax", "adamw"), ("mlp:13,6", "adam")] {
            let task = task(classes_for(model), sparse);
            let plan = plan(model, optimizer);
            let all = lanes(70, &plan);
            let together = run(&task, &plan, &all, 1);
            for threads in 2..=3 {
                assert_eq!(run(&task, &plan, &all, threads), together, "{model} on {threads} threads");
            }
            for i in [0, 15, 16, 37, 69] {
                assert_eq!(run(&task, &plan, &all[i..=i], 1)[0], together[i], "{model} lane {i} alone");
            }
            assert_eq!(run(&task, &plan, &all[3..36], 2), together[3..36], "{model} 33 of the lanes");
        }
    }
}

#[test]
fn dense_and_sparse_input_of_the_same_numbers_give_the_same_runs() {
    for model in MODELS {
        let plan = plan(model, "nesterov");
        let dense = run(&task(classes_for(model), false), &plan, &lanes(5, &plan), 1);
        let sparse = run(&task(classes_for(model), true), &plan, &lanes(5, &plan), 1);
        for (a, b) in dense.iter().zip(&sparse) {
            let pairs = Landscape::flatten(a.weights.as_ref().unwrap())
                .into_iter()
                .zip(Landscape::flatten(b.weights.as_ref().unwrap()));
            assert!(pairs.into_iter().all(|(a, b)| (a - b).abs() < 1e-6), "{model}");
        }
    }
}

#[test]
fn a_diverged_lane_leaves_the_others_alone() {
    for (model, optimizer) in [("softmax", "sgd"), ("mlp:13,6", "sgd"), ("mlp:13,6", "adam")] {
        let task = task(4, false);
        let plan = TrainPlan { steps: 300, ..plan(model, optimizer) };
        let healthy = run(&task, &plan, &lanes(6, &plan), 1);
        let mut mixed = lanes(6, &plan);
        mixed.insert(2, lane(1e30, &plan));
        mixed.insert(5, lane(1e38, &plan));
        let mut runs = run(&task, &plan, &mixed, 1);
        let (second, first) = (runs.remove(5), runs.remove(2));
        assert_eq!(runs, healthy);
        for lost in [first, second] {
            let Outcome::Diverged { step, reason } = lost.outcome else { panic!("{:?}", lost.outcome) };
            assert!(matches!(reason, Divergence::Loss | Divergence::Weights | Divergence::Exploded { .. }));
            assert!(step < 300);
            assert!(lost.history.iter().all(|e| e.train_loss.is_finite() && e.validation_loss.is_finite()));
            if !matches!(reason, Divergence::Exploded { .. }) {
                assert!(lost.end().is_none() && lost.weights.is_none());
            }
        }
    }
}

#[test]
fn groups_come_back_whole_and_independent_of_the_threads() {
    let task = task(4, false);
    let plan = plan("mlp:5", "momentum");
    let groups: Vec<Group> =
        (0..4).map(|seed| Group { seed, lanes: lanes(10 + 9 * seed as usize, &plan) }).collect();
    let all = |threads| {
        let results = Mutex::new(vec![Vec::new(); 4]);
        let steps = AtomicU64::new(0);
        let progress = |n| {
            steps.fetch_add(n, Ordering::Relaxed);
        };
        let control = Control { threads: Some(threads), progress: Some(&progress), stop: None };
        train_groups(&task, &plan, &groups, &control, &|g, runs| {
            let slot = &mut results.lock().unwrap()[g];
            assert!(slot.is_empty());
            *slot = runs;
        })
        .unwrap();
        assert_eq!(steps.into_inner(), 21 * (10 + 19 + 28 + 37));
        results.into_inner().unwrap()
    };
    let single = all(1);
    assert_eq!(single, all(3));
    for (group, runs) in groups.iter().zip(&single) {
        assert_eq!(runs.len(), group.lanes.len());
        let alone = train_lanes(&task, &plan, &group.lanes, group.seed, &Control::default()).unwrap();
        assert_eq!(&alone, runs);
    }
    assert_ne!(single[0][0], single[1][0]);
}

#[test]
fn a_stopped_training_says_where_it_was() {
    let task = task(2, true);
    let plan = TrainPlan { steps: 1_000_000_000, ..plan("logistic", "sgd") };
    let stop = AtomicBool::new(false);
    let seen = AtomicU64::new(0);
    let progress = |n| {
        if seen.fetch_add(n, Ordering::Relaxed) > 3000 {
            stop.store(true, Ordering::Relaxed);
        }
    };
    let control = Control { stop: Some(&stop), progress: Some(&progress), threads: Some(2) };
    let runs = train_lanes(&task, &plan, &lanes(40, &plan), 0, &control).unwrap();
    for run in runs {
        let Outcome::Interrupted { step } = run.outcome else { panic!("{:?}", run.outcome) };
        assert!(step < 100_000 && run.end().is_none() && !run.history.is_empty());
    }
}

#[test]
fn says_what_is_wrong_with_a_plan() {
    let task = task(4, false);
    let good = plan("softmax", "sgd");
    let error = |plan: &TrainPlan, lanes: &[Lane], threads| {
        let control = Control { threads: Some(threads), ..Control::default() };
        train_lanes(&task, plan, lanes, 0, &control).unwrap_err().to_string()
    };
    for (plan, message) in [
        (TrainPlan { batch: 0, ..good.clone() }, "0 rows"),
        (TrainPlan { evaluate_every: Some(0), ..good.clone() }, "every 0 steps"),
        (TrainPlan { weight_decay: -1.0, ..good.clone() }, "not -1"),
        (TrainPlan { weight_decay: f64::NAN, ..good.clone() }, "not NaN"),
        (TrainPlan { model: Model::Logistic, ..good.clone() }, "the data has 4"),
        (TrainPlan { model: Model::Mlp(vec![65536, 65536]), ..good.clone() }, "more than the"),
    ] {
        let text = error(&plan, &lanes(1, &plan), 1);
        assert!(text.contains(message), "{text}");
    }
    let no_steps = TrainPlan { steps: 0, ..good.clone() };
    assert!(error(&no_steps, &lanes(1, &good), 1).contains("0 steps"));
    let longer = TrainPlan { steps: 22, ..good.clone() };
    assert!(error(&good, &lanes(1, &longer), 1).contains("resolved to 22 steps, but the training has 21"));
    let coupled = Lane { peak: 0.1, curve: curve("cosine with momentum from 0.95 to 0.85", 21) };
    assert!(error(&good, &[coupled], 1).contains("the channel `momentum`"));
    for peak in [0.0, -1.0, f64::NAN, f64::INFINITY] {
        assert!(error(&good, &[lane(peak, &good)], 1).contains("a peak rate must be"));
    }
    assert!(error(&good, &lanes(1, &good), 0).contains("0 threads"));
    // A curve with absolute rates does not look at the peak.
    let absolute =
        "constant".parse::<Schedule>().unwrap().resolve_with_peak(&Horizon::steps(21), 0.01).unwrap();
    let runs = run(&task, &good, &[Lane { peak: 7.0, curve: absolute }, lane(0.01, &good)], 1);
    assert_eq!(runs[0], runs[1]);
    assert_eq!(train_lanes(&task, &good, &[], 0, &Control::default()).unwrap(), []);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 40, ..ProptestConfig::default() })]

    /// Any shape, batch and number of lanes: a lane beside others is the lane alone, and agrees with double precision.
    #[test]
    fn any_lane_is_the_lane_alone_and_right(
        shape in (1..40usize, 1..12usize, 2..6usize, any::<bool>()),
        hidden in prop::collection::vec(1..20usize, 0..3),
        sizes in (1..50usize, 1..20usize, 4..30u64),
        threads in 1..4usize,
    ) {
        let ((rows, columns, classes, sparse), (batch, count, steps)) = (shape, sizes);
        let model = if hidden.is_empty() { Model::Softmax } else { Model::Mlp(hidden) };
        let all = data(rows + 2, columns, classes, sparse, 77);
        prop_assume!(all.class_counts().iter().filter(|&&n| n > 0).count() > 1);
        let task = Task::new(all.clone(), all).unwrap();
        let plan = TrainPlan { batch, keep_weights: true, ..TrainPlan::new(model, steps) };
        let lanes = lanes(count, &plan);
        let together = run(&task, &plan, &lanes, threads);
        prop_assert_eq!(&run(&task, &plan, &lanes[count - 1..], 1)[0], &together[count - 1]);
        let curve = &lanes[count - 1].curve;
        let expected = common::train(&task, &plan, 3, |t| lanes[count - 1].peak * curve.at(t));
        let got = Landscape::flatten(together[count - 1].weights.as_ref().unwrap());
        let worst = got.iter().zip(&expected).map(|(a, b)| (a - b).abs() / (1.0 + b.abs())).fold(0.0, f64::max);
        prop_assert!(worst < 1e-4, "{}: {:e}", plan.model, worst);
    }
}
