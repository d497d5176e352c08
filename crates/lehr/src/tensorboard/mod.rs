//! Scalars from TensorBoard's event files, while they are being written or afterwards.
//!
//! A [`Reader`] follows one run: an event file, or a folder with the event files of one run (a run that was taken up
//! again writes a new one). [`Reader::read_new`] gives what was logged since the last call. [`find_runs`] lists the runs
//! below a folder.
//!
//! Both kinds of scalar are read: `simple_value` (PyTorch, tensorboardX) and tensors of one number (TensorFlow 2, JAX's
//! clu, PyTorch's new style). A record that is not complete yet is waited for; bytes that are no record are skipped and
//! counted.

mod file;
mod wire;

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};

use file::EventFile;
use wire::Found;

/// One logged number.
#[derive(Debug, Clone, PartialEq)]
pub struct Scalar {
    /// Its name.
    pub tag: String,
    /// The step that it was logged at. (Numbers at negative steps are left out.)
    pub step: u64,
    /// When, in seconds since 1970.
    pub wall_time: f64,
    /// The number; NaN and infinities are what they are.
    pub value: f64,
}

/// What could not be read.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Skipped {
    /// Records whose checksum or content is wrong.
    pub records: u64,
    /// Bytes that belong to no record.
    pub bytes: u64,
}

/// Why event files cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum TensorBoardError {
    /// The system refused to read a file or folder.
    #[error("cannot read {}: {source}", path.display())]
    Read {
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// A file does not begin as event files do.
    #[error("{} is no TensorBoard event file: it does not begin with a record", path.display())]
    NoEvents {
        /// The file.
        path: PathBuf,
    },
    /// A folder holds no event file, or only deeper down.
    #[error("{} holds no event files (files with `tfevents` in their names){below}", path.display())]
    NoFiles {
        /// The folder.
        path: PathBuf,
        /// Where there are some.
        below: String,
    },
}

/// Follows the event files of one run.
#[derive(Debug)]
pub struct Reader {
    path: PathBuf,
    files: Vec<EventFile>,
    folder: bool,
    settings: BTreeMap<String, String>,
}

impl Reader {
    /// A file, whatever its name, or a folder whose own files (not those of folders in it) are read.
    ///
    /// # Errors
    /// If there is nothing at `path`, a file does not begin with a record, or a folder holds no event file.
    pub fn open(path: impl Into<PathBuf>) -> Result<Self, TensorBoardError> {
        let mut reader = Self::watch(path);
        let path = &reader.path;
        let about = std::fs::metadata(path)
            .map_err(|source| TensorBoardError::Read { path: path.clone(), source })?;
        if about.is_dir() {
            if event_files(path)?.is_empty() {
                let below = match find_runs(path)?.first() {
                    Some(run) => format!("; there are some in {}", run.display()),
                    None => String::new(),
                };
                return Err(TensorBoardError::NoFiles { path: path.clone(), below });
            }
        } else if !EventFile::new(path.clone()).begins_well()? {
            return Err(TensorBoardError::NoEvents { path: path.clone() });
        }
        reader.find_files()?;
        Ok(reader)
    }

    /// Like [`Reader::open`], but what is not there yet may still come.
    pub fn watch(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into(), files: Vec::new(), folder: false, settings: BTreeMap::new() }
    }

    /// The numbers that were logged since the last call, in the order of the files' names and, within a file, in the
    /// order in which they were logged.
    ///
    /// # Errors
    /// If the system refuses to read; the next call goes on where this one came to.
    pub fn read_new(&mut self) -> Result<Vec<Scalar>, TensorBoardError> {
        self.find_files()?;
        let mut found = Found::default();
        let read = self.files.iter_mut().try_for_each(|file| file.read_new(&mut found));
        self.settings.append(&mut found.settings);
        read.map(|()| found.scalars)
    }

    /// The settings of the run that were read so far (`add_hparams`).
    pub fn settings(&self) -> &BTreeMap<String, String> {
        &self.settings
    }

    /// What could not be read so far.
    pub fn skipped(&self) -> Skipped {
        self.files.iter().fold(Skipped::default(), |sum, file| Skipped {
            records: sum.records + file.skipped().records,
            bytes: sum.bytes + file.skipped().bytes,
        })
    }

    fn find_files(&mut self) -> Result<(), TensorBoardError> {
        self.folder = self.folder || self.path.is_dir();
        let found = match self.folder {
            true => event_files(&self.path)?,
            false if self.path.exists() => vec![self.path.clone()],
            false => Vec::new(),
        };
        for path in found {
            if !self.files.iter().any(|file| file.path() == path) {
                self.files.push(EventFile::new(path));
            }
        }
        Ok(())
    }
}

/// The folders at or below `folder` that hold event files, sorted; links are not followed.
///
/// # Errors
/// If a folder cannot be read.
pub fn find_runs(folder: &Path) -> Result<Vec<PathBuf>, TensorBoardError> {
    let mut runs = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        if !event_files(&folder)?.is_empty() {
            runs.push(folder.clone());
        }
        folders.extend(
            entries(&folder)?
                .into_iter()
                .filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()))
                .map(|entry| entry.path()),
        );
    }
    runs.sort();
    Ok(runs)
}

/// The series of each tag, sorted by step. Where a step was logged twice (a run that was taken up again), the later
/// one counts.
pub fn series(scalars: Vec<Scalar>) -> HashMap<String, Vec<(u64, f64)>> {
    let mut series: HashMap<String, Vec<(u64, f64)>> = HashMap::new();
    for scalar in scalars {
        series.entry(scalar.tag).or_default().push((scalar.step, scalar.value));
    }
    for points in series.values_mut() {
        points.reverse();
        points.sort_by_key(|point| point.0);
        points.dedup_by_key(|point| point.0);
    }
    series
}

/// The event files in a folder itself. Their names begin with the time at which they were made, so they sort in it.
fn event_files(folder: &Path) -> Result<Vec<PathBuf>, TensorBoardError> {
    let mut files: Vec<PathBuf> = entries(folder)?
        .into_iter()
        .filter(|entry| entry.file_name().to_string_lossy().contains("tfevents"))
        .map(|entry| entry.path())
        .filter(|path| path.is_file())
        .collect();
    files.sort();
    Ok(files)
}

fn entries(folder: &Path) -> Result<Vec<std::fs::DirEntry>, TensorBoardError> {
    let fail = |source| TensorBoardError::Read { path: folder.to_owned(), source };
    std::fs::read_dir(folder).map_err(fail)?.collect::<Result<_, _>>().map_err(fail)
}

#[cfg(test)]
mod tests;
