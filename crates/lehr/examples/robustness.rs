//! How much is lost when the rate is off: a sweep trained on purpose, measured, beside what the theory says.
//!
//! `cargo run -p lehr --example robustness`
use lehr::lab::{Model, Task, TrainPlan};
use lehr::prelude::*;
use lehr::robustness::{Experiment, Options, measure};
use lehr::theory::{Rates, Robustness};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let experiment = Experiment {
        task: Task::wine()?,
        training: TrainPlan::new(Model::Softmax, 500),
        schedules: vec!["constant".parse()?, "cosine".parse()?],
        rates: (0..15).map(|i| 0.002 * 2f64.powi(i)).collect(),
        seeds: (0..5).collect(),
    };
    let measured = measure(&experiment.run(true, None, &|_| {})?, &Options::default())?;
    for (schedule, found) in experiment.schedules.iter().zip(&measured.schedules) {
        println!("{}: best rate {:.3}, loss {:.4}", found.schedule, found.best_rate, found.best_loss);
        println!(
            "  safe rates (loss + {:.4}): {:.3} to {:.3}",
            found.safe.epsilon, found.safe.low, found.safe.high
        );
        for excess in found.too_high.iter().filter(|excess| [3.0, 10.0].contains(&excess.rho)) {
            match excess.excess {
                Some(loss) => println!("  {:.0}× too high costs {loss:.4}", excess.rho),
                None => println!("  {:.0}× too high diverges", excess.rho),
            }
        }
        let theory = Robustness::of(&Rates::of_curve(&schedule.resolve(&Horizon::steps(500))?)?);
        println!("  in theory the bound grows by {:.2} at 10× too high", theory.at(10.0)?.ratio);
    }
    Ok(())
}
