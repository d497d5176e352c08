//! A range test.
use lehr_report::number::{loss, rate};

use super::read::Object;
use crate::thin::thin;
use crate::view::{Chart, ChartAxis, ChartLine, ChartTable, Draw, Rule, Tile, View, Words};

/// Points of a line.
const POINTS: usize = 1500;

pub(super) fn view(json: &Object<'_>, name: String) -> Result<View, String> {
    let pairs = |of: Object<'_>| -> Result<Vec<(f64, f64)>, String> {
        Ok(of.numbers("rates")?.into_iter().zip(of.numbers("losses")?).collect())
    };
    let (readings, smoothed) = (pairs(json.object("readings")?)?, pairs(json.object("smoothed")?)?);
    let suggestions = json.object("suggestions")?;
    let fit = json.inner("fit");
    let interval = fit.map(|fit| fit.numbers("interval")).transpose()?.unwrap_or_default();
    let lost = json.maybe("diverged");
    let mut words = Words { doubts: json.texts("warnings"), ..Words::default() };
    let mut tiles = Vec::new();
    let mut rules = Vec::new();
    match (fit, interval.as_slice()) {
        (Some(fit), &[low, high]) => {
            let (steepest, lowest) = (fit.number("steepest")?, fit.number("lowest")?);
            let (from, to) = (rate(low / 8.0), rate(lowest * 4.0));
            words.headline = format!("Search peak rates from {from} to {to}.");
            words.reasons.push(format!(
                "The loss falls fastest at {} (90 % interval {} to {}) and is lowest at {}.",
                rate(steepest),
                rate(low),
                rate(high),
                rate(lowest)
            ));
            words.next.push(format!("`lehr tune --lr {from}..{to}` finds the best rate of annealed runs."));
            tiles.push(Tile::new(
                "Falls fastest at",
                rate(steepest),
                format!("90 %: {}–{}", rate(low), rate(high)),
            ));
            tiles.push(Tile::new("Lowest at", rate(lowest), "sane peak rates rarely lie above"));
            rules.push(Rule { at: low, to: Some(high), label: "falls fastest (90 %)".into() });
            rules.push(Rule { at: lowest, to: None, label: format!("lowest {}", rate(lowest)) });
        }
        _ => words.headline = "This curve tells no rate of its own.".into(),
    }
    words.reasons.push(
        "A range test shows where rates begin to act and where they break, not which one is best.".into(),
    );
    if let Some(at) = lost {
        tiles.push(Tile::new("Lost at", rate(at), "the loss ran away"));
        rules.push(Rule { at, to: None, label: format!("lost {}", rate(at)) });
    }
    let (mut marks, mut rows) = (Vec::new(), Vec::new());
    for (colour, (key, label)) in
        [("valley", "valley"), ("slide", "slide"), ("steep", "steep"), ("minimum", "minimum/10")]
            .into_iter()
            .enumerate()
    {
        let at = suggestions.number(key)?;
        let near = smoothed.iter().min_by(|a, b| (a.0 / at).ln().abs().total_cmp(&(b.0 / at).ln().abs()));
        marks.extend(
            near.map(|point| ChartLine::new(format!("fastai: {label}"), colour + 1, Draw::Points, [*point])),
        );
        let there = near.map_or_else(|| "–".into(), |point| loss(point.1));
        rows.push(vec![format!("fastai: {label}"), rate(at), there]);
    }
    words.cost = format!("{} updates.", readings.len());
    let about = format!(
        "range test · {} updates · rates {} to {}",
        readings.len(),
        ends(&readings, false),
        ends(&readings, true)
    );
    let lowest = smoothed.iter().map(|p| p.1).fold(f64::INFINITY, f64::min);
    let highest = smoothed.first().map_or(lowest, |p| p.1).max(lowest);
    let spare = 0.12 * (highest - lowest).abs().max(1e-9);
    let mut lines = vec![
        ChartLine::new("", 0, Draw::Faint, thin(&readings, POINTS)),
        ChartLine { strong: true, ..ChartLine::new("smoothed loss", 0, Draw::Line, thin(&smoothed, POINTS)) },
    ];
    lines.extend(marks);
    let columns = ["suggestion", "rate", "smoothed loss there"].map(str::to_owned).to_vec();
    let chart = Chart {
        id: "range-test".into(),
        title: "Loss under a rising rate".into(),
        lead: "One short run whose rate rises with every update. Left: too small to act. Down: it learns. Up: too large.".into(),
        x: ChartAxis::log("rate"),
        y: ChartAxis::linear("training loss").range(Some((lowest - spare, highest + 4.0 * spare))),
        lines,
        rules,
        table: Some(ChartTable { columns, rows }),
        ..Chart::default()
    };
    Ok(View { tiles, charts: vec![chart], ..super::empty(name, about, "training loss", words) })
}

fn ends(readings: &[(f64, f64)], last: bool) -> String {
    let end = if last { readings.last() } else { readings.first() };
    end.map_or_else(|| "–".into(), |point| rate(point.0))
}
