use super::{Dataset, Features, index_classes};
use crate::Error;
use crate::error::Place;
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::Path;

/// The largest column that is believed: a typing error must not decide how much memory is taken.
const MAX_COLUMN: u64 = 1 << 24;

/// Reads LIBSVM text: per line a class and `column:value` pairs, columns counted from 1 and increasing.
///
/// Blank lines and what follows a `#` are skipped. Classes are whole numbers (`+1`, `-1`, `3`). With `like`, the
/// classes are those of that (training) data set, and a class that it does not know is an error.
///
/// # Errors
/// If the file cannot be read or a line is malformed; the error names line and column.
pub fn read_libsvm(path: impl AsRef<Path>, like: Option<&Dataset>) -> Result<Dataset, Error> {
    let path = path.as_ref();
    let fail = |source| Error::Read { path: path.to_owned(), source };
    let file = File::open(path).map_err(fail)?;
    let name = path.display().to_string();
    let mut reader = BufReader::with_capacity(1 << 16, file);
    let mut rows = Rows::new(&name);
    let (mut bytes, mut line) = (Vec::new(), 0);
    loop {
        bytes.clear();
        if reader.read_until(b'\n', &mut bytes).map_err(fail)? == 0 {
            break;
        }
        line += 1;
        let text = std::str::from_utf8(&bytes)
            .map_err(|_| Place::line(&name, line).says("this is not text in UTF-8; is it a LIBSVM file?"))?;
        rows.push_line(line, text)?;
    }
    rows.finish(like)
}

struct Rows<'a> {
    file: &'a str,
    labels: Vec<String>,
    lines: Vec<u64>,
    columns: usize,
    starts: Vec<usize>,
    indices: Vec<u32>,
    values: Vec<f32>,
}

impl<'a> Rows<'a> {
    fn new(file: &'a str) -> Self {
        Self {
            file,
            labels: Vec::new(),
            lines: Vec::new(),
            columns: 0,
            starts: vec![0],
            indices: Vec::new(),
            values: Vec::new(),
        }
    }

    fn push_line(&mut self, line: u64, text: &str) -> Result<(), Error> {
        let text = text.split('#').next().unwrap_or_default();
        let mut words = text.split_ascii_whitespace();
        let Some(label) = words.next() else { return Ok(()) };
        self.labels.push(self.class(line, label)?);
        self.lines.push(line);
        let mut previous = None;
        for (position, word) in words.enumerate() {
            let place = || Place::cell(self.file, line, position as u64 + 2);
            let (index, value) = entry(word).map_err(|problem| place().says(problem))?;
            match previous {
                Some(last) if last == index => {
                    return Err(place().says(format!("column {index} is given twice in this row")));
                }
                Some(last) if last > index => {
                    return Err(place().says(format!(
                        "column {index} comes after column {last}; columns must increase within a row"
                    )));
                }
                _ => previous = Some(index),
            }
            self.columns = self.columns.max(index as usize);
            if value != 0.0 {
                self.indices.push(index - 1);
                self.values.push(value);
            }
        }
        self.starts.push(self.indices.len());
        Ok(())
    }

    fn class(&self, line: u64, word: &str) -> Result<String, Error> {
        let place = || Place::cell(self.file, line, 1);
        if word.contains(':') {
            return Err(place().says(format!("`{word}` stands where the class of the row was expected")));
        }
        match word.parse::<f64>() {
            Ok(number) if number.is_finite() && number.fract() == 0.0 && number.abs() < 1e15 => {
                Ok(format!("{}", number as i64))
            }
            _ => {
                Err(place()
                    .says(format!("class `{word}`: a whole number was expected (such as -1, +1 or 3)")))
            }
        }
    }

