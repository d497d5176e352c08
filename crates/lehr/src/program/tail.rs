//! Logs that a program writes while it runs: CSV or JSON lines that grow.

use std::fs::{File, Metadata};
use std::hash::{DefaultHasher, Hasher};
use std::io::{self, Read, Seek, SeekFrom};
use std::path::Path;
use std::time::SystemTime;

use super::json;
use super::lines::{Line, Lines};
use super::metric::{Names, Seen, Source};

/// Columns that hold the step, the first that there is.
const STEPS: [&str; 6] = ["step", "global_step", "iteration", "iter", "steps", "epoch"];

/// Follows a file: gives the reports that were added since the last look. A file that is written anew is read anew.
#[derive(Debug)]
pub struct Tail {
    source: Source,
    before: Option<Mark>,
    at: u64,
    head: Vec<u8>,
    lines: Lines,
    header: Option<Header>,
    rows: u64,
}

/// A file as it was when the run began: what it held then is not of this run.
#[derive(Debug)]
struct Mark {
    length: u64,
    changed: Option<SystemTime>,
    hash: u64,
}

#[derive(Debug)]
struct Header {
    separator: u8,
    value: Option<usize>,
    step: Option<usize>,
}

impl Tail {
    /// Bytes of the beginning that tell whether the file is still the same.
    const HEAD: usize = 4096;

    /// Follows a file, which need not be there yet.
    pub fn new(source: &Source) -> Self {
        let before = std::fs::metadata(&source.path).ok().map(|data| Mark {
            length: data.len(),
            changed: data.modified().ok(),
            hash: hash(&source.path, data.len()),
        });
        Self {
            source: source.clone(),
            before,
            at: 0,
            head: Vec::new(),
            lines: Lines::default(),
            header: None,
            rows: 0,
        }
    }

    /// What is followed.
    pub fn source(&self) -> &Source {
        &self.source
    }

    /// Reads what is new. `last` says that the program has ended: a last line without an end counts.
    pub fn read(&mut self, last: bool, names: &mut Names, take: &mut dyn FnMut(Seen)) -> io::Result<()> {
        let mut file = match File::open(&self.source.path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            Err(error) => return Err(error),
        };
        let data = file.metadata()?;
        let mut own = 0;
        if let Some(mark) = &self.before {
            match mark.appended(&self.source.path, &data) {
                None => return Ok(()),
                Some(from) => own = from,
            }
            self.before = None;
        }
        if data.len() < self.at || !self.same_head(&mut file)? {
            self.restart();
        }
        let mut buffer = vec![0; 1 << 16];
        file.seek(SeekFrom::Start(self.at))?;
        loop {
            let n = file.read(&mut buffer)?;
            if n == 0 {
                break;
            }
            // A mark ends at the end of a line, or the line is of this run.
            let skip = own.saturating_sub(self.at);
            self.at += n as u64;
            let mut lines = std::mem::take(&mut self.lines);
            let (old, new) = buffer[..n].split_at((skip as usize).min(n));
            lines.feed(old, &mut |line| _ = self.line(line, names));
            lines.feed(new, &mut |line| self.line(line, names).into_iter().for_each(&mut *take));
            self.lines = lines;
        }
        if last {
            let mut lines = std::mem::take(&mut self.lines);
            lines.close(&mut |line| self.line(line, names).into_iter().for_each(&mut *take));
        }
        Ok(())
    }

    fn restart(&mut self) {
        (self.at, self.rows, self.header) = (0, 0, None);
        self.head.clear();
        self.lines = Lines::default();
    }

    /// Whether the file still begins as it did; learns a longer beginning.
    fn same_head(&mut self, file: &mut File) -> io::Result<bool> {
        let mut head = Vec::with_capacity(Self::HEAD);
        file.by_ref().take(Self::HEAD as u64).read_to_end(&mut head)?;
        let same = head.starts_with(&self.head);
        if same && self.head.len() < Self::HEAD {
            self.head = head;
        }
        Ok(same)
    }

    fn line(&mut self, line: Line<'_>, names: &mut Names) -> Option<Seen> {
        if line.bytes.trim_ascii_start().starts_with(b"{") {
            let object = json::object(line.bytes)?;
            self.rows += 1;
            let value = object.get(&self.source.column).and_then(json::number);
            if value.is_none() {
                names.learn(object.keys().map(String::as_str));
            }
            return Some(Seen { step: json::step(&object).or(Some(self.rows - 1)), value: value? });
        }
        let Some(header) = &self.header else {
            self.header = Some(Header::read(line.bytes, &self.source.column, names));
            return None;
        };
        let fields = fields(line.bytes, header.separator);
        let number = |place: Option<usize>| fields.get(place?)?.trim().parse::<f64>().ok();
        let step = number(header.step).filter(|step| (0.0..=9e15).contains(step)).map(|step| step as u64);
        self.rows += 1;
        Some(Seen { step: step.or(Some(self.rows - 1)), value: number(header.value)? })
    }
}

impl Header {
    fn read(line: &[u8], column: &str, names: &mut Names) -> Self {
        let line = line.strip_prefix(b"\xef\xbb\xbf").unwrap_or(line);
        let read = |separator: u8| -> Vec<String> {
            fields(line, separator).iter().map(|name| name.trim().to_owned()).collect()
        };
        let separator = [b',', b';', b'\t'].into_iter().max_by_key(|&separator| {
            let names = read(separator);
            (names.iter().any(|name| name == column), names.len())
        });
        let separator = separator.unwrap_or(b',');
        let found = read(separator);
        let place = |name: &str| found.iter().position(|n| n == name);
        let value = place(column);
        if value.is_none() {
            names.learn(found.iter().map(String::as_str));
        }
        Self { separator, value, step: STEPS.iter().find_map(|name| place(name)) }
    }
}

