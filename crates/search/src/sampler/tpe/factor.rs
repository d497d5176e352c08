//! What one parameter contributes to the kernels of a mixture.
use super::approx::erf;
use crate::history::History;
use crate::space::Space;
use crate::stream::Stream;
use crate::vector::vectorized;

/// Kernels are handled in blocks of this many, the last one padded.
pub(super) const BLOCK: usize = 16;

/// Bits for the number of a kernel in a key, and those of its place in the unit interval before them.
const INDEX_BITS: u32 = 22;
const PLACES: f64 = (1u64 << 40) as f64;

/// No kernel is narrower than this share of the unit interval, and cells to sort the kernels into are narrower still.
const NARROWEST: f64 = 1.0 / 100.0;
const CELLS: usize = 128;
/// The cell of kernels without a place.
const ABSENT: u32 = CELLS as u32 - 1;

/// Working memory of a fit.
pub(super) struct Scratch {
    /// Places of the kernels; NaN where inactive.
    places: Vec<f64>,
    /// Places and numbers of the kernels: whole numbers, of which the bits are read as those of a real number, since the
    /// smaller of two real numbers takes no branch. (Bits of positive numbers order like whole ones.)
    keys: Vec<f64>,
    /// Which cell each kernel is in.
    cells: Vec<u32>,
    /// Lowest and highest key in each cell; infinite and 0 in an empty one.
    first: [f64; CELLS],
    last: [f64; CELLS],
}

impl Scratch {
    pub(super) fn new() -> Self {
        Scratch {
            places: Vec::new(),
            keys: Vec::new(),
            cells: Vec::new(),
            first: [0.0; CELLS],
            last: [0.0; CELLS],
        }
    }
}

/// One free parameter, as the kernels see it.
pub(super) struct Dimension<'a> {
    /// Places in [0, 1] of all trials; NaN where inactive.
    unit: &'a [f64],
    /// Number of choices without order; 0 for numbers.
    choices: usize,
    /// Smallest kernel width: half of a countable value's share.
    floor: f64,
    /// Whether it can be inactive.
    pub(super) conditional: bool,
    /// Whether all trials have it.
    complete: bool,
}

impl<'a> Dimension<'a> {
    pub(super) fn new(space: &Space, history: &'a History, parameter: usize) -> Self {
        let domain = &space.parameters()[parameter].domain;
        let levels = domain.levels().unwrap_or(0);
        let choices = if domain.is_categorical() { levels as usize } else { 0 };
        let floor = if levels == 0 { 0.0 } else { 0.5 / levels as f64 };
        let conditional = space.parameters()[parameter].can_be_absent();
        let complete = !history.space().parameters()[parameter].can_be_absent();
        Dimension { unit: history.unit(parameter), choices, floor, conditional, complete }
    }

    /// The choice at a place in [0, 1].
    fn choice(&self, u: f64) -> f64 {
        ((u * self.choices as f64) as usize).min(self.choices - 1) as f64
    }

    /// How many of the trials have it.
    fn active(&self, trials: &[(u32, f64)]) -> usize {
        if self.complete {
            return trials.len();
        }
        trials.iter().filter(|(t, _)| !self.unit[*t as usize].is_nan()).count()
    }
}

/// The factors of all kernels in one dimension.
pub(super) struct Factor {
    /// Place of a number, index of a choice.
    centre: Vec<f32>,
    /// 1/(σ√2) of a number, 1 for a choice; 0 where the kernel is flat.
    sharpness: Vec<f32>,
    /// What the log density loses off the kernel's own choice (0 for numbers).
    penalty: f32,
    /// Logarithms of the normalisation, if they are not in the mixture's offset because the parameter can be inactive.
    pub(super) own_offset: Option<Vec<f32>>,
}

