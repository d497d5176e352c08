//! The distribution of the walk, without noise: its Fokker–Planck equation on a grid.

use super::Walk;

/// The grid: cells across the domain, and time steps, finer toward the end, where annealed rates vanish.
#[derive(Debug, Clone, Copy)]
pub(super) struct Grid {
    pub cells: usize,
    pub times: usize,
}

impl Grid {
    pub(super) const FINE: Self = Self { cells: 240, times: 320 };
    pub(super) const COARSE: Self = Self { cells: 120, times: 160 };
}

/// Share of an implicit stage in a time step that makes the two-stage scheme L-stable and of second order.
const GAMMA: f64 = 1.0 - std::f64::consts::FRAC_1_SQRT_2;

/// E[D − x_T] of the walk, D = G = 1: the distribution of y = D − x obeys
///
/// ```text
/// ∂p/∂t = ∂/∂y [ηε·p + ½η²·∂p/∂y],   0 ≤ y ≤ 2, no flux at the ends, p(0) at y = 2
/// ```
///
/// A clipped walk of steps ±η behaves, to first order in η, like this diffusion between walls that stand η/2
/// further out; that is the correction for a finite number of steps. Exponentially fitted fluxes on a uniform grid
/// (exact for a walk at rest).
pub(super) fn mean_distance(walk: &Walk<'_>, grid: Grid) -> f64 {
    let Grid { cells, times } = grid;
    let time = |k: usize| 1.0 - (1.0 - k as f64 / times as f64).powf(1.7);
    let first = walk.rate(0.0);
    let start = (2.0 + 0.5 * first) / (2.0 + first) * cells as f64;
    let mut density = vec![0.0; cells];
    density[(start as usize).min(cells - 1)] = 1.0;
    let mut work = Work::default();
    for k in 0..times {
        let (from, to) = (time(k), time(k + 1));
        let near = Flux::at(walk, from + GAMMA * (to - from), cells);
        let far = Flux::at(walk, to, cells);
        work.advance(&mut density, near, far, (to - from) * walk.steps);
    }
    let last = walk.rate(1.0);
    center(&density) / cells as f64 * (2.0 + last) - 0.5 * last
}

/// Mean position in cells. Within a cell the density is taken as the exponential through its neighbours, so that
/// a layer thinner than a cell keeps its mean.
fn center(density: &[f64]) -> f64 {
    let (mut mass, mut moment) = (0.0, 0.0);
    for (i, &p) in density.iter().enumerate() {
        let next = density.get(i + 1).copied().unwrap_or(p);
        let fall = if p > 0.0 && next > 0.0 { (p / next).ln() } else { 0.0 };
        // Mean of the density e^{−fall·z} on [0, 1].
        let offset = if fall.abs() < 1e-4 { 0.5 - fall / 12.0 } else { 1.0 / fall - 1.0 / fall.exp_m1() };
        mass += p;
        moment += p * (i as f64 + offset);
    }
    moment / mass
}

/// Rates at which mass moves one cell down and one cell up, per step.
#[derive(Debug, Clone, Copy)]
struct Flux {
    down: f64,
    up: f64,
}

impl Flux {
    fn at(walk: &Walk<'_>, u: f64, cells: usize) -> Self {
        let rate = walk.rate(u);
        let cell = (2.0 + rate) / cells as f64;
        let (drift, spread) = (rate * walk.slope, 0.5 * rate * rate);
        if spread == 0.0 {
            return Self { down: 0.0, up: 0.0 };
        }
        let peclet = drift * cell / spread;
        let scale = spread / (cell * cell);
        // Bernoulli function x/(eˣ − 1): up against the drift, down with it.
        let up = if peclet < 1e-8 { 1.0 - 0.5 * peclet } else { peclet / peclet.exp_m1() };
        Self { down: scale * (up + peclet), up: scale * up }
    }
}

/// Buffers of the implicit solves.
#[derive(Default)]
struct Work {
    stage: Vec<f64>,
    factor: Vec<f64>,
}

impl Work {
    /// One time step of length h under the generator A, near its beginning and at its end:
    /// q = (1 − γhA)⁻¹p, then p ← (1 − γhA')⁻¹[p + (1−γ)/γ·(q − p)].
    fn advance(&mut self, density: &mut [f64], near: Flux, far: Flux, h: f64) {
        self.solve(density, near, GAMMA * h);
        for (p, q) in density.iter_mut().zip(&self.stage) {
            *p += (1.0 - GAMMA) / GAMMA * (q - *p);
        }
        self.solve(density, far, GAMMA * h);
        density.copy_from_slice(&self.stage);
    }

    /// `stage` = (1 − hA)⁻¹·density for the tridiagonal generator A with no flux at the ends.
    fn solve(&mut self, density: &[f64], flux: Flux, h: f64) {
        let (down, up) = (h * flux.down, h * flux.up);
        let last = density.len() - 1;
        self.stage.clear();
        self.factor.clear();
        let (mut value, mut factor) = (0.0, 0.0);
        for (i, p) in density.iter().enumerate() {
            let leaving = if i == 0 { 0.0 } else { down } + if i == last { 0.0 } else { up };
            let inverse = 1.0 / (1.0 + leaving - up * factor);
            value = (p + up * value) * inverse;
            factor = down * inverse;
            self.stage.push(value);
            self.factor.push(factor);
        }
        for i in (0..last).rev() {
            self.stage[i] += self.factor[i] * self.stage[i + 1];
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn walk(shape: &dyn super::super::Shape, peak: f64, slope: f64, steps: f64) -> Walk<'_> {
        Walk { shape, peak, slope, steps }
    }

    #[test]
    fn a_walk_at_rest_has_the_known_mean() {
        // Between walls at 0 and 2 the density is exponential with scale l = η/2ε.
        let constant = |_: f64| 1.0;
        for slope in [0.002, 0.01, 0.03, 0.2] {
            let peak = 1e-3;
            let found = mean_distance(&walk(&constant, peak, slope, 1e8), Grid::FINE);
            let (l, width) = (peak / (2.0 * slope), 2.0 + peak);
            let expected = l - width / (width / l).exp_m1() - 0.5 * peak;
            assert!((found / expected - 1.0).abs() < 2e-3, "{slope}: {found} {expected}");
        }
    }

    #[test]
    fn without_a_slope_the_walk_fills_the_domain() {
        let constant = |_: f64| 1.0;
        let found = mean_distance(&walk(&constant, 0.05, 1e-9, 1e6), Grid::FINE);
        assert!((found - 1.0).abs() < 1e-6, "{found}");
    }

    #[test]
    fn a_coarser_grid_says_the_same() {
        for power in [0.5, 1.0, 2.0, 3.0] {
            let shape = move |u: f64| (1.0 - u).max(0.0).powf(power);
            let walk = walk(&shape, 0.05, 0.005, 1e6);
            let (fine, coarse) = (mean_distance(&walk, Grid::FINE), mean_distance(&walk, Grid::COARSE));
            assert!((fine / coarse - 1.0).abs() < 2e-2, "{power}: {fine} {coarse}");
        }
    }
}