    fn finish(self, like: Option<&Dataset>) -> Result<Dataset, Error> {
        if self.labels.is_empty() {
            return Err(Place::file(self.file).says("the file has no rows"));
        }
        if self.columns == 0 {
            return Err(Place::file(self.file).says("no row has a feature (`column:value`)"));
        }
        let (labels, classes) =
            index_classes(self.file, &self.labels, &self.lines, like.map(Dataset::classes))?;
        let features = Features::Sparse {
            columns: self.columns,
            starts: self.starts,
            indices: self.indices,
            values: self.values,
        };
        Dataset::new(self.file, features, labels, classes)
    }
}

fn entry(word: &str) -> Result<(u32, f32), String> {
    let Some((index, value)) = word.split_once(':') else {
        return Err(format!("`{word}`: a pair `column:value` was expected"));
    };
    if index == "qid" {
        return Err("`qid` belongs to ranking data, which cannot be trained on here".into());
    }
    let index = match index.parse::<i128>() {
        Ok(n) if n <= 0 => return Err(format!("column {n}: columns count from 1")),
        Ok(n) if n > i128::from(MAX_COLUMN) => {
            return Err(format!("column {n} is beyond the largest one that is supported, {MAX_COLUMN}"));
        }
        Ok(n) => n as u32,
        Err(_) => return Err(format!("`{index}` is not a column number")),
    };
    match value.parse::<f32>() {
        Ok(number) if number.is_finite() => Ok((index, number)),
        Ok(_) => Err(format!("`{value}` is not a finite number (as a 32-bit float)")),
        Err(_) => Err(format!("`{value}` is not a number")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Dataset, String> {
        let mut rows = Rows::new("t");
        for (i, line) in text.lines().enumerate() {
            rows.push_line(i as u64 + 1, line).map_err(|e| e.to_string())?;
        }
        rows.finish(None).map_err(|e| e.to_string())
    }

    #[test]
    fn reads_classes_columns_and_comments() {
        let data = read("+1 1:0.5 3:2 # first\n\n-1 2:1\n1\n").unwrap();
        assert_eq!(data.classes(), ["-1", "1"]);
        assert_eq!(data.labels(), [1, 0, 1]);
        let Features::Sparse { columns, starts, indices, values } = data.features() else { panic!("sparse") };
        assert_eq!((*columns, &starts[..], &indices[..]), (3, &[0, 2, 3, 3][..], &[0, 2, 1][..]));
        assert_eq!(values[..], [0.5, 2.0, 1.0]);
    }

    #[test]
    fn says_what_is_wrong_and_where() {
        for (text, message) in [
            ("", "t: the file has no rows"),
            ("1\n2\n", "t: no row has a feature"),
            ("1 1:1\n1 2:1", "t: every row is of class `1`; at least two"),
            ("1 1:1\n-1 2:x", "t, line 2, column 2: `x` is not a number"),
            ("1 1:1\n-1 1:1 2:nan", "t, line 2, column 3: `nan` is not a finite number"),
            ("1 1:1e99", "t, line 1, column 2: `1e99` is not a finite number"),
            ("1 -3:1", "t, line 1, column 2: column -3: columns count from 1"),
            ("1 0:1", "column 0: columns count from 1"),
            ("1 2:1 2:1", "t, line 1, column 3: column 2 is given twice"),
            ("1 5:1 2:1", "t, line 1, column 3: column 2 comes after column 5"),
            ("1 99999999999999:1", "column 99999999999999 is beyond the largest"),
            ("1 999999999999999999999999999999999999999999:1", "is not a column number"),
            ("1 7", "t, line 1, column 2: `7`: a pair `column:value`"),
            ("1:2 3:4", "t, line 1, column 1: `1:2` stands where the class"),
            ("0.5 1:1", "t, line 1, column 1: class `0.5`: a whole number"),
            ("a 1:1", "class `a`"),
            ("inf 1:1", "class `inf`"),
            ("1 qid:3 1:1", "ranking"),
        ] {
            let error = read(text).unwrap_err();
            assert!(error.contains(message), "{text:?} gave {error:?}");
        }
    }
}
