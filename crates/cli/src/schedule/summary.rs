//! What can be said of a curve in a few numbers.

use lehr_report::number;
use lehr_schedule::{Curve, Schedule};
use serde::Serialize;

use crate::failure::Failure;

/// Up to so many updates, every one is looked at.
const ALL: u64 = 4_000_000;

/// A curve in a few numbers.
#[derive(Debug, Serialize)]
pub struct Summary {
    /// The schedule as text.
    pub schedule: String,
    /// The rate of the first update.
    pub first: f64,
    /// The highest rate and the first update that has it.
    pub highest: Moment,
    /// The rate of the last update.
    pub last: f64,
    /// The area under the curve as a share of that of a constant rate at the peak.
    pub area: f64,
    /// Whether `highest` and `area` come from every update; else from an even sample.
    pub exact: bool,
    /// The phases with their updates.
    pub phases: Vec<PhaseSummary>,
}

/// A rate and its update.
#[derive(Debug, Serialize)]
pub struct Moment {
    /// The update.
    pub step: u64,
    /// The rate.
    pub lr: f64,
}

/// One phase: its updates and the rates of the first and the last of them.
#[derive(Debug, Serialize)]
pub struct PhaseSummary {
    /// The phase as text.
    pub phase: String,
    /// Its first update.
    pub first_step: u64,
    /// Its last update; `null` for a phase without updates.
    pub last_step: Option<u64>,
    /// The rate of its first update.
    pub first: Option<f64>,
    /// The rate of its last update.
    pub last: Option<f64>,
}

impl Summary {
    /// Looks at a curve.
    pub fn new(schedule: &Schedule, curve: &Curve) -> Result<Self, Failure> {
        let ranges = schedule.phase_steps(&curve.horizon()).map_err(Failure::usage)?;
        let phases = schedule.phases.iter().zip(&ranges).map(|(phase, range)| {
            let last_step = (!range.is_empty()).then(|| range.end - 1);
            PhaseSummary {
                phase: phase.to_string(),
                first_step: range.start,
                last_step,
                first: last_step.map(|_| curve.at(range.start)),
                last: last_step.map(|last| curve.at(last)),
            }
        });
        let steps = curve.steps();
        let exact = steps <= ALL;
        let borders = ranges.iter().flat_map(|r| [r.start, r.end.saturating_sub(1)]);
        let (highest, sum) = scan(curve, exact, borders);
        let looked_at = steps.min(ALL);
        Ok(Self {
            schedule: schedule.to_string(),
            first: curve.at(0),
            highest,
            last: curve.at(steps - 1),
            area: sum / looked_at as f64 / curve.peak().unwrap_or(1.0),
            exact,
            phases: phases.collect(),
        })
    }

    /// The summary in lines, after the picture.
    pub fn text(&self) -> String {
        let about = if self.exact { "" } else { "about " };
        let mut lines = vec![
            ("first update", number::rate(self.first)),
            ("highest", {
                format!("{} at step {}", number::rate(self.highest.lr), number::count(self.highest.step))
            }),
            ("last update", number::rate(self.last)),
            ("area", format!("{about}{} of a constant rate at the peak", number::percent(self.area))),
        ];
        if !self.exact {
            lines.push(("note", format!("highest and area are from {} even steps", number::count(ALL))));
        }
        lines.iter().map(|(name, value)| format!("{name:<13} {value}\n")).collect()
    }

    /// The phases as a table.
    pub fn phase_table(&self) -> String {
        use lehr_report::Align::{Left, Right};
        let columns = [("phase", Left), ("steps", Right), ("from", Right), ("to", Right)];
        let mut table = lehr_report::Table::new(columns);
        for phase in &self.phases {
            let steps = match phase.last_step {
                Some(last) => format!("{} to {}", number::count(phase.first_step), number::count(last)),
                None => "none".into(),
            };
            let rate = |rate: Option<f64>| rate.map(number::rate).unwrap_or_default();
            table.row([phase.phase.clone(), steps, rate(phase.first), rate(phase.last)]);
        }
        table.text()
    }
}

/// The highest rate and the sum over all updates, or over an even sample of [`ALL`] of them.
fn scan(curve: &Curve, exact: bool, borders: impl Iterator<Item = u64>) -> (Moment, f64) {
    let steps = curve.steps();
    let mut highest = Moment { step: 0, lr: curve.at(0) };
    let mut see = |step: u64, lr: f64| {
        if lr > highest.lr || (lr == highest.lr && step < highest.step) {
            highest = Moment { step, lr };
        }
    };
    let mut sum = 0.0;
    if exact {
        let mut chunk = vec![0.0; 1 << 14];
        for start in (0..steps).step_by(chunk.len()) {
            let length = (steps - start).min(chunk.len() as u64);
            let values = &mut chunk[..length as usize];
            curve.fill(start..start + length, values);
            for (i, lr) in values.iter().enumerate() {
                see(start + i as u64, *lr);
            }
            sum += values.iter().sum::<f64>();
        }
    } else {
        for i in 0..ALL {
            // The middle of the i-th of ALL equal parts.
            let step = ((u128::from(steps) * (2 * u128::from(i) + 1)) / (2 * u128::from(ALL))) as u64;
            let lr = curve.at(step);
            see(step, lr);
            sum += lr;
        }
        borders.filter(|step| *step < steps).for_each(|step| see(step, curve.at(step)));
    }
    (highest, sum)
}
