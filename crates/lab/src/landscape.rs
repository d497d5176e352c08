//! The loss of a model on data as a function of its weights: value, gradient and curvature, in double precision.

use crate::data::{Dataset, Features};
use crate::random::{Random, Stream};
use crate::{Error, Layer, Model};

/// The mean cross-entropy of a model on a data set.
///
/// Weights stand in one flat list: per layer, the weights output by output, then the biases.
#[derive(Debug, Clone)]
pub struct Landscape<'a> {
    data: &'a Dataset,
    widths: Vec<usize>,
}

/// The largest eigenvalue of the Hessian.
#[derive(Debug, Clone, PartialEq)]
pub struct Sharpness {
    /// The eigenvalue; gradient descent at a constant rate settles at a minimum only below 2 over it.
    pub eigenvalue: f64,
    /// By which share it changed in the last round of the power iteration.
    pub change: f64,
}

impl<'a> Landscape<'a> {
    /// The loss of `model` on all of `data`.
    ///
    /// # Errors
    /// If the model cannot tell that many classes apart.
    pub fn new(model: &Model, data: &'a Dataset) -> Result<Self, Error> {
        let widths = model.widths(data.features().columns(), data.classes().len())?;
        Ok(Self { data, widths })
    }

    /// Layers as a flat list.
    pub fn flatten(layers: &[Layer]) -> Vec<f64> {
        layers
            .iter()
            .flat_map(|layer| layer.weight.iter().chain(&layer.bias))
            .map(|&w| f64::from(w))
            .collect()
    }

    /// How many weights and biases there are.
    pub fn weights(&self) -> usize {
        self.widths.windows(2).map(|pair| pair[0] * pair[1] + pair[1]).sum()
    }

    /// The mean loss of all rows and its gradient.
    pub fn loss_and_gradient(&self, weights: &[f64]) -> (f64, Vec<f64>) {
        self.on_rows(weights, 0..self.data.rows())
    }

    /// The mean loss of these rows and its gradient.
    pub fn on_rows(&self, weights: &[f64], rows: impl ExactSizeIterator<Item = usize>) -> (f64, Vec<f64>) {
        let mut gradient = vec![0.0; weights.len()];
        let count = rows.len().max(1) as f64;
        let mut loss = 0.0;
        let mut layers: Vec<Vec<f64>> = self.widths.iter().map(|&width| vec![0.0; width]).collect();
        for row in rows {
            read(self.data, row, &mut layers[0]);
            self.forward(weights, &mut layers);
            let label = self.data.labels()[row] as usize;
            let (value, delta) = cross_entropy(&layers[layers.len() - 1], label);
            loss += value;
            self.backward(weights, &layers, delta, &mut gradient);
        }
        gradient.iter_mut().for_each(|g| *g /= count);
        (loss / count, gradient)
    }

    /// Outputs of every layer from the first, which holds the input.
    fn forward(&self, weights: &[f64], layers: &mut [Vec<f64>]) {
        let mut offset = 0;
        for (l, pair) in self.widths.windows(2).enumerate() {
            let (inputs, outputs) = (pair[0], pair[1]);
            let last = l + 2 == self.widths.len();
            let (below, above) = layers.split_at_mut(l + 1);
            for (o, out) in above[0].iter_mut().enumerate() {
                let row = &weights[offset + o * inputs..][..inputs];
                let sum: f64 = row.iter().zip(&below[l]).map(|(w, x)| w * x).sum();
                let value = sum + weights[offset + inputs * outputs + o];
                *out = if last { value } else { value.max(0.0) };
            }
            offset += inputs * outputs + outputs;
        }
    }

    /// Adds the gradient of one row, whose derivative with respect to the outputs is `delta`.
    fn backward(&self, weights: &[f64], layers: &[Vec<f64>], mut delta: Vec<f64>, gradient: &mut [f64]) {
        let mut offset = weights.len();
        for l in (0..self.widths.len() - 1).rev() {
            let (inputs, outputs) = (self.widths[l], self.widths[l + 1]);
            offset -= inputs * outputs + outputs;
            let below = &layers[l];
            let mut lower = vec![0.0; inputs];
            for (o, &d) in delta.iter().enumerate() {
                let row = offset + o * inputs;
                for i in 0..inputs {
                    gradient[row + i] += d * below[i];
                    lower[i] += d * weights[row + i];
                }
                gradient[offset + inputs * outputs + o] += d;
            }
            if l > 0 {
                // ReLU: no gradient where the unit was off.
                lower.iter_mut().zip(below).filter(|(_, x)| **x <= 0.0).for_each(|(d, _)| *d = 0.0);
            }
            delta = lower;
        }
    }

    /// The largest eigenvalue of the Hessian at these weights, by power iteration; a product with the Hessian is the
    /// central difference of two gradients. It ends once the eigenvalue changes by less than 10⁻⁵ in a round, or after
    /// `rounds` of them.
    pub fn sharpness(&self, weights: &[f64], rounds: usize) -> Sharpness {
        let found = self.dominant(weights, rounds, 0.0);
        if found.eigenvalue >= 0.0 {
            return found;
        }
        // The eigenvalue of largest size is negative: shifted by it, the largest one dominates.
        let shifted = self.dominant(weights, rounds, found.eigenvalue);
        Sharpness { eigenvalue: shifted.eigenvalue + found.eigenvalue, ..shifted }
    }

