use super::{Dataset, Features, wine};
use crate::Error;
use crate::random::{Random, Stream};

/// What is learned: the rows to train on and the rows to validate on.
#[derive(Debug, Clone)]
pub struct Task {
    train: Dataset,
    validation: Dataset,
}

impl Task {
    /// A task with validation data of its own.
    ///
    /// Sparse data sets get the larger of the two column counts (a column that never occurs is not written down in
    /// LIBSVM text); dense ones must have the same number of columns.
    ///
    /// # Errors
    /// If the two data sets differ in kind, columns or classes, or if the training rows are of one class only.
    pub fn new(mut train: Dataset, mut validation: Dataset) -> Result<Self, Error> {
        let (t, v) = (train.features.columns(), validation.features.columns());
        match (&mut train.features, &mut validation.features) {
            (Features::Sparse { columns: a, .. }, Features::Sparse { columns: b, .. }) => {
                *a = t.max(v);
                *b = t.max(v);
            }
            (Features::Dense { .. }, Features::Dense { .. }) if t == v => {}
            (Features::Dense { .. }, Features::Dense { .. }) => {
                return Err(Error::Task(format!(
                    "the validation data ({}) has {v} feature columns, the training data ({}) has {t}",
                    validation.name, train.name
                )));
            }
            _ => {
                return Err(Error::Task(format!(
                    "the training data ({}) and the validation data ({}) must both be dense or both be sparse",
                    train.name, validation.name
                )));
            }
        }
        if train.classes != validation.classes {
            return Err(Error::Task(format!(
                "the classes of the training data ({}) are {}, those of the validation data ({}) are {}",
                train.name,
                super::some_of(&train.classes),
                validation.name,
                super::some_of(&validation.classes)
            )));
        }
        if train.class_counts().iter().filter(|&&n| n > 0).count() < 2 {
            return Err(Error::Task(format!(
                "the training rows of {} are all of one class; at least two are needed",
                train.name
            )));
        }
        Ok(Self { train, validation })
    }

    /// Holds out `share` of the rows for validation, drawn from `seed` class by class, so that both parts have the
    /// classes in the same proportion.
    ///
    /// # Errors
    /// If `share` is not between 0 and 1, or leaves one of the parts empty or the training part with one class.
    pub fn split(data: &Dataset, share: f64, seed: u64) -> Result<Self, Error> {
        if !(share > 0.0 && share < 1.0) {
            return Err(Error::Task(format!(
                "the share of rows held out for validation must be between 0 and 1, not {share}"
            )));
        }
        let mut rows: Vec<usize> = (0..data.rows()).collect();
        Random::new(seed, Stream::Split).shuffle(&mut rows);
        let mut quota: Vec<usize> =
            data.class_counts().iter().map(|&n| (n as f64 * share).round() as usize).collect();
        let (mut train, mut validation) = (Vec::new(), Vec::new());
        for row in rows {
            let left = &mut quota[data.labels[row] as usize];
            if *left > 0 {
                *left -= 1;
                validation.push(row);
            } else {
                train.push(row);
            }
        }
        if train.is_empty() || validation.is_empty() {
            return Err(Error::Task(format!(
                "{} rows of {} cannot be split with {share} of them held out: one part would be empty",
                data.rows(),
                data.name
            )));
        }
        Self::new(data.select(&train), data.select(&validation))
    }

    /// The embedded default: [`wine`], a fifth of it held out (seed 0), standardised.
    ///
    /// # Errors
    /// None in practice: the data is compiled in.
    pub fn wine() -> Result<Self, Error> {
        Ok(Self::split(&wine()?, 0.2, 0)?.standardised())
    }

