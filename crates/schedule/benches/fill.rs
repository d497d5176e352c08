//! One rate and a million rates of a cosine, against NumPy's vectorised closed form.
//!
//! Python: light.
//!
//! Prints nanoseconds per rate: `at` at places in random order, `fill` of a whole horizon, and NumPy (the faster of
//! sin² and ½(1 + cos), both written with preallocated arrays). Each figure is the best of many rounds, the two
//! programs taking turns. Without `LEHR_VENV_PYTHON` the NumPy part is left out, and it says so.
use std::hint::black_box;
use std::process::Command;
use std::time::Instant;

use lehr_schedule::{Curve, Horizon, Schedule};

fn main() {
    for spec in ["constant", "cosine", "warmup 500, cosine", "warmup 2%, constant, 1-sqrt 20%"] {
        println!("at    {spec:<36} {:6.2} ns", time_at(&curve(spec, 1_000_000)));
    }
    for spec in ["linear", "cosine", "cosine to 0.1", "1-sqrt", "exponential to 0.01"] {
        println!("fill  {spec:<36} {:6.2} ns per rate", time_fill(&curve(spec, 1_000_000), 20));
    }
    let Ok(python) = std::env::var("LEHR_VENV_PYTHON") else {
        println!("NumPy is left out: LEHR_VENV_PYTHON is not set (`cargo xtask bench fill` sets it)");
        return;
    };
    for steps in [10_000_u64, 100_000, 1_000_000] {
        let cosine = curve("cosine", steps);
        let rounds = 20_000_000 / steps;
        let mut best = (f64::INFINITY, f64::INFINITY);
        for _ in 0..3 {
            best.0 = best.0.min(time_fill(&cosine, rounds));
            best.1 = best.1.min(time_numpy(&python, steps, rounds));
        }
        println!(
            "fill  cosine, {steps:>7} steps: Lehr {:.2} ns, NumPy {:.2} ns per rate: {:.1} times as fast",
            best.0,
            best.1,
            best.1 / best.0
        );
    }
}

fn curve(spec: &str, steps: u64) -> Curve {
    let resolved = spec.parse::<Schedule>().map_err(|e| e.to_string()).and_then(|schedule| {
        schedule.resolve_with_peak(&Horizon::steps(steps), 3e-4).map_err(|e| e.to_string())
    });
    match resolved {
        Ok(curve) => curve,
        Err(why) => {
            eprintln!("{spec}: {why}");
            std::process::exit(1)
        }
    }
}

/// Nanoseconds per call at places in random order.
fn time_at(curve: &Curve) -> f64 {
    let steps = curve.steps();
    let places: Vec<u64> =
        (0..1_u64 << 14).map(|i| (i.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 20) % steps).collect();
    let round = || {
        let start = Instant::now();
        let sum: f64 = places.iter().map(|t| black_box(curve).at(*t)).sum();
        black_box(sum);
        start.elapsed().as_nanos() as f64 / places.len() as f64
    };
    (0..500).map(|_| round()).fold(f64::INFINITY, f64::min)
}

/// Nanoseconds per rate of a whole horizon.
fn time_fill(curve: &Curve, rounds: u64) -> f64 {
    let mut out = vec![0.0; curve.steps() as usize];
    let mut round = || {
        let start = Instant::now();
        black_box(curve).fill(0..curve.steps(), black_box(&mut out));
        start.elapsed().as_nanos() as f64 / curve.steps() as f64
    };
    (0..rounds).map(|_| round()).fold(f64::INFINITY, f64::min)
}

fn time_numpy(python: &str, steps: u64, rounds: u64) -> f64 {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/benches/fill_numpy.py");
    let output = Command::new(python).arg(script).arg(steps.to_string()).arg(rounds.to_string()).output();
    let nanoseconds = match &output {
        Ok(output) if output.status.success() => String::from_utf8_lossy(&output.stdout).trim().parse().ok(),
        _ => None,
    };
    nanoseconds.unwrap_or_else(|| {
        eprintln!("the NumPy script failed: {output:?}");
        std::process::exit(1)
    })
}
