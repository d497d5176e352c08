//! What is known of a study beside its trials.
use lehr::search::{Domain, Params, Scale, Space};
use lehr_study::{Kind, Owner, Records, Study, StudyError};
use serde_json::Value as Json;

/// Names that a peak rate goes by where nothing says which parameter it is.
const RATES: [&str; 6] = ["lr", "learning_rate", "rate", "peak_lr", "max_lr", "base_lr"];

/// A study's question.
pub(super) struct Context<'a> {
    pub records: &'a Records,
    pub space: Space,
    pub metric: String,
    pub maximize: bool,
    /// The parameter that is the peak rate.
    pub rate: Option<String>,
    /// The schedule, with placeholders for parameters.
    pub schedule: Option<String>,
    /// Updates of a full run.
    pub target: Option<u64>,
    url: String,
    command: Option<String>,
}

impl<'a> Context<'a> {
    pub fn new(study: &'a Study) -> Result<Self, StudyError> {
        let records = study.records();
        let space = study.space()?;
        let program = study.setting("program")?.unwrap_or(Json::Null);
        let text = |key: &str| program[key].as_str().filter(|text| !text.is_empty()).map(str::to_owned);
        let metric = match text("metric") {
            Some(metric) => metric,
            None => metric_name(study)?.unwrap_or_else(|| "value".into()),
        };
        let longest = records.runs().iter().map(|run| run.horizon).max();
        let last = || records.trials().iter().filter_map(|t| t.reports.last().map(|r| r.0)).max();
        Ok(Self {
            rate: rate_of(&space, text("rate")),
            schedule: text("schedule").or_else(|| text("own_schedule")),
            target: program["steps"].as_u64().or(longest).or_else(last),
            maximize: study.directions().first() == Some(&lehr::search::Direction::Maximize),
            url: study.storage().url().to_owned(),
            command: command(&program["command"]),
            records,
            space,
            metric,
        })
    }

    /// Where it is kept, what it trains.
    pub fn about(&self) -> String {
        match &self.command {
            Some(command) => format!("{command} · {}", self.url),
            None => self.url.clone(),
        }
    }

    /// −1 where large is good: analyses know losses.
    pub fn sign(&self) -> f64 {
        if self.maximize { -1.0 } else { 1.0 }
    }

    /// A trial's peak rate.
    pub fn rate_of(&self, params: &Params) -> Option<f64> {
        params.get(self.rate.as_deref()?)?.as_f64().filter(|rate| *rate > 0.0 && rate.is_finite())
    }

    /// A trial's schedule: what it is called where trials are grouped, and its spec.
    pub fn schedule_of(&self, params: &Params) -> (String, String) {
        let own = params.get("schedule").map(ToString::to_string);
        let name = match (&self.schedule, own) {
            (Some(text), Some(own)) => text.replace("{schedule}", &own),
            (Some(text), None) => text.clone(),
            (None, Some(own)) => own,
            (None, None) => return ("all trials".into(), String::new()),
        };
        let mut spec = name.clone();
        for parameter in self.space.parameters() {
            let place = format!("{{{}}}", parameter.name);
            if let (true, Some(value)) = (spec.contains(&place), params.get(&parameter.name)) {
                spec = spec.replace(&place, &parameter.show(value));
            }
        }
        (name, spec)
    }

    /// Whether trials differ in more than rate and schedule.
    pub fn others(&self) -> Vec<&str> {
        let known = |name: &str| Some(name) == self.rate.as_deref() || name == "schedule";
        let free = self.space.free();
        let names = self.space.parameters().iter().enumerate().filter(|(i, _)| free.contains(i));
        names.map(|(_, p)| &*p.name).filter(|name| !known(name)).collect()
    }
}

/// The name that Optuna keeps for the objective.
fn metric_name(study: &Study) -> Result<Option<String>, StudyError> {
    let system = study.storage().attributes(Owner::Study(study.id()), Kind::System)?;
    let names = system.get("study:metric_names").and_then(Json::as_array);
    Ok(names.and_then(|names| names.first()).and_then(Json::as_str).map(str::to_owned))
}

/// The parameter that is the rate: the one that is said to be, or one of a usual name.
fn rate_of(space: &Space, said: Option<String>) -> Option<String> {
    let numeric = |name: &&str| space.get(name).is_some_and(|parameter| parameter.is_numeric());
    let said = said.filter(|name| numeric(&name.as_str()));
    said.or_else(|| RATES.iter().find(|name| numeric(name)).map(|name| (*name).to_owned()))
}

/// A command line on one line, shortened.
fn command(words: &Json) -> Option<String> {
    let words: Vec<&str> = words.as_array()?.iter().filter_map(Json::as_str).collect();
    let line = words.join(" ");
    let short: String = line.chars().take(120).collect();
    match short.len() {
        0 => None,
        n if n < line.len() => Some(short + "…"),
        _ => Some(short),
    }
}

/// Whether a parameter is on a logarithmic scale.
pub(super) fn is_log(domain: &Domain) -> bool {
    matches!(domain, Domain::Float { scale: Scale::Log, .. } | Domain::Int { scale: Scale::Log, .. })
}

/// The choices of a parameter that is not a number.
pub(super) fn choices(domain: &Domain) -> Option<Vec<String>> {
    match domain {
        Domain::Categorical { choices } | Domain::Ordinal { choices } => {
            Some(choices.iter().map(ToString::to_string).collect())
        }
        _ => None,
    }
}
