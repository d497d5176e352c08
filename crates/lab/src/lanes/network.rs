//! The weights of one tile of lanes and the two things done with them: a training step and a look at the loss.

use super::buffer::Buffer;
use super::input::{Input, Place};
use super::kernel::{ByInner, ByOuter, Shape, product};
use super::loss::{Outputs, loss_and_delta, loss_and_hits};
use super::update::{Numbers, Update};
use crate::data::Dataset;
use crate::model::Layer;
use crate::optimizer::Optimizer;
use pulp::{NullaryFnOnce, Simd};

/// A tile: `vectors` SIMD vectors of lanes with their weights, moments and working memory.
pub(super) struct Network<S: Simd> {
    simd: S,
    layers: Vec<Shelf>,
    /// SIMD vectors per tile, a power of 2; more than 1 only for models with one layer.
    vectors: usize,
    outputs: usize,
    weights: Buffer,
    state: [Buffer; 2],
    gradient: Buffer,
    activations: Vec<Buffer>,
    deltas: [Buffer; 2],
    input: Input,
    labels: Vec<u32>,
    loss: Buffer,
    right: Buffer,
    taint: Buffer,
}

/// Where a layer lies in the buffers: rows of `stride` elements from `offset` on, one per input and one for the bias.
#[derive(Clone, Copy)]
struct Shelf {
    place: Place,
    offset: usize,
}

impl Shelf {
    fn range(self) -> std::ops::Range<usize> {
        self.offset..self.offset + (self.place.inputs + 1) * self.place.stride
    }
}

/// Loss and accuracy of each lane of a tile.
pub(super) struct Score {
    pub loss: Vec<f64>,
    pub accuracy: Vec<f64>,
}

/// Numbers that a tile needs for `batch` rows at a time, in bytes (for a check before anything is allocated).
pub(super) fn bytes_needed(widths: &[usize], lanes: usize, state: usize, batch: usize) -> u128 {
    let weights: u128 = widths.windows(2).map(|w| (w[0] as u128 + 1) * (w[1] as u128 + 1)).sum();
    let outputs: u128 = widths[1..].iter().map(|&w| w as u128 + 1).sum();
    let widest = widths[1..].iter().max().copied().unwrap_or(0) as u128 + 1;
    4 * lanes as u128 * (weights * (2 + state as u128) + batch as u128 * (outputs + 2 * widest))
}

impl<S: Simd> Network<S> {
    /// `vectors` × SIMD-width lanes that all start from `initial`, for minibatches of at most `batch` rows.
    pub(super) fn new(
        simd: S,
        initial: &[Layer],
        optimizer: Optimizer,
        vectors: usize,
        batch: usize,
        data: &Dataset,
    ) -> Self {
        let mut layers = Vec::new();
        let mut offset = 0;
        for layer in initial {
            let columns = layer.outputs * vectors;
            // An odd stride spreads the rows over the cache; an even one would put them on top of each other.
            let place = Place { inputs: layer.inputs, columns, stride: columns | 1 };
            let shelf = Shelf { place, offset };
            offset = shelf.range().end;
            layers.push(shelf);
        }
        let buffer = |n| Buffer::new::<S>(n);
        let state = |needed| buffer(if optimizer.state() >= needed { offset } else { 0 });
        let widest = layers.iter().map(|l| l.place.stride).max().unwrap_or(1);
        let mut network = Self {
            simd,
            vectors,
            outputs: initial.last().map_or(0, |l| l.outputs),
            weights: buffer(offset),
            state: [state(1), state(2)],
            gradient: buffer(offset),
            activations: layers.iter().map(|l| buffer(batch * l.place.stride)).collect(),
            deltas: [buffer(batch * widest), buffer(batch * widest)],
            input: Input::new(data.features()),
            labels: Vec::with_capacity(batch),
            loss: buffer(vectors),
            right: buffer(vectors),
            taint: buffer(vectors),
            layers,
        };
        network.fill(initial);
        network
    }

    fn fill(&mut self, initial: &[Layer]) {
        let width = self.vectors * S::F32_LANES;
        for (shelf, layer) in self.layers.iter().zip(initial) {
            let floats = &mut self.weights.floats_mut()[shelf.offset * S::F32_LANES..];
            for input in 0..=layer.inputs {
                for output in 0..layer.outputs {
                    let value = match layer.weight.get(output * layer.inputs + input) {
                        Some(&weight) if input < layer.inputs => weight,
                        _ => layer.bias[output],
                    };
                    let start = input * shelf.place.stride * S::F32_LANES + output * width;
                    floats[start..start + width].fill(value);
                }
            }
        }
    }

