//! Data sets: what they hold, where they come from, how they are split.

mod csv;
mod libsvm;
mod split;
mod wine;

pub use csv::{CsvFormat, read_csv};
pub use libsvm::read_libsvm;
pub use split::Task;
pub use wine::wine;

use crate::Error;
use crate::error::Place;

/// More classes than this are taken for a mistake (a target that is a quantity, not a class).
pub const MAX_CLASSES: usize = 1000;

/// Rows of numbers, one row per example.
#[derive(Debug, Clone, PartialEq)]
pub enum Features {
    /// Every value is stored, row after row.
    Dense {
        /// Values per row.
        columns: usize,
        /// `rows × columns` values.
        values: Vec<f32>,
    },
    /// Only what is not zero is stored (compressed sparse rows).
    Sparse {
        /// Number of columns, seen or not.
        columns: usize,
        /// Row `r` holds the entries `starts[r]..starts[r + 1]`.
        starts: Vec<usize>,
        /// Column of each entry, counted from 0, increasing within a row.
        indices: Vec<u32>,
        /// Value of each entry.
        values: Vec<f32>,
    },
}

impl Features {
    /// Number of columns.
    pub fn columns(&self) -> usize {
        match self {
            Self::Dense { columns, .. } | Self::Sparse { columns, .. } => *columns,
        }
    }

    /// Number of rows.
    pub fn rows(&self) -> usize {
        match self {
            Self::Dense { columns, values } => values.len().checked_div(*columns).unwrap_or(0),
            Self::Sparse { starts, .. } => starts.len().saturating_sub(1),
        }
    }

    /// Whether every value is stored.
    pub fn is_dense(&self) -> bool {
        matches!(self, Self::Dense { .. })
    }

    /// Number of stored values.
    pub fn stored(&self) -> usize {
        match self {
            Self::Dense { values, .. } | Self::Sparse { values, .. } => values.len(),
        }
    }

    fn select(&self, rows: &[usize]) -> Self {
        match self {
            Self::Dense { columns, values } => Self::Dense {
                columns: *columns,
                values: rows.iter().flat_map(|&r| &values[r * columns..(r + 1) * columns]).copied().collect(),
            },
            Self::Sparse { columns, starts, indices, values } => {
                let mut picked = (vec![0], Vec::new(), Vec::new());
                for &r in rows {
                    let range = starts[r]..starts[r + 1];
                    picked.1.extend_from_slice(&indices[range.clone()]);
                    picked.2.extend_from_slice(&values[range]);
                    picked.0.push(picked.1.len());
                }
                Self::Sparse { columns: *columns, starts: picked.0, indices: picked.1, values: picked.2 }
            }
        }
    }

    fn check(&self) -> Result<(), String> {
        let values = match self {
            Self::Dense { columns, values } => {
                if *columns == 0 || values.len() % columns != 0 {
                    return Err(format!("{} values do not fill rows of {columns}", values.len()));
                }
                values
            }
            Self::Sparse { columns, starts, indices, values } => {
                let ordered = starts.first() == Some(&0)
                    && starts.is_sorted()
                    && starts.last() == Some(&indices.len())
                    && indices.len() == values.len();
                if *columns == 0 || !ordered {
                    return Err("the starts of the sparse rows do not fit its entries".into());
                }
                let rising = |row: &[usize]| indices[row[0]..row[1]].is_sorted_by(|a, b| a < b);
                if !starts.windows(2).all(rising) || indices.iter().any(|&i| i as usize >= *columns) {
                    return Err(format!("the columns of a sparse row must increase and be below {columns}"));
                }
                values
            }
        };
        match values.iter().find(|v| !v.is_finite()) {
            Some(value) => Err(format!("a feature is {value}; only finite numbers can be trained on")),
            None => Ok(()),
        }
    }
}

/// Examples with their classes.
#[derive(Debug, Clone, PartialEq)]
pub struct Dataset {
    name: String,
    features: Features,
    labels: Vec<u32>,
    classes: Vec<String>,
}

