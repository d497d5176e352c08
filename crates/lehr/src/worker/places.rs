//! Where the files of a study lie: `OUT/STUDY/trial-00007/run-00012/{log.txt, report.jsonl, schedule.csv, checkpoint/}`.

use std::fs;
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use lehr_study::Study;

use super::error::WorkerError;
use crate::program::ProgramError;

/// The file in the folder of a study that says whose it is.
const OWNER: &str = ".study";

/// The bytes of a study's name that go into a folder's, which has 255 at most; a study may have 512 letters.
const LONGEST: usize = 200;

/// The folder of one run.
#[derive(Clone, Debug)]
pub struct Place {
    folder: PathBuf,
}

impl Place {
    /// Of a run of a trial.
    pub fn new(out: &Path, study: &str, trial: usize, run: usize) -> Self {
        let study = Self::of_study(out, study);
        Self { folder: study.join(format!("trial-{trial:05}")).join(format!("run-{run:05}")) }
    }

    /// Of a run of what a study recommends.
    pub fn recommended(out: &Path, study: &str) -> Self {
        Self { folder: Self::of_study(out, study).join("recommended") }
    }

    /// The folder of a study.
    pub fn of_study(out: &Path, study: &str) -> PathBuf {
        let plain = |c: char| if c.is_alphanumeric() || matches!(c, '-' | '_' | '.') { c } else { '_' };
        let mut name: String = study.chars().map(plain).collect();
        if name.starts_with('.') {
            name.insert(0, '_');
        }
        out.join(name)
    }

    /// The name under which a study has its folder: its own, with a number behind it where another study of that name, in
    /// another storage or removed since, has left its files. Or else a run might go on from the checkpoint of another one.
    ///
    /// # Errors
    /// A storage that does not answer, a folder that cannot be written.
    pub fn name_of(out: &Path, study: &Study) -> Result<String, WorkerError> {
        let id = study.identity()?;
        first_name(study.name(), |name| {
            let folder = Self::of_study(out, name);
            Ok(is_owned(&folder, &id).map_err(ProgramError::io("use", &folder))?)
        })
    }

    /// The name that [`Place::name_of`] would give to a study of this name, without a trace; `None` where it is not made yet.
    ///
    /// # Errors
    /// A storage that does not answer.
    pub fn name_foreseen(out: &Path, name: &str, study: Option<&Study>) -> Result<String, WorkerError> {
        let id = study.map(Study::known_identity).transpose()?.flatten();
        first_name(name, |name| {
            let folder = Self::of_study(out, name);
            let owner = fs::read_to_string(folder.join(OWNER)).ok();
            Ok(match owner {
                Some(owner) => Some(owner.trim()) == id.as_deref(),
                None => !has_entries(&folder),
            })
        })
    }

    /// Makes the folder, and gives it in full: the program may work in another one.
    pub fn make(self) -> Result<Self, ProgramError> {
        let checkpoint = self.checkpoint();
        let failed = |action, source| ProgramError::Io { action, path: checkpoint.clone(), source };
        fs::create_dir_all(&checkpoint).map_err(|source| failed("create", source))?;
        let folder = self.folder.canonicalize().map_err(|source| failed("find", source))?;
        Ok(Self { folder })
    }

    /// What the program wrote.
    pub fn log(&self) -> PathBuf {
        self.folder.join("log.txt")
    }

    /// The report channel.
    pub fn report(&self) -> PathBuf {
        self.folder.join("report.jsonl")
    }

    /// The schedule file.
    pub fn schedule(&self, binary: bool) -> PathBuf {
        self.folder.join(if binary { "schedule.f64" } else { "schedule.csv" })
    }

    /// The folder of checkpoints.
    pub fn checkpoint(&self) -> PathBuf {
        self.folder.join("checkpoint")
    }
}

/// The first of NAME, NAME-2, NAME-3, … that may be taken; of a long name its beginning.
fn first_name(study: &str, may: impl Fn(&str) -> Result<bool, WorkerError>) -> Result<String, WorkerError> {
    let end = (0..=LONGEST.min(study.len())).rev().find(|&end| study.is_char_boundary(end));
    let study = &study[..end.unwrap_or(0)];
    let mut name = study.to_owned();
    for number in 2_u64.. {
        if may(&name)? {
            break;
        }
        name = format!("{study}-{number}");
    }
    Ok(name)
}

fn has_entries(folder: &Path) -> bool {
    fs::read_dir(folder).is_ok_and(|mut entries| entries.next().is_some())
}

