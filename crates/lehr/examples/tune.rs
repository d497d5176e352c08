//! Which rate and schedule: a search over a training of your own, here a softmax regression that is written out below, on
//! red-wine quality. For a program of its own see `lehr::worker`, for the built-in models `lehr::tune`.
//!
//! `cargo run -p lehr --example tune`
use lehr::lab::{BatchOrder, Dataset, Features, Task};
use lehr::prelude::*;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let task = Task::wine()?;
    let space: Space = r#"lr=log 1e-3..1, schedule=constant|"warmup 5%, cosine""#.parse()?;
    let goal = Goal::new(space, Horizon::steps(400)).max_trials(12);
    let strategy = by_name("tpe", None)?;
    let mut record = Record::default();
    while let Next::Run(plan) = strategy.next(&goal, &record)? {
        let run = record.start(&plan);
        let params = record.params[record.runs[run].trial].clone();
        let curve = goal.curve(&params, plan.horizon)?.ok_or("the space has no rate")?;
        let loss = train(&task, &curve, plan.seed)?;
        println!("{params}: {loss:.4}");
        record.finish(run, RunState::Complete(loss)); // a loss that is no number counts as divergence
    }
    let result = strategy.result(&goal, &record)?;
    let params = result.params.ok_or("no trial has trained")?;
    println!("use {params}\n{}", result.advice);
    result.doubts.iter().for_each(|doubt| println!("but: {doubt}"));
    Ok(())
}

/// Softmax regression in batches of 16; the validation loss at the end.
fn train(task: &Task, curve: &Curve, seed: u64) -> Result<f64, Box<dyn std::error::Error>> {
    let (inputs, classes) = (task.train().features().columns(), task.train().classes().len());
    let mut weights = vec![vec![0.0; inputs + 1]; classes];
    let (x, y) = (rows(task.train())?, task.train().labels());
    let mut order = BatchOrder::new(seed, x.len(), 16);
    for (step, rate) in (0..).zip(curve.iter()) {
        let batch = order.batch(step);
        let mut gradient = vec![vec![0.0; inputs + 1]; classes];
        for &row in batch {
            let (x, y) = (&x[row as usize], y[row as usize] as usize);
            for (class, chance) in chances(&weights, x).into_iter().enumerate() {
                let error = chance - f64::from(u8::from(class == y));
                gradient[class].iter_mut().zip(x).for_each(|(g, x)| *g += error * x);
            }
        }
        let rate = rate / batch.len() as f64;
        for (w, g) in weights.iter_mut().flatten().zip(gradient.iter().flatten()) {
            *w -= rate * g;
        }
    }
    let (x, y) = (rows(task.validation())?, task.validation().labels());
    let losses = x.iter().zip(y).map(|(x, y)| -chances(&weights, x)[*y as usize].ln());
    Ok(losses.sum::<f64>() / x.len() as f64)
}

/// The features of each row, with a 1 for the bias.
fn rows(data: &Dataset) -> Result<Vec<Vec<f64>>, Box<dyn std::error::Error>> {
    let Features::Dense { columns, values } = data.features() else {
        return Err("the data is sparse".into());
    };
    let row = |row: &[f32]| row.iter().map(|x| f64::from(*x)).chain([1.0]).collect();
    Ok(values.chunks(*columns).map(row).collect())
}

fn chances(weights: &[Vec<f64>], x: &[f64]) -> Vec<f64> {
    let scores: Vec<f64> = weights.iter().map(|w| w.iter().zip(x).map(|(w, x)| w * x).sum()).collect();
    let most = scores.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let powers: Vec<f64> = scores.iter().map(|score| (score - most).exp()).collect();
    let sum: f64 = powers.iter().sum();
    powers.iter().map(|power| power / sum).collect()
}
