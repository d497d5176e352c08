//! The models that the lab trains, and their initial weights.

use crate::Error;
use crate::random::{Random, Stream};
use std::fmt;
use std::str::FromStr;

/// The widest layer that is believed; wider ones are a typing error.
const MAX_WIDTH: usize = 1 << 16;

/// A classifier, trained on the mean cross-entropy of the minibatch.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Model {
    /// Logistic regression: two classes, one output; the second class is the positive one.
    Logistic,
    /// Softmax regression: one output per class.
    Softmax,
    /// Fully connected layers of these widths with ReLU between them, then one output per class.
    Mlp(Vec<usize>),
}

/// One fully connected layer, laid out as torch's `nn.Linear`.
#[derive(Debug, Clone, PartialEq)]
pub struct Layer {
    /// Number of inputs.
    pub inputs: usize,
    /// Number of outputs.
    pub outputs: usize,
    /// `outputs × inputs` weights, one output after the other.
    pub weight: Vec<f32>,
    /// One bias per output.
    pub bias: Vec<f32>,
}

impl Model {
    /// Inputs of the first layer, then outputs of every layer.
    ///
    /// # Errors
    /// If the model cannot tell that many classes apart.
    pub fn widths(&self, columns: usize, classes: usize) -> Result<Vec<usize>, Error> {
        let (hidden, outputs): (&[usize], usize) = match self {
            Self::Logistic if classes == 2 => (&[], 1),
            Self::Logistic => {
                return Err(self.unfit(format!(
                    "it tells two classes apart, but the data has {classes}; take `softmax` or `mlp:WIDTH`"
                )));
            }
            Self::Softmax => (&[], classes),
            Self::Mlp(hidden) => (hidden, classes),
        };
        if let Some(width) = hidden.iter().find(|&&w| w == 0 || w > MAX_WIDTH) {
            return Err(
                self.unfit(format!("a hidden layer has {width} units (1 to {MAX_WIDTH} are possible)"))
            );
        }
        if matches!(self, Self::Mlp(hidden) if hidden.is_empty()) {
            return Err(self.unfit("it has no hidden layer; take `softmax` instead".into()));
        }
        Ok([columns].into_iter().chain(hidden.iter().copied()).chain([outputs]).collect())
    }

    /// The weights that `seed` starts from, the same for every lane of the seed.
    ///
    /// Linear models start at zero. Each layer of an MLP starts as torch's `nn.Linear` does: weights and biases
    /// uniform in ±1/√inputs (He's rule for a leaky ReLU with slope √5).
    ///
    /// # Errors
    /// If the model cannot tell that many classes apart.
    pub fn initial_weights(&self, columns: usize, classes: usize, seed: u64) -> Result<Vec<Layer>, Error> {
        let widths = self.widths(columns, classes)?;
        let linear = widths.len() == 2;
        let layer = |(index, pair): (usize, &[usize])| {
            let (inputs, outputs) = (pair[0], pair[1]);
            let bound = if linear { 0.0 } else { 1.0 / (inputs as f64).sqrt() };
            let mut random = Random::new(seed, Stream::Weights(index as u64));
            let mut draw = |n: usize| -> Vec<f32> {
                (0..n).map(|_| (bound * (2.0 * random.uniform() - 1.0)) as f32).collect()
            };
            Layer { inputs, outputs, weight: draw(inputs * outputs), bias: draw(outputs) }
        };
        Ok(widths.windows(2).enumerate().map(layer).collect())
    }

    fn unfit(&self, problem: String) -> Error {
        Error::Model { text: self.to_string(), problem }
    }
}

impl fmt::Display for Model {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Logistic => f.write_str("logistic"),
            Self::Softmax => f.write_str("softmax"),
            Self::Mlp(hidden) => {
                let widths: Vec<String> = hidden.iter().map(usize::to_string).collect();
                write!(f, "mlp:{}", widths.join(","))
            }
        }
    }
}

impl FromStr for Model {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let fail = |problem: String| Error::Model { text: text.to_owned(), problem };
        match text.trim() {
            "logistic" => return Ok(Self::Logistic),
            "softmax" => return Ok(Self::Softmax),
            _ => {}
        }
        let Some(widths) = text.trim().strip_prefix("mlp:") else {
            return Err(fail(
                "expected `logistic`, `softmax` or `mlp:64,64` (widths of the hidden layers)".into(),
            ));
        };
        let width = |word: &str| match word.trim().parse::<usize>() {
            Ok(n) if (1..=MAX_WIDTH).contains(&n) => Ok(n),
            _ => Err(fail(format!("`{word}` is not the width of a layer (1 to {MAX_WIDTH})"))),
        };
        Ok(Self::Mlp(widths.split(',').map(width).collect::<Result<_, _>>()?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_round_trips_and_errors_say_what_is_possible() {
        for text in ["logistic", "softmax", "mlp:64", "mlp:64,32,16"] {
            assert_eq!(text.parse::<Model>().unwrap().to_string(), text);
        }
        for (text, message) in [
            ("", "expected `logistic`"),
            ("mlp", "expected `logistic`"),
            ("mlp:", "`` is not the width"),
            ("mlp:0", "`0` is not the width"),
            ("mlp:4,-1", "`-1` is not the width"),
            ("mlp:99999999999999999999999", "is not the width"),
        ] {
            let error = text.parse::<Model>().unwrap_err().to_string();
            assert!(error.contains(message), "{error}");
        }
        let error = Model::Logistic.widths(4, 3).unwrap_err().to_string();
        assert!(error.contains("the data has 3"), "{error}");
        assert!(Model::Mlp(vec![]).widths(4, 3).is_err());
    }

    #[test]
    fn initial_weights_fill_their_range() {
        let layers = Model::Mlp(vec![50]).initial_weights(16, 3, 1).unwrap();
        assert_eq!(
            (layers[0].inputs, layers[0].outputs, layers[1].inputs, layers[1].outputs),
            (16, 50, 50, 3)
        );
        let largest = layers[0].weight.iter().fold(0f32, |m, w| m.max(w.abs()));
        assert!(largest <= 0.25 && largest > 0.24, "{largest}");
        let mean = layers[0].weight.iter().sum::<f32>() / 800.0;
        assert!(mean.abs() < 0.02, "{mean}");
        assert_ne!(layers, Model::Mlp(vec![50]).initial_weights(16, 3, 2).unwrap());
        let zero = Model::Softmax.initial_weights(16, 3, 1).unwrap();
        assert!(zero[0].weight.iter().chain(&zero[0].bias).all(|&w| w == 0.0));
    }
}
