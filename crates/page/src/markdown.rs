//! A view as Markdown.
use lehr_report::number;
use lehr_report::{Align, Table};
use serde_json::Value;

use crate::view::{Column, Kind, View};
use crate::words;

/// Trials that are listed; the others are counted.
const LISTED: usize = 20;

/// The summary, the best rate of each schedule and the best trials.
pub fn markdown(view: &View) -> String {
    let mut text =
        format!("# {}\n\n{}\n\n**{}**\n", line(&view.name), line(&view.about), line(&view.words.headline));
    for sentence in &view.words.reasons {
        text += &format!("\n{}", line(sentence));
    }
    for (heading, items) in [("Doubts", &view.words.doubts), ("What to do next", &view.words.next)] {
        if !items.is_empty() {
            text += &format!("\n\n## {heading}\n");
            items.iter().for_each(|item| text += &format!("\n- {}", line(item)));
        }
    }
    text += match view.words.cost.as_str() {
        "" => "\n".to_owned(),
        cost => format!("\n\nCost: {}\n", line(cost)),
    }
    .as_str();
    text += &charts(view);
    text += &rates(view).unwrap_or_default();
    text + &trials(view)
}

fn rates(view: &View) -> Option<String> {
    let rates = view.rates.as_ref()?;
    let mut table = Table::new([
        ("schedule", Align::Left),
        ("best peak rate", Align::Right),
        (view.objective.name.as_str(), Align::Right),
        ("safe rates", Align::Left),
        ("diverged from", Align::Right),
    ]);
    for curve in &rates.schedules {
        let best = curve.best.as_ref();
        let noise =
            best.and_then(|best| best.half_width).map_or(String::new(), |half| format!(" ± {half:.4}"));
        table.row([
            line(&curve.name),
            best.map_or("none".into(), |best| number::rate(best.rate)),
            best.map_or("–".into(), |best| number::loss(best.value) + &noise),
            curve.safe.map_or("unknown".into(), words::interval),
            curve.diverged.first().map_or("–".into(), |cell| number::rate(cell.rate)),
        ]);
    }
    Some(format!("\n## Rates\n\n{}", table.markdown()))
}

/// What the pictures of a result say, and their tables.
fn charts(view: &View) -> String {
    let mut text = String::new();
    for chart in &view.charts {
        text += &format!("\n## {}\n\n{}\n", line(&chart.title), line(&chart.lead));
        if let Some(found) = &chart.table {
            let mut table = Table::new(found.columns.iter().map(|column| (column.as_str(), Align::Left)));
            for row in &found.rows {
                table.row(row.iter().map(|cell| line(cell)));
            }
            text += &format!("\n{}", table.markdown());
        }
        chart.notes.iter().for_each(|note| text += &format!("\n- {}", line(note)));
        text += if chart.notes.is_empty() { "" } else { "\n" };
    }
    text
}

fn trials(view: &View) -> String {
    if view.trials.rows == 0 {
        return String::new();
    }
    let values = view.trials.get("value");
    let sign = if view.objective.maximize { -1.0 } else { 1.0 };
    let loss =
        |row: &usize| values.and_then(|v| v.cells[*row].as_f64()).map_or(f64::INFINITY, |value| sign * value);
    let mut order: Vec<usize> = (0..view.trials.rows).collect();
    order.sort_by(|a, b| loss(a).total_cmp(&loss(b)));
    let mut table = Table::new(view.trials.columns.iter().map(|column| {
        let align = if matches!(column.kind, Kind::Text | Kind::State) { Align::Left } else { Align::Right };
        (column.label.as_str(), align)
    }));
    for &row in order.iter().take(LISTED) {
        table.row(view.trials.columns.iter().map(|column| cell(column, row)));
    }
    let all = view.trials.rows;
    let which = if all > LISTED {
        format!("The best {LISTED} of {}.\n\n", number::count(all as u64))
    } else {
        String::new()
    };
    let heading = if view.trials.noun == "trial" { "Trials" } else { "Findings" };
    format!("\n## {heading}\n\n{which}{}", table.markdown())
}

fn cell(column: &Column, row: usize) -> String {
    match (&column.cells[row], column.kind) {
        (Value::Number(n), Kind::Rate | Kind::Number) => number::rate(n.as_f64().unwrap_or(f64::NAN)),
        (Value::Number(n), Kind::Value) => number::loss(n.as_f64().unwrap_or(f64::NAN)),
        (Value::Number(n), Kind::Duration) => {
            number::duration(std::time::Duration::from_secs_f64(n.as_f64().unwrap_or(0.0).clamp(0.0, 1e15)))
        }
        (Value::Null, _) => "–".into(),
        (Value::String(text), _) => line(text),
        (other, _) => other.to_string(),
    }
}

/// Text of the user on one line, with nothing that Markdown or HTML would take for itself.
fn line(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '&' => out.push_str("&amp;"),
            '`' | '[' | ']' | '*' | '_' | '\\' | '#' => out.extend(['\\', c]),
            c if c.is_control() => out.push(' '),
            c => out.push(c),
        }
    }
    out
}
