//! Matrix products whose elements are vectors of lanes.
//!
//! An element of a matrix holds the values of all lanes of a tile, one lane per component of a SIMD vector. A product
//! of two such matrices is one product per lane, all at once, with no shuffle and no edge in the lanes; where the left
//! matrix is the same for all lanes (the input data), its elements are plain numbers. A block of `R × C` results is
//! kept in registers, and each is summed in the order of the inner index: a lane's result depends on nothing else.

use pulp::Simd;

/// An array from its first element and a function: `array::from_fn`, but always inlined, as vectors need it.
#[inline(always)]
pub(super) fn array<T: Copy, const N: usize>(first: T, f: impl Fn(usize) -> T) -> [T; N] {
    let mut array = [first; N];
    for (n, slot) in array.iter_mut().enumerate() {
        *slot = f(n);
    }
    array
}

/// A strip of a matrix: at each inner index `k`, a column of `N` elements.
pub(super) trait Strip<S: Simd, const N: usize> {
    fn at(&self, simd: S, k: usize) -> [S::f32s; N];
}

/// A matrix that can be cut into strips.
pub(super) trait Operand<S: Simd> {
    type Strip<const N: usize>: Strip<S, N>;
    /// The strip of the `N` outer indices from `first` on, `depth` inner indices long.
    fn strip<const N: usize>(&self, first: usize, depth: usize) -> Self::Strip<N>;
}

/// Elements `(outer, inner)` at `outer · stride + inner`.
#[derive(Clone, Copy)]
pub(super) struct ByOuter<'a, T> {
    pub data: &'a [T],
    pub stride: usize,
}

/// Elements `(outer, inner)` at `inner · stride + outer`.
#[derive(Clone, Copy)]
pub(super) struct ByInner<'a, T> {
    pub data: &'a [T],
    pub stride: usize,
}

/// Marks plain numbers that all lanes share.
#[derive(Clone, Copy)]
pub(super) struct Shared<M>(pub M);

pub(super) struct OuterStrip<'a, T, const N: usize>([&'a [T]; N]);
pub(super) struct InnerStrip<'a, T> {
    data: &'a [T],
    stride: usize,
}

impl<'a, T> ByOuter<'a, T> {
    #[inline(always)]
    fn cut<const N: usize>(&self, first: usize, depth: usize) -> OuterStrip<'a, T, N> {
        OuterStrip(array(&[], |n| &self.data[(first + n) * self.stride..][..depth]))
    }
}

impl<'a, T> ByInner<'a, T> {
    #[inline(always)]
    fn cut(&self, first: usize) -> InnerStrip<'a, T> {
        InnerStrip { data: &self.data[first..], stride: self.stride }
    }
}

impl<S: Simd, const N: usize> Strip<S, N> for OuterStrip<'_, S::f32s, N> {
    #[inline(always)]
    fn at(&self, simd: S, k: usize) -> [S::f32s; N] {
        array(simd.splat_f32s(0.0), |n| self.0[n][k])
    }
}

impl<S: Simd, const N: usize> Strip<S, N> for InnerStrip<'_, S::f32s> {
    #[inline(always)]
    fn at(&self, simd: S, k: usize) -> [S::f32s; N] {
        let column = &self.data[k * self.stride..][..N];
        array(simd.splat_f32s(0.0), |n| column[n])
    }
}

impl<S: Simd, const N: usize> Strip<S, N> for Shared<OuterStrip<'_, f32, N>> {
    #[inline(always)]
    fn at(&self, simd: S, k: usize) -> [S::f32s; N] {
        array(simd.splat_f32s(0.0), |n| simd.splat_f32s(self.0.0[n][k]))
    }
}

impl<S: Simd, const N: usize> Strip<S, N> for Shared<InnerStrip<'_, f32>> {
    #[inline(always)]
    fn at(&self, simd: S, k: usize) -> [S::f32s; N] {
        let column = &self.0.data[k * self.0.stride..][..N];
        array(simd.splat_f32s(0.0), |n| simd.splat_f32s(column[n]))
    }
}

impl<'a, S: Simd> Operand<S> for ByOuter<'a, S::f32s> {
    type Strip<const N: usize> = OuterStrip<'a, S::f32s, N>;
    #[inline(always)]
    fn strip<const N: usize>(&self, first: usize, depth: usize) -> Self::Strip<N> {
        self.cut(first, depth)
    }
}