/// Whether a folder belongs to the study of this identity; one that is not there yet is made for it.
fn is_owned(folder: &Path, id: &str) -> std::io::Result<bool> {
    let owner = folder.join(OWNER);
    if !owner.exists() {
        // Files without an owner are not ours.
        if has_entries(folder) {
            return Ok(false);
        }
        fs::create_dir_all(folder)?;
        match fs::File::create_new(&owner) {
            Ok(mut file) => return file.write_all(id.as_bytes()).map(|()| true),
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
            Err(error) => return Err(error),
        }
    }
    // Whoever makes the file at this moment writes into it at once.
    for _ in 0..50 {
        let found = fs::read_to_string(&owner)?;
        if !found.is_empty() {
            return Ok(found.trim() == id);
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    Ok(false)
}

/// The checkpoint in a folder: its entry `step-N` with the largest N (of those up to `most`), and N; the folder itself if it
/// holds other things; nothing if it is empty. Entries that are still being written (`step-N.tmp`, `.part`) do not count.
pub fn checkpoint_in(folder: &Path, most: Option<u64>) -> Option<(PathBuf, Option<u64>)> {
    let entries: Vec<fs::DirEntry> = fs::read_dir(folder).ok()?.filter_map(Result::ok).collect();
    let step = |entry: &fs::DirEntry| step_of(entry.file_name().to_str()?);
    let steps = || entries.iter().filter_map(|entry| Some((step(entry)?, entry.path())));
    if steps().next().is_some() {
        let fitting = steps().filter(|(step, _)| most.is_none_or(|most| *step <= most));
        return fitting.max_by_key(|(step, _)| *step).map(|(step, path)| (path, Some(step)));
    }
    (!entries.is_empty()).then(|| (folder.to_owned(), None))
}

/// N of `step-N`, with or without an ending.
fn step_of(name: &str) -> Option<u64> {
    let (number, ending) =
        name.strip_prefix("step-")?.split_once('.').unwrap_or((&name["step-".len()..], ""));
    let done = !matches!(ending, "tmp" | "part") && !ending.ends_with(".tmp") && !ending.ends_with(".part");
    number.parse().ok().filter(|_| done)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_latest_whole_checkpoint_is_found() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        assert_eq!(checkpoint_in(folder.path(), None), None);
        assert_eq!(checkpoint_in(&path("absent"), None), None);
        fs::write(path("model.pt"), "x").unwrap();
        assert_eq!(checkpoint_in(folder.path(), Some(5)), Some((folder.path().to_owned(), None)));
        for name in ["step-100", "step-20.pt", "step-300.pt.tmp", "step-400.part", "step-x", "astep-500"] {
            fs::write(path(name), "x").unwrap();
        }
        assert_eq!(checkpoint_in(folder.path(), None), Some((path("step-100"), Some(100))));
        assert_eq!(checkpoint_in(folder.path(), Some(99)), Some((path("step-20.pt"), Some(20))));
        assert_eq!(checkpoint_in(folder.path(), Some(19)), None);
    }

    #[test]
    fn a_folder_belongs_to_one_study() {
        let out = tempfile::tempdir().unwrap();
        let study = || {
            let space = "lr=log 1e-4..1".parse().unwrap();
            let storage = lehr_study::open_shared("memory:").unwrap();
            Study::create(storage, "s", lehr_search::Direction::Minimize, &space).unwrap()
        };
        let (first, second) = (study(), study());
        let foreseen = |study| Place::name_foreseen(out.path(), "s", study).unwrap();
        assert_eq!((foreseen(None), foreseen(Some(&second))), ("s".into(), "s".into()));
        assert_eq!(fs::read_dir(out.path()).unwrap().count(), 0, "nothing was made");
        for _ in 0..2 {
            assert_eq!(Place::name_of(out.path(), &first).unwrap(), "s");
            assert_eq!(foreseen(Some(&first)), "s");
            assert_eq!(foreseen(Some(&second)), "s-2");
            assert_eq!(Place::name_of(out.path(), &second).unwrap(), "s-2");
            assert_eq!(foreseen(None), "s-3");
        }
        // Files that were there before anybody said whose they are.
        fs::create_dir_all(out.path().join("s-3/trial-00000")).unwrap();
        assert_eq!(Place::name_of(out.path(), &study()).unwrap(), "s-4");
    }

    #[test]
    fn a_long_name_is_cut() {
        let out = tempfile::tempdir().unwrap();
        let (name, cut) = ("ä".repeat(512), "ä".repeat(100));
        for expected in [cut.clone(), format!("{cut}-2")] {
            let space = "lr=log 1e-4..1".parse().unwrap();
            let storage = lehr_study::open_shared("memory:").unwrap();
            let study = Study::create(storage, &name, lehr_search::Direction::Minimize, &space).unwrap();
            assert_eq!(Place::name_foreseen(out.path(), &name, None).unwrap(), expected);
            assert_eq!(Place::name_of(out.path(), &study).unwrap(), expected);
            assert_eq!(Place::name_of(out.path(), &study).unwrap(), expected);
        }
    }

    #[test]
    fn names_of_studies_make_no_other_folders() {
        let place = Place::new(Path::new("out"), "../a b/c", 7, 12);
        assert_eq!(place.log(), Path::new("out/_.._a_b_c/trial-00007/run-00012/log.txt"));
    }
}
