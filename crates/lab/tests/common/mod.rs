//! A plain double-precision trainer, written row by row, to hold the lanes against.

use lehr_lab::{AdamSettings, BatchOrder, Dataset, Features, Layer, Optimizer, Task, TrainPlan};

/// Values of row `r`, zeros included.
pub fn row(data: &Dataset, r: usize) -> Vec<f64> {
    match data.features() {
        Features::Dense { columns, values } => {
            values[r * columns..(r + 1) * columns].iter().map(|&v| f64::from(v)).collect()
        }
        Features::Sparse { columns, starts, indices, values } => {
            let mut row = vec![0.0; *columns];
            for e in starts[r]..starts[r + 1] {
                row[indices[e] as usize] = f64::from(values[e]);
            }
            row
        }
    }
}

/// Weights in one flat list: per layer, the weights output by output, then the biases.
pub fn flatten(layers: &[Layer]) -> Vec<f64> {
    layers.iter().flat_map(|l| l.weight.iter().chain(&l.bias)).map(|&w| f64::from(w)).collect()
}

/// Mean cross-entropy of `rows` and its gradient with respect to the flat weights.
pub fn loss_and_gradient(widths: &[usize], w: &[f64], data: &Dataset, rows: &[u32]) -> (f64, Vec<f64>) {
    let mut gradient = vec![0.0; w.len()];
    let mut loss = 0.0;
    for &r in rows {
        let mut layers = vec![row(data, r as usize)];
        let mut offset = 0;
        for (l, pair) in widths.windows(2).enumerate() {
            let (n, m) = (pair[0], pair[1]);
            let below = layers.last().unwrap();
            let z: Vec<f64> = (0..m)
                .map(|o| {
                    let sum: f64 = (0..n).map(|i| w[offset + o * n + i] * below[i]).sum();
                    sum + w[offset + n * m + o]
                })
                .collect();
            offset += n * m + m;
            let last = l + 2 == widths.len();
            layers.push(if last { z } else { z.iter().map(|v| v.max(0.0)).collect() });
        }
        let label = data.labels()[r as usize] as usize;
        let z = layers.last().unwrap();
        let mut delta: Vec<f64>;
        if z.len() == 1 {
            let margin = if label == 1 { z[0] } else { -z[0] };
            loss += (-margin).max(0.0) + (-margin.abs()).exp().ln_1p();
            delta = vec![1.0 / (1.0 + (-z[0]).exp()) - label as f64];
        } else {
            let largest = z.iter().copied().fold(f64::NEG_INFINITY, f64::max);
            let sum: f64 = z.iter().map(|v| (v - largest).exp()).sum();
            loss += sum.ln() + largest - z[label];
            delta = z.iter().map(|v| (v - largest).exp() / sum).collect();
            delta[label] -= 1.0;
        }
        for l in (0..widths.len() - 1).rev() {
            let (n, m) = (widths[l], widths[l + 1]);
            offset -= n * m + m;
            let below = &layers[l];
            for o in 0..m {
                for i in 0..n {
                    gradient[offset + o * n + i] += delta[o] * below[i];
                }
                gradient[offset + n * m + o] += delta[o];
            }
            delta = (0..n)
                .map(|i| {
                    let sum: f64 = (0..m).map(|o| delta[o] * w[offset + o * n + i]).sum();
                    if l > 0 && below[i] <= 0.0 { 0.0 } else { sum }
                })
                .collect();
        }
    }
    let n = rows.len() as f64;
    gradient.iter_mut().for_each(|g| *g /= n);
    (loss / n, gradient)
}

/// The weights after training by the formulas in the documentation of [`Optimizer`].
pub fn train(task: &Task, plan: &TrainPlan, seed: u64, rate: impl Fn(u64) -> f64) -> Vec<f64> {
    let data = task.train();
    let (columns, classes) = (data.features().columns(), data.classes().len());
    let widths = plan.model.widths(columns, classes).unwrap();
    let mut w = flatten(&plan.model.initial_weights(columns, classes, seed).unwrap());
    let (mut first, mut second) = (vec![0.0; w.len()], vec![0.0; w.len()]);
    let mut order = BatchOrder::new(seed, data.rows(), plan.batch);
    for step in 0..plan.steps {
        let (_, gradient) = loss_and_gradient(&widths, &w, data, order.batch(step));
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
