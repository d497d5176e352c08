//! Hundreds of searches on tabulated runs ([`Surface`]): what a change of the strategy does, in seconds.

use std::path::Path;

use lehr::strategy::Annealed;
use lehr_search::Params;

use super::search::score;
use super::surface::Surface;
use super::task::{Bench, Result};
use super::truth::Truth;

/// Octaves of the range that a search is given.
const OCTAVES: f64 = 16.6;
/// Full runs at which the regret is shown.
const LOOKS: [f64; 7] = [0.2, 0.4, 0.7, 1.0, 1.5, 2.0, 4.0];

/// What was recommended after a run.
struct Answer {
    /// Full runs spent.
    spent: f64,
    regret: f64,
    /// Octaves above the best rate.
    off: f64,
}

/// What came of one search.
struct Lab {
    answers: Vec<Answer>,
    /// Whether the interval of the best rate holds it, its width in octaves, and its interval score.
    rate: (bool, f64, f64),
    loss: bool,
    /// The noise that it saw over the true one.
    noise: f64,
    slowest_ms: f64,
}

/// `REPEATS BUDGET TASK...`
pub fn run(folder: &Path, arguments: &[String]) -> Result<()> {
    let number =
        |i: usize| arguments.get(i).and_then(|word| word.parse::<f64>().ok()).ok_or("REPEATS BUDGET TASK...");
    let (repeats, budget) = (number(0)? as u64, number(1)?);
    for name in &arguments[2..] {
        let bench = Bench::new(name)?;
        if !bench.rate_alone() {
            return Err(format!(
                "{name}: runs are tabulated by their rate alone, and this task searches more"
            ));
        }
        let surface = Surface::cached(&bench, folder)?;
        let truth = Truth::cached(&bench, folder)?;
        if repeats == 0 {
            println!("{name}: tables are there");
            continue;
        }
        let all: Vec<Lab> =
            (0..repeats).map(|seed| search(&bench, &surface, &truth, seed, budget)).collect::<Result<_>>()?;
        report(&bench, &truth, &all);
    }
    Ok(())
}

/// One search; its regrets, and what its intervals are worth.
fn search(bench: &Bench, surface: &Surface, truth: &Truth, seed: u64, budget: f64) -> Result<Lab> {
    // The best rate lies anywhere in the middle half of the range.
    let place = 0.25 + 0.5 * (seed as f64 * 0.618_034).fract();
    let low = truth.best_rate * (-place * OCTAVES).exp2();
    let goal = bench.goal(1000 * (seed + 1), low, low * OCTAVES.exp2())?.budget(budget);
    let found = super::search::search(&Annealed::default(), &goal, false, |params, plan| {
        Ok(surface.run(params.float("lr").unwrap_or(f64::NAN), plan.horizon, plan.seed))
    })?;
    let (range, loss) = (found.rate.ok_or("no interval")?, found.loss.ok_or("no loss")?);
    let answer = |(spent, params): &(f64, Option<Params>)| {
        let rate = params.as_ref().and_then(|p| p.float("lr"));
        Answer {
            spent: *spent,
            regret: rate.map_or(f64::INFINITY, |rate| truth.regret(rate)),
            off: rate.map_or(f64::NAN, |rate| (rate / truth.best_rate).log2()),
        }
    };
    let answers: Vec<Answer> = found.events.iter().map(answer).collect();
    let real = truth.lowest() + answers.last().map_or(f64::NAN, |a| a.regret);
    Ok(Lab {
        answers,
        rate: score(range.low.log2(), range.high.log2(), truth.best_rate.log2()),
        loss: loss.low <= real && real <= loss.high,
        noise: found.noise.map_or(f64::NAN, |noise| noise / truth.noise),
        slowest_ms: found.slowest_ms,
    })
}

impl Lab {
    /// The answer that was there after so many full runs.
    fn after(&self, spent: f64) -> Option<&Answer> {
        self.answers.iter().rev().find(|answer| answer.spent <= spent)
    }
}

/// When a search was good for the first time and stayed so.
fn reached(search: &Lab, limit: f64) -> f64 {
    let good = search.answers.iter().rev().take_while(|answer| answer.regret <= limit);
    good.last().map_or(f64::INFINITY, |answer| answer.spent)
}

fn quartiles(mut of: Vec<f64>) -> [f64; 3] {
    of.sort_by(f64::total_cmp);
    [1, 2, 3].map(|k| of.get(k * of.len() / 4).copied().unwrap_or(f64::NAN))
}

fn report(bench: &Bench, truth: &Truth, all: &[Lab]) {
    println!("{}: {} searches", bench.name, all.len());
    for (name, limit) in [("octave", truth.miss(1.0)), ("half", truth.miss(0.5))] {
        let [a, b, c] = quartiles(all.iter().map(|s| reached(s, limit)).collect());
        let share = all.iter().filter(|s| reached(s, limit).is_finite()).count();
        println!("  {name} ({limit:.1e}): {b:.2} [{a:.2}, {c:.2}], {} %", 100 * share / all.len());
    }
    // Quartiles of something of the answers that were there after so many full runs.
    let looked = |spent: f64, missing: f64, of: fn(&Answer) -> f64| {
        quartiles(all.iter().map(|s| s.after(spent).map_or(missing, of)).collect())
    };
    let mean = |of: Vec<f64>| of.iter().sum::<f64>() / of.len() as f64;
    let looks = LOOKS.map(|x| format!("{x}: {:.1e}", looked(x, f64::INFINITY, |a| a.regret)[1]));
    println!("  median regret at {}", looks.join(", "));
    for (name, limit) in [("an octave", truth.miss(1.0)), ("half an octave", truth.miss(0.5))] {
        let good = |x: f64| all.iter().filter(|s| s.after(x).is_some_and(|a| a.regret <= limit)).count();
        let looks = LOOKS.map(|x| format!("{x}: {} %", 100 * good(x) / all.len()));
        println!("  within {name} at {}", looks.join(", "));
    }
    let looks = LOOKS.map(|x| {
        let [a, b, c] = looked(x, f64::NAN, |a| a.off);
        format!("{x}: {b:+.2} [{a:+.2}, {c:+.2}]")
    });
    println!("  octaves above the best rate at {}", looks.join(", "));
    let [a, b, c] = quartiles(all.iter().map(|s| s.noise).collect());
    println!("  noise seen over the true one: {b:.2} [{a:.2}, {c:.2}]");
    let at_stop = |of: fn(&Answer) -> f64| {
        quartiles(all.iter().map(|s| s.answers.last().map_or(f64::NAN, of)).collect())[1]
    };
    println!(
        "  stop {:.2}, regret {:.1e}; best rate {} of {} in its interval, width {:.2}, score {:.2}; loss {} of {}; slowest decision {:.0} ms, mean {:.0} ms",
        at_stop(|a| a.spent),
        at_stop(|a| a.regret),
        all.iter().filter(|s| s.rate.0).count(),
        all.len(),
        mean(all.iter().map(|s| s.rate.1).collect()),
        mean(all.iter().map(|s| s.rate.2).collect()),
        all.iter().filter(|s| s.loss).count(),
        all.len(),
        all.iter().map(|s| s.slowest_ms).fold(0.0, f64::max),
        mean(all.iter().map(|s| s.slowest_ms).collect()),
    );
}
