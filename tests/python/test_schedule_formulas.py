"""Conversions from libraries that are too heavy to install for a test, against their published formulas, written down
here update by update as their documentation and sources give them."""

import math

import pytest
from schedule_peers import Case, call, cases, check, log_uniform, rate, some

STEPS = 120


def made(library, name, arguments, formula, lr=True):
    """A maker of cases: `formula(t, lr, **arguments)` is the rate of update t."""

    def make(rng):
        base = rate(rng) if lr else None
        given = arguments(rng, base)
        rates = [formula(t, base, **given) for t in range(STEPS)]
        return Case(call(f"{library}.{name}", **given), rates, base)

    return make


# Megatron-LM, OptimizerParamScheduler.get_lr: a warm-up up to and including W, min_lr after D.


def megatron(rng, _):
    top = rate(rng)
    warmup = rng.choice([0, rng.randint(1, 40)])
    total = warmup + rng.randint(1, 100)
    style = rng.choice(["constant", "linear", "cosine", "inverse-square-root", "WSD"])
    given = dict(init_lr=top * rng.choice([0.0, 0.1]), max_lr=top, min_lr=top * rng.choice([0.0, 0.05, rng.random()]))
    given |= dict(lr_warmup_steps=warmup, lr_decay_steps=total, lr_decay_style=style)
    if style == "WSD":
        given["wsd_decay_steps"] = rng.randint(1, total)
        given["lr_wsd_decay_style"] = rng.choice(["linear", "cosine", "exponential", "minus_sqrt"])
    return given


def megatron_rate(
    t, _, init_lr, max_lr, min_lr, lr_warmup_steps, lr_decay_steps, lr_decay_style, wsd_decay_steps=0,
    lr_wsd_decay_style="",
):
    if lr_warmup_steps and t <= lr_warmup_steps:
        return init_lr + (max_lr - init_lr) * t / lr_warmup_steps
    if lr_decay_style == "constant":
        return max_lr
    if t > lr_decay_steps:
        return min_lr
    if lr_decay_style == "inverse-square-root":
        return max(min_lr, max_lr * math.sqrt(max(lr_warmup_steps, 1) / max(t, 1)))
    u = (t - lr_warmup_steps) / (lr_decay_steps - lr_warmup_steps)
    if lr_decay_style == "WSD":
        start = lr_decay_steps - wsd_decay_steps
        u = (t - start) / wsd_decay_steps
        style = "hold" if t <= start else lr_wsd_decay_style
    else:
        style = lr_decay_style
    share = {
        "hold": lambda: 1.0,
        "linear": lambda: 1 - u,
        "cosine": lambda: (1 + math.cos(math.pi * u)) / 2,
        "exponential": lambda: 2 * 0.5**u - 1,
        "minus_sqrt": lambda: 1 - math.sqrt(u),
    }[style]()
    return min_lr + share * (max_lr - min_lr)


# NeMo, nemo.core.optim.lr_scheduler: the warm-up is (t + 1)/(W + 1) up to and including W.


def nemo(rng, lr, **own):
    warmup = rng.choice([0, rng.randint(1, 40)])
    given = dict(max_steps=warmup + rng.randint(2, 100), min_lr=lr * rng.choice([0.0, 0.1, rng.random()]))
    if rng.random() < 0.8:
        given["warmup_steps"] = warmup
    return given | own


def nemo_rate(shape):
    def formula(t, lr, max_steps, min_lr, warmup_steps=0, **own):
        if warmup_steps and t <= warmup_steps:
            return lr * (t + 1) / (warmup_steps + 1)
        if t > max_steps:
            return min_lr
        return shape(t, lr, warmup_steps, max_steps, min_lr, **own)

    return formula


def nemo_hold(rng, lr, **own):
    given = nemo(rng, lr, **own)
    given["warmup_steps"] = warmup = max(1, given.get("warmup_steps", 1))
    given["hold_steps"] = rng.randint(1, 30)
    return given | dict(max_steps=warmup + given["hold_steps"] + rng.randint(2, 60))


def nemo_hold_rate(shape):
    def formula(t, lr, max_steps, min_lr, warmup_steps, hold_steps, **own):
        if t > warmup_steps and t < warmup_steps + hold_steps:
            return lr
        inner = nemo_rate(lambda *a, **k: shape(*a, hold=hold_steps, **k))
        return inner(t, lr, max_steps, min_lr, warmup_steps, **own)

    return formula


def half_cosine(u):
    return (1 + math.cos(math.pi * u)) / 2