    /// The eigenvalue of largest size of the Hessian minus `shift` times the identity.
    fn dominant(&self, weights: &[f64], rounds: usize, shift: f64) -> Sharpness {
        const STEP: f64 = 1e-4;
        let mut random = Random::new(0, Stream::Weights(u64::MAX));
        let mut direction: Vec<f64> = weights.iter().map(|_| random.uniform() - 0.5).collect();
        let mut found = Sharpness { eigenvalue: 0.0, change: f64::INFINITY };
        for _ in 0..rounds {
            let length = norm(&direction);
            if length == 0.0 || !length.is_finite() {
                break;
            }
            direction.iter_mut().for_each(|d| *d /= length);
            let at = |sign: f64| {
                let moved: Vec<f64> =
                    weights.iter().zip(&direction).map(|(w, d)| w + sign * STEP * d).collect();
                self.loss_and_gradient(&moved).1
            };
            let (above, below) = (at(1.0), at(-1.0));
            let product: Vec<f64> = (above.iter().zip(&below).zip(&direction))
                .map(|((a, b), d)| (a - b) / (2.0 * STEP) - shift * d)
                .collect();
            let eigenvalue: f64 = product.iter().zip(&direction).map(|(p, d)| p * d).sum();
            let change = ((eigenvalue - found.eigenvalue) / eigenvalue).abs();
            found = Sharpness { eigenvalue, change };
            if change < 1e-5 {
                break;
            }
            direction = product;
        }
        found
    }
}

fn norm(vector: &[f64]) -> f64 {
    vector.iter().map(|v| v * v).sum::<f64>().sqrt()
}

/// The values of a row, zeros included.
fn read(data: &Dataset, row: usize, out: &mut [f64]) {
    match data.features() {
        Features::Dense { columns, values } => {
            let row = &values[row * columns..][..*columns];
            out.iter_mut().zip(row).for_each(|(out, &value)| *out = f64::from(value));
        }
        Features::Sparse { starts, indices, values, .. } => {
            out.fill(0.0);
            for entry in starts[row]..starts[row + 1] {
                out[indices[entry] as usize] = f64::from(values[entry]);
            }
        }
    }
}

/// The cross-entropy of one row's outputs and its derivative with respect to them.
fn cross_entropy(outputs: &[f64], label: usize) -> (f64, Vec<f64>) {
    if let [z] = *outputs {
        let margin = if label == 1 { z } else { -z };
        let loss = (-margin).max(0.0) + (-margin.abs()).exp().ln_1p();
        return (loss, vec![1.0 / (1.0 + (-z).exp()) - label as f64]);
    }
    let largest = outputs.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let sum: f64 = outputs.iter().map(|z| (z - largest).exp()).sum();
    let mut delta: Vec<f64> = outputs.iter().map(|z| (z - largest).exp() / sum).collect();
    delta[label] -= 1.0;
    (sum.ln() + largest - outputs[label], delta)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Task;

    #[test]
    fn the_sharpness_of_logistic_regression_at_zero_is_that_of_its_covariance() {
        // At w = 0 the Hessian is ¼·mean(x xᵀ); with one constant column and the bias it is known.
        let values = vec![2.0, 2.0, 2.0, 2.0];
        let classes = vec!["a".to_owned(), "b".to_owned()];
        let data =
            Dataset::new("d", Features::Dense { columns: 1, values }, vec![0, 1, 0, 1], classes).unwrap();
        let landscape = Landscape::new(&Model::Logistic, &data).unwrap();
        // ¼·(x, 1)(x, 1)ᵀ with x = 2 has the eigenvalue ¼·(4 + 1).
        let found = landscape.sharpness(&[0.0, 0.0], 100);
        assert!((found.eigenvalue - 1.25).abs() < 1e-6, "{found:?}");
    }

    #[test]
    fn the_sharpness_of_a_network_is_the_curvature_along_the_steepest_direction() {
        let task = Task::wine().unwrap();
        let model = Model::Mlp(vec![4]);
        let landscape = Landscape::new(&model, task.train()).unwrap();
        let weights = Landscape::flatten(&model.initial_weights(11, 3, 1).unwrap());
        assert_eq!(weights.len(), landscape.weights());
        let found = landscape.sharpness(&weights, 300);
        // No direction curves more: a few random ones, and those of single weights.
        let mut random = Random::new(1, Stream::Split);
        for _ in 0..20 {
            let direction: Vec<f64> = weights.iter().map(|_| random.uniform() - 0.5).collect();
            let length = norm(&direction);
            let at = |t: f64| {
                let moved: Vec<f64> =
                    weights.iter().zip(&direction).map(|(w, d)| w + t * d / length).collect();
                landscape.loss_and_gradient(&moved).0
            };
            let curvature = (at(1e-3) - 2.0 * at(0.0) + at(-1e-3)) / 1e-6;
            assert!(curvature <= 1.01 * found.eigenvalue, "{curvature} {found:?}");
        }
        assert!(found.eigenvalue > 0.1 && found.change < 1e-3, "{found:?}");
    }
}
