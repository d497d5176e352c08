//! The rows of a minibatch, as the first layer reads them.

use super::kernel::{ByInner, ByOuter, Shape, Shared, array, product};
use crate::data::{Dataset, Features};
use pulp::Simd;

/// A minibatch: its rows gathered (dense), or its entries by column (sparse).
pub(super) enum Input {
    Dense { columns: usize, values: Vec<f32> },
    Sparse(ByColumn),
}

/// The entries of a sparse minibatch sorted by column: entries `ends[c - 1]..ends[c]` belong to column `c`.
pub(super) struct ByColumn {
    ends: Vec<usize>,
    samples: Vec<u32>,
    values: Vec<f32>,
}

/// Where the first layer's numbers lie: `weights` row by row, the bias as the last row.
#[derive(Clone, Copy)]
pub(super) struct Place {
    pub inputs: usize,
    pub columns: usize,
    pub stride: usize,
}

impl Input {
    pub(super) fn new(features: &Features) -> Self {
        match features {
            Features::Dense { columns, .. } => Self::Dense { columns: *columns, values: Vec::new() },
            Features::Sparse { .. } => {
                Self::Sparse(ByColumn { ends: Vec::new(), samples: Vec::new(), values: Vec::new() })
            }
        }
    }

    /// Makes the rows ready for [`Input::forward`], and for [`Input::backward`] if `train`.
    pub(super) fn load(&mut self, data: &Dataset, rows: &[u32], train: bool) {
        match (self, data.features()) {
            (Self::Dense { values, .. }, Features::Dense { columns, values: all }) => {
                values.clear();
                for &row in rows {
                    values.extend_from_slice(&all[row as usize * columns..][..*columns]);
                }
            }
            (Self::Sparse(by_column), Features::Sparse { columns, starts, indices, values }) if train => {
                by_column.sort(*columns, starts, indices, values, rows);
            }
            _ => {}
        }
    }

    /// `bias + input · weights` for every row, handed to `sink(row, column, sum)`.
    #[inline(always)]
    pub(super) fn forward<S: Simd>(
        &self,
        simd: S,
        data: &Dataset,
        rows: &[u32],
        place: Place,
        weights: &[S::f32s],
        mut sink: impl FnMut(usize, usize, S::f32s),
    ) {
        let bias = &weights[place.inputs * place.stride..][..place.columns];
        match (self, data.features()) {
            (Self::Dense { columns, values }, _) => {
                let shape = Shape { rows: rows.len(), columns: place.columns, depth: place.inputs };
                let left = Shared(ByOuter { data: &values[..], stride: *columns });
                let right = ByInner { data: weights, stride: place.stride };
                product(simd, shape, &left, &right, |_, c| bias[c], sink);
            }
            (Self::Sparse(_), Features::Sparse { starts, indices, values, .. }) => {
                for (r, &row) in rows.iter().enumerate() {
                    let range = starts[row as usize]..starts[row as usize + 1];
                    let (indices, values) = (&indices[range.clone()], &values[range]);
                    gather(simd, indices, values, weights, place, |c| bias[c], |c, sum| sink(r, c, sum));
                }
            }
            _ => {}
        }
    }

    /// `Σ over rows of input · delta`, the gradient of the first layer's weights, into `gradient`.
    #[inline(always)]
    pub(super) fn backward<S: Simd>(
        &self,
        simd: S,
        rows: usize,
        place: Place,
        delta: &[S::f32s],
        gradient: &mut [S::f32s],
    ) {
        match self {
            Self::Dense { columns, values } => {
                let shape = Shape { rows: place.inputs, columns: place.columns, depth: rows };
                let left = Shared(ByInner { data: &values[..], stride: *columns });
                let right = ByInner { data: delta, stride: place.stride };
                let zero = simd.splat_f32s(0.0);
                product(
                    simd,
                    shape,
                    &left,
                    &right,
                    |_, _| zero,
                    |r, c, sum| gradient[r * place.stride + c] = sum,
                );
            }
            Self::Sparse(by_column) => {
                let zero = simd.splat_f32s(0.0);
                let mut start = 0;
                for (column, &end) in by_column.ends.iter().enumerate() {
                    let (samples, values) = (&by_column.samples[start..end], &by_column.values[start..end]);
                    let row = &mut gradient[column * place.stride..][..place.columns];
                    gather(simd, samples, values, delta, place, |_| zero, |c, sum| row[c] = sum);
                    start = end;
                }
            }
        }
    }
}

impl ByColumn {
    /// Counting sort; within a column the rows stay in the order of the minibatch.
    fn sort(&mut self, columns: usize, starts: &[usize], indices: &[u32], values: &[f32], rows: &[u32]) {
        self.ends.clear();
        self.ends.resize(columns + 1, 0);
        let range = |row: u32| starts[row as usize]..starts[row as usize + 1];
        let mut entries = 0;
        for &row in rows {
            for &index in &indices[range(row)] {
                self.ends[index as usize + 1] += 1;
            }
            entries += range(row).len();
        }
        for c in 0..columns {
            self.ends[c + 1] += self.ends[c];
        }
        self.samples.resize(entries, 0);
        self.values.resize(entries, 0.0);
        // `ends[c]` is now where column c starts, and after the loop where it ends.
        for (sample, &row) in rows.iter().enumerate() {
            for (&index, &value) in indices[range(row)].iter().zip(&values[range(row)]) {
                let position = &mut self.ends[index as usize];
                self.samples[*position] = sample as u32;
                self.values[*position] = value;
                *position += 1;
            }
        }
        self.ends.truncate(columns);
    }
}

/// `start(c) + Σ values · matrix[index, c]` over the entries, for every column `c`.
#[inline(always)]
fn gather<S: Simd>(
    simd: S,
    indices: &[u32],
    values: &[f32],
    matrix: &[S::f32s],
    place: Place,
    start: impl Fn(usize) -> S::f32s,
    mut sink: impl FnMut(usize, S::f32s),
) {
    let mut c = 0;
    while c < place.columns {
        let left_over = place.columns - c;
        if left_over >= 8 {
            gather_block::<S, 8>(simd, indices, values, matrix, place.stride, c, &start, &mut sink);
            c += 8;
        } else if left_over >= 4 {
            gather_block::<S, 4>(simd, indices, values, matrix, place.stride, c, &start, &mut sink);
            c += 4;
        } else if left_over >= 2 {
            gather_block::<S, 2>(simd, indices, values, matrix, place.stride, c, &start, &mut sink);
            c += 2;
        } else {
            gather_block::<S, 1>(simd, indices, values, matrix, place.stride, c, &start, &mut sink);
            c += 1;
        }
    }
}

#[inline(always)]
#[expect(clippy::too_many_arguments, reason = "one call site, inlined: a struct would only rename them")]
fn gather_block<S: Simd, const C: usize>(
    simd: S,
    indices: &[u32],
    values: &[f32],
    matrix: &[S::f32s],
    stride: usize,
    column: usize,
    start: &impl Fn(usize) -> S::f32s,
    sink: &mut impl FnMut(usize, S::f32s),
) {
    let mut sums: [S::f32s; C] = array(simd.splat_f32s(0.0), |c| start(column + c));
    for (&index, &value) in indices.iter().zip(values) {
        let value = simd.splat_f32s(value);
        let row = &matrix[index as usize * stride + column..][..C];
        for c in 0..C {
            sums[c] = simd.mul_add_e_f32s(value, row[c], sums[c]);
        }
    }
    for (c, sum) in sums.into_iter().enumerate() {
        sink(column + c, sum);
    }
}
