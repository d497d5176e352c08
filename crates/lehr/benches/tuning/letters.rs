//! The next letter of a text from the four before it: one-hot letters, 108 columns, 27 classes.

use lehr::lab::Task;
use lehr::lab::data::{Dataset, Features};

use super::task::{Result, message, shared};

/// Letters, case apart, and one class for all else.
const CLASSES: usize = 27;
/// Letters before the one that is asked for.
const BEFORE: usize = 4;
/// Rows to train on, spread over the first nine tenths of the text, and to validate on, over the rest.
const ROWS: (usize, usize) = (60_000, 6_000);

/// The task, from Shakespeare's plays.
pub fn read() -> Result<Task> {
    let path = shared("text").join("tinyshakespeare.txt");
    let text = std::fs::read(&path).map_err(|e| format!("cannot read {}: {e}", path.display()))?;
    let letters: Vec<u32> = text.iter().map(|byte| class(*byte)).collect();
    let (train, rest) = letters.split_at(letters.len() / 10 * 9);
    Task::new(rows(train, ROWS.0)?, rows(rest, ROWS.1)?).map_err(message)
}

fn class(byte: u8) -> u32 {
    match byte.to_ascii_lowercase() {
        letter @ b'a'..=b'z' => u32::from(letter - b'a'),
        _ => CLASSES as u32 - 1,
    }
}

/// So many rows, evenly spread.
fn rows(letters: &[u32], count: usize) -> Result<Dataset> {
    let starts: Vec<usize> = (0..count).map(|i| i * (letters.len() - BEFORE) / count).collect();
    let column = |(place, letter): (usize, &u32)| (place * CLASSES) as u32 + letter;
    let features = Features::Sparse {
        columns: BEFORE * CLASSES,
        starts: (0..=count).map(|i| i * BEFORE).collect(),
        indices: starts
            .iter()
            .flat_map(|&at| letters[at..at + BEFORE].iter().enumerate().map(column))
            .collect(),
        values: vec![1.0; count * BEFORE],
    };
    let labels = starts.iter().map(|&at| letters[at + BEFORE]).collect();
    let classes = (b'a'..=b'z').map(|letter| char::from(letter).to_string()).chain(["other".into()]);
    Dataset::new("letters", features, labels, classes.collect()).map_err(message)
}
