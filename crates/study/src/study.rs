//! A study: its trials, its history, its next run.
use std::sync::Arc;

use lehr_search::{Direction, History, Sampler, Seen, Space, Stream};
use serde_json::Value as Json;

use crate::attribute::{Kind, Owner};
use crate::error::StudyError;
use crate::history::Mirror;
use crate::keeper::{Attempt, Keeper};
use crate::records::Records;
use crate::run::{NewRun, Plan, RunEnd, RunOutcome, StudyId, Target, Waiting};
use crate::state::TrialState;
use crate::storage::Storage;

/// The setting that holds the text of the space.
const SPACE: &str = "space";
/// The setting that holds its identity.
const IDENTITY: &str = "identity";

/// A study in a storage.
///
/// It keeps what it has read; [`Study::refresh`] reads what is new. Threads share one behind a mutex, or have one each: the
/// storage sees to it that they do not disturb each other. The runs at work ([`Attempt`]) need no access to it.
#[derive(Debug)]
pub struct Study {
    storage: Shared,
    id: StudyId,
    name: String,
    directions: Vec<Direction>,
    space: Option<Space>,
    records: Records,
    mirror: Option<Mirror>,
    keeper: Arc<Keeper>,
}

struct Shared(Arc<dyn Storage>);

impl std::fmt::Debug for Shared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.0.url())
    }
}

impl Study {
    /// Makes a study over a space.
    pub fn create(
        storage: Arc<dyn Storage>,
        name: &str,
        direction: Direction,
        space: &Space,
    ) -> Result<Self, StudyError> {
        let id = storage.create_study(name, &[direction])?;
        let mut study = Self::new(storage, id, name, vec![direction]);
        // The identity comes with it: two workers that ask for it at the same moment must get one.
        study.set_settings(&[(SPACE, space.to_string().into()), (IDENTITY, new_identity().into())])?;
        study.space = Some(space.clone());
        Ok(study)
    }

    /// Opens a study. One that Optuna made has the space of the parameters that its trials had ([`Records::space`]), until it
    /// is given one by [`Study::open_or_create`].
    pub fn open(storage: Arc<dyn Storage>, name: &str) -> Result<Self, StudyError> {
        let (id, directions) = storage.find_study(name)?;
        let mut study = Self::new(storage, id, name, directions);
        if let Some(Json::String(text)) = study.setting(SPACE)? {
            study.space = Some(text.parse()?);
        }
        Ok(study)
    }

    /// Opens a study, or makes it where it does not exist. If it exists, direction and space must be the same; fixed values
    /// and constraints may differ.
    pub fn open_or_create(
        storage: Arc<dyn Storage>,
        name: &str,
        direction: Direction,
        space: &Space,
    ) -> Result<Self, StudyError> {
        match Self::create(storage.clone(), name, direction, space) {
            Err(StudyError::Exists { .. }) => {}
            done => return done,
        }
        let mut study = Self::open(storage, name)?;
        if study.directions != [direction] {
            let message = format!("it has the directions {:?}, not {direction:?}", study.directions);
            return Err(StudyError::state(format!("study {name:?}"), message));
        }
        match &study.space {
            Some(old) if !old.same_domains(space) => {
                let message = format!(
                    "it searches '{old}', not '{space}'; take the same space, or another name for another study"
                );
                return Err(StudyError::state(format!("study {name:?}"), message));
            }
            Some(_) => {}
            None => study.set_setting(SPACE, space.to_string().into())?,
        }
        study.space = Some(space.clone());
        Ok(study)
    }

    fn new(storage: Arc<dyn Storage>, id: StudyId, name: &str, directions: Vec<Direction>) -> Self {
        let keeper = Arc::new(Keeper::new(storage.clone()));
        let (space, mirror, records) = (None, None, Records::new());
        Study {
            storage: Shared(storage),
            id,
            name: name.to_owned(),
            directions,
            space,
            records,
            mirror,
            keeper,
        }
    }

