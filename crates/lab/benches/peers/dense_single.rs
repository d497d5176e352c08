//! One run at a time: an MLP trained by plain SGD with the gemm crate, as one would write it without lanes.

use super::{Matrix, multiply};
use lehr_lab::{BatchOrder, Dataset, Error, Features, Layer, Task, TrainPlan};
use std::sync::atomic::{AtomicUsize, Ordering};

/// Trains `runs` rates, shared out among `threads` threads.
pub fn sweep(task: &Task, plan: &TrainPlan, runs: usize, threads: usize) -> Result<(), Error> {
    let columns = task.train().features().columns();
    let initial = plan.model.initial_weights(columns, task.train().classes().len(), 0)?;
    let next = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                loop {
                    let run = next.fetch_add(1, Ordering::Relaxed);
                    if run >= runs {
                        break;
                    }
                    let loss = Net::new(&initial, plan.batch.max(128)).train(
                        task,
                        plan,
                        1e-3 * 1.1f32.powi(run as i32),
                    );
                    assert!(loss.is_finite() && loss < 2.0, "{loss}");
                }
            });
        }
    });
    Ok(())
}

struct Net {
    /// Inputs × outputs, row by row, then the bias.
    layers: Vec<(usize, usize, Vec<f32>)>,
    activations: Vec<Vec<f32>>,
    deltas: [Vec<f32>; 2],
    gradient: Vec<f32>,
}

fn plain(data: &[f32], columns: usize) -> Matrix<'_> {
    Matrix { data, row: columns, column: 1 }
}

fn transposed(data: &[f32], columns: usize) -> Matrix<'_> {
    Matrix { data, row: 1, column: columns }
}

impl Net {
    fn new(initial: &[Layer], rows: usize) -> Self {
        let layer = |l: &Layer| {
            let weights = (0..l.inputs).flat_map(|i| (0..l.outputs).map(move |o| o * l.inputs + i));
            (l.inputs, l.outputs, weights.map(|j| l.weight[j]).chain(l.bias.iter().copied()).collect())
        };
        let widest = initial.iter().map(|l| l.inputs.max(l.outputs)).max().unwrap_or(0);
        let largest = initial.iter().map(|l| l.inputs * l.outputs).max().unwrap_or(0);
        let mut widths = vec![initial.first().map_or(0, |l| l.inputs)];
        widths.extend(initial.iter().map(|l| l.outputs));
        Self {
            layers: initial.iter().map(layer).collect(),
            activations: widths.iter().map(|w| vec![0.0; rows * w]).collect(),
            deltas: [vec![0.0; rows * widest], vec![0.0; rows * widest]],
            gradient: vec![0.0; largest],
        }
    }

    /// The training loss at the end.
    fn train(&mut self, task: &Task, plan: &TrainPlan, peak: f32) -> f64 {
        let mut order = BatchOrder::new(0, task.train().rows(), plan.batch);
        let all = |data: &Dataset| (0..data.rows() as u32).collect::<Vec<_>>();
        let look = |net: &mut Self, data: &Dataset| {
            let sum: f64 = all(data).chunks(128).map(|rows| f64::from(net.loss(data, rows, false))).sum();
            sum / data.rows() as f64
        };
        look(self, task.train());
        look(self, task.validation());
        for step in 0..plan.steps {
            let share = step as f32 / plan.steps as f32;
            let rate = peak * 0.5 * (1.0 + (std::f32::consts::PI * share).cos());
            let rows = order.batch(step).to_vec();
            self.loss(task.train(), &rows, true);
            self.backward(rows.len(), rate);
        }
        look(self, task.validation());
        look(self, task.train())
    }

    /// The sum of the losses of the rows; leaves the gradient of their mean with respect to the outputs, if asked.
    fn loss(&mut self, data: &Dataset, rows: &[u32], gradient: bool) -> f32 {
        let n = rows.len();
        if let Features::Dense { columns, values } = data.features() {
            for (slot, &row) in self.activations[0].chunks_exact_mut(*columns).zip(rows) {
                slot.copy_from_slice(&values[row as usize * columns..][..*columns]);
            }
        }
        let last = self.layers.len() - 1;
        for (l, (inputs, outputs, weights)) in self.layers.iter().enumerate() {
            let (below, above) = self.activations.split_at_mut(l + 1);
            multiply(
                [n, *outputs, *inputs],
                plain(&below[l], *inputs),
                plain(weights, *outputs),
                &mut above[0],
            );
            let bias = &weights[inputs * outputs..];
            for row in above[0].chunks_exact_mut(*outputs).take(n) {
                for (z, b) in row.iter_mut().zip(bias) {
                    *z = if l == last { *z + b } else { (*z + b).max(0.0) };
                }
            }
        }
        let classes = self.layers[last].1;
        let mut sum = 0.0;
        for (row, &index) in self.activations[last + 1].chunks_exact_mut(classes).zip(rows) {
            let label = data.labels()[index as usize] as usize;
            let largest = row.iter().copied().fold(f32::NEG_INFINITY, f32::max);
            let own = row[label];
            let mut total = 0.0;
            for z in row.iter_mut() {
                *z = (*z - largest).exp();
                total += *z;
            }
            sum += total.ln() + largest - own;
            if gradient {
                row.iter_mut().for_each(|z| *z /= total * n as f32);
                row[label] -= 1.0 / n as f32;
            }
        }
        sum
    }

    fn backward(&mut self, n: usize, rate: f32) {
        let last = self.layers.len() - 1;
        let outputs = self.layers[last].1;
        self.deltas[last % 2][..n * outputs].copy_from_slice(&self.activations[last + 1][..n * outputs]);
        for l in (0..=last).rev() {
            let (inputs, outputs, weights) = &mut self.layers[l];
            let (inputs, outputs) = (*inputs, *outputs);
            let [even, odd] = &mut self.deltas;
            let (delta, below) = if l % 2 == 0 { (even, odd) } else { (odd, even) };
            let activation = &self.activations[l];
            if l > 0 {
                multiply([n, inputs, outputs], plain(delta, outputs), transposed(weights, outputs), below);
                for (d, a) in below.iter_mut().zip(activation).take(n * inputs) {
                    if *a <= 0.0 {
                        *d = 0.0;
                    }
                }
            }
            let gradient = &mut self.gradient[..inputs * outputs];
            multiply([inputs, outputs, n], transposed(activation, inputs), plain(delta, outputs), gradient);
            let (matrix, bias) = weights.split_at_mut(inputs * outputs);
            for (w, g) in matrix.iter_mut().zip(gradient) {
                *w -= rate * *g;
            }
            for row in delta.chunks_exact(outputs).take(n) {
                for (b, d) in bias.iter_mut().zip(row) {
                    *b -= rate * d;
                }
            }
        }
    }
}
