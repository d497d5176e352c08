use super::{Dataset, Features};
use crate::Error;
use std::collections::HashSet;

/// Red wine quality (Cortez, Cerdeira, Almeida, Matos and Reis, 2009; UCI, CC BY 4.0): 11 chemical measurements.
///
/// The experts' grades run from 3 to 8, but 3, 4 and 8 have few rows (10, 53 and 18 of 1,599), too few to be learned
/// or validated on. The target here is therefore one of three classes of workable size: `low` (3 to 5), `middle` (6)
/// and `high` (7 and 8). Rows that repeat an earlier row exactly are left out (240 of them), because a copy of a
/// training row in the validation part would reward memory.
///
/// The features are as measured; [`super::Task::wine`] standardises them.
///
/// # Errors
/// None in practice: the data is compiled in.
pub fn wine() -> Result<Dataset, Error> {
    let source = linfa_datasets::winequality();
    let columns = source.records.ncols();
    let mut seen = HashSet::new();
    let (mut values, mut labels) = (Vec::new(), Vec::new());
    for (row, &grade) in source.records.outer_iter().zip(source.targets.iter()) {
        let key: Vec<u64> = row.iter().map(|v| v.to_bits()).chain([grade as u64]).collect();
        if seen.insert(key) {
            values.extend(row.iter().map(|&v| v as f32));
            labels.push(match grade {
                0..=5 => 0,
                6 => 1,
                _ => 2,
            });
        }
    }
    let classes = ["low", "middle", "high"].map(String::from).to_vec();
    Dataset::new("wine", Features::Dense { columns, values }, labels, classes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn has_the_documented_size_and_classes() {
        let wine = wine().unwrap();
        assert_eq!((wine.rows(), wine.features().columns()), (1359, 11));
        let counts = wine.class_counts();
        assert_eq!(counts.iter().sum::<usize>(), 1359);
        assert!(counts.iter().all(|&n| n >= 180), "{counts:?}");
        // The first row of the published file.
        let Features::Dense { values, .. } = wine.features() else { panic!("dense") };
        assert_eq!(&values[..11], &[7.4, 0.7, 0.0, 1.9, 0.076, 11.0, 34.0, 0.9978, 3.51, 0.56, 9.4]);
    }
}
