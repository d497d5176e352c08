//! What was logged of a run.

/// Why something is no run that can be diagnosed.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum DiagnoseError {
    /// Too short, out of order or without a finite loss; the text says which.
    #[error("run {run}: {why}")]
    Run {
        /// The run.
        run: String,
        /// What is wrong.
        why: String,
    },
    /// A log cannot be read; the text says where and why.
    #[error("{0}")]
    Input(String),
}

/// The log of a run: steps, losses and, where they were logged, validation losses and rates.
#[derive(Debug, Clone, PartialEq)]
pub struct Run {
    pub(super) name: String,
    pub(super) steps: Vec<u64>,
    pub(super) losses: Vec<f64>,
    pub(super) validation: Vec<(u64, f64)>,
    pub(super) rates: Option<Vec<f64>>,
}

/// Fewest points from which anything can be said.
const FEWEST: usize = 10;

impl Run {
    /// A run of losses at rising steps; a loss that is not finite says that the run diverged there. `rates`, if
    /// given, has one rate per step; `validation` may have points at other steps.
    ///
    /// # Errors
    /// Fewer than ten points, steps that do not rise, no finite loss, losses that never change, or rates that do
    /// not match.
    pub fn new(
        name: impl Into<String>,
        points: &[(u64, f64)],
        validation: Vec<(u64, f64)>,
        rates: Option<Vec<f64>>,
    ) -> Result<Self, DiagnoseError> {
        let name = name.into();
        let fail = |why: String| Err(DiagnoseError::Run { run: name.clone(), why });
        if points.len() < FEWEST {
            return fail(format!("{} points; at least {FEWEST} are needed", points.len()));
        }
        if let Some(pair) = points.windows(2).find(|pair| pair[1].0 <= pair[0].0) {
            return fail(format!("step {} follows step {}; steps must rise", pair[1].0, pair[0].0));
        }
        let mut finite = points.iter().map(|point| point.1).filter(|loss| loss.is_finite());
        let Some(first) = finite.next() else { return fail("no loss is a finite number".to_owned()) };
        if points.iter().all(|point| point.1.is_finite()) && finite.all(|loss| loss == first) {
            return fail(format!("every loss is {first}: nothing was trained, or the wrong column was read"));
        }
        if let Some(rates) = &rates {
            if rates.len() != points.len() {
                return fail(format!("{} rates for {} points", rates.len(), points.len()));
            }
            if let Some(rate) = rates.iter().find(|rate| !rate.is_finite() || **rate < 0.0) {
                return fail(format!("the rate {rate} is not a finite number of at least 0"));
            }
        }
        let (steps, losses) = points.iter().copied().unzip();
        let validation = validation.into_iter().filter(|point| point.1.is_finite()).collect();
        Ok(Self { name, steps, losses, validation, rates })
    }

    /// The run's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its logged points.
    pub fn points(&self) -> impl Iterator<Item = (u64, f64)> + '_ {
        self.steps.iter().copied().zip(self.losses.iter().copied())
    }

    /// Its validation losses.
    pub fn validation(&self) -> &[(u64, f64)] {
        &self.validation
    }

    /// Whether the rate holds its highest value to the end, from the first tenth on.
    pub(super) fn is_constant(&self) -> bool {
        self.rates.as_ref().is_some_and(|rates| {
            let peak = rates.iter().copied().fold(0.0, f64::max);
            rates[rates.len() / 10..].iter().all(|rate| (rate / peak - 1.0).abs() < 1e-6)
        })
    }

    /// The highest rate.
    pub(super) fn peak(&self) -> Option<f64> {
        self.rates.as_ref().map(|rates| rates.iter().copied().fold(0.0, f64::max))
    }
}

/// Median; NaN counts as infinite.
pub(super) fn median(values: &[f64]) -> f64 {
    let mut sorted: Vec<f64> = values.iter().map(|v| if v.is_nan() { f64::INFINITY } else { *v }).collect();
    sorted.sort_by(f64::total_cmp);
    match sorted.len() {
        0 => f64::NAN,
        n => 0.5 * (sorted[(n - 1) / 2] + sorted[n / 2]),
    }
}

/// The running median over five points.
pub(super) fn smooth(values: &[f64]) -> Vec<f64> {
    (0..values.len()).map(|i| median(&values[i.saturating_sub(2)..(i + 3).min(values.len())])).collect()
}

/// Standard deviation of a point around the line through its neighbours, over the second half; robust.
pub(super) fn noise(values: &[f64]) -> f64 {
    let bends: Vec<f64> = values[values.len() / 2..]
        .windows(3)
        .map(|three| (three[0] - 2.0 * three[1] + three[2]).abs())
        .filter(|bend| bend.is_finite())
        .collect();
    if bends.is_empty() { 0.0 } else { 1.4826 * median(&bends) / 6f64.sqrt() }
}
