//! What a coarse grid and a wrong rate cost, measured on a sweep.
use lehr_report::number::{loss, rate, significant};

use super::read::Object;
use crate::view::{Chart, ChartAxis, ChartLine, ChartTable, Draw, Tile, View, Words};

/// So many factors are in the table.
const FACTORS: usize = 5;

/// What is kept of a schedule for the words.
struct Entry<'a> {
    name: &'a str,
    best: f64,
    loss: f64,
    span: f64,
}

pub(super) fn view(json: &Object<'_>, name: String) -> Result<View, String> {
    let runs = json.text("runs")?;
    let (mut losses, mut excesses, mut rows, mut entries) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    let mut factors = Vec::new();
    for of in json.objects("schedules")? {
        for at in of.objects("too_high").unwrap_or_default() {
            factors.push(at.number("rho")?);
        }
    }
    factors.sort_by(f64::total_cmp);
    factors.dedup();
    factors.truncate(FACTORS);
    for (colour, of) in json.objects("schedules")?.iter().enumerate() {
        let schedule = of.text("schedule")?;
        let points: Vec<(f64, f64)> = of.numbers("rates")?.into_iter().zip(of.numbers("losses")?).collect();
        let lost = points.iter().filter(|point| !point.1.is_finite()).map(|point| point.0).collect();
        losses.push(ChartLine { lost, ..ChartLine::new(schedule, colour, Draw::Both, points) });
        let cost = of.objects("too_high").unwrap_or_default();
        let cost: Vec<(f64, f64)> = cost
            .iter()
            .map(|at| Ok((at.number("rho")?, at.number("excess")?)))
            .collect::<Result<_, String>>()?;
        let safe = of.object("safe")?;
        let (low, high) = (safe.number("low")?, safe.number("high")?);
        let entry = Entry {
            name: schedule,
            best: of.number("best_rate")?,
            loss: of.number("best_loss")?,
            span: high / low,
        };
        let at = |factor: f64| cost.iter().find(|point| point.0 == factor).map(|point| point.1);
        let mut row = vec![
            schedule.to_owned(),
            rate(entry.best),
            loss(entry.loss),
            format!(
                "{}{}–{}{}",
                if safe.flag("open_low") { "≤" } else { "" },
                rate(low),
                if safe.flag("open_high") { "≥" } else { "" },
                rate(high)
            ),
        ];
        row.extend(factors.iter().map(|&factor| match at(factor) {
            None => "–".to_owned(),
            Some(cost) if cost.is_finite() => format!("+{}", significant(cost, 3)),
            Some(_) => "diverges".to_owned(),
        }));
        rows.push(row);
        let (known, lost): (Vec<_>, Vec<_>) = cost.into_iter().partition(|point| point.1.is_finite());
        let lost = lost.into_iter().map(|point| point.0).take(1).collect();
        excesses.push(ChartLine { lost, ..ChartLine::new(schedule, colour, Draw::Both, known) });
        entries.push(entry);
    }
    let widest = entries.iter().max_by(|a, b| a.span.total_cmp(&b.span)).ok_or("holds no schedule")?;
    let best = entries.iter().min_by(|a, b| a.loss.total_cmp(&b.loss)).ok_or("holds no schedule")?;
    let lowest =
        format!("'{}' has the lowest loss, {} at rate {}.", best.name, loss(best.loss), rate(best.best));
    let (headline, reasons) = match widest.span > 1.001 {
        true => {
            let span = format!("Its safe rates span a factor of {}.", significant(widest.span, 2));
            (format!("'{}' forgives a wrong rate most.", widest.name), vec![span, lowest])
        }
        false => (
            lowest,
            vec!["Next to its best rate every schedule is worse beyond the noise: none forgives.".into()],
        ),
    };
    let mut words = Words {
        headline,
        reasons,
        next: vec![
            "Take a forgiving schedule where you cannot tune the rate, the lowest loss where you can.".into(),
        ],
        ..Words::default()
    };
    for refused in json.objects("refused").unwrap_or_default() {
        words.doubts.push(format!(
            "'{}' is left out: {}.",
            refused.text("schedule")?,
            refused.text("reason")?
        ));
    }
    words.doubts.extend(json.texts("left_out"));
    let tiles = entries
        .iter()
        .take(8)
        .map(|it| Tile::new(it.name, format!("×{}", significant(it.span, 2)), "wide are the safe rates"))
        .collect();
    let columns = ["schedule", "best rate", "loss", "safe rates"].map(str::to_owned).into_iter();
    let columns = columns.chain(factors.iter().map(|factor| format!("×{factor} too high"))).collect();
    let low = losses
        .iter()
        .flat_map(|line| &line.y)
        .copied()
        .filter(|y| y.is_finite())
        .fold(f64::INFINITY, f64::min);
    let charts = vec![
        Chart {
            id: "losses".into(),
            title: "Loss against peak rate".into(),
            lead: "A wide valley forgives, a narrow one does not. ✕: diverged.".into(),
            x: ChartAxis::log("peak rate"),
            y: ChartAxis::linear("loss").range(top(&losses, low).map(|top| (low - 0.04 * (top - low), top))),
            lines: losses,
            table: Some(ChartTable { columns, rows }),
            ..Chart::default()
        },
        Chart {
            id: "excess".into(),
            title: "If the rate is too high".into(),
            lead: "How much worse the loss gets when the rate is a factor above the best one.".into(),
            x: ChartAxis::log("rate ÷ best rate"),
            y: ChartAxis::linear("worse by").range(top(&excesses, 0.0).map(|top| (0.0, top))),
            lines: excesses,
            notes: json.texts("caveats"),
            ..Chart::default()
        },
    ];
    let charts =
        charts.into_iter().filter(|chart| chart.lines.iter().any(|line| !line.x.is_empty())).collect();
    Ok(View { tiles, charts, ..super::empty(name, runs.to_owned(), "loss", words) })
}

/// The upper end of what tells something: four times the median height above the lowest value.
fn top(lines: &[ChartLine], low: f64) -> Option<f64> {
    let mut heights: Vec<f64> = lines
        .iter()
        .flat_map(|line| &line.y)
        .map(|y| y - low)
        .filter(|h| h.is_finite() && *h > 0.0)
        .collect();
    heights.sort_by(f64::total_cmp);
    let (middle, most) = (heights.get(heights.len() / 2)?, heights.last()?);
    Some(low + (4.0 * middle).min(1.05 * most))
}