    /// The weights of one lane.
    pub(super) fn layers(&self, lane: usize) -> Vec<Layer> {
        let width = self.vectors * S::F32_LANES;
        let take = |shelf: &Shelf| {
            let floats = &self.weights.floats()[shelf.offset * S::F32_LANES..];
            let outputs = shelf.place.columns / self.vectors;
            let at = |input: usize, output: usize| {
                floats[input * shelf.place.stride * S::F32_LANES + output * width + lane]
            };
            let inputs = shelf.place.inputs;
            Layer {
                inputs,
                outputs,
                weight: (0..outputs)
                    .flat_map(|o| (0..inputs).map(move |i| (i, o)))
                    .map(|(i, o)| at(i, o))
                    .collect(),
                bias: (0..outputs).map(|o| at(inputs, o)).collect(),
            }
        };
        self.layers.iter().map(take).collect()
    }

    /// One update on the given rows. Returns one number per lane, twice: the loss before the update, and 0, or NaN
    /// if a weight is not finite after it.
    pub(super) fn train(
        &mut self,
        data: &Dataset,
        rows: &[u32],
        update: &Update<'_, S::f32s>,
    ) -> (&[f32], &[f32]) {
        self.simd.vectorize(Train { network: self, data, rows, update });
        (self.loss.floats(), self.taint.floats())
    }

    /// Mean loss and accuracy of each lane on all rows, `batch` rows at a time.
    pub(super) fn score(&mut self, data: &Dataset, batch: usize) -> Score {
        let lanes = self.vectors * S::F32_LANES;
        let mut score = Score { loss: vec![0.0; lanes], accuracy: vec![0.0; lanes] };
        let all: Vec<u32> = (0..data.rows() as u32).collect();
        for rows in all.chunks(batch) {
            self.simd.vectorize(Look { network: self, data, rows });
            for (sums, part) in
                [(&mut score.loss, self.loss.floats()), (&mut score.accuracy, self.right.floats())]
            {
                for (sum, &value) in sums.iter_mut().zip(part) {
                    *sum += f64::from(value);
                }
            }
        }
        for value in score.loss.iter_mut().chain(&mut score.accuracy) {
            *value /= data.rows() as f64;
        }
        score
    }

    fn load(&mut self, data: &Dataset, rows: &[u32], train: bool) {
        if let Some(shelf) = self.layers.first() {
            self.input.load(data, rows, shelf.place, train);
        }
        self.labels.clear();
        self.labels.extend(rows.iter().map(|&row| data.labels()[row as usize]));
    }

    #[inline(always)]
    fn forward(&mut self, data: &Dataset, rows: &[u32]) {
        let simd = self.simd;
        let zero = simd.splat_f32s(0.0);
        let last = self.layers.len() - 1;
        for (l, shelf) in self.layers.iter().enumerate() {
            let place = shelf.place;
            let (before, after) = self.activations.split_at_mut(l);
            let out = after[0].vectors_mut::<S>();
            let weights = &self.weights.vectors::<S>()[shelf.range()];
            let sink = |r: usize, c: usize, z: S::f32s| {
                // Written so that NaN stays NaN.
                let negative = simd.less_than_f32s(z, zero);
                out[r * place.stride + c] = if l == last { z } else { simd.select_f32s(negative, zero, z) };
            };
            match before.last() {
                None => self.input.forward(simd, data, rows, place, weights, sink),
                Some(below) => {
                    let shape = Shape { rows: rows.len(), columns: place.columns, depth: place.inputs };
                    let left =
                        ByOuter { data: below.vectors::<S>(), stride: self.layers[l - 1].place.stride };
                    let right = ByInner { data: weights, stride: place.stride };
                    let bias = &weights[place.inputs * place.stride..][..place.columns];
                    product(simd, shape, &left, &right, |_, c| bias[c], sink);
                }
            }
        }
    }

