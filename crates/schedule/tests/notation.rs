//! Text, JSON and TOML are one value; errors point at the place.
#![allow(clippy::unwrap_used, clippy::panic)]
use lehr_schedule::{Horizon, Schedule};

/// One of everything, in its canonical text.
const TEXTS: &[&str] = &[
    "constant",
    "constant 20% from 0.5",
    "warmup 5%, cosine to 0.1",
    "warmup 500 from 0.1 along cosine, cosine to lr 1e-6",
    "warmup 2%, constant, 1-sqrt 20%",
    "linear 500 from 0 to 1, linear",
    "poly power 2",
    "cosine power 2 waves 2.5 bend 1.5",
    "exponential to 0.01",
    "exponential to 0 base 0.5",
    "exponential every 1ep by 0.95",
    "tanh left -6 right 4",
    "log to 0.5",
    "warmup 4000, inverse-sqrt",
    "inverse-sqrt timescale 4000",
    "inverse-time timescale 2Mtok",
    "power-law power 0.51 timescale 2.5Gtok",
    "step every 30ep by 0.1",
    "step at 50% 75% by 0.1",
    "step at 50% 75% to 0.1 lr 0.001",
    "restarts every 10ep grow 2 peak 0.8",
    "restarts to 0.01 cycles 4 along linear",
    "restarts at 10ep 30ep",
    "cyclic from 0.1 to 1 every 4000",
    "cyclic every 2.5% up 100 peak 0.5 along cosine",
    "one-cycle",
    "one-cycle from 0.1 to 0.001 up 20% down 20% along linear",
    "table levels 1 0.9 lr 0.0005 0.5",
    "table levels 1 0.9 0.5 every 1ep along linear",
    "repeat 3 (cosine)",
    "repeat 7 50% (warmup 10%, cosine), constant",
    "repeat every 3.5ep (linear to 0.5)",
    "min(cosine, inverse-sqrt timescale 4000)",
    "max((warmup 5%, cosine), constant from 0.01)",
    "product(cyclic from 0 to 0.9 every 4000, exponential every 1 by 0.9999)",
    "sum(constant from 0.1, cyclic from 0 to 0.9 every 4000 peak 0.5)",
    "clamp from 0.1 (cosine)",
    "clamp from lr 0.0001 to 0.5 (linear)",
    "scale 50% by 0.5 (cosine), constant",
    "shift ahead 1 (warmup 10, cosine)",
    "stretch 2 (warmup 500, cosine)",
    "stairs every 1ep (cosine)",
    "noise size 0.1 seed 7 (cosine)",
    "(warmup 10%, cosine), linear 50% from 1",
    "sequence 50% (warmup 10%, cosine), linear from 1",
    "part 10% after 50 horizon 3000 (poly power 3), part horizon 300ep (cosine)",
    "cosine with momentum from 0.95 to 0.85 with group head by 0.1 with layers 12 by 0.75",
    "cosine with weight-decay (linear from 0.1 to 0.01) with group body (constant from 0.5)",
];

#[test]
fn every_form_round_trips_in_all_three_notations() {
    for text in TEXTS {
        let schedule: Schedule = text.parse().unwrap_or_else(|e| panic!("{e}"));
        assert_eq!(&schedule.to_string(), text, "canonical text");
        let json = serde_json::to_string(&schedule).unwrap();
        assert_eq!(serde_json::from_str::<Schedule>(&json).unwrap(), schedule, "{json}");
        let toml = toml::to_string(&schedule).unwrap();
        assert_eq!(toml::from_str::<Schedule>(&toml).unwrap(), schedule, "{toml}");
        let as_string = serde_json::Value::String((*text).into());
        assert_eq!(serde_json::from_value::<Schedule>(as_string).unwrap(), schedule);
    }
}

#[test]
fn every_form_resolves_to_finite_rates() {
    let horizon = Horizon::steps(20_000).with_steps_per_epoch(100.0).with_tokens_per_step(1e5);
    for text in TEXTS {
        let curve = text.parse::<Schedule>().unwrap().resolve_with_peak(&horizon, 1e-3).unwrap();
        let mut filled = vec![0.0; 20_010];
        curve.fill(0..20_010, &mut filled);
        for (t, rate) in filled.iter().enumerate() {
            assert!(rate.is_finite() && *rate >= 0.0, "{text} at {t}: {rate}");
            assert_eq!(curve.at(t as u64), *rate, "{text} at {t}");
        }
    }
}