NEMO = {
    "WarmupPolicy": (nemo, nemo_rate(lambda t, lr, w, n, m: lr)),
    "WarmupAnnealing": (nemo, nemo_rate(lambda t, lr, w, n, m: m + (1 - (t - w) / (n - w)) * (lr - m))),
    "SquareAnnealing": (nemo, nemo_rate(lambda t, lr, w, n, m: max(m, lr * ((n - t) / (n - w)) ** 2))),
    "SquareRootAnnealing": (nemo, nemo_rate(lambda t, lr, w, n, m: max(m, lr * math.sqrt((n - t) / n)))),
    "CosineAnnealing": (nemo, nemo_rate(lambda t, lr, w, n, m: m + (lr - m) * half_cosine((t - w) / (n - w)))),
    "InverseSquareRootAnnealing": (nemo, nemo_rate(lambda t, lr, w, n, m: lr / math.sqrt((t + 1) / (w + 1)))),
    "PolynomialDecayAnnealing": (
        lambda rng, lr: nemo(rng, lr, power=rng.choice([1.0, 2.0, rng.uniform(0.3, 3)])),
        nemo_rate(lambda t, lr, w, n, m, power: m + (lr - m) * (1 - (t - w) / (n - w)) ** power),
    ),
    "NoamHoldAnnealing": (
        lambda rng, lr: nemo_hold(rng, lr, decay_rate=rng.choice([0.5, 1.0, rng.uniform(0.2, 1.5)])),
        nemo_hold_rate(lambda t, lr, w, n, m, decay_rate, hold: max(m, lr * (w / (t - hold)) ** decay_rate)),
    ),
    "PolynomialHoldDecayAnnealing": (
        lambda rng, lr: nemo_hold(rng, lr, power=rng.choice([1.0, 2.0, rng.uniform(0.3, 3)])),
        nemo_hold_rate(
            lambda t, lr, w, n, m, power, hold: m + (lr - m) * (1 - (t - w - hold) / (n - w - hold)) ** power
        ),
    ),
}


def noam(rng, lr):
    return dict(d_model=rng.choice([256, 512, 1024]), warmup_steps=rng.randint(1, 60)) | some(
        rng, min_lr=lambda: lr * rng.uniform(0, 1e-3)
    )


def noam_rate(t, lr, d_model, warmup_steps, min_lr=0.0):
    t = max(1, t)
    value = lr / math.sqrt(d_model) * min(t**-0.5, t * warmup_steps**-1.5)
    return max(value, min_lr) if t > warmup_steps else value


def t5(rng, _):
    constant = rng.randint(1, 60)
    return dict(max_steps=constant + rng.randint(0, 80), constant_steps=constant, min_lr=rng.choice([0.0, 0.01]))


def t5_rate(t, _, max_steps, constant_steps, min_lr):
    if t <= constant_steps:
        return constant_steps**-0.5
    return min_lr if t > max_steps else t**-0.5


def nemo_cosine_constant(rng, lr):
    warmup, constant = rng.choice([0, rng.randint(1, 30)]), rng.randint(1, 30)
    return dict(
        max_steps=warmup + constant + rng.randint(2, 60), warmup_steps=warmup, constant_steps=constant,
        min_lr=lr * rng.choice([0.1, 0.5 * rng.random()]),
    )


def nemo_cosine_constant_rate(t, lr, max_steps, warmup_steps, constant_steps, min_lr):
    decay = max_steps - warmup_steps - constant_steps
    if warmup_steps and t <= warmup_steps:
        return lr * t / warmup_steps
    return min_lr if t > warmup_steps + decay else min_lr + (lr - min_lr) * half_cosine((t - warmup_steps) / decay)


# fairseq, fairseq.optim.lr_scheduler


def fairseq_warmup(rng, lr, **own):
    given = dict(warmup_updates=rng.randint(1, 50)) | own
    return given | some(rng, warmup_init_lr=lambda: lr * rng.random())


def fairseq_inverse_sqrt(t, lr, warmup_updates, warmup_init_lr=0.0):
    if t < warmup_updates:
        return warmup_init_lr + t * (lr - warmup_init_lr) / warmup_updates
    return lr * math.sqrt(warmup_updates / t)


def fairseq_cosine(rng, lr):
    grow = rng.choice([1, 1, 2, 3])
    given = dict(lr_period_updates=rng.randint(2, 50), lr_shrink=rng.choice([0.1, 1.0, rng.random()]), t_mult=float(grow))
    return fairseq_warmup(rng, lr, min_lr=lr * rng.choice([0.0, 0.1, rng.random()]), **given)


def fairseq_cosine_rate(t, lr, warmup_updates, lr_period_updates, lr_shrink, t_mult, min_lr, warmup_init_lr=None):
    init = min_lr if warmup_init_lr is None else warmup_init_lr
    if t < warmup_updates:
        return init + t * (lr - init) / warmup_updates
    k, length, cycle = t - warmup_updates, lr_period_updates, 0
    while k >= length:
        k, length, cycle = k - length, int(length * t_mult), cycle + 1
    return lr_shrink**cycle * (min_lr + (lr - min_lr) * half_cosine(k / length))