    /// The gradient of the loss whose gradient with respect to the outputs stands in the last activations.
    #[inline(always)]
    fn backward(&mut self, data: &Dataset, rows: usize) {
        let simd = self.simd;
        let zero = simd.splat_f32s(0.0);
        for l in (0..self.layers.len()).rev() {
            let Shelf { place, .. } = self.layers[l];
            let range = self.layers[l].range();
            let [low, high] = &mut self.deltas;
            let (from, to) = if l % 2 == 0 { (low, high) } else { (high, low) };
            let delta = match self.activations.get(l + 1) {
                None => self.activations[l].vectors::<S>(),
                Some(_) => from.vectors::<S>(),
            };
            let gradient = &mut self.gradient.vectors_mut::<S>()[range.clone()];
            sum_rows(simd, delta, rows, place, &mut gradient[place.inputs * place.stride..][..place.columns]);
            if l == 0 {
                self.input.backward(simd, data, rows, place, delta, gradient);
                return;
            }
            let below = self.layers[l - 1].place.stride;
            let inputs = self.activations[l - 1].vectors::<S>();
            let left = ByInner { data: inputs, stride: below };
            let right = ByInner { data: delta, stride: place.stride };
            let shape = Shape { rows: place.inputs, columns: place.columns, depth: rows };
            product(
                simd,
                shape,
                &left,
                &right,
                |_, _| zero,
                |r, c, sum| gradient[r * place.stride + c] = sum,
            );
            let left = ByOuter { data: delta, stride: place.stride };
            let right = ByOuter { data: &self.weights.vectors::<S>()[range], stride: place.stride };
            let shape = Shape { rows, columns: place.inputs, depth: place.columns };
            let to = to.vectors_mut::<S>();
            product(
                simd,
                shape,
                &left,
                &right,
                |_, _| zero,
                |r, c, sum| {
                    let open = simd.less_than_f32s(zero, inputs[r * below + c]);
                    to[r * below + c] = simd.select_f32s(open, sum, zero);
                },
            );
        }
    }
}

/// The sum of the rows of `delta`: the gradient of the bias.
#[inline(always)]
fn sum_rows<S: Simd>(simd: S, delta: &[S::f32s], rows: usize, place: Place, sums: &mut [S::f32s]) {
    sums.fill(simd.splat_f32s(0.0));
    for row in delta.chunks_exact(place.stride).take(rows) {
        for (sum, &value) in sums.iter_mut().zip(row) {
            *sum = simd.add_f32s(*sum, value);
        }
    }
}

/// What the last layer gave.
#[inline(always)]
fn outputs<'a, S: Simd>(
    activations: &'a mut [Buffer],
    layers: &[Shelf],
    outputs: usize,
    vectors: usize,
) -> Outputs<'a, S::f32s> {
    let values = activations.last_mut().map(Buffer::vectors_mut::<S>).unwrap_or_default();
    Outputs { values, stride: layers.last().map_or(1, |l| l.place.stride), outputs, vectors }
}

struct Train<'a, 'u, S: Simd> {
    network: &'a mut Network<S>,
    data: &'a Dataset,
    rows: &'a [u32],
    update: &'a Update<'u, S::f32s>,
}

impl<S: Simd> NullaryFnOnce for Train<'_, '_, S> {
    type Output = ();

    #[inline(always)]
    fn call(self) {
        let Self { network, data, rows, update } = self;
        let simd = network.simd;
        network.load(data, rows, true);
        network.forward(data, rows);
        let share = 1.0 / rows.len() as f32;
        let loss = network.loss.vectors_mut::<S>();
        loss.fill(simd.splat_f32s(0.0));
        let mut outputs =
            outputs::<S>(&mut network.activations, &network.layers, network.outputs, network.vectors);
        loss_and_delta(simd, &mut outputs, &network.labels, share, loss);
        for sum in loss {
            *sum = simd.mul_f32s(*sum, simd.splat_f32s(share));
        }
        network.backward(data, rows.len());
        let taint = network.taint.vectors_mut::<S>();
        taint.fill(simd.splat_f32s(0.0));
        for shelf in &network.layers {
            let range = shelf.range();
            let mut numbers = Numbers {
                weights: &mut network.weights.vectors_mut::<S>()[range.clone()],
                state: network
                    .state
                    .each_mut()
                    .map(|s| s.vectors_mut::<S>().get_mut(range.clone()).unwrap_or_default()),
                gradient: &network.gradient.vectors::<S>()[range],
                stride: shelf.place.stride,
                columns: shelf.place.columns,
            };
            update.apply(simd, &mut numbers, taint);
        }
    }
}

struct Look<'a, S: Simd> {
    network: &'a mut Network<S>,
    data: &'a Dataset,
    rows: &'a [u32],
}

impl<S: Simd> NullaryFnOnce for Look<'_, S> {
    type Output = ();

    #[inline(always)]
    fn call(self) {
        let Self { network, data, rows } = self;
        let simd = network.simd;
        network.load(data, rows, false);
        network.forward(data, rows);
        let (loss, right) = (network.loss.vectors_mut::<S>(), network.right.vectors_mut::<S>());
        loss.fill(simd.splat_f32s(0.0));
        right.fill(simd.splat_f32s(0.0));
        let mut outputs =
            outputs::<S>(&mut network.activations, &network.layers, network.outputs, network.vectors);
        loss_and_hits(simd, &mut outputs, &network.labels, loss, right);
    }
}
