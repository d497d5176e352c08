//! Real tuning tasks: a training of the lab as a function of its hyperparameters.

use std::path::Path;

use lehr::lab::data::read_libsvm;
use lehr::lab::{
    AdamSettings, Control, Lane, LaneRun, Model, Optimizer, Outcome, Task, TrainPlan, train_lanes,
};
use lehr::schedule::{Horizon, Schedule};
use lehr_search::{Params, Space, Value};

pub type Result<T> = std::result::Result<T, String>;

/// Names, data, training rows that a run sees, spaces.
const TASKS: [(&str, &str, u64, &str); 6] = [
    (
        "a9a-logistic",
        "a9a",
        6000,
        "lr=log 1e-3..100.0, momentum=0.0..0.99, batch=log 2..64, wd=log 1e-7..0.1",
    ),
    (
        "a9a-mlp",
        "a9a",
        6000,
        "lr=log 1e-4..10.0, momentum=0.0..0.99, batch=log 4..64, wd=log 1e-7..0.1, width=log 2..32, \
         warmup=0.0..0.5",
    ),
    (
        "wine-softmax",
        "wine",
        4000,
        "lr=log 1e-4..10.0, momentum=0.0..0.99, batch=log 2..64, wd=log 1e-7..0.1, warmup=0.0..0.5",
    ),
    (
        "wine-mlp",
        "wine",
        6000,
        "optimizer=momentum|adamw, lr=log 1e-5..3.0, wd=log 1e-7..0.3, batch=log 4..64, width=log 2..32, \
         layers=1..3, momentum=0.0..0.99, warmup=0.0..0.5",
    ),
    // For learning curves: a constant rate, 27 epochs of 1,000 rows.
    (
        "a9a-curves",
        "a9a",
        27_000,
        "optimizer=momentum|adamw, lr=log 1e-5..3.0, wd=log 1e-7..0.1, batch=log 4..128, width=log 2..64, \
         layers=1..3, momentum=0.0..0.99",
    ),
    (
        "wine-curves",
        "wine",
        27_000,
        "optimizer=momentum|adamw, lr=log 1e-5..3.0, wd=log 1e-7..0.1, batch=log 4..128, width=log 2..64, \
         layers=1..3, momentum=0.0..0.99",
    ),
];

/// A task with its data.
pub struct Tuning {
    name: &'static str,
    data: Task,
    rows: u64,
    pub space: Space,
}

fn message(error: impl ToString) -> String {
    error.to_string()
}

impl Tuning {
    pub fn new(name: &str) -> Result<Self> {
        let &(name, data, rows, text) =
            TASKS.iter().find(|t| t.0 == name).ok_or(format!("no task '{name}'"))?;
        let data = match data {
            "wine" => Task::wine().map_err(message)?,
            _ => {
                let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data/a9a/a9a");
                let all = read_libsvm(file, None).map_err(message)?;
                // An eighth of the rows keeps a training short; half of these validate.
                let eighth = Task::split(&all, 0.875, 0).map_err(message)?;
                Task::split(eighth.train(), 0.5, 0).map_err(message)?
            }
        };
        let space = text.parse().map_err(message)?;
        Ok(Tuning { name, data, rows, space })
    }

    /// Validation losses after each of `parts` equal parts of a run; a lost or exploded run ends at twice the loss of
    /// guessing, which no loss exceeds.
    pub fn train(&self, params: &Params, seed: u64, parts: u64) -> Result<Vec<f64>> {
        let float = |name: &str| params.float(name).ok_or(format!("no parameter '{name}'"));
        let batch = float("batch")? as usize;
        let every = (self.rows / parts).div_ceil(batch as u64);
        let steps = every * parts;
        let momentum = float("momentum")?;
        let optimizer = match params.text("optimizer") {
            Some("adamw") => Optimizer::AdamW(AdamSettings { beta1: momentum, ..AdamSettings::default() }),
            _ => Optimizer::Momentum { momentum },
        };
        let model = match params.float("width") {
            Some(width) => {
                let layers = params.float("layers").unwrap_or(1.0) as usize;
                Model::Mlp(vec![width as usize; layers])
            }
            None if self.name == "a9a-logistic" => Model::Logistic,
            None => Model::Softmax,
        };
        let plan = TrainPlan {
            optimizer,
            batch,
            weight_decay: float("wd")?,
            evaluate_every: Some(every),
            ..TrainPlan::new(model, steps)
        };
        let spec = match (params.float("warmup"), parts) {
            (_, 2..) => "constant".to_owned(),
            (Some(warmup), _) => format!("warmup {}, linear", (warmup * steps as f64).round()),
            (None, _) => "linear".to_owned(),
        };
        let schedule: Schedule = spec.parse().map_err(message)?;
        let curve = schedule.resolve(&Horizon::steps(steps)).map_err(message)?;
        let lane = Lane { peak: float("lr")?, curve };
        let control = Control { threads: Some(1), ..Control::default() };
        let runs = train_lanes(&self.data, &plan, &[lane], seed, &control).map_err(message)?;
        let run = runs.first().ok_or("no run came back")?;
        Ok(self.losses(run, parts))
    }

    fn losses(&self, run: &LaneRun, parts: u64) -> Vec<f64> {
        let worst = 2.0 * (self.data.train().classes().len() as f64).ln();
        let seen = run.history.iter().skip(1).map(|e| e.validation_loss);
        let mut losses: Vec<f64> = seen.map(|l| if l < worst { l } else { worst }).collect();
        if matches!(run.outcome, Outcome::Diverged { .. }) && parts == 1 {
            losses.clear();
        }
        losses.resize(parts as usize, worst);
        losses
    }
}

/// Reads values in the order of the space.
pub fn read<'a>(space: &Space, words: impl IntoIterator<Item = &'a str>) -> Params {
    let value = |word: &str| match (word.parse::<i64>(), word.parse::<f64>()) {
        (Ok(i), _) => Value::Int(i),
        (_, Ok(x)) => Value::Float(x),
        _ => Value::from(word),
    };
    space.parameters().iter().zip(words).map(|(p, w)| (p.name.clone(), value(w))).collect()
}