impl Dataset {
    /// A data set from its parts; `labels[r]` is the class of row `r`, an index into `classes`.
    ///
    /// # Errors
    /// If there is no row, if the parts do not fit each other, or if a value is not finite.
    pub fn new(
        name: impl Into<String>,
        features: Features,
        labels: Vec<u32>,
        classes: Vec<String>,
    ) -> Result<Self, Error> {
        let name = name.into();
        let fail = |problem: String| Err(Place::file(name.clone()).says(problem));
        if let Err(problem) = features.check() {
            return fail(problem);
        }
        if labels.is_empty() {
            return fail("there is no row".into());
        }
        if labels.len() != features.rows() {
            return fail(format!("{} labels for {} rows", labels.len(), features.rows()));
        }
        if let Some(label) = labels.iter().find(|&&l| l as usize >= classes.len()) {
            return fail(format!("a label is {label}, but there are {} classes", classes.len()));
        }
        Ok(Self { name, features, labels, classes })
    }

    /// Where the data came from.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The features.
    pub fn features(&self) -> &Features {
        &self.features
    }

    /// The class of each row, as an index into [`Dataset::classes`].
    pub fn labels(&self) -> &[u32] {
        &self.labels
    }

    /// The names of the classes.
    pub fn classes(&self) -> &[String] {
        &self.classes
    }

    /// Number of rows.
    pub fn rows(&self) -> usize {
        self.labels.len()
    }

    /// Rows of each class.
    pub fn class_counts(&self) -> Vec<usize> {
        let mut counts = vec![0; self.classes.len()];
        for &label in &self.labels {
            counts[label as usize] += 1;
        }
        counts
    }

    fn select(&self, rows: &[usize]) -> Self {
        Self {
            name: self.name.clone(),
            features: self.features.select(rows),
            labels: rows.iter().map(|&r| self.labels[r]).collect(),
            classes: self.classes.clone(),
        }
    }
}

/// The classes of a file in a fixed order: by number if all are numbers, else by letter; with the class of each row.
fn index_classes(
    file: &str,
    labels: &[String],
    first_lines: &[u64],
    known: Option<&[String]>,
) -> Result<(Vec<u32>, Vec<String>), Error> {
    let classes = match known {
        Some(known) => known.to_vec(),
        None => sorted_classes(file, labels)?,
    };
    let index: std::collections::HashMap<&str, u32> =
        classes.iter().enumerate().map(|(i, class)| (class.as_str(), i as u32)).collect();
    let mut rows = Vec::with_capacity(labels.len());
    for (label, &line) in labels.iter().zip(first_lines) {
        match index.get(label.as_str()) {
            Some(&class) => rows.push(class),
            None => {
                return Err(Place::line(file, line).says(format!(
                    "class `{label}` does not occur in the training data (its classes: {})",
                    some_of(&classes)
                )));
            }
        }
    }
    Ok((rows, classes))
}

fn sorted_classes(file: &str, labels: &[String]) -> Result<Vec<String>, Error> {
    let mut classes: Vec<String> =
        labels.iter().collect::<std::collections::BTreeSet<_>>().into_iter().cloned().collect();
    if classes.len() == 1 {
        return Err(Place::file(file).says(format!(
            "every row is of class `{}`; at least two classes are needed to train on",
            classes[0]
        )));
    }
    if classes.len() > MAX_CLASSES {
        return Err(Place::file(file).says(format!(
            "the target takes {} different values; it must name a class (at most {MAX_CLASSES}), not a quantity",
            classes.len()
        )));
    }
    let numbers: Option<Vec<f64>> = classes.iter().map(|c| c.parse().ok()).collect();
    if let Some(numbers) = numbers {
        let mut pairs: Vec<(f64, String)> = numbers.into_iter().zip(classes).collect();
        pairs.sort_by(|a, b| a.0.total_cmp(&b.0));
        classes = pairs.into_iter().map(|pair| pair.1).collect();
    }
    Ok(classes)
}

fn some_of(names: &[String]) -> String {
    let mut text = names.iter().take(10).map(|n| format!("`{n}`")).collect::<Vec<_>>().join(", ");
    if names.len() > 10 {
        text.push_str(&format!(" and {} more", names.len() - 10));
    }
    text
}
