//! The optimisers, by torch's conventions.

use crate::Error;
use std::fmt;
use std::str::FromStr;

/// How a gradient g moves a weight w at rate η (λ is the weight decay of the plan).
///
/// The conventions are torch's. For all but AdamW, λ is an L2 penalty: g ← g + λw before anything else.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Optimizer {
    /// w ← w − ηg.
    Sgd,
    /// Heavy ball: b ← μb + g, w ← w − ηb (b starts at 0, no dampening).
    Momentum {
        /// μ, 0.9 unless said otherwise.
        momentum: f64,
    },
    /// Nesterov's momentum as in torch: b ← μb + g, w ← w − η(g + μb).
    Nesterov {
        /// μ, 0.9 unless said otherwise.
        momentum: f64,
    },
    /// Adam (Kingma and Ba, 2015): m ← β₁m + (1−β₁)g, v ← β₂v + (1−β₂)g²,
    /// w ← w − η/(1−β₁ᵗ) · m / (√v/√(1−β₂ᵗ) + ε), t counted from 1.
    Adam(AdamSettings),
    /// AdamW (Loshchilov and Hutter, 2019) as in torch: w ← (1 − ηλ)w, then Adam's move with the plain gradient.
    AdamW(AdamSettings),
}

/// The constants of Adam.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct AdamSettings {
    /// β₁, 0.9 unless said otherwise.
    pub beta1: f64,
    /// β₂, 0.999 unless said otherwise.
    pub beta2: f64,
    /// ε, 1e-8 unless said otherwise.
    pub eps: f64,
}

impl Default for AdamSettings {
    fn default() -> Self {
        Self { beta1: 0.9, beta2: 0.999, eps: 1e-8 }
    }
}

const MOMENTUM: f64 = 0.9;

impl Optimizer {
    /// Numbers kept per weight beside the weight itself.
    pub(crate) fn state(self) -> usize {
        match self {
            Self::Sgd => 0,
            Self::Momentum { .. } | Self::Nesterov { .. } => 1,
            Self::Adam(_) | Self::AdamW(_) => 2,
        }
    }

    /// Checks the constants (they can be set without going through the text form).
    pub(crate) fn check(self) -> Result<(), Error> {
        let fail = |problem: &str| Err(Error::Optimizer { text: self.to_string(), problem: problem.into() });
        match self {
            Self::Sgd => Ok(()),
            Self::Momentum { momentum } | Self::Nesterov { momentum } if !(0.0..1.0).contains(&momentum) => {
                fail("the momentum must be at least 0 and below 1")
            }
            Self::Momentum { .. } | Self::Nesterov { .. } => Ok(()),
            Self::Adam(s) | Self::AdamW(s) => {
                if !(0.0..1.0).contains(&s.beta1) || !(0.0..1.0).contains(&s.beta2) {
                    fail("beta1 and beta2 must be at least 0 and below 1")
                } else if !(s.eps > 0.0 && s.eps.is_finite()) {
                    fail("eps must be above 0")
                } else {
                    Ok(())
                }
            }
        }
    }
}

impl fmt::Display for Optimizer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (name, settings) = match *self {
            Self::Sgd => ("sgd", vec![]),
            Self::Momentum { momentum } => ("momentum", vec![("", momentum, MOMENTUM)]),
            Self::Nesterov { momentum } => ("nesterov", vec![("", momentum, MOMENTUM)]),
            Self::Adam(s) => ("adam", s.list()),
            Self::AdamW(s) => ("adamw", s.list()),
        };
        f.write_str(name)?;
        for (name, value, default) in settings {
            if value != default {
                let space = if name.is_empty() { "" } else { " " };
                write!(f, " {name}{space}{value}")?;
            }
        }
        Ok(())
    }
}

impl AdamSettings {
    fn list(self) -> Vec<(&'static str, f64, f64)> {
        let default = Self::default();
        vec![
            ("beta1", self.beta1, default.beta1),
            ("beta2", self.beta2, default.beta2),
            ("eps", self.eps, default.eps),
        ]
    }
}

impl FromStr for Optimizer {
    type Err = Error;

    /// `sgd`, `momentum`, `momentum 0.95`, `nesterov`, `adam`, `adamw beta1 0.9 beta2 0.95 eps 1e-8`.
    fn from_str(text: &str) -> Result<Self, Error> {
        let fail = |problem: String| Error::Optimizer { text: text.to_owned(), problem };
        let number = |word: &str| {
            word.parse::<f64>().map_err(|_| fail(format!("`{word}` stands where a number was expected")))
        };
        let mut words = text.split_whitespace();
        let name = words.next().unwrap_or_default();
        let optimizer = match name {
            "sgd" => Self::Sgd,
            "momentum" | "nesterov" => {
                let momentum = words.next().map_or(Ok(MOMENTUM), number)?;
                if name == "momentum" { Self::Momentum { momentum } } else { Self::Nesterov { momentum } }
            }
            "adam" | "adamw" => {
                let mut settings = AdamSettings::default();
                while let Some(setting) = words.next() {
                    let slot = match setting {
                        "beta1" => &mut settings.beta1,
                        "beta2" => &mut settings.beta2,
                        "eps" => &mut settings.eps,
                        _ => return Err(fail(format!("`{setting}`: expected `beta1`, `beta2` or `eps`"))),
                    };
                    *slot = number(words.next().unwrap_or_default())?;
                }
                if name == "adam" { Self::Adam(settings) } else { Self::AdamW(settings) }
            }
            _ => return Err(fail("expected `sgd`, `momentum`, `nesterov`, `adam` or `adamw`".into())),
        };
        if let Some(word) = words.next() {
            return Err(fail(format!("`{word}` was not expected here")));
        }
        optimizer.check()?;
        Ok(optimizer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_round_trips() {
        for text in [
            "sgd",
            "momentum",
            "momentum 0.95",
            "nesterov",
            "nesterov 0.5",
            "adam",
            "adamw beta2 0.95",
            "adam beta1 0.8 beta2 0.9 eps 0.000001",
        ] {
            assert_eq!(text.parse::<Optimizer>().unwrap().to_string(), text);
        }
        assert_eq!("momentum 0.9".parse::<Optimizer>().unwrap(), "momentum".parse().unwrap());
    }

    #[test]
    fn says_what_is_wrong() {
        for (text, message) in [
            ("", "expected `sgd`"),
            ("adamax", "expected `sgd`"),
            ("sgd 0.9", "`0.9` was not expected"),
            ("momentum x", "`x` stands where"),
            ("momentum 1", "below 1"),
            ("momentum nan", "below 1"),
            ("adam beta3 1", "`beta3`: expected"),
            ("adam beta1", "`` stands where"),
            ("adam eps 0", "eps must be above 0"),
            ("adam beta2 -0.1", "beta1 and beta2"),
        ] {
            let error = text.parse::<Optimizer>().unwrap_err().to_string();
            assert!(error.contains(message), "{text}: {error}");
        }
    }
}
