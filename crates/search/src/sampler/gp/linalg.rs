//! The little dense linear algebra that a Gaussian process needs: Cholesky factors, triangular solves, an inverse.
//!
//! Row-major lower triangles, eight right-hand sides at a time; the instruction set is picked at run time.

use crate::vector::vectorized;

/// Right-hand sides that are solved together.
pub(super) const LANES: usize = 8;

/// The Cholesky factor L of a symmetric positive definite matrix, L·Lᵀ = K.
#[derive(Debug, Clone)]
pub(super) struct Cholesky {
    n: usize,
    /// Row-major; the upper triangle is not used.
    lower: Vec<f64>,
}

impl Cholesky {
    /// Factors the lower triangle of `k` (n × n, row-major); `None` if it is not positive definite.
    pub(super) fn new(mut k: Vec<f64>, n: usize) -> Option<Cholesky> {
        vectorized(
            #[inline(always)]
            || {
                for i in 0..n {
                    let (done, rest) = k.split_at_mut(i * n);
                    let row = &mut rest[..n];
                    for j in 0..i {
                        let above = &done[j * n..j * n + j];
                        row[j] = (row[j] - dot(&row[..j], above)) / done[j * n + j];
                    }
                    let pivot = row[i] - dot(&row[..i], &row[..i]);
                    if pivot.is_nan() || pivot <= 0.0 {
                        return None;
                    }
                    row[i] = pivot.sqrt();
                }
                Some(())
            },
        )?;
        Some(Cholesky { n, lower: k })
    }

    fn row(&self, i: usize) -> &[f64] {
        &self.lower[i * self.n..i * self.n + i]
    }

    fn diagonal(&self, i: usize) -> f64 {
        self.lower[i * self.n + i]
    }

    /// ln det K.
    pub(super) fn log_det(&self) -> f64 {
        (0..self.n).map(|i| 2.0 * self.diagonal(i).ln()).sum()
    }

    /// b ← L⁻¹·b.
    pub(super) fn forward(&self, b: &mut [f64]) {
        vectorized(
            #[inline(always)]
            || {
                for i in 0..self.n {
                    b[i] = (b[i] - dot(self.row(i), &b[..i])) / self.diagonal(i);
                }
            },
        );
    }

    /// b ← L⁻ᵀ·b.
    pub(super) fn backward(&self, b: &mut [f64]) {
        vectorized(
            #[inline(always)]
            || {
                for i in (0..self.n).rev() {
                    let x = b[i] / self.diagonal(i);
                    b[i] = x;
                    b[..i].iter_mut().zip(self.row(i)).for_each(|(b, l)| *b -= x * l);
                }
            },
        );
    }

    /// The same as [`Cholesky::forward`] for eight vectors at once, side by side, beginning at row `from` (the rows before
    /// are 0).
    pub(super) fn forward_lanes(&self, b: &mut [[f64; LANES]], from: usize) {
        vectorized(
            #[inline(always)]
            || {
                for i in from..self.n {
                    let (done, rest) = b.split_at_mut(i);
                    let mut acc = rest[0];
                    for (&l, x) in self.row(i)[from..].iter().zip(&done[from..]) {
                        acc.iter_mut().zip(x).for_each(|(a, x)| *a -= l * x);
                    }
                    let scale = 1.0 / self.diagonal(i);
                    rest[0] = acc.map(|a| a * scale);
                }
            },
        );
    }

    /// K⁻¹, of which only the lower triangle is filled.
    pub(super) fn inverse(&self) -> Vec<f64> {
        let n = self.n;
        let mut inverse_lower = vec![0.0; n * n];
        let mut block = vec![[0.0; LANES]; n];
        for start in (0..n).step_by(LANES) {
            block[start..].fill([0.0; LANES]);
            for (lane, row) in block[start..].iter_mut().take(LANES).enumerate() {
                row[lane] = 1.0;
            }
            self.forward_lanes(&mut block, start);
            let width = LANES.min(n - start);
            for (k, row) in block.iter().enumerate().skip(start) {
                inverse_lower[k * n + start..k * n + start + width].copy_from_slice(&row[..width]);
            }
        }
        let mut inverse = vec![0.0; n * n];
        vectorized(
            #[inline(always)]
            || {
                for k in 0..n {
                    let row = &inverse_lower[k * n..k * n + k + 1];
                    for i in 0..=k {
                        let factor = row[i];
                        let out = &mut inverse[i * n..i * n + i + 1];
                        out.iter_mut().zip(row).for_each(|(o, r)| *o += factor * r);
                    }
                }
            },
        );
        inverse
    }
}

/// Σ a·b, in lanes that are added up in a fixed order.
#[inline(always)]
fn dot(a: &[f64], b: &[f64]) -> f64 {
    const WIDE: usize = 16;
    let mut sums = [0.0; WIDE];
    let (a_blocks, a_rest) = a.as_chunks::<WIDE>();
    let (b_blocks, b_rest) = b.as_chunks::<WIDE>();
    for (a, b) in a_blocks.iter().zip(b_blocks) {
        for lane in 0..WIDE {
            sums[lane] += a[lane] * b[lane];
        }
    }
    let rest: f64 = a_rest.iter().zip(b_rest).map(|(a, b)| a * b).sum();
    sums.iter().sum::<f64>() + rest
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stream::Stream;

    fn random_spd(n: usize) -> Vec<f64> {
        let mut stream = Stream::for_trial(1, n as u64);
        let b: Vec<f64> = (0..n * n).map(|_| stream.normal()).collect();
        let mut k = vec![0.0; n * n];
        for i in 0..n {
            for j in 0..n {
                k[i * n + j] =
                    (0..n).map(|m| b[i * n + m] * b[j * n + m]).sum::<f64>() + if i == j { 1.0 } else { 0.0 };
            }
        }
        k
    }

    #[test]
    fn solves_and_inverts() {
        for n in [1, 2, 7, 8, 9, 40] {
            let k = random_spd(n);
            let factor = Cholesky::new(k.clone(), n).unwrap();
            let b: Vec<f64> = (0..n).map(|i| (i as f64).cos()).collect();
            let mut x = b.clone();
            factor.forward(&mut x);
            let mut lanes: Vec<[f64; LANES]> = b.iter().map(|&b| [b; LANES]).collect();
            factor.forward_lanes(&mut lanes, 0);
            for (x, l) in x.iter().zip(&lanes) {
                assert!((x - l[3]).abs() < 1e-10);
            }
            factor.backward(&mut x);
            let inverse = factor.inverse();
            for i in 0..n {
                let back: f64 = (0..n).map(|j| k[i * n + j] * x[j]).sum();
                assert!((back - b[i]).abs() < 1e-8, "n = {n}: {back} {}", b[i]);
                for j in 0..n {
                    let at = |a: usize, b: usize| inverse[a.max(b) * n + a.min(b)];
                    let one: f64 = (0..n).map(|m| k[i * n + m] * at(m, j)).sum();
                    assert!((one - if i == j { 1.0 } else { 0.0 }).abs() < 1e-7, "n = {n}: {one}");
                }
            }
        }
        assert!(Cholesky::new(vec![1.0, 0.0, 2.0, 1.0], 2).is_none());
        assert!(Cholesky::new(vec![f64::NAN], 1).is_none());
    }
}
