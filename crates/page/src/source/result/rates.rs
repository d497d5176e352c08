//! The worst case of schedules against the misspecification of the rate, as the lab computed it.
use lehr_report::number::{count, significant};

use super::read::Object;
use crate::view::{Chart, ChartAxis, ChartLine, ChartTable, Draw, Tile, View, Words};

pub(super) fn view(json: &Object<'_>, name: String) -> Result<View, String> {
    let steps = json.number("steps")?;
    let rates = json.objects("rates")?;
    let simulation = json.inner("simulation");
    let (mut lines, mut rows, mut off, mut order) = (Vec::new(), Vec::new(), 0.0f64, Vec::new());
    for (colour, of) in rates.iter().enumerate() {
        let (schedule, exponent, theory) =
            (of.text("schedule")?, of.number("exponent")?, of.number("theory")?);
        let (low, high) = (of.number("low")?, of.number("high")?);
        let points = of.objects("points")?;
        let points: Vec<(f64, f64)> = points
            .iter()
            .map(|at| Ok((at.number("rho")?, at.number("error")?)))
            .collect::<Result<_, String>>()?;
        lines.push(ChartLine::new(schedule, colour, Draw::Both, points));
        rows.push(vec![
            schedule.to_owned(),
            format!("{exponent:.3}"),
            format!("{low:.3} to {high:.3}"),
            format!("{theory:.3}"),
        ]);
        off = off.max((exponent - theory).abs());
        order.push((exponent, schedule));
    }
    let mut notes = json.texts("caveats");
    if let Some(simulation) = simulation {
        for (colour, of) in simulation.objects("rates")?.iter().enumerate() {
            let cells = of.objects("cells")?;
            let points: Vec<(f64, f64)> = cells
                .iter()
                .map(|at| Ok((at.number("rho")?, at.number("error")?)))
                .collect::<Result<_, String>>()?;
            lines.push(ChartLine::new(of.text("schedule")?, colour, Draw::Points, points));
        }
        notes.insert(
            0,
            format!(
                "Marks without a line were walked ({} walks each), not computed; they differ by {:.1} % at most.",
                count(simulation.number("walks")? as u64),
                100.0 * simulation.number("largest_difference")?
            ),
        );
    }
    order.sort_by(|a, b| a.0.total_cmp(&b.0));
    let (best, worst) = match (order.first(), order.last()) {
        (Some(best), Some(worst)) => (*best, *worst),
        _ => return Err("holds no schedule".into()),
    };
    let words = Words {
        headline: format!("'{}' forgives a wrong rate most.", best.1),
        reasons: vec![
            format!(
                "With the rate too high by a factor ρ, its worst error grows like ρ^{:.2}; that of '{}' like ρ^{:.2}.",
                best.0, worst.1, worst.0
            ),
            format!("Measured and theoretical exponents differ by {off:.3} at most."),
        ],
        next: vec!["`lehr lab robustness` measures the same on real losses.".into()],
        ..Words::default()
    };
    let tiles = vec![
        Tile::new("Most forgiving", format!("ρ^{:.2}", best.0), best.1),
        Tile::new("Least forgiving", format!("ρ^{:.2}", worst.0), worst.1),
        Tile::new("Off the theory", significant(off, 2), "largest difference of an exponent"),
        Tile::new(
            "Updates",
            count(steps as u64),
            format!(
                "ρ from {} to {}",
                significant(json.number("rho_low")?, 3),
                significant(json.number("rho_high")?, 3)
            ),
        ),
    ];
    let columns = ["schedule", "exponent", "interval", "theory"].map(str::to_owned).to_vec();
    let chart = Chart {
        id: "worst-case".into(),
        title: "Worst error against the misspecification of the rate".into(),
        lead: "The flatter the line, the less it costs to be off. Both axes are logarithmic: the slope is the exponent.".into(),
        x: ChartAxis::log("ρ: rate over the best one"),
        y: ChartAxis::log("worst error, in DG/√T"),
        lines,
        table: Some(ChartTable { columns, rows }),
        notes,
        ..Chart::default()
    };
    let about = format!("lehr lab rates · {} updates", count(steps as u64));
    Ok(View { tiles, charts: vec![chart], ..super::empty(name, about, "worst error", words) })
}
