//! fastai's four suggestions, by its definitions (`fastai.callback.schedule`, version 2).

use serde::Serialize;

/// The suggestions that fastai makes of a range test.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Suggestions {
    /// [`valley`]
    pub valley: f64,
    /// [`slide`]
    pub slide: f64,
    /// [`steep`]
    pub steep: f64,
    /// [`minimum`]
    pub minimum: f64,
}

impl Suggestions {
    /// All four. The readings are those that fastai looks at: smoothed, without the first tenth and the last five.
    pub fn of(rates: &[f64], losses: &[f64]) -> Self {
        Self {
            valley: valley(rates, losses),
            slide: slide(rates, losses),
            steep: steep(rates, losses),
            minimum: minimum(rates, losses),
        }
    }
}

/// Half of the way down: in the longest falling subsequence of the losses, one third and a half of a third behind its
/// start. Needs a reading.
pub fn valley(rates: &[f64], losses: &[f64]) -> f64 {
    // Length of the longest falling subsequence that ends at each reading.
    let mut lengths = vec![1usize; losses.len()];
    let (mut start, mut end) = (0i64, 0usize);
    for i in 1..losses.len() {
        for j in 0..i {
            if losses[i] < losses[j] && lengths[i] < lengths[j] + 1 {
                lengths[i] = lengths[j] + 1;
            }
            if lengths[end] < lengths[i] {
                end = i;
                // fastai takes the subsequence for an unbroken stretch, so that it may start before the first reading.
                start = end as i64 - lengths[end] as i64;
            }
        }
    }
    let third = (end as i64 - start) as f64 / 3.0;
    let place = start + third as i64 + (third / 2.0) as i64;
    usize::try_from(place).ok().and_then(|place| rates.get(place)).copied().unwrap_or(f64::NAN)
}

/// Slides a window of fifteen readings from the end downwards until the slopes at its two ends differ by no more than 0.005
/// (loss per reading); the rate at the lower end of the last window that still differed.
pub fn slide(rates: &[f64], losses: &[f64]) -> f64 {
    const WINDOW: usize = 15;
    const ALIKE: f64 = 0.005;
    let slopes = gradient(losses);
    let n = losses.len();
    let Some(mut low) = n.checked_sub(1 + WINDOW) else { return f64::NAN };
    let mut found = rates[low];
    let mut high = n - 1;
    while (slopes[high] - slopes[low]).abs() > ALIKE {
        found = rates[low];
        if low == 0 {
            break;
        }
        (high, low) = (high - 1, low - 1);
    }
    found
}

/// The rate before the step at which the loss falls most per ratio of rates.
pub fn steep(rates: &[f64], losses: &[f64]) -> f64 {
    let slope = |i: usize| (losses[i + 1] - losses[i]) / (rates[i + 1].ln() - rates[i].ln());
    let steepest = (0..losses.len().saturating_sub(1)).min_by(|&a, &b| slope(a).total_cmp(&slope(b)));
    steepest.map_or(f64::NAN, |i| rates[i])
}

/// A tenth of the rate with the lowest loss.
pub fn minimum(rates: &[f64], losses: &[f64]) -> f64 {
    let lowest = (0..losses.len()).min_by(|&a, &b| losses[a].total_cmp(&losses[b]));
    lowest.map_or(f64::NAN, |i| rates[i] / 10.0)
}

/// NumPy's gradient: central differences, one-sided at the ends.
fn gradient(values: &[f64]) -> Vec<f64> {
    let last = values.len().saturating_sub(1);
    (0..values.len())
        .map(|i| match i {
            _ if last == 0 => 0.0,
            0 => values[1] - values[0],
            i if i == last => values[last] - values[last - 1],
            i => (values[i + 1] - values[i - 1]) / 2.0,
        })
        .collect()
}