fn fields(line: &[u8], separator: u8) -> Vec<String> {
    let mut reader = csv::ReaderBuilder::new().has_headers(false).delimiter(separator).from_reader(line);
    let record = reader.byte_records().next().and_then(Result::ok).unwrap_or_default();
    record.iter().map(|field| String::from_utf8_lossy(field).into_owned()).collect()
}

impl Mark {
    /// Where a changed file holds what is new: behind what it held before, or at its beginning if it was written anew.
    /// `None` if it has not changed.
    fn appended(&self, path: &Path, data: &Metadata) -> Option<u64> {
        if data.len() == self.length && data.modified().ok() == self.changed {
            return None;
        }
        let grown = data.len() > self.length && hash(path, self.length) == self.hash;
        Some(if grown { self.length } else { 0 })
    }
}

/// A hash of the first bytes of a file.
fn hash(path: &Path, length: u64) -> u64 {
    let mut hasher = DefaultHasher::new();
    let mut buffer = vec![0; 1 << 16];
    if let Ok(file) = File::open(path) {
        let mut file = file.take(length);
        while let Ok(n) = file.read(&mut buffer) {
            hasher.write(&buffer[..n]);
            if n == 0 {
                break;
            }
        }
    }
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;
    use std::path::PathBuf;

    struct Case {
        _folder: tempfile::TempDir,
        path: PathBuf,
        tail: Tail,
        names: Names,
    }

    impl Case {
        fn new(before: Option<&str>, column: &str) -> Self {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("log.csv");
            if let Some(text) = before {
                std::fs::write(&path, text).unwrap();
            }
            let tail = Tail::new(&Source { path: path.clone(), column: column.into() });
            Self { _folder: folder, path, tail, names: Names::default() }
        }

        fn add(&mut self, text: &str) -> Vec<(u64, f64)> {
            let mut file = File::options().create(true).append(true).open(&self.path).unwrap();
            file.write_all(text.as_bytes()).unwrap();
            self.read(false)
        }

        fn anew(&mut self, text: &str) -> Vec<(u64, f64)> {
            std::fs::write(&self.path, text).unwrap();
            self.read(false)
        }

        fn read(&mut self, last: bool) -> Vec<(u64, f64)> {
            let mut got = Vec::new();
            let mut take = |seen: Seen| got.push((seen.step.unwrap(), seen.value));
            self.tail.read(last, &mut self.names, &mut take).unwrap();
            got
        }
    }

    #[test]
    fn rows_are_given_once_as_they_come() {
        let mut case = Case::new(None, "val_loss");
        assert_eq!(case.read(false), []);
        assert_eq!(case.add("step,val_loss,lr\n10,1.5,0.1\n20,,0.1\n30,0."), [(10, 1.5)]);
        assert_eq!(case.add("75,0\n40,nan"), [(30, 0.75)]);
        let last = case.read(true);
        assert!(last[0].0 == 40 && last[0].1.is_nan());
    }

    #[test]
    fn a_file_written_anew_is_read_anew() {
        let mut case = Case::new(None, "loss");
        assert_eq!(case.add("step,lr\n1,0.1\n"), []);
        assert_eq!(case.names.seen(), ["lr"]);
        // As a logger does that learns of a new column.
        assert_eq!(case.anew("step,lr,loss\n1,0.1,\n2,0.1,5\n3,0.1,4\n"), [(2, 5.0), (3, 4.0)]);
        assert_eq!(case.anew("step,loss\n1,9\n"), [(1, 9.0)]);
    }

    #[test]
    fn what_an_earlier_run_wrote_is_not_of_this_one() {
        let old = "step,loss\n1,9\n2,8\n";
        let mut case = Case::new(Some(old), "loss");
        assert_eq!(case.read(false), []);
        assert_eq!(case.add("3,7\n"), [(3, 7.0)], "appended to");
        let mut case = Case::new(Some(old), "loss");
        std::thread::sleep(std::time::Duration::from_millis(20));
        assert_eq!(
            case.anew("step,loss\n1,5\n2,4\n"),
            [(1, 5.0), (2, 4.0)],
            "written anew, as long as before"
        );
        let mut case = Case::new(Some(old), "loss");
        assert_eq!(case.anew("step,loss\n1,5\n2,4\n3,3\n"), [(1, 5.0), (2, 4.0), (3, 3.0)], "and longer");
        let mut case = Case::new(Some(old), "loss");
        assert_eq!(case.read(true), [], "not touched");
    }

    #[test]
    fn other_separators_quotes_epochs_and_json_lines() {
        let mut case = Case::new(None, "val loss");
        assert_eq!(case.add("\u{feff}\"epoch\";\"val loss\"\r\n1;2,5\r\n2;2.5\r\n"), [(2, 2.5)]);
        let mut case = Case::new(None, "loss");
        assert_eq!(
            case.add("{\"loss\": 3}\n{\"acc\": 1}\n{\"step\": 7, \"loss\": 2}\n"),
            [(0, 3.0), (7, 2.0)]
        );
        let mut case = Case::new(None, "loss");
        assert_eq!(case.add("loss\n3\n2\n"), [(0, 3.0), (1, 2.0)]);
    }
}
