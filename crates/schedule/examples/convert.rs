//! Reads lines of JSON `{"call": "torch.StepLR(30)", "lr": 0.1, "steps": 90}` and answers each with a line
//! `{"schedule": "…", "peak": 0.1, "rates": […], "channels": {…}}` or `{"error": "…"}`. Without `steps`, the run is as
//! long as the call implies. A call that reacts to a metric needs `"metrics": […]` and answers with the rate before each of
//! them and after the last.
use std::collections::BTreeMap;
use std::io::{BufRead, Write};

use lehr_schedule::convert::{Surroundings, parse_call};
use lehr_schedule::{Curve, Feedback, Horizon, Spec};
use serde::{Deserialize, Serialize};

#[derive(Deserialize)]
struct Question {
    call: String,
    lr: Option<f64>,
    steps: Option<u64>,
    #[serde(default)]
    metrics: Vec<Option<f64>>,
}

#[derive(Serialize, Default)]
struct Answer {
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
    schedule: String,
    peak: Option<f64>,
    rates: Vec<f64>,
    channels: BTreeMap<String, Vec<f64>>,
}

fn answer(question: &Question) -> Result<Answer, Box<dyn std::error::Error>> {
    let around = Surroundings { lr: question.lr, steps: question.steps };
    let converted = parse_call(&question.call, &around)?;
    let schedule = match &converted.schedule {
        Spec::Schedule(schedule) => schedule,
        Spec::Feedback(feedback) => return replay(feedback, converted.peak, question),
    };
    let steps = converted.steps.ok_or("it goes on for good: give `steps`")?;
    let horizon = Horizon::steps(steps);
    let curve = match converted.peak {
        Some(peak) => schedule.resolve_with_peak(&horizon, peak),
        None => schedule.resolve(&horizon),
    };
    let curve = curve.map_err(|error| format!("{schedule}: {error}"))?;
    let values = |curve: &Curve| curve.iter().collect::<Vec<f64>>();
    Ok(Answer {
        error: None,
        schedule: schedule.to_string(),
        peak: converted.peak,
        rates: values(&curve),
        channels: curve.channels().map(|(name, curve)| (name.to_owned(), values(curve))).collect(),
    })
}

/// The rates while these metrics come in; `null` is NaN.
fn replay(
    feedback: &Feedback,
    peak: Option<f64>,
    question: &Question,
) -> Result<Answer, Box<dyn std::error::Error>> {
    let horizon = Horizon::steps(question.metrics.len() as u64 + 1);
    let mut control = feedback.resolve(&horizon, peak)?;
    let mut rates = vec![control.rate(0)];
    for (t, metric) in (0..).zip(&question.metrics) {
        control.observe(t, metric.unwrap_or(f64::NAN));
        rates.push(control.rate(t + 1));
    }
    Ok(Answer { schedule: feedback.to_string(), peak, rates, ..Answer::default() })
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut out = std::io::BufWriter::new(std::io::stdout().lock());
    for line in std::io::stdin().lock().lines() {
        let question: Question = serde_json::from_str(&line?)?;
        let answer = answer(&question)
            .unwrap_or_else(|error| Answer { error: Some(error.to_string()), ..Answer::default() });
        serde_json::to_writer(&mut out, &answer)?;
        writeln!(out)?;
    }
    Ok(out.flush()?)
}
