//! A study as a TOML file.

use std::path::Path;

use lehr::worker::Spec;
use serde::Deserialize;
use toml::{Table, Value};

use crate::failure::Failure;

/// What a file or the arguments say: what is trained, and where and how it is worked on.
#[derive(Debug, Default)]
pub struct Setup {
    /// What is trained.
    pub spec: Spec,
    /// The rest.
    pub place: Place,
}

/// Where a study is kept and how it is worked on.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Place {
    /// URL of the storage.
    pub storage: Option<String>,
    /// Name of the study.
    pub study: Option<String>,
    /// Runs at the same time.
    pub jobs: Option<usize>,
    /// Devices of the jobs.
    pub devices: Vec<String>,
    /// Time in which runs may be started.
    pub hours: Option<f64>,
}

/// Keys of [`Place`].
const PLACE: [&str; 5] = ["storage", "study", "jobs", "devices", "hours"];

impl Setup {
    /// Reads a file.
    pub fn read(path: &Path) -> Result<Self, Failure> {
        let shown = path.display();
        let text = std::fs::read_to_string(path)
            .map_err(|error| Failure::usage(format!("cannot read {shown}: {error}")))?;
        Self::parse(&text).map_err(|message| Failure::usage(format!("{shown}: {message}")))
    }

    fn parse(text: &str) -> Result<Self, String> {
        let table: Table = text.parse().map_err(|error: toml::de::Error| error.to_string())?;
        let (mut spec, mut place) = (Table::new(), Table::new());
        for (key, value) in table {
            let key = key.replace('-', "_");
            let value = match (key.as_str(), value) {
                ("space", Value::Table(space)) => Value::String(space_text(space)?),
                ("command", Value::String(text)) => words(&text),
                ("devices", Value::Array(devices)) => {
                    Value::Array(devices.into_iter().map(as_text).collect())
                }
                ("baseline", Value::Table(setting)) => Value::String(setting_text(setting)),
                (_, value) => value,
            };
            let into = if PLACE.contains(&key.as_str()) { &mut place } else { &mut spec };
            into.insert(key, value);
        }
        let schedules = spec.remove("schedules");
        if let Some(Value::Boolean(minimize)) = spec.remove("minimize") {
            spec.insert("maximize".into(), Value::Boolean(!minimize));
        }
        let mut spec: Spec = spec.try_into().map_err(|error: toml::de::Error| error.message().to_owned())?;
        if let Some(schedules) = schedules {
            let list: Vec<String> =
                schedules.try_into().map_err(|_| "schedules: a list of texts is wanted")?;
            let list: Vec<&str> = list.iter().map(String::as_str).collect();
            super::set_schedules(&mut spec, &list);
        }
        let place = place.try_into().map_err(|error: toml::de::Error| error.message().to_owned())?;
        Ok(Self { spec, place })
    }
}

/// `[space]` with a line per parameter, as the text of a space.
fn space_text(space: Table) -> Result<String, String> {
    let item = |(name, value): (String, Value)| match value {
        Value::String(text) => Ok(format!("{name}={text}")),
        Value::Integer(_) | Value::Float(_) | Value::Boolean(_) => Ok(format!("{name}={value}")),
        Value::Array(choices) => {
            let choices: Vec<String> = choices.iter().map(ToString::to_string).collect();
            Ok(format!("{name}={}", choices.join("|")))
        }
        _ => Err(format!("space.{name}: a range ('log 1e-5..1'), a list of choices, or a value is wanted")),
    };
    Ok(space.into_iter().map(item).collect::<Result<Vec<_>, _>>()?.join(", "))
}

fn setting_text(setting: Table) -> String {
    let item = |(name, value): (String, Value)| match value {
        // A number with a unit is written as text in TOML, and is none.
        Value::String(text) if has_unit(&text) => format!("{name}={text}"),
        value => format!("{name}={value}"),
    };
    setting.into_iter().map(item).collect::<Vec<_>>().join(", ")
}

/// `5%`, `10ep`.
fn has_unit(text: &str) -> bool {
    let number = match text.strip_suffix('%') {
        Some(number) => number,
        None => text.trim_end_matches(char::is_alphabetic),
    };
    number.len() < text.len() && number.parse::<f64>().is_ok()
}

/// A command in one text: words between blanks. What has blanks in it needs a list.
fn words(text: &str) -> Value {
    Value::Array(text.split_whitespace().map(|word| Value::String(word.to_owned())).collect())
}

fn as_text(value: Value) -> Value {
    match value {
        Value::Integer(number) => Value::String(number.to_string()),
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_says_what_the_arguments_say() {
        let setup = Setup::parse(
            "command = 'python train.py --lr {lr}'\nmetric-regex = 'loss (\\S+)'\nsteps = 100\ndevices = [0, 1]\n\
             minimize = false\nstorage = 'a.db'\nbaseline = {lr = 1e-3, opt = 'sgd'}\nschedules = ['linear', 'warmup 5%, cosine']\n\
             [space]\nlr = 'log 1e-5..1'\nopt = ['sgd', 'adamw']\nlayers = '2..8'\nwd = 0.1\nmomentum = '0.5..0.99 if opt=sgd'",
        )
        .unwrap();
        assert_eq!(setup.spec.command, ["python", "train.py", "--lr", "{lr}"]);
        assert!(setup.spec.maximize);
        assert_eq!(
            (setup.place.storage.as_deref(), setup.place.devices),
            (Some("a.db"), vec!["0".into(), "1".into()])
        );
        let space: lehr::search::Space = setup.spec.space.parse().unwrap();
        assert_eq!(space.len(), 6);
        assert_eq!(setup.spec.baseline.as_deref(), Some("lr=0.001, opt=\"sgd\""));
        let shares = Setup::parse("[baseline]\nwarmup = '5%'\nopt = '5%x'\nshape = 'cosine'").unwrap();
        assert_eq!(shares.spec.baseline.as_deref(), Some("warmup=5%, opt=\"5%x\", shape=\"cosine\""));
    }

    #[test]
    fn mistakes_are_named() {
        let wrong = |text: &str| Setup::parse(text).unwrap_err();
        assert!(wrong("comand = 'x'").contains("comand"));
        assert!(wrong("steps = 'x'").contains("u64"));
        assert!(wrong("[space.lr]\nlow = 1").contains("space.lr"));
        assert!(wrong("a = ").contains("TOML parse error"));
    }
}
