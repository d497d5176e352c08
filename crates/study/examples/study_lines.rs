//! A storage spoken to in JSON lines, for tests in other languages: `study_lines URL`, one command a line, one answer a line.
use std::collections::HashMap;
use std::io::{self, BufRead, Write};
use std::sync::Arc;
use std::time::Duration;

use lehr_search::{Direction, Key, Params, Space, sampler::Tpe};
use lehr_study::{
    After, Attempt, Kind, NewRun, Owner, Plan, Records, RunEnd, RunOutcome, Storage, Study, Target,
    TrialState, Waiting, open_shared,
};
use serde_json::{Value as Json, json};

type Failure = Box<dyn std::error::Error>;

struct Session {
    storage: Arc<dyn Storage>,
    studies: HashMap<String, Study>,
    attempts: HashMap<usize, Attempt>,
}

fn main() -> Result<(), Failure> {
    let url = std::env::args().nth(1).ok_or("usage: study_lines URL")?;
    let mut session =
        Session { storage: open_shared(&url)?, studies: HashMap::new(), attempts: HashMap::new() };
    for line in io::stdin().lock().lines() {
        let command: Json = serde_json::from_str(&line?)?;
        let answer = session.answer(&command).unwrap_or_else(|why| json!({"error": why.to_string()}));
        writeln!(io::stdout(), "{answer}")?;
        io::stdout().flush()?;
    }
    Ok(())
}

fn text<'a>(command: &'a Json, name: &str) -> Result<&'a str, Failure> {
    command[name].as_str().ok_or_else(|| format!("'{name}' is missing").into())
}

fn whole(command: &Json, name: &str) -> Result<u64, Failure> {
    command[name].as_u64().ok_or_else(|| format!("'{name}' is missing").into())
}

/// A number; those that JSON does not have are texts (`inf`, `-inf`, `nan`).
fn number(json: &Json) -> Result<f64, Failure> {
    match json {
        Json::String(text) => Ok(text.parse()?),
        other => other.as_f64().ok_or_else(|| format!("{other} is no number").into()),
    }
}

fn shown(value: f64) -> Json {
    if value.is_finite() { json!(value) } else { json!(value.to_string().to_lowercase()) }
}

fn params(command: &Json) -> Result<Params, Failure> {
    Ok(serde_json::from_value(command["params"].clone())?)
}

impl Session {
    fn study(&mut self, command: &Json) -> Result<&mut Study, Failure> {
        let name = text(command, "study")?;
        if !self.studies.contains_key(name) {
            self.studies.insert(name.to_owned(), Study::open(self.storage.clone(), name)?);
        }
        self.studies.get_mut(name).ok_or_else(|| "no study".into())
    }

    fn answer(&mut self, command: &Json) -> Result<Json, Failure> {
        let plan =
            Plan { seed: 1, key: Key::COMPARABLE, ..Plan::to(command["horizon"].as_u64().unwrap_or(100)) };
        match text(command, "do")? {
            "create" => self.create(command),
            "ask" => {
                let seed = whole(command, "seed")?;
                let attempt = self.study(command)?.ask(&Tpe::default(), seed, &plan, "lines")?;
                Ok(self.keep(attempt))
            }
            "start" => {
                let params = params(command)?;
                self.start(command, Target::New { params, saw: Vec::new() }, plan)
            }
            "again" => self.start(command, Target::Known(whole(command, "trial")? as usize), plan),
            "report" => {
                let attempt = self.attempts.get(&(whole(command, "run")? as usize)).ok_or("no such run")?;
                attempt.report(whole(command, "step")?, number(&command["value"])?)?;
                Ok(json!({}))
            }
            "finish" => self.finish(command),
            "drop" => {
                Ok(json!({"dropped": self.attempts.remove(&(whole(command, "run")? as usize)).is_some()}))
            }
            "enqueue" => {
                let waiting = Waiting { fixed: params(command)?, ..Waiting::default() };
                Ok(json!({"trial": self.study(command)?.enqueue(&waiting)?}))
            }
            "close" => {
                let (id, trial) = (self.study(command)?.id(), whole(command, "trial")? as usize);
                self.storage.close_trial(id, trial, TrialState::Pruned)?;
                Ok(json!({}))
            }
            "stale" => {
                let id = self.study(command)?.id();
                let grace = Duration::from_secs_f64(number(&command["grace"])?);
                let stale = self.storage.fail_stale(id, grace, whole(command, "retries")? as usize)?;
                Ok(json!(
                    stale.iter().map(|s| json!({"trial": s.trial, "retry": s.retry})).collect::<Vec<_>>()
                ))
            }
            "attributes" => self.attributes(command),
            "trials" => {
                let study = self.study(command)?;
                study.refresh()?;
                Ok(trials(study.records()))
            }
            "history" => {
                let history = self.study(command)?.history()?;
                Ok(json!({"trials": history.len(), "ranked": history.ranked(), "pending": history.pending()}))
            }
            "space" => Ok(json!({"space": self.study(command)?.space()?.to_string()})),
            "delete" => {
                let id = self.study(command)?.id();
                self.studies.clear();
                self.storage.delete_study(id)?;
                Ok(json!({}))
            }
            other => Err(format!("'{other}' is no command").into()),
        }
    }

