//! Forty learning rates trained at once: what annealing buys at each of them, on red-wine quality.
//!
//! `cargo run --release -p lehr --example lab`
use lehr::lab::{Control, Lane, Model, Task, TrainPlan, train_lanes};
use lehr::prelude::*;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let task = Task::wine()?;
    let plan = TrainPlan { batch: 8, ..TrainPlan::new(Model::Softmax, 2000) };
    let resolve =
        |spec: &str| spec.parse::<Schedule>().map(|schedule| schedule.resolve(&Horizon::steps(plan.steps)));
    let (constant, cosine) = (resolve("constant")??, resolve("cosine")??);
    let peaks: Vec<f64> = (0..20).map(|i| 0.001 * 1.6f64.powi(i)).collect();
    let lanes: Vec<Lane> = [constant, cosine]
        .iter()
        .flat_map(|curve| peaks.iter().map(|peak| Lane { peak: *peak, curve: curve.clone() }))
        .collect();
    let start = std::time::Instant::now();
    let runs = train_lanes(&task, &plan, &lanes, 0, &Control::default())?;
    println!("{} runs of {} updates in {:.2?}", runs.len(), plan.steps, start.elapsed());
    println!("peak rate  constant  cosine");
    let loss = |i: usize| runs[i].end().map_or(f64::NAN, |end| end.validation_loss);
    for (i, peak) in peaks.iter().enumerate() {
        println!("{peak:>9.4}  {:>8.4}  {:>6.4}", loss(i), loss(i + peaks.len()));
    }
    Ok(())
}