impl Factor {
    /// Fits the factors of the trials and, behind them, of the prior.
    pub(super) fn fit(
        dimension: &Dimension,
        trials: &[(u32, f64)],
        padded: usize,
        scratch: &mut Scratch,
    ) -> Factor {
        let mut factor = Factor {
            centre: vec![0.5; padded],
            sharpness: vec![0.0; padded],
            penalty: 0.0,
            own_offset: None,
        };
        if dimension.choices > 0 {
            factor.fit_choices(dimension, trials);
        } else {
            factor.fit_numbers(dimension, trials, scratch);
        }
        factor
    }

    /// Each kernel gives its own choice 1 + p parts and every other p, with one part more for each kernel.
    fn fit_choices(&mut self, dimension: &Dimension, trials: &[(u32, f64)]) {
        self.penalty = (2.0 + trials.len() as f64).ln() as f32;
        let places = trials.iter().map(|&(t, _)| dimension.unit[t as usize]);
        for (k, u) in places.enumerate().filter(|(_, u)| !u.is_nan()) {
            self.centre[k] = dimension.choice(u) as f32;
            self.sharpness[k] = 1.0;
        }
    }

    /// Each kernel is as wide as the distance to its farther neighbour; an outermost one has one neighbour, a single one
    /// the ends of the interval.
    ///
    /// Distances below the smallest width do not matter. So nothing is sorted: in cells narrower than that, only the
    /// outermost kernels of a cell can be far from a neighbour, which is then the outermost of another cell.
    fn fit_numbers(&mut self, dimension: &Dimension, trials: &[(u32, f64)], scratch: &mut Scratch) {
        let n = dimension.active(trials);
        let narrowest = (1.0 / (n as f64 + 2.0)).max(NARROWEST).max(dimension.floor);
        let cells = (1.0 / narrowest).trunc() + 2.0;
        scratch.places.clear();
        scratch.places.extend(trials.iter().map(|&(t, _)| dimension.unit[t as usize]));
        self.put_into_cells(cells, (std::f64::consts::FRAC_1_SQRT_2 / narrowest) as f32, scratch);
        let Scratch { keys, cells, first, last, .. } = scratch;
        first.fill(f64::INFINITY);
        last.fill(0.0);
        for (&key, &cell) in keys.iter().zip(&*cells) {
            let cell = cell as usize % CELLS;
            first[cell] = if key < first[cell] { key } else { first[cell] };
            last[cell] = if key > last[cell] { key } else { last[cell] };
        }
        let outermost = first[..ABSENT as usize].iter().zip(&*last).filter(|(f, _)| f.is_finite());
        let outermost = outermost.map(|(f, l)| (f.to_bits(), l.to_bits()));
        if n == 1 {
            outermost.for_each(|(key, _)| {
                let u = place_of(key);
                self.widen([key], u.max(1.0 - u));
            });
        } else {
            let mut before = None;
            for (first, last) in outermost {
                if let Some(before) = before.replace(last) {
                    let gap = place_of(first) - place_of(before);
                    self.widen([before, first], gap);
                }
            }
        }
        // The prior, behind the trials: a normal as wide as the interval.
        self.sharpness[trials.len()] = std::f32::consts::FRAC_1_SQRT_2;
    }

    /// Sets the centres of the kernels at `scratch.places` and a sharpness for all, and works out their keys and cells.
    fn put_into_cells(&mut self, cells: f64, sharpness: f32, scratch: &mut Scratch) {
        let Scratch { places, keys, cells: numbers, .. } = scratch;
        keys.resize(places.len(), 0.0);
        numbers.resize(places.len(), 0);
        let scale = cells / PLACES;
        vectorized(
            #[inline(always)]
            || {
                let kernels = self.centre.iter_mut().zip(&mut self.sharpness);
                let found = keys.iter_mut().zip(numbers.iter_mut()).zip(kernels);
                for ((k, &u), ((key, cell), (centre, s))) in places.iter().enumerate().zip(found) {
                    let place = (u.max(0.0) * PLACES).trunc();
                    *key = f64::from_bits((whole(place) << INDEX_BITS) | k as u64);
                    let absent = u.is_nan();
                    *cell = if absent { ABSENT } else { whole(place * scale) as u32 };
                    *centre = if absent { 0.5 } else { (place * (1.0 / PLACES)) as f32 };
                    *s = if absent { 0.0 } else { sharpness };
                }
            },
        );
    }

