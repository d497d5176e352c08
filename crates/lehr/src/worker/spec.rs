//! What a study trains, and how: settings that are kept in the study, so that any worker can join it.

use std::path::PathBuf;
use std::time::Duration;

use lehr_schedule::Horizon;
use lehr_search::{Direction, Domain, Params, Sampler, Space, Stream, Value, sampler};
use lehr_study::Study;
use serde::{Deserialize, Serialize};

use crate::program::{self, Metric, MetricFile, Reads, Scrape, Take, Template, Text};
use crate::strategy::{self, Goal, Strategy};

use super::error::WorkerError;

/// Most runs of a trial.
const MOST_SEEDS: usize = 1000;

/// The name of the setting of a study that holds its [`Spec`].
const SETTING: &str = "program";

/// What a study trains. It is data: in a study, in a TOML file.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Spec {
    /// The command, with placeholders.
    pub command: Vec<String>,
    /// What may be tried.
    pub space: String,
    /// Name of the objective in reports.
    pub metric: String,
    /// Large values are good.
    pub maximize: bool,
    /// Finds the metric in lines of output.
    pub metric_regex: Option<String>,
    /// `FILE:COLUMN` of a log that holds it.
    pub metric_file: Option<String>,
    /// The best report of a run is its value, not the last one.
    pub best_report: bool,
    /// The schedule, with placeholders.
    pub schedule: Option<String>,
    /// The schedule that the program owns itself.
    pub own_schedule: Option<String>,
    /// The parameter that is the peak rate.
    pub rate: String,
    /// Updates of a full run.
    pub steps: Option<u64>,
    /// Updates per epoch, for schedules that speak of epochs and for how soon a run may over-fit.
    pub steps_per_epoch: Option<f64>,
    /// Tokens per update, for schedules that speak of tokens.
    pub tokens_per_step: Option<f64>,
    /// Schedule files hold little-endian 64-bit floats.
    pub binary_schedule: bool,
    /// What the program takes from its environment.
    pub reads: Vec<String>,
    /// The user's present setting: trial 0.
    pub baseline: Option<String>,
    /// How trials are chosen; `None`: as [`strategy::usual`] says.
    pub strategy: Option<String>,
    /// What stops runs early.
    pub pruner: Option<String>,
    /// Losses on the way compare between trials.
    pub comparable: bool,
    /// Regret that is good enough.
    pub tolerance: Option<f64>,
    /// Trials of the study in all.
    pub trials: Option<usize>,
    /// Updates of the study in all, in full runs.
    pub budget: Option<f64>,
    /// Seed of the search and of the runs.
    pub seed: u64,
    /// Runs of each trial, that of the first seed included.
    pub seeds: usize,
    /// Longest time of a run, in seconds.
    pub timeout: Option<f64>,
    /// Time that a program has for ending when it is asked to, in seconds.
    pub grace: f64,
    /// A worker that gave no sign of life for so many seconds is taken for dead.
    pub silence: f64,
    /// How often a trial of a dead worker is tried again.
    pub retries: usize,
    /// Folder of logs, schedules and checkpoints.
    pub out: PathBuf,
}

impl Default for Spec {
    fn default() -> Self {
        Self {
            command: Vec::new(),
            space: String::new(),
            metric: "val_loss".into(),
            maximize: false,
            metric_regex: None,
            metric_file: None,
            best_report: false,
            schedule: None,
            own_schedule: None,
            rate: "lr".into(),
            steps: None,
            steps_per_epoch: None,
            tokens_per_step: None,
            binary_schedule: false,
            reads: Vec::new(),
            baseline: None,
            strategy: None,
            pruner: None,
            comparable: false,
            tolerance: None,
            trials: None,
            budget: None,
            seed: 0,
            seeds: 1,
            timeout: None,
            grace: 30.0,
            silence: 60.0,
            retries: 2,
            out: PathBuf::from("lehr-out"),
        }
    }
}

