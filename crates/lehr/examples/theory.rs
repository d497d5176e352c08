//! What is known before anyone trains: bounds of schedules, and a tuned rate carried to another schedule and a longer run.
//!
//! `cargo run -p lehr --example theory`
use lehr::prelude::*;
use lehr::theory::{Bound, HorizonExponent, Rates, Robustness, transfer};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let rates = |spec: &str, steps| -> Result<Rates, Box<dyn std::error::Error>> {
        Ok(Rates::of_curve(&spec.parse::<Schedule>()?.resolve(&Horizon::steps(steps))?)?)
    };
    println!("schedule                        best bound  R(4)");
    for spec in ["constant", "linear", "cosine", "warmup 2%, constant, linear 20%"] {
        let rates = rates(spec, 10_000)?;
        let best = Bound::of(&rates).best_value(1.0, 1.0)?;
        println!("{spec:<31} {best:>10.5}  {:.2}", Robustness::of(&rates).at(4.0)?.ratio);
    }
    let (from, to) = (rates("warmup 2%, constant, linear 20%", 10_000)?, rates("linear", 40_000)?);
    let carried = transfer(&from, &to, 3e-4, HorizonExponent::PRIOR)?;
    println!("3e-4 there is {:.2e} under linear over four times the updates", carried.rate);
    carried.caveats.iter().for_each(|caveat| println!("but: {caveat}"));
    Ok(())
}
