//! Updates spent until the recommended rate is good, against Optuna and what practitioners do by hand, on live tasks.
//!
//! Python: full

#[path = "tuning/task.rs"]
mod task;

use lehr::schedule::Horizon;
use lehr::strategy::{Goal, Next, Record, RunState, Strategy, by_name};
use std::path::Path;
use task::{Bench, Cache, Truth};

fn main() -> Result<(), String> {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|a| a != "--bench").collect();
    let names = arguments.first().cloned().unwrap_or("a9a-sgd".into());
    let seeds: u64 = arguments.get(1).map_or(5, |s| s.parse().unwrap_or(5));
    let verbose = arguments.get(2).is_some();
    std::fs::create_dir_all("/tmp/tuning").map_err(|e| e.to_string())?;
    for name in names.split(',') {
        let bench = Bench::new(name)?;
        let cache = Cache::open(Path::new("/tmp/tuning").join(format!("{name}.tsv")).as_path())?;
        let space: lehr::search::Space = bench.space.parse().map_err(|e| format!("{e}"))?;
        let (low, high) = match space.get("lr").map(|p| &p.domain) {
            Some(lehr::search::Domain::Float { low, high, .. }) => (*low, *high),
            _ => (0.0, 1.0),
        };
        let truth = Truth::cached(&bench, "linear", low, high, 24, Path::new("/tmp/tuning"))?;
        let (one, half) = (truth.miss(1.0), truth.miss(0.5));
        println!(
            "{name}: best {:.4} loss {:.5} noise {:.5} miss1 {one:.5} half {half:.5}",
            truth.best_rate, truth.losses[truth.best], truth.noise
        );
        if arguments.len() > 3 {
            for j in 0..=5u32 {
                let t = Truth::of(&bench, "linear", low, high, 8, bench.plan.steps >> j)?;
                print!("  T/{}: best {:.4} noise {:.5}:", 1u32 << j, t.best_rate, t.noise);
                for k in (0..t.rates.len()).step_by(8) {
                    print!(" {:.3}={:.4}", t.rates[k], t.losses[k]);
                }
                println!();
            }
        }
        let mut rows = Vec::new();
        let mut covered = [0, 0];
        for seed in 0..seeds {
            let goal = Goal {
                seed: 1000 * (seed + 1),
                ..Goal::new(space.clone(), Horizon::steps(bench.plan.steps))
            }
            .schedule("linear");
            let strategy = by_name("annealed", None).map_err(|e| e.to_string())?;
            let mut record = Record::default();
            let (mut first, mut second) = (None, None);
            let mut slow = 0.0f64;
            loop {
                let before = std::time::Instant::now();
                let next = strategy.next(&goal, &record).map_err(|e| e.to_string())?;
                slow = slow.max(before.elapsed().as_secs_f64());
                let Next::Run(plan) = next else {
                    if let Next::Stop { reason } = next {
                        if verbose {
                            println!("    stop: {reason}");
                        }
                    }
                    break;
                };
                let run = record.start(&plan);
                let rate = record.params[record.runs[run].trial].float("lr").unwrap_or(0.0);
                let curve = cache.run(&bench, "linear", rate, plan.horizon, plan.seed, None)?;
                let end = match curve.diverged {
                    Some(at) => RunState::Diverged { at },
                    None => RunState::Complete(curve.end()),
                };
                record.finish(run, end);
                let found = strategy.result(&goal, &record).map_err(|e| e.to_string())?;
                let spent = found.spent.full_runs;
                if let Some(rate) = &found.rate {
                    let regret = truth.regret(rate.value);
                    if regret <= one {
                        first.get_or_insert(spent);
                    }
                    if regret <= half {
                        second.get_or_insert(spent);
                    }
                }
                if verbose {
                    println!(
                        "    T/{:<4.1} lr {rate:<10.4} {:?} spent {spent:.3} -> {:?} regret {:.5}; {}",
                        bench.plan.steps as f64 / plan.horizon as f64,
                        curve.end(),
                        found.rate.map(|r| (r.value, r.interval.map(|i| (i.low, i.high)))),
                        found.rate.map_or(f64::NAN, |r| truth.regret(r.value)),
                        plan.reason
                    );
                }
                if record.runs.len() > 80 {
                    break;
                }
            }
            let found = strategy.result(&goal, &record).map_err(|e| e.to_string())?;
            let rate = found.rate.ok_or("none")?;
            let r = rate.interval.ok_or("none")?;
            covered[0] += u32::from(r.low <= truth.best_rate && truth.best_rate <= r.high);
            let l = found.loss.and_then(|l| l.interval).ok_or("none")?;
            let true_loss = truth.loss(rate.value);
            covered[1] += u32::from(l.low <= true_loss && true_loss <= l.high);
            rows.push((
                first.unwrap_or(f64::INFINITY),
                second.unwrap_or(f64::INFINITY),
                found.spent.full_runs,
                truth.regret(rate.value),
            ));
            println!(
                "  seed {seed}: one {:.3} half {:.3} stop {:.3} ({} runs) regret {:.5} lr {:.4} [{:.4}, {:.4}] slow {:.0} ms",
                first.unwrap_or(f64::NAN),
                second.unwrap_or(f64::NAN),
                found.spent.full_runs,
                found.spent.runs,
                truth.regret(rate.value),
                rate.value,
                r.low,
                r.high,
                1000.0 * slow
            );
        }
        let median = |of: &dyn Fn(&(f64, f64, f64, f64)) -> f64| {
            let mut v: Vec<f64> = rows.iter().map(of).collect();
            v.sort_by(f64::total_cmp);
            (v[v.len() / 2], v[v.len() * 9 / 10])
        };
        println!(
            "{name}: median (90 %) one {:?} half {:?} stop {:?} regret {:?} cover {}/{seeds} {}/{seeds}",
            median(&|r| r.0),
            median(&|r| r.1),
            median(&|r| r.2),
            median(&|r| r.3),
            covered[0],
            covered[1]
        );
    }
    Ok(())
}
