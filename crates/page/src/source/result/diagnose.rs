//! Diagnoses of runs.
use lehr_report::number::{count, loss, significant};

use super::read::Object;
use crate::view::{Chart, ChartAxis, ChartLine, ChartTable, Draw, Kind, Rule, Table, Tile, View, Words};
use crate::words::counted;

/// Findings are marked in the picture for so many runs; with more they would hide the lines.
const MARKED: usize = 3;

/// A finding of a run.
struct Finding<'a> {
    run: &'a str,
    code: String,
    severity: &'a str,
    evidence: &'a str,
    suggestion: &'a str,
    step: Option<f64>,
}

pub(super) fn view(json: &Object<'_>, name: String) -> Result<View, String> {
    let runs = json.objects("runs")?;
    let mut findings = Vec::new();
    let mut future = ChartTable {
        columns: ["run", "times as long", "updates", "loss", "95 % of the law"].map(str::to_owned).to_vec(),
        rows: Vec::new(),
    };
    for of in &runs {
        let run = of.text("run")?;
        for it in of.objects("findings")? {
            findings.push(Finding {
                run,
                code: it.text("code")?.replace('_', " "),
                severity: it.text("severity")?,
                evidence: it.text("evidence")?,
                suggestion: it.text("suggestion")?,
                step: it.maybe("step"),
            });
        }
        for it in of.objects("longer")? {
            future.rows.push(vec![
                run.to_owned(),
                format!("×{}", significant(it.number("times")?, 2)),
                count(it.number("steps")? as u64),
                loss(it.number("loss")?),
                format!("{} to {}", loss(it.number("low")?), loss(it.number("high")?)),
            ]);
        }
    }
    let mut tiles = vec![Tile::new("Runs", count(runs.len() as u64), "diagnosed")];
    for (severity, label) in [("warning", "Warnings"), ("note", "Notes"), ("good", "Good signs")] {
        let those = findings.iter().filter(|it| it.severity.eq_ignore_ascii_case(severity));
        let codes: std::collections::BTreeSet<&str> = those.clone().map(|it| it.code.as_str()).collect();
        let codes: Vec<&str> = codes.into_iter().collect();
        tiles.push(Tile::new(label, those.count().to_string(), codes.join(", ")));
    }
    let mut words = words(&runs, &findings)?;
    words.doubts.extend(json.texts("left_out"));
    words.doubts.extend(json.texts("resumed"));
    let (curves, trials) = (chart(json, &runs, &findings, future)?, table(&findings));
    let about = format!("lehr diagnose · {}", counted(runs.len(), "run"));
    Ok(View { tiles, charts: vec![curves], trials, ..super::empty(name, about, "loss", words) })
}

fn words(runs: &[Object<'_>], findings: &[Finding<'_>]) -> Result<Words, String> {
    let warned =
        |run: &str| findings.iter().any(|it| it.run == run && it.severity.eq_ignore_ascii_case("warning"));
    let (mut bad, mut ends) = (0, Vec::new());
    for of in runs {
        let run = of.text("run")?;
        bad += usize::from(warned(run));
        ends.push((of.number("end").unwrap_or(f64::NAN), run));
    }
    let headline = match (bad, runs.len()) {
        (0, 1) => "The run trained well: nothing speaks against it.".to_owned(),
        (0, n) => format!("All {n} runs trained well: nothing speaks against them."),
        (1, 1) => "The run has trouble.".to_owned(),
        (bad, n) => format!("{bad} of {n} runs {} trouble.", if bad == 1 { "has" } else { "have" }),
    };
    let mut words = Words { headline, ..Words::default() };
    let best = ends.iter().filter(|end| end.0.is_finite()).min_by(|a, b| a.0.total_cmp(&b.0));
    if let Some((end, run)) = best {
        words.reasons.push(format!("The lowest loss at the end is {} ('{run}').", loss(*end)));
    }
    for it in findings.iter().filter(|it| it.severity.eq_ignore_ascii_case("warning")).take(3) {
        words.doubts.push(format!("{}: {}.", it.run, it.evidence.trim_end_matches('.')));
        let next = it.suggestion.to_owned();
        if !words.next.contains(&next) {
            words.next.push(next);
        }
    }
    if words.next.is_empty() {
        words.next.extend(findings.first().map(|it| it.suggestion.to_owned()));
    }
    Ok(words)
}

fn chart(
    json: &Object<'_>,
    runs: &[Object<'_>],
    findings: &[Finding<'_>],
    future: ChartTable,
) -> Result<Chart, String> {
    let mut lines = Vec::new();
    let mut values = Vec::new();
    for (colour, of) in json.objects("curves").unwrap_or_default().iter().enumerate() {
        let points: Vec<(f64, f64)> = of.numbers("steps")?.into_iter().zip(of.numbers("losses")?).collect();
        values.extend(points.iter().map(|point| point.1).filter(|loss| loss.is_finite()));
        lines.push(ChartLine::new(of.text("run")?, colour, Draw::Line, points));
    }
    values.sort_by(f64::total_cmp);
    // The steep start would flatten the rest.
    let range = values.first().copied().zip(values.get(values.len() * 97 / 100).copied());
    let marked =
        findings.iter().filter(|it| runs.len() <= MARKED && !it.severity.eq_ignore_ascii_case("good"));
    let mut rules: Vec<Rule> = Vec::new();
    for rule in marked.filter_map(|it| Some(Rule { at: it.step?, to: None, label: it.code.clone() })) {
        if !rules.contains(&rule) {
            rules.push(rule);
        }
    }
    Ok(Chart {
        id: "losses".into(),
        title: "Loss against update".into(),
        lead: "The logged losses; findings are marked where they show.".into(),
        x: ChartAxis::linear("update"),
        y: ChartAxis::linear("loss")
            .range(range.map(|(low, high)| (low - 0.05 * (high - low), high + 0.05 * (high - low)))),
        lines,
        rules,
        table: Some(future).filter(|table| !table.rows.is_empty()),
        notes: json.texts("caveats"),
    })
}

fn table(findings: &[Finding<'_>]) -> Table {
    let mut table = Table::new(findings.len()).of("finding");
    table.column("run", "run", Kind::Text, findings.iter().map(|it| it.run));
    table.column("state", "finding", Kind::Text, findings.iter().map(|it| it.code.clone()));
    table.column("severity", "how to take it", Kind::Text, findings.iter().map(|it| it.severity));
    table.column("evidence", "what shows it", Kind::Text, findings.iter().map(|it| it.evidence));
    table.column("suggestion", "what to do", Kind::Text, findings.iter().map(|it| it.suggestion));
    let step = |it: &Finding<'_>| it.step.map_or(serde_json::Value::Null, serde_json::Value::from);
    table.column("step", "at update", Kind::Count, findings.iter().map(step));
    table
}