/// A specification that was found to be sound.
pub struct Job {
    /// As it was written.
    pub spec: Spec,
    /// The command.
    pub command: Template,
    /// Where the metric is read.
    pub metric: Metric,
    /// A log of the program that holds it.
    pub metric_file: Option<MetricFile>,
    /// What is searched.
    pub goal: Goal,
    /// How.
    pub strategy: Box<dyn Strategy>,
}

impl std::fmt::Debug for Job {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Job").field("spec", &self.spec).finish_non_exhaustive()
    }
}

impl Spec {
    /// Checks everything that can be checked before anything is trained.
    ///
    /// # Errors
    /// [`WorkerError`], naming the setting that is wrong.
    pub fn job(mut self) -> Result<Job, WorkerError> {
        let space: Space = match self.space.trim() {
            "" => {
                return Err(WorkerError::setting(
                    "space",
                    "nothing is to be tried: declare 'lr=log 1e-4..1'",
                ));
            }
            text => text.parse()?,
        };
        let command = Template::new(&self.command)?;
        command.check(space.parameters().iter().map(|parameter| &*parameter.name))?;
        let metric = self.metric()?;
        let metric_file = self.metric_file.as_deref().map(str::parse::<MetricFile>).transpose()?;
        if let Some(file) = &metric_file {
            let words = [file.path.written()];
            Template::new(words)?.check(space.parameters().iter().map(|parameter| &*parameter.name))?;
        }
        let reads = self.reads.iter().map(|read| read.parse::<Reads>());
        let reads: Vec<Reads> =
            reads.collect::<Result<_, _>>().map_err(|message| WorkerError::setting("reads", message))?;
        let goal = self.goal(space, program::abilities(&command, &reads))?;
        self.check_numbers()?;
        self.check_schedule(&goal, &command)?;
        // The study keeps it, so that it goes on by the same one.
        let pruned = self.pruner.as_deref().is_some_and(|name| name != "none");
        let usual = || if pruned { "auto" } else { strategy::usual(&goal) };
        let by = self.strategy.get_or_insert_with(|| usual().to_owned()).clone();
        self.check_seeds(&by, command.has("seed") || reads.contains(&Reads::Seed))?;
        let pruner = self
            .pruner
            .as_deref()
            .map(|name| strategy::pruner_by_name(name, goal.target.steps))
            .transpose()?;
        let strategy = strategy::by_name(&by, pruner.flatten())?;
        // Asking for the first run finds what the strategy cannot work on.
        strategy.next(&goal, &strategy::Record::default())?;
        Ok(Job { command, metric, metric_file, goal, strategy, spec: self })
    }

    fn metric(&self) -> Result<Metric, WorkerError> {
        if self.metric.is_empty() {
            return Err(WorkerError::setting("metric", "it needs a name, such as val_loss"));
        }
        Ok(Metric {
            regex: self.metric_regex.as_deref().map(Scrape::new).transpose()?,
            take: if self.best_report { Take::Best } else { Take::Last },
            ..Metric::new(&self.metric, !self.maximize)
        })
    }

    fn goal(&self, space: Space, abilities: strategy::Abilities) -> Result<Goal, WorkerError> {
        if self.schedule.is_some() && self.own_schedule.is_some() {
            let message = "either the program follows a schedule or it owns one: give only one of the two";
            return Err(WorkerError::setting("schedule and own-schedule", message));
        }
        let baseline = self.baseline.as_deref().map(|text| baseline(text, &space)).transpose()?;
        let in_space = space.get("schedule").map(|_| "{schedule}".to_owned());
        let own = self.own_schedule.clone();
        Ok(Goal {
            direction: if self.maximize { Direction::Maximize } else { Direction::Minimize },
            target: Horizon {
                steps: self.steps.unwrap_or(1),
                steps_per_epoch: self.steps_per_epoch,
                tokens_per_step: self.tokens_per_step,
            },
            abilities,
            rate: self.rate.clone(),
            schedule: self.schedule.clone().or(own).or(in_space),
            seed: self.seed,
            seeds: self.seeds,
            baseline,
            tolerance: self.tolerance,
            max_trials: self.trials,
            budget: self.budget,
            comparable_reports: self.comparable,
            ..Goal::new(space, Horizon::steps(1))
        })
    }