#[test]
fn json_is_written_as_a_person_would() {
    let schedule: Schedule =
        "warmup 5%, step at 50% 75% by 0.1 with momentum from 0.95 to 0.85 with group head by 0.1 with layers 12 by 0.75".parse().unwrap();
    let json = serde_json::to_value(&schedule).unwrap();
    let expected = serde_json::json!({
        "phases": [
            { "shape": "warmup", "span": "5%" },
            { "shape": "step", "at": ["50%", "75%"], "by": 0.1 },
        ],
        "with": [
            { "channel": "momentum", "from": 0.95, "to": 0.85 },
            { "group": "head", "by": 0.1 },
            { "layers": 12, "by": 0.75 },
        ],
    });
    assert_eq!(json, expected);
}

#[test]
fn data_errors_say_where_and_what() {
    for (json, part) in [
        (r#"{}"#, "missing field `phases`"),
        (r#"{"phases": []}"#, "at least one phase"),
        (r#"{"phases": [{"to": 0.1}]}"#, "missing field `shape`"),
        (r#"{"phases": ["constant 5", {"shape": "cosin"}]}"#, "phase 2 (`cosin`): unknown shape"),
        (r#"{"phases": [{"shape": "cosine", "floor": 0.1}]}"#, "no setting `floor`"),
        (r#"{"phases": [{"shape": "cosine", "to": "10%"}]}"#, "`10%` does not fit `to`"),
        (r#"{"phases": [{"shape": "cosine", "to": null}]}"#, "expected a number"),
        (r#"{"phases": [{"shape": "cosine", "of": ["linear"]}]}"#, "takes no phases"),
        (r#"{"phases": ["cosine"], "with": [{"by": 0.1}]}"#, "needs `channel`, `group` or `layers`"),
        (r#"{"phases": ["cosine"], "with": [{"group": "a", "channel": "b"}]}"#, "exclude each other"),
        (r#"{"phases": ["cosine"], "name": "x"}"#, "unknown field `name`"),
        (r#""warmup 5%, cosin""#, "did you mean `cosine`?"),
        (r#"{"phases": [5]}"#, "expected a phase"),
    ] {
        let error = serde_json::from_str::<Schedule>(json).unwrap_err().to_string();
        assert!(error.contains(part), "{json}: {error}");
    }
    let deep = format!("{}\"cosine\"{}", r#"{"shape":"sequence","of":["#.repeat(50), "]}".repeat(50));
    assert!(serde_json::from_str::<Schedule>(&format!("{{\"phases\":[{deep}]}}")).is_err());
}

fn message(text: &str) -> String {
    text.parse::<Schedule>().unwrap_err().to_string()
}

#[test]
fn errors_point_at_the_place_and_advise() {
    let error = message("warmup 5%, cosin to 0.1");
    assert!(
        error.starts_with("unknown shape `cosin`\n  warmup 5%, cosin to 0.1\n             ^^^^^\n"),
        "{error}"
    );
    assert!(error.ends_with("did you mean `cosine`?"), "{error}");
    for (text, part) in [
        ("", "the text ends too early"),
        ("warmup 5%,", "the text ends too early"),
        ("cosine, , linear", "`,` does not belong here"),
        ("cosine floor 0.1", "`cosine` has no setting `floor`"),
        ("cosine to", "`to` takes one value, not 0"),
        ("cosine to 0.1 to 0.2", "`to` is given twice"),
        ("cosine to -0.1", "`-0.1` does not fit `to`"),
        ("cosine to 10%", "expected a level"),
        ("cosine 5 6", "`6` is one value too many"),
        ("warmup 5epochs", "did you mean `ep`?"),
        ("warmup 5steps", "a plain number is in steps"),
        ("hold 5", "did you mean `constant`?"),
        ("Cosine", "did you mean `cosine`?"),
        ("cosine) ", "closes nothing"),
        ("(cosine", "is not closed"),
        ("(cosine)(linear)", "does not belong here"),
        ("cosine to lr", "`lr` needs a rate"),
        ("cosine to 1e999", "too large"),
        ("cosine; linear", "`;` has no meaning here"),
        ("step by 0.1", "needs either `every` or `at`"),
        ("step at 1 2 by 1 2 3", "as many levels"),
        ("poly power 0", "`power` must be above 0"),
        ("cosine with momentum 0.9", "needs either"),
        ("cosine along linear", "no setting `along`"),
        ("warmup 5 along", "needs a word"),
        ("warmup 5 along cosin", "did you mean `cosine`?"),
        ("exponential every 5", "needs both"),
        ("5%", "expected a shape"),
        ("ä", "unknown shape `ä`"),
    ] {
        let error = message(text);
        assert!(error.contains(part), "{text}: {error}");
    }
    assert!(message(&"(".repeat(10_000)).contains("more than 32"));
}
