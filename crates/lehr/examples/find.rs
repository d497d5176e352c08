//! Where sane rates are: a range test of a network on red-wine quality, read with its doubts.
//!
//! `cargo run -p lehr --example find`
use lehr::find::{Ramp, range_test, read};
use lehr::lab::{Model, Task, TrainPlan};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let task = Task::wine()?;
    let plan = TrainPlan::new(Model::Mlp(vec![32]), 100);
    let readings = range_test(&task, &plan, &Ramp { low: 1e-4, high: 100.0, steps: 100 }, 0)?;
    let found = read(&readings, true)?;
    if let Some(fit) = &found.fit {
        let (low, high) = fit.interval;
        println!("the loss falls fastest at {:.3} (90 %: {low:.3} to {high:.3})", fit.steepest);
        println!("it is lowest at {:.3}: sane peak rates rarely lie above", fit.lowest);
    }
    println!(
        "fastai would say {:.3} (valley), {:.3} (slide)",
        found.suggestions.valley, found.suggestions.slide
    );
    match found.diverged {
        Some(rate) => println!("it breaks at {rate:.3}"),
        None => println!("it does not break"),
    }
    found.warnings.iter().for_each(|warning| println!("but: {warning}"));
    Ok(())
}
