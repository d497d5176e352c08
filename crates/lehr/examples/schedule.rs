//! A schedule as data: read, checked, asked for its rates, taken to a longer run, written down.
//!
//! `cargo run -p lehr --example schedule`
use lehr::prelude::*;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let schedule: Schedule = "warmup 2%, constant, linear 20%".parse()?;
    let horizon = Horizon::steps(10_000);
    let curve = schedule.resolve_with_peak(&horizon, 3e-4)?;
    for step in [0, 199, 5_000, 9_000, 9_999] {
        println!("update {step:>5}: {:.3e}", curve.at(step));
    }
    for finding in lint(&schedule, &horizon, Some(3e-4)) {
        println!("{}: {}", finding.reason, finding.suggestion);
    }

    // A longer run is another horizon, out loud; what is over keeps its length.
    let longer = schedule.extend(&horizon, &Horizon::steps(20_000), 9_000, Some(3e-4))?;
    println!("extended at update 9,000: {}", longer.schedule);

    // A training loop asks for one rate after the other, and saves how far it is.
    let mut scheduler = Scheduler::from(curve);
    let rates: Vec<f64> = (0..3).map(|_| scheduler.step()).collect();
    println!("{rates:?}, saved as {}", serde_json::to_string(&scheduler.state())?);
    Ok(())
}
