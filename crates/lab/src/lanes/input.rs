//! The rows of a minibatch, as the first layer reads them.

use super::kernel::{ByInner, ByOuter, Shape, Shared, array, product};
use crate::data::{Dataset, Features};
use pulp::Simd;
use std::ops::Range;

/// A minibatch: its rows gathered (dense), or where they lie (sparse).
pub(super) enum Input {
    Dense { columns: usize, values: Vec<f32> },
    Sparse(SparseRows),
}

/// A sparse minibatch: where its rows lie in the data and, for wide layers, its entries sorted by column: entries
/// `ends[c - 1]..ends[c]` belong to column `c`.
#[derive(Default)]
pub(super) struct SparseRows {
    ranges: Vec<Range<usize>>,
    touched: u32,
    ends: Vec<usize>,
    samples: Vec<u32>,
    values: Vec<f32>,
}

/// Up to this many columns, the gradient is small enough to be added to entry by entry; for more, the entries are
/// sorted first, so that each of its rows is summed in registers. Both sum in the order of the rows.
const SCATTER_COLUMNS: usize = 16;

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
            Features::Sparse { .. } => Self::Sparse(SparseRows::default()),
        }
    }

    /// Makes the rows ready for [`Input::forward`], and for [`Input::backward`] if `train`, with a layer at `place`.
    pub(super) fn load(&mut self, data: &Dataset, rows: &[u32], place: Place, train: bool) {
        match (self, data.features()) {
            (Self::Dense { values, .. }, Features::Dense { columns, values: all }) => {
                values.clear();
                for &row in rows {
                    values.extend_from_slice(&all[row as usize * columns..][..*columns]);
                }
            }
            (Self::Sparse(sparse), Features::Sparse { columns, starts, indices, values }) => {
                sparse.find(starts, indices, values, rows);
                if train && place.columns > SCATTER_COLUMNS {
                    sparse.sort(*columns, indices, values);
                }
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
            (Self::Sparse(sparse), Features::Sparse { indices, values, .. }) => {
                for (r, range) in sparse.ranges.iter().enumerate() {
                    let (indices, values) = (&indices[range.clone()], &values[range.clone()]);
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
        data: &Dataset,
        rows: usize,
        place: Place,
        delta: &[S::f32s],
        gradient: &mut [S::f32s],
    ) {
        match (self, data.features()) {
            (Self::Dense { columns, values }, _) => {
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
            (Self::Sparse(sparse), Features::Sparse { indices, values, .. }) => {
                if place.columns > SCATTER_COLUMNS {
                    sparse.gather_gradient(simd, place, delta, gradient);
                } else {
                    sparse.scatter_gradient(simd, indices, values, place, delta, gradient);
                }
            }
            _ => {}
        }
    }
}

impl SparseRows {
    fn find(&mut self, starts: &[usize], indices: &[u32], values: &[f32], rows: &[u32]) {
        self.ranges.clear();
        self.ranges.extend(rows.iter().map(|&row| starts[row as usize]..starts[row as usize + 1]));
        // Reads the ends of every row: the memory then fetches the rows side by side, not one after the other.
        for range in &self.ranges {
            for entry in [range.start, range.end.saturating_sub(1)] {
                if let (Some(index), Some(value)) = (indices.get(entry), values.get(entry)) {
                    self.touched ^= index ^ value.to_bits();
                }
            }
        }
    }

    #[inline(always)]
    fn gather_gradient<S: Simd>(&self, simd: S, place: Place, delta: &[S::f32s], gradient: &mut [S::f32s]) {
        let zero = simd.splat_f32s(0.0);
        let mut start = 0;
        for (column, &end) in self.ends.iter().enumerate() {
            let (samples, values) = (&self.samples[start..end], &self.values[start..end]);
            let row = &mut gradient[column * place.stride..][..place.columns];
            gather(simd, samples, values, delta, place, |_| zero, |c, sum| row[c] = sum);
            start = end;
        }
    }

    #[inline(always)]
    fn scatter_gradient<S: Simd>(
        &self,
        simd: S,
        indices: &[u32],
        values: &[f32],
        place: Place,
        delta: &[S::f32s],
        gradient: &mut [S::f32s],
    ) {
        gradient[..place.inputs * place.stride].fill(simd.splat_f32s(0.0));
        for (range, delta) in self.ranges.iter().zip(delta.chunks_exact(place.stride)) {
            let mut c = 0;
            while c < place.columns {
                let (indices, values) = (&indices[range.clone()], &values[range.clone()]);
                c += match place.columns - c {
                    4.. => scatter::<S, 4>(simd, indices, values, &delta[c..], gradient, place.stride, c),
                    2.. => scatter::<S, 2>(simd, indices, values, &delta[c..], gradient, place.stride, c),
                    _ => scatter::<S, 1>(simd, indices, values, &delta[c..], gradient, place.stride, c),
                };
            }
        }
    }

    /// Counting sort; within a column the rows stay in the order of the minibatch.
    fn sort(&mut self, columns: usize, indices: &[u32], values: &[f32]) {
        self.ends.clear();
        self.ends.resize(columns + 1, 0);
        let mut entries = 0;
        for range in &self.ranges {
            for &index in &indices[range.clone()] {
                self.ends[index as usize + 1] += 1;
            }
            entries += range.len();
        }
        for c in 0..columns {
            self.ends[c + 1] += self.ends[c];
        }
        self.samples.resize(entries, 0);
        self.values.resize(entries, 0.0);
        // `ends[c]` is now where column c starts, and after the loop where it ends.
        for (sample, range) in self.ranges.iter().enumerate() {
            for (&index, &value) in indices[range.clone()].iter().zip(&values[range.clone()]) {
                let position = &mut self.ends[index as usize];
                self.samples[*position] = sample as u32;
                self.values[*position] = value;
                *position += 1;
            }
        }
        self.ends.truncate(columns);
    }
}

/// `gradient[index, column + c] += value · delta[c]` for all entries of a row and `C` columns; returns `C`.
#[inline(always)]
fn scatter<S: Simd, const C: usize>(
    simd: S,
    indices: &[u32],
    values: &[f32],
    delta: &[S::f32s],
    gradient: &mut [S::f32s],
    stride: usize,
    column: usize,
) -> usize {
    let delta: [S::f32s; C] = array(simd.splat_f32s(0.0), |c| delta[c]);
    for (&index, &value) in indices.iter().zip(values) {
        let value = simd.splat_f32s(value);
        let row = &mut gradient[index as usize * stride + column..][..C];
        for c in 0..C {
            row[c] = simd.mul_add_e_f32s(value, delta[c], row[c]);
        }
    }
    C
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
