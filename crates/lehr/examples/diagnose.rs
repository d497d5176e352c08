//! Did those runs train well? Two runs on red-wine quality, one at a sane rate, one too high, and what their logs show.
//!
//! `cargo run -p lehr --example diagnose`
use lehr::diagnose::{Run, diagnose};
use lehr::lab::{Control, Lane, Model, Task, TrainPlan, train_lanes};
use lehr::prelude::*;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let task = Task::wine()?;
    let plan = TrainPlan { evaluate_every: Some(20), ..TrainPlan::new(Model::Mlp(vec![32]), 2000) };
    let curve = "warmup 5%, cosine".parse::<Schedule>()?.resolve(&Horizon::steps(plan.steps))?;
    let peaks = [("sane", 0.1), ("too high", 2.0)];
    let lanes: Vec<Lane> = peaks.iter().map(|(_, peak)| Lane { peak: *peak, curve: curve.clone() }).collect();
    let trained = train_lanes(&task, &plan, &lanes, 0, &Control::default())?;
    let mut runs = Vec::new();
    for ((name, peak), run) in peaks.iter().zip(&trained) {
        // From your own logs: `lehr::diagnose::read` reads CSV and TensorBoard.
        let points: Vec<(u64, f64)> = run.history.iter().map(|e| (e.step, e.train_loss)).collect();
        let validation = run.history.iter().map(|e| (e.step, e.validation_loss)).collect();
        let rates = points.iter().map(|(step, _)| peak * curve.at(*step)).collect();
        runs.push(Run::new(*name, &points, validation, Some(rates))?);
    }
    for diagnosis in diagnose(&runs) {
        println!("{}: ends at {:.3}", diagnosis.run, diagnosis.end.unwrap_or(f64::NAN));
        for finding in diagnosis.findings {
            println!("  {}: {}. {}", finding.code, finding.evidence, finding.suggestion);
        }
    }
    Ok(())
}