    /// The storage that it is in.
    pub fn storage(&self) -> &Arc<dyn Storage> {
        &self.storage.0
    }

    /// Its number in the storage.
    pub fn id(&self) -> StudyId {
        self.id
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What is minimised or maximised; several in studies of Optuna only.
    pub fn directions(&self) -> &[Direction] {
        &self.directions
    }

    /// Its space: the one that it was made with, otherwise that of the trials that were read.
    pub fn space(&self) -> Result<Space, StudyError> {
        self.space.clone().map_or_else(|| self.records.space(), Ok)
    }

    /// A setting of Lehr's, kept as the system attribute `lehr:NAME`.
    pub fn setting(&self, name: &str) -> Result<Option<Json>, StudyError> {
        let mut attributes = self.storage.0.attributes(Owner::Study(self.id), Kind::System)?;
        Ok(attributes.remove(&format!("lehr:{name}")))
    }

    /// Keeps a setting.
    pub fn set_setting(&self, name: &str, value: Json) -> Result<(), StudyError> {
        self.set_settings(&[(name, value)])
    }

    fn set_settings(&self, settings: &[(&str, Json)]) -> Result<(), StudyError> {
        let named: Vec<(String, &Json)> =
            settings.iter().map(|(name, value)| (format!("lehr:{name}"), value)).collect();
        let values: Vec<(&str, Json)> =
            named.iter().map(|(name, value)| (name.as_str(), (*value).clone())).collect();
        self.storage.0.set_attributes(Owner::Study(self.id), Kind::System, &values)
    }

    /// What tells this study from every other one, of whatever name in whatever storage; one that Lehr did not make is given it
    /// when it is first asked for.
    pub fn identity(&self) -> Result<String, StudyError> {
        if let Some(id) = self.known_identity()? {
            return Ok(id);
        }
        let id = new_identity();
        self.set_setting(IDENTITY, id.clone().into())?;
        Ok(id)
    }

    /// Its identity, if it was given one.
    pub fn known_identity(&self) -> Result<Option<String>, StudyError> {
        Ok(self.setting(IDENTITY)?.and_then(|id| id.as_str().map(str::to_owned)))
    }

    /// Reads what is new.
    pub fn refresh(&mut self) -> Result<&Records, StudyError> {
        self.storage.0.refresh(self.id, &mut self.records)?;
        Ok(&self.records)
    }

    /// Trials and runs as they were when they were read last.
    pub fn records(&self) -> &Records {
        &self.records
    }

    /// Reads what is new, and returns the history.
    pub fn history(&mut self) -> Result<&History, StudyError> {
        self.refresh()?;
        let [direction] = self.directions.as_slice() else {
            let message = format!("it has {} objectives; samplers need one", self.directions.len());
            return Err(StudyError::state(format!("study {:?}", self.name), message));
        };
        let space = self.space()?;
        let mut touched = self.records.take_touched();
        let mut mirror = match self.mirror.take().filter(|mirror| mirror.is_over(&space)) {
            Some(mirror) => mirror,
            None => {
                touched = (0..self.records.trials().len()).collect();
                Mirror::new(&space, *direction)
            }
        };
        mirror.follow(&self.records, &touched)?;
        Ok(self.mirror.insert(mirror).history())
    }

    /// Adds a trial that waits for a worker, and returns its number.
    pub fn enqueue(&self, waiting: &Waiting) -> Result<usize, StudyError> {
        self.storage.0.enqueue(self.id, waiting)
    }

    /// Starts a run; see [`Storage::start`].
    pub fn start(&self, run: &NewRun) -> Result<Attempt, StudyError> {
        let claim = self.storage.0.start(self.id, &self.space()?, run)?;
        Ok(Attempt::new(claim, self.keeper.clone()))
    }

    /// Takes a waiting trial, if there is one; see [`Storage::claim_waiting`]. It may lack parameters.
    pub fn claim_waiting(&self, plan: &Plan, worker: &str) -> Result<Option<Attempt>, StudyError> {
        let claim = self.storage.0.claim_waiting(self.id, plan, worker)?;
        Ok(claim.map(|claim| Attempt::new(claim, self.keeper.clone())))
    }

    /// Takes a waiting trial, or has the sampler suggest a new one, and starts its run.
    ///
    /// The random stream is that of the trial's number in a study seeded with `seed`; a suggestion on which another worker
    /// got ahead is made again. So what is suggested depends only on which trials have finished and which are pending.
    pub fn ask(
        &mut self,
        sampler: &dyn Sampler,
        seed: u64,
        plan: &Plan,
        worker: &str,
    ) -> Result<Attempt, StudyError> {
        loop {
            self.history()?;
            // Asking the storage for one is a write: only where one was seen.
            if self.has_waiting()
                && let Some(mut attempt) = self.claim_waiting(plan, worker)?
            {
                match self.complete(sampler, seed, &mut attempt) {
                    Ok(()) => return Ok(attempt),
                    // Its values are outside of the space: it says so and fails, and the next one is looked at.
                    Err(StudyError::Search(why)) => {
                        attempt.finish(&RunEnd::new(RunOutcome::Failed, 0).because(why.to_string()))?;
                        continue;
                    }
                    Err(other) => return Err(other),
                }
            }
            let Some(history) = self.mirror.as_ref().map(Mirror::history) else { continue };
            let number = history.len() as u64;
            let saw = pending(history);
            let params = sampler.suggest(history.space(), history, &mut Stream::for_trial(seed, number))?;
            let target = Target::New { params, saw };
            let after = Some(self.records.runs().len());
            let run = NewRun { target, plan: plan.clone(), worker: worker.to_owned(), after };
            match self.start(&run) {
                Err(StudyError::Outdated { .. }) => {}
                done => return done,
            }
        }
    }

    /// Whether a trial waited when the records were read.
    fn has_waiting(&self) -> bool {
        self.records.open().iter().any(|&place| self.records.trials()[place].state == TrialState::Waiting)
    }

    /// Suggests the parameters that a waiting trial lacks.
    fn complete(
        &mut self,
        sampler: &dyn Sampler,
        seed: u64,
        attempt: &mut Attempt,
    ) -> Result<(), StudyError> {
        let space = self.space()?;
        let given = attempt.params().clone();
        let params = if space.raw(&given).is_ok() {
            given
        } else {
            let mut narrowed = space.clone();
            for (name, value) in given.iter() {
                narrowed.fix(name, value.clone())?;
            }
            let trial = attempt.claim().trial as u64;
            let history = self.history()?;
            sampler.suggest(&narrowed, history, &mut Stream::for_trial(seed, trial))?
        };
        attempt.set_params(&space, &params)
    }
}

fn new_identity() -> String {
    format!("{:032x}", rand::random::<u128>())
}

/// The pending trials that a suggestion sees.
fn pending(history: &History) -> Vec<Seen> {
    let reports = |t: u32| history.trial(t as usize).map_or(0, |t| t.reports().len() as u32);
    history.pending().iter().map(|&trial| Seen { trial, reports: reports(trial) }).collect()
}

impl Study {
    /// The number of the best complete trial among those that were read; of equal ones the first.
    pub fn best(&self) -> Option<usize> {
        let [direction] = self.directions.as_slice() else { return None };
        let loss = |value: f64| if *direction == Direction::Maximize { -value } else { value };
        let complete = self.records.trials().iter().filter(|t| t.state == TrialState::Complete);
        let values = complete.filter_map(|t| Some((loss(*t.values.first()?), t.number)));
        values.filter(|(loss, _)| !loss.is_nan()).min_by(|a, b| a.0.total_cmp(&b.0)).map(|(_, number)| number)
    }
}
