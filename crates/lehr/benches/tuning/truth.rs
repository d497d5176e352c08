//! What is true of a task: a fine grid of rates over many seeds, or 500 random configurations run in full.

use std::fs::OpenOptions;
use std::io::Write;
use std::path::Path;

use lehr_search::Params;

use super::task::{Bench, Result};

/// The mean loss at the target on a fine grid of rates, over fresh seeds.
pub struct Truth {
    pub rates: Vec<f64>,
    /// Mean over seeds; infinite where a seed diverged.
    pub losses: Vec<f64>,
    /// Index of the best rate, by a running mean over half an octave.
    pub best: usize,
    pub best_rate: f64,
    /// Standard deviation between seeds at the best rate.
    pub noise: f64,
}

/// Points per octave of the fine grid.
pub const PER_OCTAVE: usize = 8;
/// The first seed of the truth; those of the searches are far from it.
pub const TRUTH_SEEDS: u64 = 1_000_000;
/// Random configurations whose best are the marks where other parameters are searched, too.
const CONFIGURATIONS: u64 = 500;
/// Fresh seeds of each.
pub const FRESH: u64 = 10;

impl Truth {
    /// The truth, from `folder` if it has been there before.
    pub fn cached(bench: &Bench, folder: &Path) -> Result<Self> {
        let (steps, (low, high), seeds) = (bench.target, bench.range, bench.truth_seeds);
        let path = folder.join(format!("truth-{}-{steps}-{low:e}-{high:e}-{seeds}.txt", bench.name));
        let numbers = |line: Option<&str>| -> Option<Vec<f64>> {
            line?.split(' ').map(|word| word.parse().ok()).collect()
        };
        if let Ok(text) = std::fs::read_to_string(&path) {
            let mut lines = text.lines();
            let read = (numbers(lines.next()), numbers(lines.next()), numbers(lines.next()));
            if let (Some(rates), Some(losses), Some(rest)) = read
                && let [best, noise] = rest[..]
            {
                let best = best as usize;
                return Ok(Self { best_rate: rates[best], rates, losses, best, noise });
            }
        }
        let truth = Self::of(bench, low, high, seeds, steps)?;
        let line = |of: &[f64]| of.iter().map(|x| format!("{x:?}")).collect::<Vec<_>>().join(" ");
        let rest = [truth.best as f64, truth.noise];
        let text = format!("{}\n{}\n{}\n", line(&truth.rates), line(&truth.losses), line(&rest));
        std::fs::write(&path, text).map_err(|e| format!("cannot write {}: {e}", path.display()))?;
        Ok(truth)
    }

    fn of(bench: &Bench, low: f64, high: f64, seeds: u64, steps: u64) -> Result<Self> {
        let count = ((high / low).log2() * PER_OCTAVE as f64).ceil() as usize;
        let rates: Vec<f64> = (0..=count).map(|i| low * 2f64.powf(i as f64 / PER_OCTAVE as f64)).collect();
        let mut all = vec![Vec::new(); rates.len()];
        for seed in 0..seeds {
            let curves = bench.train_rates(&rates, steps, TRUTH_SEEDS + seed)?;
            curves.iter().zip(&mut all).for_each(|(curve, of)| of.push(curve.end()));
        }
        let mean = |of: &Vec<f64>| of.iter().sum::<f64>() / of.len() as f64;
        let losses: Vec<f64> =
            all.iter().map(mean).map(|l| if l.is_nan() { f64::INFINITY } else { l }).collect();
        // A running mean over half an octave: the minimum of noisy neighbours is biased.
        let smooth = |i: usize| {
            let near = i.saturating_sub(2)..(i + 3).min(losses.len());
            losses[near.clone()].iter().sum::<f64>() / near.len() as f64
        };
        let best = (0..losses.len()).min_by(|&a, &b| smooth(a).total_cmp(&smooth(b))).unwrap_or(0);
        let center = mean(&all[best]);
        let squares: f64 = all[best].iter().map(|l| (l - center).powi(2)).sum();
        let noise = (squares / (seeds as f64 - 1.0).max(1.0)).sqrt();
        let smoothed = (0..losses.len()).map(smooth).collect::<Vec<_>>();
        Ok(Self { best_rate: rates[best], rates, losses: smoothed, best, noise })
    }

    /// The loss at a rate, between those of the grid on a line.
    pub fn loss(&self, rate: f64) -> f64 {
        let at =
            ((rate / self.rates[0]).log2() * PER_OCTAVE as f64).clamp(0.0, (self.rates.len() - 1) as f64);
        let (i, j) = (at.floor() as usize, at.ceil() as usize);
        self.losses[i] + if i == j { 0.0 } else { (at - at.floor()) * (self.losses[j] - self.losses[i]) }
    }

    pub fn lowest(&self) -> f64 {
        self.losses.iter().copied().fold(f64::INFINITY, f64::min)
    }

    /// By how much the loss at a rate is above the lowest one.
    pub fn regret(&self, rate: f64) -> f64 {
        self.loss(rate) - self.lowest()
    }

    /// The regret of a miss by so many octaves, on the side where it costs less.
    pub fn miss(&self, octaves: f64) -> f64 {
        let by = (octaves * PER_OCTAVE as f64) as usize;
        let low = self.best.checked_sub(by).map(|i| self.losses[i]);
        let high = self.losses.get(self.best + by).copied();
        let side = low.into_iter().chain(high).fold(f64::INFINITY, f64::min);
        (side - self.losses[self.best]).max(0.0)
    }
}

/// The expected loss of a configuration at the target: the mean over fresh seeds, infinite if one diverged.
pub fn expected(bench: &Bench, params: &Params) -> Result<(f64, f64)> {
    let mut ends = Vec::new();
    for seed in 0..FRESH {
        ends.push(bench.train(params, bench.target, TRUTH_SEEDS + seed)?.end());
        if ends.iter().any(|end| end.is_nan()) {
            return Ok((f64::INFINITY, f64::NAN));
        }
    }
    let mean = ends.iter().sum::<f64>() / FRESH as f64;
    let squares: f64 = ends.iter().map(|end| (end - mean).powi(2)).sum();
    Ok((mean, (squares / (FRESH as f64 - 1.0)).sqrt()))
}

/// Expected losses of the random configurations, rising, and the noise of one run of the best; kept as they come.
pub fn configurations(bench: &Bench, folder: &Path) -> Result<(Vec<f64>, f64)> {
    let path = folder.join(format!("random-{}.txt", bench.name));
    let mut known: Vec<(f64, f64)> = Vec::new();
    for line in std::fs::read_to_string(&path).unwrap_or_default().lines() {
        if let [number, loss, noise, "."] = line.split(' ').collect::<Vec<_>>()[..]
            && number.parse() == Ok(known.len())
            && let (Ok(loss), Ok(noise)) = (loss.parse(), noise.parse())
        {
            known.push((loss, noise));
        }
    }
    let file = OpenOptions::new().create(true).append(true).open(&path);
    let mut file = file.map_err(|e| format!("cannot write {}: {e}", path.display()))?;
    for number in known.len() as u64..CONFIGURATIONS {
        let (loss, noise) = expected(bench, &bench.random(number)?)?;
        writeln!(file, "{number} {loss:?} {noise:?} .").map_err(|e| e.to_string())?;
        known.push((loss, noise));
    }
    known.sort_by(|a, b| a.0.total_cmp(&b.0));
    Ok((known.iter().map(|k| k.0).collect(), known[0].1))
}