impl<'a, S: Simd> Operand<S> for ByInner<'a, S::f32s> {
    type Strip<const N: usize> = InnerStrip<'a, S::f32s>;
    #[inline(always)]
    fn strip<const N: usize>(&self, first: usize, _: usize) -> Self::Strip<N> {
        self.cut(first)
    }
}

impl<'a, S: Simd> Operand<S> for Shared<ByOuter<'a, f32>> {
    type Strip<const N: usize> = Shared<OuterStrip<'a, f32, N>>;
    #[inline(always)]
    fn strip<const N: usize>(&self, first: usize, depth: usize) -> Self::Strip<N> {
        Shared(self.0.cut(first, depth))
    }
}

impl<'a, S: Simd> Operand<S> for Shared<ByInner<'a, f32>> {
    type Strip<const N: usize> = Shared<InnerStrip<'a, f32>>;
    #[inline(always)]
    fn strip<const N: usize>(&self, first: usize, _: usize) -> Self::Strip<N> {
        Shared(self.0.cut(first))
    }
}

/// Rows, columns and inner length of a product.
#[derive(Clone, Copy)]
pub(super) struct Shape {
    pub rows: usize,
    pub columns: usize,
    pub depth: usize,
}

/// `start(r, c) + Σ_k left(r, k) · right(c, k)` for every row and column, handed to `sink(r, c, sum)`.
#[inline(always)]
pub(super) fn product<S: Simd>(
    simd: S,
    shape: Shape,
    left: &impl Operand<S>,
    right: &impl Operand<S>,
    start: impl Fn(usize, usize) -> S::f32s,
    mut sink: impl FnMut(usize, usize, S::f32s),
) {
    let wide = S::REGISTER_COUNT >= 32;
    let mut c = 0;
    while c < shape.columns {
        let left_over = shape.columns - c;
        if wide && left_over >= 6 {
            panel::<S, 6>(simd, shape, c, left, right, &start, &mut sink);
            c += 6;
        } else if wide && left_over >= 4 {
            panel::<S, 4>(simd, shape, c, left, right, &start, &mut sink);
            c += 4;
        } else if left_over >= 3 {
            panel::<S, 3>(simd, shape, c, left, right, &start, &mut sink);
            c += 3;
        } else if left_over >= 2 {
            panel::<S, 2>(simd, shape, c, left, right, &start, &mut sink);
            c += 2;
        } else {
            panel::<S, 1>(simd, shape, c, left, right, &start, &mut sink);
            c += 1;
        }
    }
}

#[inline(always)]
fn panel<S: Simd, const C: usize>(
    simd: S,
    shape: Shape,
    column: usize,
    left: &impl Operand<S>,
    right: &impl Operand<S>,
    start: &impl Fn(usize, usize) -> S::f32s,
    sink: &mut impl FnMut(usize, usize, S::f32s),
) {
    let mut row = 0;
    while row < shape.rows {
        let left_over = shape.rows - row;
        if left_over >= 4 {
            block::<S, 4, C>(simd, shape.depth, row, column, left, right, start, sink);
            row += 4;
        } else if left_over >= 2 {
            block::<S, 2, C>(simd, shape.depth, row, column, left, right, start, sink);
            row += 2;
        } else {
            block::<S, 1, C>(simd, shape.depth, row, column, left, right, start, sink);
            row += 1;
        }
    }
}

#[inline(always)]
#[expect(clippy::too_many_arguments, reason = "one call site, inlined: a struct would only rename them")]
fn block<S: Simd, const R: usize, const C: usize>(
    simd: S,
    depth: usize,
    row: usize,
    column: usize,
    left: &impl Operand<S>,
    right: &impl Operand<S>,
    start: &impl Fn(usize, usize) -> S::f32s,
    sink: &mut impl FnMut(usize, usize, S::f32s),
) {
    let left = left.strip::<R>(row, depth);
    let right = right.strip::<C>(column, depth);
    let zero = simd.splat_f32s(0.0);
    let mut sums: [[S::f32s; C]; R] = array([zero; C], |r| array(zero, |c| start(row + r, column + c)));
    for k in 0..depth {
        let a = left.at(simd, k);
        let b = right.at(simd, k);
        for r in 0..R {
            for c in 0..C {
                sums[r][c] = simd.mul_add_e_f32s(a[r], b[c], sums[r][c]);
            }
        }
    }
    for (r, sums) in sums.into_iter().enumerate() {
        for (c, sum) in sums.into_iter().enumerate() {
            sink(row + r, column + c, sum);
        }
    }
}
