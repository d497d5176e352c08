//! Trials that a person asks for: the form of a study's space, and what comes back.
use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::Response;
use lehr::search::space::{Condition, Suffix};
use lehr::search::{Direction, Domain, History, Parameter, Params, Sampler, Space, Stream, Value, sampler};
use lehr_study::Waiting;
use serde_json::{Map, Value as Json, json};

use super::App;
use super::api::{Problem, allowed, answer, aside, opened};
use super::live::lock;

/// The questions of the form.
pub(super) async fn form(State(app): State<Arc<App>>, Path(id): Path<i64>) -> Result<Response, Problem> {
    let live = opened(&app, id).await?;
    live.latest().await;
    let space = aside(move || lock(&live.study).space()).await??;
    let fields: Vec<Json> = space.parameters().iter().map(field).collect();
    let constraints: Vec<String> = space.constraints().iter().map(ToString::to_string).collect();
    Ok(answer(json!({ "schema": "lehr.form/1", "fields": fields, "constraints": constraints }).to_string()))
}

fn field(parameter: &Parameter) -> Json {
    let show = |value: &Value| parameter.show(value);
    let (kind, choices) = match &parameter.domain {
        Domain::Float { .. } => ("number", None),
        Domain::Int { .. } => ("whole", None),
        Domain::Categorical { choices } | Domain::Ordinal { choices } => {
            ("choice", Some(choices.iter().map(ToString::to_string).collect::<Vec<_>>()))
        }
    };
    let conditions: Vec<Json> = parameter.conditions.iter().map(condition).collect();
    json!({
        "name": &*parameter.name,
        "kind": kind,
        "choices": choices,
        "range": choices.is_none().then(|| shown(parameter)),
        "fixed": parameter.fixed.as_ref().map(show),
        "conditions": conditions,
    })
}

fn condition(condition: &Condition) -> Json {
    let values = match condition {
        Condition::In { values, .. } => Some(values.iter().map(ToString::to_string).collect::<Vec<_>>()),
        Condition::Compare { .. } => None,
    };
    json!({ "parent": condition.parent(), "values": values, "text": condition.to_string() })
}

/// Lets a trial with the parameters of a form wait for a worker.
pub(super) async fn enqueue(
    State(app): State<Arc<App>>,
    Path(id): Path<i64>,
    body: Bytes,
) -> Result<Response, Problem> {
    allowed(&app)?;
    let wrong = |message: String| Problem(StatusCode::UNPROCESSABLE_ENTITY, message);
    let json: Json = serde_json::from_slice(&body).map_err(|error| wrong(format!("no JSON: {error}")))?;
    let given = json["params"].as_object().cloned();
    let given = given.ok_or_else(|| wrong("the parameters are missing: send {\"params\": {…}}".into()))?;
    let live = opened(&app, id).await?;
    live.latest().await;
    let added = aside(move || {
        let study = lock(&live.study);
        let fixed = read(&study.space()?, &given).map_err(wrong)?;
        Ok::<_, Problem>(study.enqueue(&Waiting { fixed, ..Waiting::default() })?)
    })
    .await??;
    Ok(answer(json!({ "trial": added }).to_string()))
}

/// The parameters in a form; those that are left empty are for the worker to decide.
fn read(space: &Space, given: &Map<String, Json>) -> Result<Params, String> {
    let mut params = Params::new();
    let mut narrowed = space.clone();
    for (name, text) in given {
        let parameter = space.get(name).ok_or_else(|| format!("there is no parameter '{name}'"))?;
        let text = text.as_str().ok_or_else(|| format!("{name}: send a text"))?.trim();
        if text.is_empty() {
            continue;
        }
        if parameter.fixed.is_some() {
            return Err(format!("{name} is fixed in this study"));
        }
        let value =
            value(parameter, text).ok_or_else(|| format!("{name}: {text} is not in {}", shown(parameter)))?;
        narrowed.fix(name, value.clone()).map_err(|error| format!("{name}: {error}"))?;
        params.set(name.as_str(), value);
    }
    conditions(space, &params)?;
    possible(&narrowed, &params)?;
    Ok(params)
}

