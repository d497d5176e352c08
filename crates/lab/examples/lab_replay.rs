//! Trains a few lanes and prints, as JSON, everything that another library needs to train the same: data, initial
//! weights, batches, rates; and what came out.
//!
//! `lab_replay --model mlp:8 --optimizer adam --schedule cosine --steps 50 --batch 20 --seed 1 --rates 0.01,0.1
//! --weight-decay 0.01 [--csv FILE --target COLUMN | --libsvm FILE] [--without-data]`

use lehr_lab::data::{CsvFormat, read_csv, read_libsvm};
use lehr_lab::{BatchOrder, Control, Dataset, Features, Lane, Layer, Task, TrainPlan, train_lanes};
use lehr_schedule::{Horizon, Schedule};
use serde_json::{Value, json};
use std::collections::HashMap;
use std::error::Error;

fn main() -> Result<(), Box<dyn Error>> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let options: HashMap<&str, &str> =
        words.chunks(2).map(|w| (w[0].as_str(), w.get(1).map_or("", |v| v))).collect();
    let get = |name: &str, default: &'static str| options.get(name).copied().unwrap_or(default);
    let task = if let Some(path) = options.get("--csv") {
        let data = read_csv(path, CsvFormat { target: get("--target", "target") }, None)?;
        Task::split(&data, 0.2, 0)?.standardised()
    } else if let Some(path) = options.get("--libsvm") {
        let data = read_libsvm(path, None)?;
        Task::new(data.clone(), data)?
    } else {
        Task::wine()?
    };
    let seed = get("--seed", "0").parse()?;
    let plan = TrainPlan {
        optimizer: get("--optimizer", "sgd").parse()?,
        batch: get("--batch", "32").parse()?,
        weight_decay: get("--weight-decay", "0").parse()?,
        keep_weights: true,
        ..TrainPlan::new(get("--model", "softmax").parse()?, get("--steps", "10").parse()?)
    };
    let schedule: Schedule = get("--schedule", "constant").parse()?;
    let horizon = Horizon::steps(plan.steps).with_steps_per_epoch(plan.steps_per_epoch(&task) as f64);
    let curve = schedule.resolve(&horizon)?;
    let lanes = get("--rates", "0.1")
        .split(',')
        .map(|rate| Ok(Lane { peak: rate.parse()?, curve: curve.clone() }))
        .collect::<Result<Vec<_>, std::num::ParseFloatError>>()?;
    let runs = train_lanes(&task, &plan, &lanes, seed, &Control::default())?;
    let train = task.train();
    let mut order = BatchOrder::new(seed, train.rows(), plan.batch);
    let initial = plan.model.initial_weights(train.features().columns(), train.classes().len(), seed)?;
    let results: Vec<Value> = runs
        .iter()
        .zip(&lanes)
        .map(|(run, lane)| {
            json!({
                "peak": lane.peak,
                "outcome": format!("{:?}", run.outcome),
                "train_loss": run.end().map(|e| e.train_loss),
                "validation_loss": run.end().map(|e| e.validation_loss),
                "validation_accuracy": run.end().map(|e| e.validation_accuracy),
                "weights": run.weights.as_deref().map(layers),
            })
        })
        .collect();
    let mut report = json!({ "initial": layers(&initial), "relative_rates": curve.iter().collect::<Vec<_>>(), "runs": results });
    if !options.contains_key("--without-data") {
        report["batches"] = (0..plan.steps).map(|step| json!(order.batch(step))).collect();
        report["train"] = data(train);
        report["validation"] = data(task.validation());
    }
    println!("{report}");
    Ok(())
}

fn layers(layers: &[Layer]) -> Value {
    let layer =
        |l: &Layer| json!({ "inputs": l.inputs, "outputs": l.outputs, "weight": l.weight, "bias": l.bias });
    layers.iter().map(layer).collect()
}

fn data(data: &Dataset) -> Value {
    let features = match data.features() {
        Features::Dense { columns, values } => json!({ "columns": columns, "values": values }),
        Features::Sparse { columns, starts, indices, values } => {
            json!({ "columns": columns, "starts": starts, "indices": indices, "values": values })
        }
    };
    json!({ "features": features, "labels": data.labels() })
}