    fn create(&mut self, command: &Json) -> Result<Json, Failure> {
        let (name, space): (_, Space) = (text(command, "study")?, text(command, "space")?.parse()?);
        let direction =
            if command["direction"] == "maximize" { Direction::Maximize } else { Direction::Minimize };
        let study = Study::open_or_create(self.storage.clone(), name, direction, &space)?;
        self.studies.insert(name.to_owned(), study);
        Ok(json!({}))
    }

    fn start(&mut self, command: &Json, target: Target, plan: Plan) -> Result<Json, Failure> {
        let run = NewRun { target, plan, worker: "lines".into(), after: None };
        let attempt = self.study(command)?.start(&run)?;
        Ok(self.keep(attempt))
    }

    fn keep(&mut self, attempt: Attempt) -> Json {
        let claim = attempt.claim();
        let answer = json!({"trial": claim.trial, "run": claim.run, "params": claim.params});
        self.attempts.insert(claim.run, attempt);
        answer
    }

    fn finish(&mut self, command: &Json) -> Result<Json, Failure> {
        let run = whole(command, "run")? as usize;
        let outcome = match text(command, "outcome")? {
            "complete" => RunOutcome::Complete(number(&command["value"])?),
            "pruned" => RunOutcome::Pruned,
            "diverged" => RunOutcome::Diverged,
            "failed" => RunOutcome::Failed,
            "paused" => RunOutcome::Paused,
            other => return Err(format!("'{other}' is no outcome").into()),
        };
        let after = if command["open"] == true { After::Open } else { After::AsRun };
        let attempt = self.attempts.get(&run).ok_or("no such run")?;
        attempt.finish(&RunEnd::new(outcome, 10).then(after))?;
        self.attempts.remove(&run);
        Ok(json!({}))
    }

    fn attributes(&mut self, command: &Json) -> Result<Json, Failure> {
        let id = self.study(command)?.id();
        let owner = command["trial"].as_u64().map_or(Owner::Study(id), |t| Owner::Trial(id, t as usize));
        let kind = if command["kind"] == "system" { Kind::System } else { Kind::User };
        if let Some(set) = command["set"].as_object() {
            let values: Vec<(&str, Json)> = set.iter().map(|(k, v)| (k.as_str(), v.clone())).collect();
            self.storage.set_attributes(owner, kind, &values)?;
        }
        Ok(json!(self.storage.attributes(owner, kind)?))
    }
}

fn trials(records: &Records) -> Json {
    let trials = records.trials().iter().map(|t| {
        json!({
            "number": t.number,
            "state": t.state.name(),
            "values": t.values.iter().map(|&v| shown(v)).collect::<Vec<_>>(),
            "params": t.params.iter().map(|(n, v)| (n.to_owned(), v.as_f64().map_or_else(|| json!(v), |x| {
                if x.is_finite() { json!(v) } else { shown(x) }
            }))).collect::<serde_json::Map<_, _>>(),
            "reports": t.reports.iter().map(|&(s, v)| json!([s, shown(v)])).collect::<Vec<_>>(),
            "runs": t.runs,
        })
    });
    trials.collect()
}