    fn check_numbers(&self) -> Result<(), WorkerError> {
        let seconds = |what, value: f64, low: f64| match (low..=1e9).contains(&value) {
            true => Ok(()),
            false => Err(WorkerError::setting(
                what,
                format!("{value} is not a number of seconds from {low} to 1e9"),
            )),
        };
        seconds("timeout", self.timeout.unwrap_or(1.0), 0.001)?;
        seconds("grace", self.grace, 0.0)?;
        seconds("silence", self.silence, 10.0)?;
        if self.pruner.is_some() && self.steps.is_none() && self.seeds == 1 {
            let message = "it needs to know how long a run is: give --steps, in the unit of the reports";
            return Err(WorkerError::setting("pruner", message));
        }
        Ok(())
    }

    /// The schedule is known, its parameters are, and it can be resolved for whatever the space may suggest (tried on a
    /// few points: what is rare is found when it comes).
    fn check_schedule(&self, goal: &Goal, command: &Template) -> Result<(), WorkerError> {
        let uses = |name: &str| command.has(name);
        let (Some(schedule), takes) = (&goal.schedule, uses("schedule_file") || uses("schedule")) else {
            if uses("schedule_file") || uses("schedule") {
                let message =
                    "the command takes a schedule, and there is none: give --schedule 'warmup 5%, cosine'";
                return Err(WorkerError::setting("schedule", message));
            }
            return Ok(());
        };
        let names: Vec<&str> = goal.space.parameters().iter().map(|parameter| &*parameter.name).collect();
        Text::new(schedule).check(&names)?;
        if self.own_schedule.is_some() {
            if takes {
                let message = "the command takes a schedule, so it is not the program's own: give --schedule";
                return Err(WorkerError::setting("own-schedule", message));
            }
        } else if !goal.abilities.any_schedule {
            let message = "the program is not handed it: put {schedule_file} or {schedule} into the command, say \
                           --reads schedule if it takes it from LEHR_SCHEDULE_FILE, or --own-schedule SPEC if it has one of its own";
            return Err(WorkerError::setting("schedule", message));
        }
        if self.steps.is_none() && self.own_schedule.is_none() {
            let message = "a schedule needs the length of a run: give --steps";
            return Err(WorkerError::setting("steps", message));
        }
        if uses("schedule_file") && goal.space.get(&goal.rate).is_none() {
            let message = format!(
                "a schedule file holds absolute rates, and the space has no '{}': declare it, or name the parameter \
                 that is the rate (--rate)",
                goal.rate
            );
            return Err(WorkerError::setting("rate", message));
        }
        let history = lehr_search::History::new(goal.space.clone(), goal.direction);
        for trial in 0..16 {
            let mut stream = Stream::for_trial(goal.seed, trial);
            let params = sampler::Random::default().suggest(&goal.space, &history, &mut stream)?;
            match self.steps {
                Some(steps) => drop(goal.curve(&params, steps)?),
                None => drop(goal.spec(&params)?),
            }
        }
        Ok(())
    }

    fn check_seeds(&self, strategy: &str, takes: bool) -> Result<(), WorkerError> {
        let wrong = |message: String| Err(WorkerError::setting("seeds", message));
        match self.seeds {
            1 => Ok(()),
            0 => wrong("at least one is needed".into()),
            seeds if seeds > MOST_SEEDS => wrong(format!("{seeds} are too many; at most {MOST_SEEDS}")),
            _ if strategy == "annealed" => wrong(
                "the strategy 'annealed' gives every run another seed and repeats what pays; leave it out"
                    .into(),
            ),
            seeds if !takes => wrong(format!(
                "the command does not take {{seed}}, so {seeds} runs would be the same; hand it over, or say \
                 --reads seed if the program takes LEHR_SEED"
            )),
            _ => match self.pruner.as_deref() {
                None | Some("none" | "median" | "wilcoxon") => Ok(()),
                Some(other) => wrong(format!(
                    "trials are compared seed by seed, which the pruner '{other}' cannot; take wilcoxon or median"
                )),
            },
        }
    }

