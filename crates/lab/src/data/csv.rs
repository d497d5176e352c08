use super::{Dataset, Features, index_classes};
use crate::Error;
use crate::error::Place;
use ::csv::{ReaderBuilder, StringRecord};
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::Path;

/// How a CSV file is read.
#[derive(Debug, Clone, Copy)]
pub struct CsvFormat<'a> {
    /// The name (in the header) of the column that holds the class of each row.
    pub target: &'a str,
}

const SEPARATORS: [u8; 3] = [b',', b';', b'\t'];

/// Reads a CSV file with a header; every column but the target must be numeric, the target may be any text.
///
/// The separator is a comma, a semicolon or a tab, whichever is most frequent in the header. With `like`, the classes
/// are those of that (training) data set, and a class that it does not know is an error.
///
/// # Errors
/// If the file cannot be read, the target is missing or a row or cell is malformed; the error names line and column.
pub fn read_csv(
    path: impl AsRef<Path>,
    format: CsvFormat<'_>,
    like: Option<&Dataset>,
) -> Result<Dataset, Error> {
    let path = path.as_ref();
    let file = File::open(path).map_err(|source| Error::Read { path: path.to_owned(), source })?;
    let name = path.display().to_string();
    read(&name, BufReader::with_capacity(1 << 16, file), format, like)
}

fn read(
    name: &str,
    mut input: impl BufRead,
    format: CsvFormat<'_>,
    like: Option<&Dataset>,
) -> Result<Dataset, Error> {
    let separator = separator(name, &mut input)?;
    let mut reader = ReaderBuilder::new().delimiter(separator).flexible(true).from_reader(input);
    let header = reader.headers().map_err(|e| broken(name, &e))?.clone();
    let target = target(name, &header, format.target)?;
    let (mut labels, mut lines, mut values) = (Vec::new(), Vec::new(), Vec::new());
    let mut record = StringRecord::new();
    while reader.read_record(&mut record).map_err(|e| broken(name, &e))? {
        let line = record.position().map_or(0, ::csv::Position::line);
        if record.len() != header.len() {
            return Err(Place::line(name, line).says(format!(
                "{} cells where the header has {}",
                record.len(),
                header.len()
            )));
        }
        for (column, cell) in record.iter().enumerate() {
            let cell = cell.trim();
            let place = || Place {
                name: header.get(column).map(|n| format!("`{}`", n.trim())),
                ..Place::cell(name, line, column as u64 + 1)
            };
            if cell.is_empty() {
                return Err(place().says("the cell is empty"));
            }
            if column == target {
                labels.push(cell.to_owned());
                lines.push(line);
            } else {
                values.push(number(cell).map_err(|problem| place().says(problem))?);
            }
        }
    }
    if labels.is_empty() {
        return Err(Place::file(name).says("the file has a header but no rows"));
    }
    let (labels, classes) = index_classes(name, &labels, &lines, like.map(Dataset::classes))?;
    Dataset::new(name, Features::Dense { columns: header.len() - 1, values }, labels, classes)
}

/// The separator, from the first line, which stays unread; a byte order mark is taken away.
fn separator(name: &str, input: &mut impl BufRead) -> Result<u8, Error> {
    let fail = |source| Error::Read { path: name.into(), source };
    if input.fill_buf().map_err(fail)?.starts_with(b"\xEF\xBB\xBF") {
        input.consume(3);
    }
    let start = input.fill_buf().map_err(fail)?;
    if start.is_empty() {
        return Err(Place::file(name).says("the file is empty"));
    }
    let line = start.split(|&b| b == b'\n').next().unwrap_or_default();
    let count = |separator: &u8| line.iter().filter(|b| *b == separator).count();
    // The first of the most frequent ones: a comma where there is none at all.
    Ok(SEPARATORS.into_iter().rev().max_by_key(count).unwrap_or(b','))
}

fn target(name: &str, header: &StringRecord, wanted: &str) -> Result<usize, Error> {
    let place = || Place::line(name, 1);
    let found: Vec<usize> =
        header.iter().enumerate().filter(|(_, n)| n.trim() == wanted.trim()).map(|(i, _)| i).collect();
    match found[..] {
        [column] if header.len() > 1 => Ok(column),
        [_] => Err(place().says("there is no column beside the target")),
        [] => {
            let names: Vec<String> = header.iter().map(|n| n.trim().to_owned()).collect();
            Err(place()
                .says(format!("there is no column `{wanted}`; the columns are {}", super::some_of(&names))))
        }
        _ => Err(place().says(format!("there are {} columns named `{wanted}`", found.len()))),
    }
}

