//! One event file: records of the TFRecord format, each an `Event`.
//!
//! A record is the length of its data (8 bytes, little-endian), the masked CRC-32C of those 8 bytes, the data, and the
//! masked CRC-32C of the data.

use std::fs::File;
use std::io::{BufReader, ErrorKind, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use super::wire::{self, Found};
use super::{Skipped, TensorBoardError};

const HEADER: u64 = 12;
const FOOTER: u64 = 4;
/// A record longer than this holds a picture or a graph and is passed over unread.
const LONGEST: u64 = 64 << 20;

/// A file and how far it was read.
#[derive(Debug)]
pub(super) struct EventFile {
    path: PathBuf,
    position: u64,
    skipped: Skipped,
}

impl EventFile {
    pub(super) fn new(path: PathBuf) -> Self {
        Self { path, position: 0, skipped: Skipped::default() }
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    pub(super) fn skipped(&self) -> Skipped {
        self.skipped
    }

    /// Whether the file begins with a record, or is too short to tell.
    pub(super) fn begins_well(&self) -> Result<bool, TensorBoardError> {
        let mut header = Vec::new();
        let file = File::open(&self.path).map_err(|source| self.fail(source))?;
        file.take(HEADER).read_to_end(&mut header).map_err(|source| self.fail(source))?;
        Ok(header.len() < HEADER as usize || data_length(&header).is_some())
    }

    /// Adds what the records hold that were completed since the last call.
    pub(super) fn read_new(&mut self, found: &mut Found) -> Result<(), TensorBoardError> {
        let file = match File::open(&self.path) {
            Ok(file) => file,
            // Removed under our feet: what was read stays read.
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
            Err(source) => return Err(self.fail(source)),
        };
        let length = file.metadata().map_err(|source| self.fail(source))?.len();
        if length < self.position {
            // It was written anew.
            self.position = 0;
        }
        let mut reader = BufReader::new(file);
        self.read_records(&mut reader, length, found).map_err(|source| self.fail(source))
    }

    fn read_records(
        &mut self,
        reader: &mut BufReader<File>,
        length: u64,
        found: &mut Found,
    ) -> std::io::Result<()> {
        let (mut header, mut data) = ([0; HEADER as usize], Vec::new());
        reader.seek(SeekFrom::Start(self.position))?;
        while length - self.position >= HEADER {
            reader.read_exact(&mut header)?;
            let Some(size) = data_length(&header) else {
                let Some(next) = next_record(reader, self.position + 1, length)? else { return Ok(()) };
                self.skipped.bytes += next - self.position;
                self.position = next;
                reader.seek(SeekFrom::Start(next))?;
                continue;
            };
            let left = length - self.position - HEADER;
            if left < FOOTER || size > left - FOOTER {
                return Ok(());
            }
            let end = self.position + HEADER + size + FOOTER;
            if size > LONGEST {
                reader.seek(SeekFrom::Start(end))?;
                self.position = end;
                continue;
            }
            data.resize((size + FOOTER) as usize, 0);
            reader.read_exact(&mut data)?;
            let (event, check) = data.split_at(size as usize);
            if masked(event).to_le_bytes() != check {
                // At the end of the file its bytes may still be on their way.
                if end == length {
                    return Ok(());
                }
                self.skipped.records += 1;
            } else if wire::event(event, found).is_none() {
                self.skipped.records += 1;
            }
            self.position = end;
        }
        Ok(())
    }

    fn fail(&self, source: std::io::Error) -> TensorBoardError {
        TensorBoardError::Read { path: self.path.clone(), source }
    }
}

/// The length that a header gives, if its checksum is right.
fn data_length(header: &[u8]) -> Option<u64> {
    let length: [u8; 8] = header.get(..8)?.try_into().ok()?;
    (masked(&length).to_le_bytes() == header.get(8..12)?).then_some(u64::from_le_bytes(length))
}

/// The first place from `start` on at which a record begins whose end can lie in the file.
fn next_record(reader: &mut BufReader<File>, start: u64, length: u64) -> std::io::Result<Option<u64>> {
    const CHUNK: usize = 1 << 16;
    reader.seek(SeekFrom::Start(start))?;
    let (mut window, mut place) = (Vec::with_capacity(2 * CHUNK), start);
    loop {
        let read = reader.by_ref().take(CHUNK as u64).read_to_end(&mut window)?;
        for (i, header) in window.windows(HEADER as usize).enumerate() {
            let at = place + i as u64;
            if data_length(header).is_some_and(|size| size <= length.saturating_sub(at + HEADER + FOOTER)) {
                return Ok(Some(at));
            }
        }
        if read == 0 {
            return Ok(None);
        }
        let keep = window.len().min(HEADER as usize - 1);
        place += (window.len() - keep) as u64;
        window.drain(..window.len() - keep);
    }
}

/// CRC-32C, rotated and shifted, as the format has it.
pub(super) fn masked(data: &[u8]) -> u32 {
    crc32c::crc32c(data).rotate_right(15).wrapping_add(0xa282_ead8)
}
