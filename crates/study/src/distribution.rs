//! Domains of parameters as Optuna's distributions.
use lehr_search::{Domain, Scale, Value};
use serde_json::{Value as Json, json};

use crate::attribute::{bare_number, quote_bare_words};
use crate::error::StudyError;

/// The JSON text of Optuna's distribution. Ordered choices become unordered ones: Optuna has no word for their order.
pub(crate) fn to_json(domain: &Domain) -> String {
    match domain {
        Domain::Float { low, high, scale, step } => {
            let high = step.map_or(*high, |step| last_level(*low, *high, step));
            let attributes = format!(
                r#"{{"step": {}, "low": {}, "high": {}, "log": {}}}"#,
                json!(step),
                json!(low),
                json!(high),
                *scale == Scale::Log
            );
            format!(r#"{{"name": "FloatDistribution", "attributes": {attributes}}}"#)
        }
        Domain::Int { low, high, scale, step } => {
            let high = low + (high - low) / step * step;
            let attributes = format!(
                r#"{{"log": {}, "step": {step}, "low": {low}, "high": {high}}}"#,
                *scale == Scale::Log
            );
            format!(r#"{{"name": "IntDistribution", "attributes": {attributes}}}"#)
        }
        Domain::Categorical { choices } | Domain::Ordinal { choices } => {
            let choices: Vec<String> = choices.iter().map(choice_json).collect();
            let choices = choices.join(", ");
            format!(r#"{{"name": "CategoricalDistribution", "attributes": {{"choices": [{choices}]}}}}"#)
        }
    }
}

/// The largest level of a stepped range; `high` itself if it is one up to rounding.
fn last_level(low: f64, high: f64, step: f64) -> f64 {
    let top = low + ((high - low) / step + 1e-9).floor() * step;
    if (top - high).abs() < 1e-6 * step { high } else { top }
}

fn choice_json(value: &Value) -> String {
    match value {
        Value::Null => "null".into(),
        Value::Bool(b) => b.to_string(),
        Value::Int(i) => i.to_string(),
        Value::Float(x) if x.is_nan() => "NaN".into(),
        Value::Float(x) if x.is_infinite() => if *x > 0.0 { "Infinity" } else { "-Infinity" }.into(),
        Value::Float(x) => json!(x).to_string(),
        Value::Text(t) => json!(t).to_string(),
    }
}

/// Reads a distribution: Optuna's form, its older classes, and its abbreviated form.
pub(crate) fn from_json(text: &str) -> Result<Domain, StudyError> {
    read(text).ok_or_else(|| StudyError::content("a distribution of a parameter", format!("'{text}'")))
}

fn read(text: &str) -> Option<Domain> {
    let (json, bare): (Json, bool) = match serde_json::from_str(text) {
        Ok(json) => (json, false),
        Err(_) => (serde_json::from_str(&quote_bare_words(text)).ok()?, true),
    };
    let (kind, attributes) = match json.get("name") {
        Some(name) => (name.as_str()?, json.get("attributes")?),
        None => (json.get("type")?.as_str()?, &json),
    };
    let log = attributes.get("log").and_then(Json::as_bool).unwrap_or(false) || kind.contains("LogUniform");
    let scale = if log { Scale::Log } else { Scale::Linear };
    let real = |name: &str| attributes.get(name).and_then(Json::as_f64);
    let whole =
        |name: &str| attributes.get(name).and_then(|x| x.as_i64().or_else(|| x.as_f64().map(|x| x as i64)));
    Some(match kind {
        "FloatDistribution"
        | "UniformDistribution"
        | "LogUniformDistribution"
        | "DiscreteUniformDistribution"
        | "float" => {
            let step = real("step").or_else(|| real("q"));
            Domain::Float { low: real("low")?, high: real("high")?, scale, step }
        }
        "IntDistribution" | "IntUniformDistribution" | "IntLogUniformDistribution" | "int" => Domain::Int {
            low: whole("low")?,
            high: whole("high")?,
            scale,
            step: whole("step").unwrap_or(1).max(1),
        },
        "CategoricalDistribution" | "categorical" => {
            let choices = attributes.get("choices")?.as_array()?;
            Domain::Categorical { choices: choices.iter().map(|c| choice(c, bare)).collect() }
        }
        _ => return None,
    })
}

/// A choice. Optuna warns of choices that are lists or maps and keeps them; they are texts here.
fn choice(json: &Json, bare: bool) -> Value {
    match json {
        Json::Null => Value::Null,
        Json::Bool(b) => Value::Bool(*b),
        Json::Number(n) => match n.as_i64() {
            Some(i) => Value::Int(i),
            None => Value::Float(n.as_f64().unwrap_or(f64::NAN)),
        },
        Json::String(t) => match bare_number(t).filter(|_| bare) {
            Some(x) => Value::Float(x),
            None => Value::Text(t.clone()),
        },
        other => Value::Text(other.to_string()),
    }
}

/// Whether Optuna lets one study hold both distributions for one parameter.
pub(crate) fn compatible(old: &Domain, new: &Domain) -> bool {
    match (old, new) {
        (Domain::Float { scale: a, .. }, Domain::Float { scale: b, .. })
        | (Domain::Int { scale: a, .. }, Domain::Int { scale: b, .. }) => a == b,
        (
            Domain::Categorical { choices: a } | Domain::Ordinal { choices: a },
            Domain::Categorical { choices: b } | Domain::Ordinal { choices: b },
        ) => a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same_choice(a, b)),
        _ => false,
    }
}

fn same_choice(a: &Value, b: &Value) -> bool {
    a.same(b) || matches!((a, b), (Value::Float(a), Value::Float(b)) if a.is_nan() && b.is_nan())
}

#[cfg(test)]
mod tests {
    use super::*;
    use lehr_search::Space;

    #[test]
    fn the_text_is_what_optuna_writes() {
        let space: Space =
            "a=0.0..1.0, b=log 1e-5..1, c=0.0..1.0 step 0.25, d=1..9 step 2, e=log 1..9, f=null|true|1|2.5|a"
                .parse()
                .unwrap();
        let texts: Vec<String> = space.parameters().iter().map(|p| to_json(&p.domain)).collect();
        assert_eq!(
            texts,
            [
                r#"{"name": "FloatDistribution", "attributes": {"step": null, "low": 0.0, "high": 1.0, "log": false}}"#,
                r#"{"name": "FloatDistribution", "attributes": {"step": null, "low": 0.00001, "high": 1.0, "log": true}}"#,
                r#"{"name": "FloatDistribution", "attributes": {"step": 0.25, "low": 0.0, "high": 1.0, "log": false}}"#,
                r#"{"name": "IntDistribution", "attributes": {"log": false, "step": 2, "low": 1, "high": 9}}"#,
                r#"{"name": "IntDistribution", "attributes": {"log": true, "step": 1, "low": 1, "high": 9}}"#,
                r#"{"name": "CategoricalDistribution", "attributes": {"choices": [null, true, 1, 2.5, "a"]}}"#,
            ]
        );
        for (parameter, text) in space.parameters().iter().zip(&texts) {
            assert_eq!(from_json(text).unwrap(), parameter.domain);
        }
    }

    #[test]
    fn older_and_odd_forms_are_read() {
        let text =
            r#"{"name": "CategoricalDistribution", "attributes": {"choices": [NaN, -Infinity, "NaN", [1]]}}"#;
        let Domain::Categorical { choices } = from_json(text).unwrap() else { unreachable!() };
        assert!(matches!(choices[0], Value::Float(x) if x.is_nan()));
        assert_eq!(choices[1], Value::Float(f64::NEG_INFINITY));
        assert_eq!(choices[3], Value::Text("[1]".into()));
        let old = r#"{"name": "LogUniformDistribution", "attributes": {"low": 0.1, "high": 1}}"#;
        assert_eq!(
            from_json(old).unwrap(),
            Domain::Float { low: 0.1, high: 1.0, scale: Scale::Log, step: None }
        );
        let short = r#"{"type": "int", "low": 1, "high": 3}"#;
        assert_eq!(from_json(short).unwrap(), Domain::Int { low: 1, high: 3, scale: Scale::Linear, step: 1 });
        for bad in ["", "{}", r#"{"name": "Mystery", "attributes": {}}"#, r#"{"type": "float", "low": "x"}"#]
        {
            assert!(from_json(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_range_that_its_step_does_not_divide_ends_at_its_last_level() {
        assert_eq!(last_level(0.0, 1.0, 0.3), 0.8999999999999999);
        assert_eq!(last_level(0.1, 0.3, 0.1), 0.3);
        assert!(
            to_json(&Domain::Int { low: 1, high: 10, scale: Scale::Linear, step: 4 })
                .contains(r#""high": 9"#)
        );
    }
}