def fairseq_polynomial(rng, lr):
    warmup = rng.choice([0, rng.randint(1, 50)])
    return dict(total_num_update=warmup + rng.randint(1, 80), warmup_updates=warmup, end_learning_rate=lr * rng.random()) | some(
        rng, power=lambda: rng.uniform(0.3, 3)
    )


def fairseq_polynomial_rate(t, lr, total_num_update, warmup_updates, end_learning_rate, power=1.0):
    if warmup_updates and t <= warmup_updates:
        return lr * t / warmup_updates
    if t >= total_num_update:
        return end_learning_rate
    left = 1 - (t - warmup_updates) / (total_num_update - warmup_updates)
    return (lr - end_learning_rate) * left**power + end_learning_rate


def fairseq_step(rng, lr):
    return fairseq_warmup(
        rng, lr, lr_deacy_period=rng.randint(1, 40), lr_decay=rng.uniform(0.1, 1), min_lr=lr * rng.choice([0.0, 0.3 * rng.random()])
    )


def fairseq_step_rate(t, lr, warmup_updates, lr_deacy_period, lr_decay, min_lr, warmup_init_lr=None):
    init = min_lr if warmup_init_lr is None else warmup_init_lr
    if t < warmup_updates:
        return init + t * (lr - init) / warmup_updates
    return max(lr * lr_decay ** ((t - warmup_updates) // lr_deacy_period), min_lr)


def tri_stage(rng, _):
    return dict(warmup_steps=rng.randint(0, 40), hold_steps=rng.randint(0, 40), decay_steps=rng.randint(1, 60)) | some(
        rng, init_lr_scale=lambda: rng.random(), final_lr_scale=lambda: rng.uniform(0.001, 1)
    )


def tri_stage_rate(t, lr, warmup_steps, hold_steps, decay_steps, init_lr_scale=0.01, final_lr_scale=0.01):
    if t < warmup_steps:
        return lr * (init_lr_scale + (1 - init_lr_scale) * t / warmup_steps)
    k = t - warmup_steps - hold_steps
    return lr * final_lr_scale ** min(max(k, 0) / decay_steps, 1)


def triangular(rng, _):
    low = rate(rng)
    given = dict(max_lr=low * rng.uniform(2, 20), lr=low, lr_period_updates=rng.randint(2, 60))
    return given | some(rng, lr_shrink=lambda: rng.uniform(0.1, 1), shrink_min=lambda: rng.random() < 0.7)


def triangular_rate(t, _, max_lr, lr, lr_period_updates, lr_shrink=0.1, shrink_min=False):
    half = lr_period_updates // 2
    cycle = t // (2 * half)
    high, low = max_lr * lr_shrink**cycle, lr * (lr_shrink**cycle if shrink_min else 1)
    return low + (high - low) * (1 - abs((t - 2 * half * cycle) / half - 1))


# DeepSpeed, deepspeed.runtime.lr_schedules: update 0 is the first call of step().


def deepspeed_warmup(rng, **own):
    return own | some(rng, warmup_num_steps=lambda: rng.randint(1, 90), warmup_type=lambda: rng.choice(["log", "linear"]))


def rise(t, warmup_num_steps=1000, warmup_type="log"):
    """The share of a warm-up, or None when it is over."""
    steps = max(2, warmup_num_steps)
    if t >= steps:
        return None
    return math.log(t + 1) / math.log(steps) if warmup_type == "log" else t / steps


def warmup_lr(rng, _):
    return deepspeed_warmup(rng, warmup_min_lr=rng.choice([0.0, 1e-4]), warmup_max_lr=rng.uniform(0.001, 1))


def warmup_lr_rate(t, _, warmup_min_lr, warmup_max_lr, **warmup):
    share = rise(t, **warmup)
    return warmup_min_lr + (warmup_max_lr - warmup_min_lr) * (1 if share is None else share)


def warmup_decay(rng, _):
    given = warmup_lr(rng, _)
    given.setdefault("warmup_num_steps", 30)
    return given | dict(total_num_steps=max(2, given["warmup_num_steps"]) + rng.randint(1, 80))


def warmup_decay_rate(t, _, warmup_min_lr, warmup_max_lr, total_num_steps, warmup_num_steps, **kind):
    share = rise(t, warmup_num_steps, **kind)
    if share is None:
        share = max(0.0, (total_num_steps - t) / max(1, total_num_steps - max(2, warmup_num_steps)))
    return warmup_min_lr + (warmup_max_lr - warmup_min_lr) * share


def warmup_cosine(rng, _):
    given = deepspeed_warmup(rng) | some(rng, warmup_min_ratio=lambda: rng.random(), cos_min_ratio=lambda: rng.random())
    given.setdefault("warmup_num_steps", 30)
    return given | dict(total_num_steps=max(2, given["warmup_num_steps"]) + rng.randint(1, 80))


def warmup_cosine_rate(
    t, lr, total_num_steps, warmup_num_steps, warmup_min_ratio=0.0, cos_min_ratio=0.0001, warmup_type="log"
):
    share = rise(t, warmup_num_steps, warmup_type)
    if share is not None:
        return lr * (warmup_min_ratio + (1 - warmup_min_ratio) * share)
    steps = max(2, warmup_num_steps)
    u = min(1.0, (t - steps + 1) / max(1, total_num_steps - steps))
    return lr * (cos_min_ratio + (1 - cos_min_ratio) * half_cosine(u))


def range_test(rng, _):
    return dict(lr_range_test_min_lr=log_uniform(rng, 1e-6, 1e-2)) | some(
        rng,
        lr_range_test_step_size=lambda: rng.randint(1, 200),
        lr_range_test_step_rate=lambda: rng.uniform(0.1, 10),
        lr_range_test_staircase=lambda: rng.random() < 0.7,
    )


def range_test_rate(
    t, _, lr_range_test_min_lr, lr_range_test_step_size=2000, lr_range_test_step_rate=1.0, lr_range_test_staircase=False
):
    interval = (t + 1) / lr_range_test_step_size
    interval = math.floor(interval) if lr_range_test_staircase else interval
    return lr_range_test_min_lr * (1 + lr_range_test_step_rate * interval)


def deepspeed_cycle(rng, _):
    low = log_uniform(rng, 1e-5, 1e-2)
    return dict(cycle_min_lr=low, cycle_max_lr=low * rng.uniform(1.5, 20), cycle_first_step_size=rng.randint(1, 40)) | some(
        rng,
        cycle_second_step_size=lambda: rng.randint(1, 40),
        decay_lr_rate=lambda: rng.uniform(0, 2),
        decay_step_size=lambda: rng.randint(0, 20),
        cycle_momentum=lambda: False,
    )


def deepspeed_cycle_rate(
    t, _, cycle_min_lr, cycle_max_lr, cycle_first_step_size, cycle_second_step_size=None, decay_lr_rate=0.0,
    decay_step_size=0, cycle_momentum=True,
):
    first, second = cycle_first_step_size, cycle_second_step_size or cycle_first_step_size
    k = t + 1
    if k <= first:
        return cycle_min_lr + (cycle_max_lr - cycle_min_lr) * k / first
    if k <= first + second:
        return cycle_min_lr + (cycle_max_lr - cycle_min_lr) * (first + second - k) / second
    decay = decay_lr_rate * (k - first - second) / decay_step_size if decay_step_size else 0
    return cycle_min_lr / (1 + decay)


FORMULAS = {
    "megatron.OptimizerParamScheduler": (megatron, megatron_rate, False),
    **{f"nemo.{name}": (*both, True) for name, both in NEMO.items()},
    "nemo.NoamAnnealing": (noam, noam_rate, True),
    "nemo.T5InverseSquareRootAnnealing": (t5, t5_rate, False),
    "nemo.CosineAnnealing with constant steps": (nemo_cosine_constant, nemo_cosine_constant_rate, True),
    "fairseq.inverse_sqrt": (fairseq_warmup, fairseq_inverse_sqrt, True),
    "fairseq.cosine": (fairseq_cosine, fairseq_cosine_rate, True),
    "fairseq.polynomial_decay": (fairseq_polynomial, fairseq_polynomial_rate, True),
    "fairseq.step": (fairseq_step, fairseq_step_rate, True),
    "fairseq.tri_stage": (tri_stage, tri_stage_rate, True),
    "fairseq.triangular": (triangular, triangular_rate, False),
    "deepspeed.WarmupLR": (warmup_lr, warmup_lr_rate, False),
    "deepspeed.WarmupDecayLR": (warmup_decay, warmup_decay_rate, False),
    "deepspeed.WarmupCosineLR": (warmup_cosine, warmup_cosine_rate, True),
    "deepspeed.LRRangeTest": (range_test, range_test_rate, False),
    "deepspeed.OneCycle": (deepspeed_cycle, deepspeed_cycle_rate, False),
}


@pytest.mark.parametrize("name", FORMULAS)
def test_formula(example, name):
    arguments, formula, lr = FORMULAS[name]
    library, schedule = name.split(" ")[0].split(".")
    check(example("convert"), cases(made(library, schedule, arguments, formula, lr), name))
