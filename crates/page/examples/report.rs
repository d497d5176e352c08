//! A page of any sweep as one HTML file: `cargo run -p lehr-page --example report -- FILE.html`.
use lehr::lab::{Model, Task, TrainPlan};
use lehr::robustness::Experiment;
use lehr_page::source::{Given, of_sweep};
use lehr_page::view::Objective;
use lehr_page::{html, markdown};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let path = std::env::args().nth(1).unwrap_or_else(|| "report.html".into());
    let experiment = Experiment {
        task: Task::wine()?,
        training: TrainPlan::new(Model::Softmax, 500),
        schedules: vec!["constant".parse()?, "cosine".parse()?],
        rates: (0..12).map(|i| 0.004 * 2f64.powi(i)).collect(),
        seeds: (0..5).collect(),
    };
    let sweep = experiment.run(true, None, &|_| {})?;
    let given = Given {
        name: "wine".into(),
        about: "softmax regression on red-wine quality".into(),
        objective: Objective::loss("validation loss"),
        steps: Some(500),
    };
    let view = of_sweep(&sweep, given);
    std::fs::write(&path, html(&view)?)?;
    println!("{}\nwritten to {path}", markdown(&view));
    Ok(())
}
