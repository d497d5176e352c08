//! Studies that are being looked at: read again and again, and turned into views when they have changed.
use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use axum::body::Bytes;
use lehr_study::{Records, Storage, Study, StudyError};
use tokio::sync::watch;

use crate::source::{now, of_study};

/// How often a study is read.
const PERIOD: Duration = Duration::from_secs(1);
/// A study that nobody looked at for so long is let go.
const IDLE: Duration = Duration::from_secs(120);

/// A view that is ready to be sent.
#[derive(Clone, Debug)]
pub(super) struct Snapshot {
    /// Rises with each change.
    pub version: u64,
    /// The view as JSON, or why there is none.
    pub view: Result<Bytes, String>,
}

/// A study that is being looked at.
pub(super) struct Live {
    pub snapshots: watch::Receiver<Option<Snapshot>>,
    pub study: Arc<Mutex<Study>>,
    used: Arc<Mutex<Instant>>,
}

impl Live {
    /// The latest view, once there is one.
    pub async fn latest(&self) -> Option<Snapshot> {
        self.touch();
        let mut snapshots = self.snapshots.clone();
        snapshots.wait_for(Option::is_some).await.ok().and_then(|found| found.clone())
    }

    /// Somebody is looking.
    pub fn touch(&self) {
        *lock(&self.used) = Instant::now();
    }
}

/// The studies of a storage.
pub(super) struct Studies {
    pub storage: Arc<dyn Storage>,
    live: Mutex<HashMap<i64, Arc<Live>>>,
}

impl Studies {
    pub fn new(storage: Arc<dyn Storage>) -> Self {
        Self { storage, live: Mutex::default() }
    }

    /// The study of a number, read from now on. Reading a database takes time: not to be called where others wait.
    pub fn live(&self, id: i64) -> Result<Option<Arc<Live>>, StudyError> {
        if let Some(live) = self.known(id) {
            return Ok(Some(live));
        }
        let summaries = self.storage.studies()?;
        let Some(name) = summaries.into_iter().find(|study| study.id.get() == id).map(|study| study.name)
        else {
            return Ok(None);
        };
        let study = Arc::new(Mutex::new(Study::open(Arc::clone(&self.storage), &name)?));
        let (send, snapshots) = watch::channel(None);
        let used = Arc::new(Mutex::new(Instant::now()));
        let live = Arc::new(Live { snapshots, study: Arc::clone(&study), used: Arc::clone(&used) });
        let mut all = lock(&self.live);
        if let Some(other) = all.get(&id).filter(|live| live.snapshots.has_changed().is_ok()) {
            return Ok(Some(Arc::clone(other)));
        }
        all.insert(id, Arc::clone(&live));
        drop(all);
        std::thread::spawn(move || follow(&study, &send, &used));
        Ok(Some(live))
    }

    /// A study whose thread is still at it.
    fn known(&self, id: i64) -> Option<Arc<Live>> {
        let live = lock(&self.live).get(&id).filter(|live| live.snapshots.has_changed().is_ok()).cloned();
        live.inspect(|live| live.touch())
    }
}

/// Locks; what a thread that broke down left behind is data like any other.
pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Reads a study again and again, until nobody looks at it any more.
fn follow(study: &Mutex<Study>, send: &watch::Sender<Option<Snapshot>>, used: &Mutex<Instant>) {
    let (mut seen, mut version) = (None, 0);
    while lock(used).elapsed() < IDLE {
        let start = Instant::now();
        let fresh = look(study, seen);
        match fresh {
            Ok((print, Some(view))) => {
                seen = Some(print);
                version += 1;
                send.send_replace(Some(Snapshot { version, view: Ok(view) }));
            }
            Ok((_, None)) => {}
            Err(error) => {
                let text = error.to_string();
                let told = send.borrow().as_ref().is_some_and(|last| last.view.as_ref() == Err(&text));
                if !told {
                    seen = None;
                    version += 1;
                    send.send_replace(Some(Snapshot { version, view: Err(text) }));
                }
            }
        }
        // Large studies are read less often, so that looking at them never takes more than a fifth of a core.
        std::thread::sleep(PERIOD.max(4 * start.elapsed()));
    }
}

/// Reads what is new, and makes the view if anything is.
fn look(study: &Mutex<Study>, seen: Option<u64>) -> Result<(u64, Option<Bytes>), StudyError> {
    let mut study = lock(study);
    let print = fingerprint(study.refresh()?);
    if seen == Some(print) {
        return Ok((print, None));
    }
    let view = of_study(&study, now())?;
    let json = serde_json::to_vec(&view).map_err(|error| StudyError::Content {
        what: "the page's data".into(),
        message: error.to_string(),
    })?;
    Ok((print, Some(Bytes::from(json))))
}

/// A number that changes when anything of a study does.
fn fingerprint(records: &Records) -> u64 {
    let mut hasher = DefaultHasher::new();
    records.trials().len().hash(&mut hasher);
    for trial in records.trials() {
        (trial.state, trial.reports.len(), trial.runs.len()).hash(&mut hasher);
    }
    for run in records.runs() {
        (run.state, run.steps, run.attempt).hash(&mut hasher);
        records.reports_of(run.number).len().hash(&mut hasher);
    }
    hasher.finish()
}