fn number(cell: &str) -> Result<f32, String> {
    match cell.parse::<f32>() {
        Ok(value) if value.is_finite() => Ok(value),
        Ok(_) => Err(format!("`{cell}` is not a finite number (as a 32-bit float)")),
        Err(_) => Err(format!("`{cell}` is not a number")),
    }
}

fn broken(name: &str, error: &::csv::Error) -> Error {
    let line = error.position().map(::csv::Position::line);
    Place { line, ..Place::file(name) }.says(match error.kind() {
        ::csv::ErrorKind::Utf8 { .. } => "this is not text in UTF-8".to_owned(),
        _ => error.to_string(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Dataset, String> {
        read("t", text.as_bytes(), CsvFormat { target: "y" }, None).map_err(|e| e.to_string())
    }

    #[test]
    fn reads_any_separator_and_text_classes() {
        for text in [
            "a,y,b\n1,good,2\n3,bad,4.5\n",
            "a;y;b\n1;good;2\n3;bad;4.5\n",
            "\u{feff}a\ty\tb\r\n1\tgood\t2\r\n3\tbad\t4.5",
            "\"a\",\"y\",\"b\"\n 1 , good , 2\n3,\"bad\",4.5\n",
        ] {
            let data = parse(text).unwrap();
            assert_eq!(data.classes(), ["bad", "good"]);
            assert_eq!(data.labels(), [1, 0]);
            assert_eq!(*data.features(), Features::Dense { columns: 2, values: vec![1.0, 2.0, 3.0, 4.5] });
        }
    }

    #[test]
    fn numbers_as_classes_are_in_numeric_order() {
        assert_eq!(parse("a,y\n1,10\n2,9\n3,-1\n").unwrap().classes(), ["-1", "9", "10"]);
    }

    #[test]
    fn says_what_is_wrong_and_where() {
        let many = format!("a,y\n{}", (0..1500).map(|i| format!("1,{i}.5\n")).collect::<String>());
        for (text, message) in [
            ("", "t: the file is empty"),
            ("a,y\n", "t: the file has a header but no rows"),
            ("a,b\n1,2\n", "t, line 1: there is no column `y`; the columns are `a`, `b`"),
            ("y\n1\n2\n", "t, line 1: there is no column beside the target"),
            ("y,y,a\n1,2,3\n", "t, line 1: there are 2 columns named `y`"),
            ("a,y\n1,0\n2\n", "t, line 3: 1 cells where the header has 2"),
            ("a,y\n1,0\n2,1,3\n", "t, line 3: 3 cells where the header has 2"),
            ("a,y\n1,0\nx,1\n", "t, line 3, column 1 (`a`): `x` is not a number"),
            ("a,y\n1,0\n,1\n", "t, line 3, column 1 (`a`): the cell is empty"),
            ("a,y\n1,0\n2,\n", "t, line 3, column 2 (`y`): the cell is empty"),
            ("a,y\nNaN,0\n2,1\n", "t, line 2, column 1 (`a`): `NaN` is not a finite number"),
            ("a,y\n-inf,0\n2,1\n", "`-inf` is not a finite number"),
            ("a,y\n1e60,0\n2,1\n", "`1e60` is not a finite number"),
            ("a,y\n1,0\n2,0\n", "t: every row is of class `0`"),
            (&many, "t: the target takes 1500 different values"),
        ] {
            let error = parse(text).unwrap_err();
            assert!(error.contains(message), "{text:?} gave {error:?}");
        }
        let bytes = read("t", &b"a,y\n1,0\n\xff,1\n"[..], CsvFormat { target: "y" }, None);
        assert!(bytes.unwrap_err().to_string().contains("t, line 3: this is not text in UTF-8"));
    }

    #[test]
    fn validation_shares_the_classes_of_the_training_data() {
        let train = parse("a,y\n1,u\n2,v\n3,w\n").unwrap();
        let format = CsvFormat { target: "y" };
        let same = read("v", "a,y\n1,w\n".as_bytes(), format, Some(&train)).unwrap();
        assert_eq!((same.labels(), same.classes()), (&[2][..], train.classes()));
        let error = read("v", "a,y\n1,w\n2,x\n".as_bytes(), format, Some(&train)).unwrap_err();
        assert_eq!(
            error.to_string(),
            "v, line 3: class `x` does not occur in the training data (its classes: `u`, `v`, `w`)"
        );
    }
}