    /// Makes the kernels of these keys at least so wide.
    fn widen<const N: usize>(&mut self, keys: [u64; N], width: f64) {
        let most = (std::f64::consts::FRAC_1_SQRT_2 / width.min(1.0)) as f32;
        for key in keys {
            let sharpness = &mut self.sharpness[(key & ((1 << INDEX_BITS) - 1)) as usize];
            *sharpness = if most < *sharpness { most } else { *sharpness };
        }
    }

    /// Multiplies the factor's normalisation into `mass`.
    pub(super) fn normalise(&self, dimension: &Dimension, mass: &mut [f32]) {
        if dimension.choices > 0 {
            let k = dimension.choices as f32;
            let own = 1.0 / (1.0 + (k - 1.0) * (-self.penalty).exp());
            let uniform = 1.0 / k;
            mass.iter_mut()
                .zip(&self.sharpness)
                .for_each(|(m, &s)| *m *= if s == 0.0 { uniform } else { own });
            return;
        }
        const INV_SQRT_PI: f32 = 0.564_189_6;
        vectorized(
            #[inline(always)]
            || {
                for ((m, &c), &s) in mass.iter_mut().zip(&self.centre).zip(&self.sharpness) {
                    let inside = 0.5 * (erf((1.0 - c) * s) + erf(c * s));
                    *m *= if s == 0.0 { 1.0 } else { s * INV_SQRT_PI / inside };
                }
            },
        );
    }

    /// Draws a place from a kernel: that of a number, the middle of its share for a choice.
    pub(super) fn draw(&self, dimension: &Dimension, kernel: usize, stream: &mut Stream) -> f64 {
        let (centre, sharpness) = (f64::from(self.centre[kernel]), f64::from(self.sharpness[kernel]));
        match (dimension.choices, sharpness == 0.0) {
            (0, true) => stream.uniform(),
            (0, false) => truncated_normal(centre, std::f64::consts::FRAC_1_SQRT_2 / sharpness, stream),
            (k, true) => (stream.below(k) as f64 + 0.5) / k as f64,
            (k, false) => (draw_choice(centre, k, f64::from(self.penalty), stream) + 0.5) / k as f64,
        }
    }

    /// Adds the logarithms of the factors at a place to those of one block of kernels. NaN (an inactive parameter) adds
    /// nothing.
    #[inline(always)]
    pub(super) fn add_logs(&self, dimension: &Dimension, u: f64, block: usize, logs: &mut [f32; BLOCK]) {
        if u.is_nan() {
            return;
        }
        if let Some(own) = &self.own_offset {
            logs.iter_mut().zip(block_of(own, block)).for_each(|(l, o)| *l += o);
        }
        let kernels =
            logs.iter_mut().zip(block_of(&self.centre, block)).zip(block_of(&self.sharpness, block));
        if dimension.choices > 0 {
            let choice = dimension.choice(u) as f32;
            kernels.for_each(|((l, &c), &s)| *l -= if c == choice { 0.0 } else { self.penalty * s });
        } else {
            let u = u as f32;
            kernels.for_each(|((l, &c), &s)| {
                let t = (u - c) * s;
                *l -= t * t;
            });
        }
    }
}

#[inline(always)]
fn block_of(kernels: &[f32], block: usize) -> &[f32; BLOCK] {
    &kernels.as_chunks().0[block]
}

/// The whole number next to a real one in 0..2⁵¹, in instructions that every machine has for whole vectors.
#[inline(always)]
fn whole(x: f64) -> u64 {
    const HIDDEN: f64 = (1u64 << 52) as f64;
    (x + HIDDEN).to_bits() ^ HIDDEN.to_bits()
}

