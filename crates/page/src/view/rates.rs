//! Loss against the peak rate.
use lehr::sweep::{Analysis, Best, Group, Interval, ScheduleReport, Smooth, Sweep, smooth};
use serde::Serialize;

use super::tidy;

/// Places at which a fitted curve is drawn.
const PLACES: usize = 160;

/// The picture: one curve per schedule.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Rates {
    /// The curves, in the order of the results.
    pub schedules: Vec<RateCurve>,
    /// The lowest value that is worth showing at first.
    pub low: f64,
    /// The highest: what lies above would flatten everything else, and stands on the edge.
    pub high: f64,
}

/// One schedule.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct RateCurve {
    /// The schedule.
    pub name: String,
    /// Its place in the palette, the same on every picture.
    pub colour: usize,
    /// Whether this is the one to use.
    pub recommended: bool,
    /// What was measured.
    pub points: Points,
    /// The smooth curve with its 95 % band, where there are points enough.
    pub fit: Option<Smooth>,
    /// The best rate.
    pub best: Option<BestRate>,
    /// Rates that cannot be told from the best, or are little worse.
    pub safe: Option<Interval>,
    /// Rates at which runs diverged.
    pub diverged: Vec<Divergence>,
}

/// What was measured, column by column.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Points {
    /// Peak rate.
    pub rate: Vec<f64>,
    /// Mean value over the runs at that rate; `null` where one of them diverged.
    pub value: Vec<f64>,
    /// The lowest and highest of the runs' values, where there are several; empty where there are none.
    pub spread: Vec<Option<(f64, f64)>>,
    /// The row of the table of trials that this point is.
    pub row: Vec<usize>,
}

/// The best rate of a schedule.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct BestRate {
    /// The rate.
    pub rate: f64,
    /// The value there.
    pub value: f64,
    /// Half the width of the value's 95 % interval over seeds.
    pub half_width: Option<f64>,
    /// The rate's 90 % interval.
    pub interval: Option<Interval>,
}

/// A rate at which runs diverged.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Divergence {
    /// The rate.
    pub rate: f64,
    /// So many diverged,
    pub diverged: usize,
    /// of so many.
    pub runs: usize,
    /// The row of the table of trials.
    pub row: Option<usize>,
}

impl Rates {
    /// Of a sweep. `sign` is −1 where the sweep holds the negative of what is shown; `row` finds the row of the table of
    /// trials for a schedule (by its place) and a rate.
    pub fn of(
        sweep: &Sweep,
        analysis: &Analysis,
        sign: f64,
        row: impl Fn(usize, f64) -> Option<usize>,
    ) -> Option<Self> {
        let chosen = analysis.recommendation.as_ref().map(|found| found.schedule.as_str());
        let curves = sweep.groups.iter().zip(&analysis.schedules).enumerate();
        let schedules: Vec<RateCurve> = curves
            .map(|(place, (group, report))| {
                let recommended = chosen == Some(report.schedule.as_str());
                curve(place, group, report, recommended, sign, &row)
            })
            .collect();
        let (low, high) = range(&schedules, sign)?;
        Some(Self { schedules, low, high })
    }
}

fn curve(
    place: usize,
    group: &Group,
    report: &ScheduleReport,
    recommended: bool,
    sign: f64,
    row: &impl Fn(usize, f64) -> Option<usize>,
) -> RateCurve {
    let mut points = Points::default();
    let mut known = Vec::new();
    for (&rate, losses) in group.rates.iter().zip(&group.losses) {
        let losses: Vec<f64> = losses.iter().flatten().copied().collect();
        let mean = losses.iter().sum::<f64>() / losses.len().max(1) as f64;
        known.push((rate, mean));
        let several = losses.len() > 1 && mean.is_finite();
        let low = losses.iter().copied().fold(f64::INFINITY, f64::min);
        let high = losses.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        points.rate.push(tidy(rate));
        points.value.push(if mean.is_finite() { tidy(sign * mean) } else { f64::NAN });
        points.spread.push(several.then(|| ordered(tidy(sign * low), tidy(sign * high))));
        points.row.push(row(place, rate).unwrap_or(usize::MAX));
    }
    if points.spread.iter().all(Option::is_none) {
        points.spread.clear();
    }
    RateCurve {
        name: report.schedule.clone(),
        colour: place,
        recommended,
        points,
        fit: smooth(&known, PLACES).map(|fit| signed(fit, sign)),
        best: report.best.as_ref().map(|best| best_rate(best, sign)),
        safe: report.safe,
        diverged: report
            .diverged
            .iter()
            .map(|cell| Divergence {
                rate: tidy(cell.rate),
                diverged: cell.diverged,
                runs: cell.seeds,
                row: row(place, cell.rate),
            })
            .collect(),
    }
}

fn ordered(a: f64, b: f64) -> (f64, f64) {
    (a.min(b), a.max(b))
}

fn best_rate(best: &Best, sign: f64) -> BestRate {
    BestRate {
        rate: tidy(best.rate),
        value: sign * best.loss,
        half_width: best.half_width,
        interval: best.interval,
    }
}

fn signed(fit: Smooth, sign: f64) -> Smooth {
    let turned = |values: Vec<f64>| values.into_iter().map(|value| tidy(sign * value)).collect();
    let rates = fit.rates.into_iter().map(tidy).collect();
    let (low, high) = if sign > 0.0 { (fit.low, fit.high) } else { (fit.high, fit.low) };
    Smooth { rates, losses: turned(fit.losses), low: turned(low), high: turned(high) }
}

/// The range in which the values lie that tell something: from the best to somewhat above the median, so that a cliff does
/// not flatten the bowl.
fn range(schedules: &[RateCurve], sign: f64) -> Option<(f64, f64)> {
    let values = schedules.iter().flat_map(|curve| &curve.points.value);
    let mut losses: Vec<f64> = values.map(|value| sign * value).filter(|value| value.is_finite()).collect();
    losses.sort_by(f64::total_cmp);
    let (best, worst) = (*losses.first()?, *losses.last()?);
    let at = |share: f64| losses[((losses.len() - 1) as f64 * share) as usize];
    let reach = (2.5 * (at(0.5) - best)).max(1.2 * (at(0.75) - best));
    let top = worst.min(best + reach);
    let room = match top > best {
        true => 0.06 * (top - best),
        false => (0.05 * best.abs()).max(1e-12),
    };
    let (low, high) = ordered(sign * (best - room), sign * (top + room));
    (low.is_finite() && high.is_finite()).then_some((low, high))
}