/// A value as it is written in the form.
fn value(parameter: &Parameter, text: &str) -> Option<Value> {
    let bare = match &parameter.suffix {
        Some(Suffix::Percent) => text.trim_end_matches('%').trim_end(),
        Some(Suffix::Word(word)) => text.strip_suffix(word.as_str()).unwrap_or(text).trim_end(),
        None => text,
    };
    let number = || bare.parse::<f64>().ok().filter(|x| x.is_finite());
    let value = match &parameter.domain {
        Domain::Float { .. } => {
            let share = if parameter.suffix == Some(Suffix::Percent) { 100.0 } else { 1.0 };
            Value::Float(number()? / share)
        }
        Domain::Int { .. } => match bare.parse::<i64>() {
            Ok(whole) => Value::Int(whole),
            Err(_) => Value::Float(number()?),
        },
        Domain::Categorical { choices } | Domain::Ordinal { choices } => {
            choices.iter().find(|choice| choice.to_string() == text)?.clone()
        }
    };
    parameter.domain.raw(&value).map(|raw| parameter.domain.value(raw))
}

/// Its values, as the space writes them.
fn shown(parameter: &Parameter) -> String {
    let alone = Parameter { conditions: Vec::new(), optional: false, fixed: None, ..parameter.clone() };
    let text = alone.to_string();
    text.split_once('=').map_or(text.clone(), |(_, domain)| domain.to_owned())
}

/// A parameter that only exists under a condition needs to know whether it holds.
fn conditions(space: &Space, params: &Params) -> Result<(), String> {
    for parameter in space.parameters().iter().filter(|parameter| params.get(&parameter.name).is_some()) {
        for condition in &parameter.conditions {
            let parent = condition.parent();
            let known = params.get(parent).or_else(|| space.get(parent)?.fixed.as_ref());
            if known.is_none() {
                let name = &parameter.name;
                return Err(format!(
                    "{name} only exists if {condition}: give {parent}, too, or leave it empty"
                ));
            }
        }
    }
    Ok(())
}

/// Whether the study has a trial with these parameters: a worker draws the others in the same way.
fn possible(narrowed: &Space, params: &Params) -> Result<(), String> {
    let history = History::new(narrowed.clone(), Direction::Minimize);
    let drawn = sampler::Random::default().suggest(narrowed, &history, &mut Stream::for_trial(0, 0));
    let drawn = drawn.map_err(|error| format!("these values break a rule of the study: {error}"))?;
    match params.iter().find(|(name, value)| drawn.get(name).is_none_or(|drawn| !drawn.same(value))) {
        Some((name, _)) => Err(format!("{name} does not exist with these values: leave it empty")),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn space() -> Space {
        "lr=log 1e-5..1, optimizer=sgd|adamw, beta=0.8..0.99 if optimizer=adamw, layers=2..8 step 2, warmup=1%..10%, \
         seed=3, warmup < 0.09"
            .parse()
            .unwrap()
    }

    fn form(json: Json) -> Result<Params, String> {
        read(&space(), json.as_object().unwrap())
    }

    #[test]
    fn every_kind_of_parameter_is_read() {
        let got = form(json!({
            "lr": " 3e-4 ", "optimizer": "adamw", "beta": "0.9", "layers": "4", "warmup": "5%"
        }));
        let got = got.unwrap();
        assert_eq!((got.float("lr"), got.float("beta"), got.int("layers")), (Some(3e-4), Some(0.9), Some(4)));
        assert_eq!((got.text("optimizer"), got.float("warmup")), (Some("adamw"), Some(0.05)));
        assert_eq!(
            form(json!({ "warmup": "5" })).unwrap().float("warmup"),
            Some(0.05),
            "the field's unit is %"
        );
        assert!(form(json!({ "lr": "", "layers": "  " })).unwrap().is_empty(), "all is left to the worker");
    }

    #[test]
    fn what_cannot_be_is_refused_with_the_reason() {
        for (given, reason) in [
            (json!({ "lr": "2" }), "lr: 2 is not in"),
            (json!({ "lr": "NaN" }), "lr: NaN is not in"),
            (json!({ "lr": "1e999" }), "lr: 1e999 is not in"),
            (json!({ "lr": 0.1 }), "lr: send a text"),
            (json!({ "lr": "<script>" }), "is not in"),
            (json!({ "layers": "3" }), "layers: 3 is not in"),
            (json!({ "layers": "2.5" }), "layers: 2.5 is not in"),
            (json!({ "optimizer": "adam" }), "optimizer: adam is not in"),
            (json!({ "seed": "4" }), "seed: 4 is not in 3"),
            (json!({ "nothing": "1" }), "no parameter 'nothing'"),
            (json!({ "beta": "0.9" }), "give optimizer, too"),
            (json!({ "beta": "0.9", "optimizer": "sgd" }), "beta does not exist"),
            (json!({ "warmup": "9.5%" }), "break a rule"),
        ] {
            let got = form(given.clone()).unwrap_err();
            assert!(got.contains(reason), "{given}: {got}");
        }
    }
}
