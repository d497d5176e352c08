//! The log of a run: what the program wrote that is not a report.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;

use super::error::ProgramError;
use super::lines::Line;

/// Lines of the log that are kept in memory, for the reason of a failure.
const TAIL: usize = 20;
/// Characters of each of these lines.
const TAIL_WIDTH: usize = 400;
/// Most bytes of a log on disk; a program that writes on and on does not fill it.
const MOST: u64 = 64 << 20;

/// The log of a run, on disk and its last lines in memory.
#[derive(Debug)]
pub struct Log {
    file: BufWriter<File>,
    written: u64,
    most: u64,
    left_out: u64,
    tail: VecDeque<String>,
    overwrite: bool,
}

impl Log {
    /// Opens the log of a run, after what an earlier attempt wrote.
    pub fn open(path: &Path) -> Result<Self, ProgramError> {
        let file = File::options().create(true).append(true).open(path);
        let file = file.map_err(ProgramError::io("open", path))?;
        let file = BufWriter::new(file);
        Ok(Self { file, written: 0, most: MOST, left_out: 0, tail: VecDeque::new(), overwrite: false })
    }

    /// Takes a line.
    pub fn line(&mut self, line: Line<'_>) {
        let end: &[u8] = if line.cut { b" [...]\n" } else { b"\n" };
        let size = (line.bytes.len() + end.len()) as u64;
        if self.written + size > self.most {
            self.left_out += size;
        } else {
            self.written += size;
            // A full disk must not end a training run: the tail is still in memory.
            let _ = self.file.write_all(line.bytes).and_then(|()| self.file.write_all(end));
        }
        if std::mem::replace(&mut self.overwrite, line.overwritten) {
            self.tail.pop_back();
        } else if self.tail.len() == TAIL {
            self.tail.pop_front();
        }
        let short = &line.bytes[..line.bytes.len().min(4 * TAIL_WIDTH)];
        self.tail.push_back(String::from_utf8_lossy(short).trim_end().chars().take(TAIL_WIDTH).collect());
    }

    /// Takes a remark of Lehr's own.
    pub fn remark(&mut self, text: &str) {
        let _ = writeln!(self.file, "[lehr] {text}");
    }

    /// Writes what is buffered.
    pub fn flush(&mut self) {
        let _ = self.file.flush();
    }

    /// Closes the log and gives its last lines.
    pub fn close(mut self) -> Vec<String> {
        if self.left_out > 0 {
            let (most, left_out) = (self.most >> 20, self.left_out);
            self.remark(&format!("{left_out} more bytes of output are left out: a log holds {most} MiB"));
        }
        self.flush();
        self.tail.into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(text: &[u8], overwritten: bool) -> Line<'_> {
        Line { bytes: text, cut: false, overwritten }
    }

    #[test]
    fn the_tail_is_what_a_terminal_would_show_last() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log.txt");
        let mut log = Log::open(&path).unwrap();
        (0..100).for_each(|i| log.line(line(format!("line {i}").as_bytes(), false)));
        (0..100).for_each(|i| log.line(line(format!("{i}%").as_bytes(), true)));
        log.line(line(b"bad \xff byte", false));
        let tail = log.close();
        assert_eq!(tail.len(), 20);
        assert_eq!(tail[17..], ["line 98", "line 99", "bad \u{fffd} byte"].map(String::from));
        assert_eq!(std::fs::read(&path).unwrap().iter().filter(|&&b| b == b'\n').count(), 201);
    }

    #[test]
    fn a_log_does_not_fill_the_disk() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log.txt");
        let mut log = Log { most: 1000, ..Log::open(&path).unwrap() };
        (0..1000).for_each(|_| log.line(line(b"0123456789", false)));
        log.line(line(b"the end", false));
        assert_eq!(log.close().last().unwrap(), "the end");
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(text.len() < 1200 && text.contains("more bytes"), "{}", text.len());
    }
}
