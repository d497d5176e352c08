//! Draws one of each kind of figure: `cargo run -p lehr-report --example gallery -- FOLDER`.
use lehr_report::{Axis, Figure, Mark, Place, Series, save, terminal};
use std::f64::consts::PI;
use std::path::PathBuf;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let folder = PathBuf::from(std::env::args().nth(1).unwrap_or_else(|| ".".into()));
    for (name, figure) in [
        ("sweep", sweep()),
        ("schedules", schedules()),
        ("curves", curves()),
        ("many", many()),
        ("empty", Figure::new("nothing here").x(Axis::log("rate")).y(Axis::linear("loss"))),
    ] {
        println!("{}", terminal(&figure, 90, 26, true));
        save(&figure, &folder.join(format!("{name}.svg")))?;
        save(&figure, &folder.join(format!("{name}.png")))?;
        save(&figure, &folder.join(format!("{name}.txt")))?;
    }
    Ok(())
}

/// Loss against rate for three schedules, with seeds and diverged trials.
fn sweep() -> Figure {
    let rates: Vec<f64> = (0..13).map(|i| 10f64.powf(-4.0 + 0.4 * f64::from(i))).collect();
    let curve = |best: f64, sharp: f64, floor: f64, edge: f64| -> Vec<(f64, f64)> {
        let loss = |r: f64| floor + sharp * (r / best).ln().powi(2);
        rates.iter().filter(|r| **r < edge).map(|r| (*r, loss(*r))).collect()
    };
    let series = |name: &str, points: Vec<(f64, f64)>, edge: f64| {
        let band =
            points.iter().enumerate().map(|(i, p)| (p.0, p.1 * 0.97, p.1 * (1.02 + 0.01 * (i % 3) as f64)));
        let band = band.collect();
        Series::line(name, points).band(band).diverged(rates.iter().copied().filter(|r| *r >= edge))
    };
    Figure::new("Validation loss against peak rate")
        .subtitle("wine quality, 800 steps, 3 seeds; bands: one standard error over seeds")
        .x(Axis::log("peak rate"))
        .y(Axis::linear("validation loss"))
        .series(series("constant", curve(0.01, 0.012, 0.62, 0.3), 0.3))
        .series(series("cosine", curve(0.05, 0.006, 0.55, 2.0), 2.0))
        .series(series("warmup 5%, linear", curve(0.08, 0.005, 0.54, 4.0), 4.0))
        .mark(Mark::new(Place::Span(0.02, 0.3), "safe interval 0.02 to 0.3").of(2))
        .mark(Mark::new(Place::Vertical(0.08), "recommended 0.08").of(2))
}

/// Three schedules over 10,000 steps.
fn schedules() -> Figure {
    let steps = 10_000;
    let warm = |t: i32, n: i32| f64::from(t + 1) / f64::from(n);
    let draw = |f: &dyn Fn(i32) -> f64| (0..steps).map(|t| (f64::from(t), f(t) * 3e-4)).collect::<Vec<_>>();
    let cosine = |t: i32| {
        if t < 500 { warm(t, 500) } else { 0.55 + 0.45 * (PI * f64::from(t - 500) / 9500.0).cos() }
    };
    let wsd = |t: i32| match t {
        0..200 => warm(t, 200),
        200..8000 => 1.0,
        _ => 1.0 - (f64::from(t - 8000) / 2000.0).sqrt(),
    };
    let restarts = |t: i32| 0.5 + 0.5 * (PI * f64::from(t % 2500) / 2500.0).cos();
    Figure::new("Rate at each step")
        .x(Axis::linear("step"))
        .y(Axis::linear("learning rate"))
        .series(Series::line("warmup 500, cosine to 0.1", draw(&cosine)))
        .series(Series::line("warmup 2%, constant, 1-sqrt 20%", draw(&wsd)))
        .series(Series::line("restarts every 2500", draw(&restarts)))
        .mark(Mark::new(Place::Vertical(500.0), "end of warm-up"))
        .mark(Mark::new(Place::Horizontal(1.5e-4), "half of the peak"))
}

/// Learning curves with a spike, gaps and a log axis.
fn curves() -> Figure {
    let curve = |rate: f64| -> Vec<(f64, f64)> {
        (1..20_000)
            .map(|t| {
                let t = f64::from(t);
                let noise = ((t * 12.9898 + rate).sin() * 43_758.545).fract() * 0.04;
                let loss = 3.0 * (t * rate).powf(-0.35).min(1.0) + noise;
                let spike = if (t - 9000.0).abs() < 40.0 { 1.5 } else { 0.0 };
                let gap = if rate > 0.5 && t > 12_000.0 { f64::NAN } else { 0.0 };
                (t, loss + spike + gap)
            })
            .collect()
    };
    Figure::new("Training loss")
        .subtitle("<script>alert('names are escaped')</script> & more")
        .x(Axis::linear("step"))
        .y(Axis::log("training loss"))
        .series(Series::line("rate 0.01", curve(0.01)))
        .series(Series::line("rate 0.1", curve(0.1)))
        .series(Series::line("rate 1 (diverged at 12,000)", curve(1.0)).diverged([12_000.0]))
        .series(Series::line("rate 0.001 (pruned)", curve(0.001)).faded())
        .mark(Mark::new(Place::Note(9000.0, 2.2), "spike"))
}

/// More series than colours, with long names.
fn many() -> Figure {
    (0..10).fold(
        Figure::new("A long title that has to be cut off because it does not fit in the width of the picture at this size")
            .x(Axis::log("peak rate"))
            .y(Axis::log("loss")),
        |figure, i| {
            let points = (0..9).map(|k| {
                let x = 10f64.powf(-3.0 + 0.25 * f64::from(k));
                (x, 0.3 * (1.0 + f64::from(i)) * (1.0 + (x / 0.05).ln().powi(2)))
            });
            let name = format!("warmup {i}%, constant, cosine {}% to 0.1", 10 * i);
            figure.series(Series::line(name, points.collect()).diverged([0.5]))
        },
    )
}
