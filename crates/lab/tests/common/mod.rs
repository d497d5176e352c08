//! A plain double-precision trainer, to hold the lanes against.

use lehr_lab::{AdamSettings, BatchOrder, Landscape, Optimizer, Task, TrainPlan};

/// The weights after training by the formulas in the documentation of [`Optimizer`].
pub fn train(task: &Task, plan: &TrainPlan, seed: u64, rate: impl Fn(u64) -> f64) -> Vec<f64> {
    let data = task.train();
    let (columns, classes) = (data.features().columns(), data.classes().len());
    let landscape = Landscape::new(&plan.model, data).unwrap();
    let mut w = Landscape::flatten(&plan.model.initial_weights(columns, classes, seed).unwrap());
    let (mut first, mut second) = (vec![0.0; w.len()], vec![0.0; w.len()]);
    let mut order = BatchOrder::new(seed, data.rows(), plan.batch);
    for step in 0..plan.steps {
        let rows = order.batch(step).iter().map(|&row| row as usize);
        let (_, gradient) = landscape.on_rows(&w, rows);
        let lr = rate(step);
        let decay = plan.weight_decay;
        let t = (step + 1) as i32;
        for i in 0..w.len() {
            let g =
                gradient[i] + if matches!(plan.optimizer, Optimizer::AdamW(_)) { 0.0 } else { decay * w[i] };
            match plan.optimizer {
                Optimizer::Sgd => w[i] -= lr * g,
                Optimizer::Momentum { momentum } => {
                    first[i] = momentum * first[i] + g;
                    w[i] -= lr * first[i];
                }
                Optimizer::Nesterov { momentum } => {
                    first[i] = momentum * first[i] + g;
                    w[i] -= lr * (g + momentum * first[i]);
                }
                Optimizer::Adam(s) | Optimizer::AdamW(s) => {
                    let AdamSettings { beta1, beta2, eps } = s;
                    if matches!(plan.optimizer, Optimizer::AdamW(_)) {
                        w[i] *= 1.0 - lr * decay;
                    }
                    first[i] = beta1 * first[i] + (1.0 - beta1) * g;
                    second[i] = beta2 * second[i] + (1.0 - beta2) * g * g;
                    let root = (second[i] / (1.0 - beta2.powi(t))).sqrt() + eps;
                    w[i] -= lr * (first[i] / (1.0 - beta1.powi(t))) / root;
                }
            }
        }
    }
    w
}
