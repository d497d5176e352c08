//! How often the 90 % intervals hold the truth: many searches on live training, each with seeds of its own.

use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use lehr::strategy::{Annealed, RunState};

use super::search::{Search, score, search};
use super::task::{Bench, Result};
use super::truth::Truth;

/// Octaves of the range that a search is given.
const OCTAVES: f64 = 16.6;
/// The first seed of the searches, far from those of the benchmark and from those on which widths were chosen (50,000 and 250,000).
const FIRST_SEED: u64 = 450_000;

/// `REPEATS TASK...`: searches until they stop by themselves.
pub fn run(folder: &Path, arguments: &[String]) -> Result<()> {
    let repeats: u64 = arguments.first().and_then(|n| n.parse().ok()).ok_or("REPEATS TASK...")?;
    std::fs::create_dir_all(folder).map_err(|e| e.to_string())?;
    for name in &arguments[1..] {
        let bench = Bench::new(name)?;
        if !bench.rate_alone() {
            return Err(format!("'{name}' has no single best rate"));
        }
        let truth = Truth::cached(&bench, folder)?;
        report(name, &truth, &searches(&bench, &truth, repeats)?);
    }
    Ok(())
}

fn searches(bench: &Bench, truth: &Truth, repeats: u64) -> Result<Vec<Search>> {
    let next = AtomicU64::new(0);
    let all = Mutex::new(Vec::new());
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                loop {
                    let repeat = next.fetch_add(1, Ordering::Relaxed);
                    if repeat >= repeats {
                        break;
                    }
                    let found = one(bench, truth, repeat);
                    if let Ok(mut all) = all.lock() {
                        all.push((repeat, found));
                    }
                }
            });
        }
    });
    let mut all = all.into_inner().map_err(|e| e.to_string())?;
    all.sort_by_key(|a| a.0);
    all.into_iter().map(|a| a.1).collect()
}

fn one(bench: &Bench, truth: &Truth, repeat: u64) -> Result<Search> {
    // The best rate lies anywhere in the middle half of the range.
    let place = 0.25 + 0.5 * (repeat as f64 * 0.618_034).fract();
    let low = truth.best_rate * (-place * OCTAVES).exp2();
    let goal = bench.goal(FIRST_SEED + 100 * repeat, low, low * OCTAVES.exp2())?;
    search(&Annealed::default(), &goal, false, |params, plan| {
        let curve = bench.train(params, plan.horizon, plan.seed)?;
        Ok(curve.diverged.map_or(RunState::Complete(curve.end()), |at| RunState::Diverged { at }))
    })
}

fn report(name: &str, truth: &Truth, all: &[Search]) {
    println!("{name}: {} searches on live training, best rate {:.4}", all.len(), truth.best_rate);
    let rates: Vec<_> = all
        .iter()
        .filter_map(|s| s.rate.map(|r| score(r.low.log2(), r.high.log2(), truth.best_rate.log2())))
        .collect();
    println!("  {}", summary("best rate, in octaves", &rates, all.len()));
    let losses: Vec<_> = all
        .iter()
        .filter_map(|s| {
            let rate = s.last()?.1.as_ref()?.float("lr")?;
            s.loss.map(|l| score(l.low, l.high, truth.loss(rate)))
        })
        .collect();
    println!("  {}", summary("expected loss of the recommendation", &losses, all.len()));
    let mut spent: Vec<f64> = all.iter().filter_map(|s| s.last().map(|e| e.0)).collect();
    spent.sort_by(f64::total_cmp);
    let mut regrets: Vec<f64> =
        all.iter().filter_map(|s| Some(truth.regret(s.last()?.1.as_ref()?.float("lr")?))).collect();
    regrets.sort_by(f64::total_cmp);
    let median = |of: &[f64]| of.get(of.len() / 2).copied().unwrap_or(f64::NAN);
    println!(
        "  stop after {:.2} full runs in the median, regret {:.1e} (an octave costs {:.1e}); within an octave {} of {}",
        median(&spent),
        median(&regrets),
        truth.miss(1.0),
        regrets.iter().filter(|r| **r <= truth.miss(1.0)).count(),
        all.len()
    );
}

fn summary(what: &str, scores: &[(bool, f64, f64)], searches: usize) -> String {
    let held = scores.iter().filter(|s| s.0).count();
    let (low, high) = wilson(held, scores.len());
    let mean = |of: fn(&(bool, f64, f64)) -> f64| scores.iter().map(of).sum::<f64>() / scores.len() as f64;
    format!(
        "{what}: the 90 % interval holds it in {held} of {} ({:.0} % [{:.0}, {:.0}]), mean width {:.3e}, mean interval score {:.3e}{}",
        scores.len(),
        100.0 * held as f64 / scores.len() as f64,
        100.0 * low,
        100.0 * high,
        mean(|s| s.1),
        mean(|s| s.2),
        if scores.len() < searches {
            format!("; {} searches gave none", searches - scores.len())
        } else {
            String::new()
        }
    )
}

/// Wilson's 95 % interval of a share.
fn wilson(k: usize, n: usize) -> (f64, f64) {
    let (n, z) = (n as f64, 1.96f64);
    let p = k as f64 / n;
    let center = (p + z * z / (2.0 * n)) / (1.0 + z * z / n);
    let half = z / (1.0 + z * z / n) * (p * (1.0 - p) / n + z * z / (4.0 * n * n)).sqrt();
    (center - half, center + half)
}