/// The place in a key.
fn place_of(key: u64) -> f64 {
    (key >> INDEX_BITS) as i64 as f64 * (1.0 / PLACES)
}

/// Draws the kernel's own choice, or one of the others, each e^−penalty times as likely.
fn draw_choice(own: f64, choices: usize, penalty: f64, stream: &mut Stream) -> f64 {
    let stay = 1.0 / (1.0 + (choices as f64 - 1.0) * (-penalty).exp());
    if stream.uniform() < stay || choices < 2 {
        return own;
    }
    let other = stream.below(choices - 1) as f64;
    if other >= own { other + 1.0 } else { other }
}

/// Draws from a normal cut to [0, 1], by rejection: with its centre inside, at least a third is accepted.
fn truncated_normal(centre: f64, sigma: f64, stream: &mut Stream) -> f64 {
    for _ in 0..64 {
        let x = centre + sigma * stream.normal();
        if (0.0..=1.0).contains(&x) {
            return x;
        }
    }
    centre
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The sharpness of numbers' kernels in the plain way, by sorting.
    fn by_sorting(dimension: &Dimension, trials: &[(u32, f64)]) -> Vec<f32> {
        let place = |k: usize| (dimension.unit[trials[k].0 as usize] * PLACES).trunc() / PLACES;
        let mut order: Vec<usize> = (0..trials.len()).filter(|&k| !place(k).is_nan()).collect();
        order.sort_by(|&a, &b| place(a).total_cmp(&place(b)).then(a.cmp(&b)));
        let narrowest = (1.0 / (order.len() as f64 + 2.0).min(100.0)).max(dimension.floor);
        let mut sharpness = vec![0.0; trials.len()];
        for (i, &k) in order.iter().enumerate() {
            let u = place(k);
            let left = i.checked_sub(1).map(|i| u - place(order[i]));
            let right = order.get(i + 1).map(|&k| place(k) - u);
            let far = match (left, right) {
                (None, None) => u.max(1.0 - u),
                (left, right) => left.unwrap_or(0.0).max(right.unwrap_or(0.0)),
            };
            sharpness[k] = (std::f64::consts::FRAC_1_SQRT_2 / far.clamp(narrowest, 1.0)) as f32;
        }
        sharpness
    }

    #[test]
    fn widths_are_distances_to_the_farther_neighbour() {
        let mut stream = Stream::for_trial(5, 0);
        let mut scratch = Scratch::new();
        for round in 0..600 {
            let (levels, gaps) = (round % 5 * 4, round % 3 == 0);
            let spread = 10f64.powi(-(round % 4));
            let mut draw = || match stream.uniform() {
                u if gaps && u < 0.3 => f64::NAN,
                u if u > 0.99 => 1.0,
                _ if levels > 0 => (stream.below(levels as usize) as f64 + 0.5) / f64::from(levels),
                _ => (0.3 + spread * (stream.uniform() - 0.3)).clamp(0.0, 1.0),
            };
            let unit: Vec<f64> = (0..round / 2).map(|_| draw()).collect();
            let floor = if levels > 0 { 0.5 / f64::from(levels) } else { 0.0 };
            let dimension = Dimension { unit: &unit, choices: 0, floor, conditional: gaps, complete: !gaps };
            let trials: Vec<(u32, f64)> = (0..unit.len() as u32).map(|t| (t, 1.0)).collect();
            let padded = (unit.len() + 1).next_multiple_of(BLOCK);
            let factor = Factor::fit(&dimension, &trials, padded, &mut scratch);
            assert_eq!(factor.sharpness[..unit.len()], by_sorting(&dimension, &trials), "{round}");
            let prior = factor.sharpness[unit.len()];
            assert_eq!(prior, std::f32::consts::FRAC_1_SQRT_2);
        }
    }
}