    /// Time for ending.
    pub fn grace(&self) -> Duration {
        Duration::from_secs_f64(self.grace)
    }

    /// Keeps the specification in a study, or makes sure that the study asks the same question.
    ///
    /// # Errors
    /// [`WorkerError::Differs`] if it does not; limits, time-outs and the command itself may change.
    pub fn keep(&self, study: &Study) -> Result<(), WorkerError> {
        if let Some(old) = Self::load(study)? {
            let text =
                |value: &Option<String>| value.as_deref().map_or("none".to_owned(), |v| format!("'{v}'"));
            let steps = |value: Option<u64>| value.map_or("none".to_owned(), |v| v.to_string());
            let pairs = [
                ("metric", old.metric.clone(), self.metric.clone()),
                ("direction", old.maximize.to_string(), self.maximize.to_string()),
                ("steps", steps(old.steps), steps(self.steps)),
                ("seeds", old.seeds.to_string(), self.seeds.to_string()),
                ("schedule", text(&old.schedule), text(&self.schedule)),
                ("own-schedule", text(&old.own_schedule), text(&self.own_schedule)),
            ];
            if let Some((what, before, now)) = pairs.into_iter().find(|(_, before, now)| before != now) {
                return Err(WorkerError::Differs { study: study.name().to_owned(), what, before, now });
            }
        }
        let json =
            serde_json::to_value(self).map_err(|error| WorkerError::setting("program", error.to_string()))?;
        Ok(study.set_setting(SETTING, json)?)
    }

    /// The specification of a study, if it has one.
    ///
    /// # Errors
    /// [`WorkerError`] if it cannot be read.
    pub fn load(study: &Study) -> Result<Option<Self>, WorkerError> {
        let Some(json) = study.setting(SETTING)? else { return Ok(None) };
        serde_json::from_value(json).map(Some).map_err(|error| {
            WorkerError::setting("program", format!("the study's setting cannot be read: {error}"))
        })
    }
}

/// A value as the space has it: `5%` of a number is a share.
fn share(space: &Space, name: &str, value: Value) -> Value {
    let number = space.get(name).is_some_and(|parameter| matches!(parameter.domain, Domain::Float { .. }));
    let percent = |text: &str| text.strip_suffix('%')?.trim().parse::<f64>().ok();
    match &value {
        Value::Text(text) if number => percent(text).map_or(value.clone(), |share| (share / 100.0).into()),
        _ => value,
    }
}

/// Reads the user's present setting, `lr=3e-4, optimizer=sgd`.
fn baseline(text: &str, space: &Space) -> Result<Params, WorkerError> {
    let wrong = |message: String| WorkerError::setting("baseline", message);
    let given: Space = text.parse().map_err(|error: lehr_search::SearchError| wrong(error.to_string()))?;
    let only = |parameter: &lehr_search::Parameter| -> Option<Value> {
        parameter.fixed.clone().or_else(|| match &parameter.domain {
            Domain::Categorical { choices } | Domain::Ordinal { choices } if choices.len() == 1 => {
                choices.first().cloned()
            }
            _ => None,
        })
    };
    let mut params = Params::new();
    for parameter in given.parameters() {
        let Some(value) = only(parameter) else {
            return Err(wrong(format!("'{}' needs one value, as in 'lr=3e-4, wd=0.1'", parameter.name)));
        };
        params.set(parameter.name.clone(), share(space, &parameter.name, value));
    }
    // What can have one value only goes without saying.
    for parameter in space.parameters().iter().filter(|parameter| given.get(&parameter.name).is_none()) {
        if let Some(value) = only(parameter).filter(|_| parameter.conditions.is_empty()) {
            params.set(parameter.name.clone(), value);
        }
    }
    let raw = space.raw(&params).map_err(|error| wrong(error.to_string()))?;
    Ok(space.params(&raw))
}
