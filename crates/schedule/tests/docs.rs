//! Every schedule in the documentation is read and resolves.
#![allow(clippy::unwrap_used, clippy::panic)]
use std::fs;
use std::path::Path;

use lehr_schedule::convert::{Surroundings, parse_call};
use lehr_schedule::{Feedback, Horizon, Schedule};

/// The lines of the blocks fenced with this word, each with its page.
fn examples(fence: &str) -> Vec<(String, String)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/src/schedule");
    let mut examples = Vec::new();
    for page in fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()) {
        if page.extension().is_none_or(|extension| extension != "md") {
            continue;
        }
        let text = fs::read_to_string(&page).unwrap();
        let blocks = text.split("```").skip(1).step_by(2).filter_map(|block| block.strip_prefix(fence));
        let lines = blocks.filter(|block| block.starts_with('\n')).flat_map(str::lines);
        examples.extend(
            lines
                .filter(|line| !line.trim().is_empty())
                .map(|line| (page.display().to_string(), line.into())),
        );
    }
    examples
}

#[test]
fn every_schedule_in_the_documentation_resolves() {
    let horizon = Horizon::steps(10_000).with_steps_per_epoch(100.0).with_tokens_per_step(10_000.0);
    let examples = examples("lehr");
    assert!(examples.len() > 80, "only {} examples found", examples.len());
    for (page, line) in examples {
        let schedule: Schedule = line.parse().unwrap_or_else(|e| panic!("{page}: {e}"));
        schedule.resolve_with_peak(&horizon, 1e-3).unwrap_or_else(|e| panic!("{page}: `{line}`: {e}"));
    }
}

#[test]
fn every_feedback_schedule_in_the_documentation_resolves() {
    let examples = examples("feedback");
    assert!(examples.len() > 3);
    for (page, line) in examples {
        let feedback: Feedback = line.parse().unwrap_or_else(|e| panic!("{page}: {e}"));
        feedback
            .resolve(&Horizon::steps(10_000), Some(0.1))
            .unwrap_or_else(|e| panic!("{page}: `{line}`: {e}"));
    }
}

#[test]
fn the_data_notations_of_the_grammar_page_are_one_value() {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/src/schedule/grammar.md");
    let text = fs::read_to_string(page).unwrap();
    let block = |fence: &str| {
        let block = text.split("```").find_map(|block| block.strip_prefix(fence));
        block.unwrap_or_else(|| panic!("no {fence}")).to_owned()
    };
    let json: Schedule = serde_json::from_str(&block("json\n")).unwrap();
    let toml: Schedule = toml::from_str(&block("toml\n")).unwrap();
    assert_eq!(json, toml);
    let spoken = format!("`{json}` is");
    assert!(text.contains(&spoken), "{spoken}");
}

/// The rows of the tables on the page of conversions, each with the heading that it stands under.
fn conversions() -> Vec<(String, [String; 3])> {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/src/schedule/conversion.md");
    let (mut heading, mut rows) = (String::new(), Vec::new());
    for line in fs::read_to_string(page).unwrap().lines() {
        if let Some(name) = line.strip_prefix("## ") {
            heading = name.into();
        }
        let Some(row) = line.strip_prefix("| `") else { continue };
        let cells: Vec<&str> = row.trim_end_matches('|').split(" | ").collect();
        let [call, steps, schedule] = cells[..] else { panic!("not three cells: {line}") };
        let bare = |cell: &str| cell.trim().trim_matches('`').to_owned();
        rows.push((heading.clone(), [bare(call), steps.trim().into(), bare(schedule)]));
    }
    rows
}

#[test]
fn the_table_of_conversions_is_what_they_give() {
    let rows = conversions();
    assert!(rows.len() > 85, "only {} rows found", rows.len());
    for (heading, [call, steps, expected]) in rows {
        let library = match heading.as_str() {
            "PyTorch" => "torch".into(),
            "Megatron-LM" => "megatron".into(),
            name => name.to_lowercase(),
        };
        let around = Surroundings { lr: None, steps: steps.parse().ok() };
        let found = parse_call(&format!("{library}.{call}"), &around).unwrap_or_else(|e| panic!("{e}"));
        assert_eq!(found.schedule.to_string(), expected, "{library}.{call}");
    }
}