    /// The same task with every dense column shifted and scaled to mean 0 and standard deviation 1 on the training
    /// rows; a constant column is only shifted. Sparse features stay as they are: shifting would fill them.
    #[must_use]
    pub fn standardised(mut self) -> Self {
        let scales = match &self.train.features {
            Features::Dense { columns, values } => scales(*columns, values),
            Features::Sparse { .. } => return self,
        };
        for data in [&mut self.train, &mut self.validation] {
            if let Features::Dense { columns, values } = &mut data.features {
                for row in values.chunks_exact_mut(*columns) {
                    for (value, (mean, deviation)) in row.iter_mut().zip(&scales) {
                        *value = ((f64::from(*value) - mean) / deviation) as f32;
                    }
                }
            }
        }
        self
    }

    /// The rows to train on.
    pub fn train(&self) -> &Dataset {
        &self.train
    }

    /// The rows to validate on.
    pub fn validation(&self) -> &Dataset {
        &self.validation
    }
}

/// Mean and standard deviation of each column (1 for a constant one).
fn scales(columns: usize, values: &[f32]) -> Vec<(f64, f64)> {
    let rows = values.len() / columns;
    (0..columns)
        .map(|c| {
            let column = || values.iter().skip(c).step_by(columns).map(|&v| f64::from(v));
            let mean = column().sum::<f64>() / rows as f64;
            let variance = column().map(|v| (v - mean).powi(2)).sum::<f64>() / rows as f64;
            let deviation = variance.sqrt();
            (mean, if deviation > 1e-12 * mean.abs() && deviation > 0.0 { deviation } else { 1.0 })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_split_keeps_every_row_once_and_the_proportions() {
        let data = wine().unwrap();
        let task = Task::split(&data, 0.25, 7).unwrap();
        assert_eq!(task.train().rows() + task.validation().rows(), data.rows());
        for ((all, held), kept) in
            data.class_counts().iter().zip(task.validation().class_counts()).zip(task.train().class_counts())
        {
            assert_eq!(held + kept, *all);
            assert!((held as f64 - *all as f64 * 0.25).abs() <= 0.5);
        }
        let again = Task::split(&data, 0.25, 7).unwrap();
        assert_eq!(task.train(), again.train());
        assert_ne!(task.train(), Task::split(&data, 0.25, 8).unwrap().train());
    }

    #[test]
    fn standardised_columns_have_mean_0_and_deviation_1_on_the_training_rows() {
        let task = Task::wine().unwrap();
        let Features::Dense { columns, values } = task.train().features() else { panic!("dense") };
        for (mean, deviation) in scales(*columns, values) {
            assert!(mean.abs() < 1e-6 && (deviation - 1.0).abs() < 1e-5, "{mean} {deviation}");
        }
        let constant = Dataset::new(
            "c",
            Features::Dense { columns: 1, values: vec![0.1; 4] },
            vec![0, 1, 0, 1],
            vec!["a".into(), "b".into()],
        )
        .unwrap();
        let task = Task::new(constant.clone(), constant).unwrap().standardised();
        let Features::Dense { values, .. } = task.train().features() else { panic!("dense") };
        assert!(values.iter().all(|v| v.abs() < 1e-6), "{values:?}");
    }

    #[test]
    fn refuses_what_cannot_be_a_task() {
        let data = wine().unwrap();
        for share in [0.0, 1.0, -1.0, f64::NAN, f64::INFINITY] {
            assert!(Task::split(&data, share, 0).unwrap_err().to_string().contains("between 0 and 1"));
        }
        assert!(Task::split(&data, 1e-9, 0).unwrap_err().to_string().contains("empty"));
        let few = |columns: usize, classes: [&str; 2]| {
            Dataset::new(
                "few",
                Features::Dense { columns, values: vec![0.0; 4 * columns] },
                vec![0, 1, 0, 1],
                classes.map(String::from).to_vec(),
            )
            .unwrap()
        };
        let error = Task::new(few(2, ["a", "b"]), few(3, ["a", "b"])).unwrap_err().to_string();
        assert!(error.contains("has 3 feature columns"), "{error}");
        let error = Task::new(few(2, ["a", "b"]), few(2, ["a", "c"])).unwrap_err().to_string();
        assert!(error.contains("`a`, `c`"), "{error}");
    }
}
