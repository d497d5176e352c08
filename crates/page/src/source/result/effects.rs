//! Textbook effects, measured.
use lehr_report::number::significant;
use serde_json::Value;

use super::read::{Object, number};
use crate::view::{Chart, ChartAxis, ChartLine, ChartTable, Draw, Rule, Tile, View, Words};
use crate::words::counted;

pub(super) fn view(json: &Object<'_>, name: String) -> Result<View, String> {
    let effects = json.objects("effects")?;
    let mut charts = Vec::new();
    let (mut shown, mut missing) = (0, Vec::new());
    for effect in &effects {
        let title = effect.text("name")?;
        match effect.flag("shown") {
            true => shown += 1,
            false => missing.push(title),
        }
        charts.push(chart(effect, title)?);
    }
    let all = effects.len();
    let mut words = Words {
        headline: format!("{shown} of {} shown beyond the noise.", counted(all, "textbook effect")),
        reasons: vec![format!("Measured on {} with {} seeds.", json.text("data")?, json.number("seeds")?)],
        ..Words::default()
    };
    if !missing.is_empty() {
        words.doubts.push(format!("Not shown here: {}.", missing.join(", ")));
    }
    words.next.push("Each picture says what the textbook claims and what was found.".into());
    let tiles = vec![
        Tile::new("Shown", shown.to_string(), format!("of {all}")),
        Tile::new("Not shown", missing.len().to_string(), "within the noise, or the other way round"),
    ];
    let about = format!("lehr lab effects · {}", json.text("data")?);
    Ok(View { tiles, charts, ..super::empty(name, about, "loss", words) })
}

fn chart(effect: &Object<'_>, title: &str) -> Result<Chart, String> {
    let (plot, table) = (effect.object("plot")?, effect.object("table")?);
    let verdict = if effect.flag("shown") { "Shown" } else { "Not shown" };
    let mut lines = Vec::new();
    for (colour, line) in plot.objects("lines")?.iter().enumerate() {
        let points = line.list("points")?;
        let at = |i: usize| points.iter().map(|p| number(&p[i]).unwrap_or(f64::NAN)).collect::<Vec<f64>>();
        let (low, high) = (at(2), at(3));
        let made = ChartLine::new(line.text("name")?, colour, Draw::Both, at(0).into_iter().zip(at(1)));
        let banded = low.iter().any(|value| value.is_finite());
        lines.push(if banded { made.band(low, high) } else { made });
    }
    let marks = plot.list("marks")?.iter();
    let rules = marks.filter_map(|mark| {
        Some(Rule { at: mark[0].as_f64()?, to: None, label: mark[1].as_str()?.to_owned() })
    });
    Ok(Chart {
        id: format!("effect-{}", title.replace(|c: char| !c.is_ascii_alphanumeric(), "-")),
        title: format!("{title}: {}", verdict.to_lowercase()),
        lead: format!(
            "Claim: {} {verdict}: {}",
            sentence(effect.text("claim")?),
            sentence(effect.text("found")?)
        ),
        x: axis(&plot.object("x")?)?,
        y: axis(&plot.object("y")?)?,
        lines,
        rules: rules.collect(),
        table: Some(ChartTable {
            columns: table.texts("columns"),
            rows: table.list("rows")?.iter().map(row).collect(),
        }),
        notes: effect.texts("notes"),
    })
}

/// With a full stop.
fn sentence(text: &str) -> String {
    format!("{}.", text.trim_end_matches('.'))
}

fn axis(of: &Object<'_>) -> Result<ChartAxis, String> {
    let label = of.text("label")?;
    let range = match of.numbers("range").as_deref() {
        Ok(&[low, high]) => Some((low, high)),
        _ => None,
    };
    Ok(ChartAxis { log: of.flag("log"), ..ChartAxis::linear(label).range(range) })
}

fn row(row: &Value) -> Vec<String> {
    let text = |value: f64| if value.is_finite() { significant(value, 4) } else { "diverges".into() };
    let cell = |cell: &Value| match cell {
        Value::String(text) => text.clone(),
        Value::Object(of) => {
            let of = |key: &str| of.get(key).and_then(Value::as_f64);
            match (of("mean"), of("low"), of("high")) {
                (Some(mean), Some(low), Some(high)) => {
                    format!("{} [{}, {}]", text(mean), text(low), text(high))
                }
                (mean, ..) => text(mean.unwrap_or(f64::NAN)),
            }
        }
        other => text(other.as_f64().unwrap_or(f64::NAN)),
    };
    row.as_array().into_iter().flatten().map(cell).collect()
}
