"""The Python package: classes with the names of torch's schedulers, beside torch's own."""

import copy
import gc
import io
import math
import pickle
import warnings
import weakref

import pytest
from support import need

torch = need("torch")

from torch.optim import lr_scheduler as theirs  # noqa: E402

import lehr.torch as ours  # noqa: E402


class Growing:
    """A function that can be saved."""

    def __init__(self, by):
        self.by = by

    def __call__(self, t):
        return self.by**t


NAMES = [
    "ChainedScheduler",
    "ConstantLR",
    "CosineAnnealingLR",
    "CosineAnnealingWarmRestarts",
    "CyclicLR",
    "ExponentialLR",
    "LambdaLR",
    "LinearLR",
    "MultiStepLR",
    "MultiplicativeLR",
    "OneCycleLR",
    "PolynomialLR",
    "ReduceLROnPlateau",
    "SequentialLR",
    "StepLR",
]

# Name, and how to make it from a module (torch's or ours) and an optimiser.
MAKERS = {
    "step": lambda m, o, **s: m.StepLR(o, 3, 0.3, **s),
    "step of 1": lambda m, o, **s: m.StepLR(o, 1, 1.5, **s),
    "multi-step": lambda m, o, **s: m.MultiStepLR(o, [9, 2, 5, 5], 0.3, **s),
    "constant": lambda m, o, **s: m.ConstantLR(o, 0.25, 6, **s),
    "linear": lambda m, o, **s: m.LinearLR(o, 0.1, 0.8, 7, **s),
    "linear down": lambda m, o, **s: m.LinearLR(o, 1.0, 0.0, 7, **s),
    "exponential": lambda m, o, **s: m.ExponentialLR(o, 0.8, **s),
    "polynomial": lambda m, o, **s: m.PolynomialLR(o, 8, 1.7, **s),
    "cosine": lambda m, o, **s: m.CosineAnnealingLR(o, 9, 0.003, **s),
    "cosine of 1": lambda m, o, **s: m.CosineAnnealingLR(o, 1, **s),
    "warm restarts": lambda m, o, **s: m.CosineAnnealingWarmRestarts(o, 4, 2, 0.003, **s),
    "equal restarts": lambda m, o, **s: m.CosineAnnealingWarmRestarts(o, 4, **s),
    "cyclic": lambda m, o, **s: m.CyclicLR(o, 0.01, 0.3, 3, 5, mode="triangular2", **s),
    "cyclic range": lambda m, o, **s: m.CyclicLR(o, [0.01, 0.02], 0.3, 3, mode="exp_range", gamma=0.9, **s),
    "one-cycle": lambda m, o, **s: m.OneCycleLR(o, [0.3, 0.7], total_steps=30, **s),
    "one-cycle of three": lambda m, o, **s: m.OneCycleLR(
        o, 0.3, epochs=5, steps_per_epoch=6, anneal_strategy="linear", three_phase=True, **s
    ),
    "lambda": lambda m, o, **s: m.LambdaLR(o, [Growing(0.9), Growing(0.8)], **s),
    "multiplicative": lambda m, o, **s: m.MultiplicativeLR(o, Growing(0.97), **s),
    "sequence": lambda m, o, **s: m.SequentialLR(
        o, [m.ConstantLR(o, 0.1, 4), m.ExponentialLR(o, 0.8), m.StepLR(o, 2)], [4, 9], **s
    ),
    "chain": lambda m, o: m.ChainedScheduler([m.LinearLR(o, 0.2, 1.0, 5), m.ExponentialLR(o, 0.9), m.StepLR(o, 4)]),
    "chain in a sequence": lambda m, o: m.SequentialLR(
        o, [m.ChainedScheduler([m.LinearLR(o), m.ConstantLR(o, 0.5, 3)]), m.StepLR(o, 3)], [6]
    ),
}
STEPS = 25


def optimizer(tensor=False, kind=torch.optim.SGD, **settings):
    second = torch.tensor(0.5, dtype=torch.float64) if tensor else 0.5
    groups = [{"params": [torch.nn.Parameter(torch.zeros(2))]} for _ in range(2)]
    groups[1]["lr"] = second
    if kind is torch.optim.SGD:
        settings = {"momentum": 0.9, **settings}
    return kind(groups, lr=0.05, **settings)


def rates(opt):
    return [float(group["lr"]) for group in opt.param_groups]


def momenta(opt):
    return [float(group["betas"][0] if "betas" in group else group["momentum"]) for group in opt.param_groups]


def follow(sched, opt, steps=STEPS):
    seen = []
    for _ in range(steps):
        seen.append((rates(opt), momenta(opt)))
        opt.step()
        sched.step()
    return seen


def close(a, b):
    for (x, p), (y, q) in zip(a, b, strict=True):
        assert x == pytest.approx(y, rel=1e-9, abs=1e-15) and p == pytest.approx(q, rel=1e-9)


def test_every_class_is_there_and_is_torchs_too():
    for name in NAMES:
        assert issubclass(getattr(ours, name), getattr(theirs, name)), name
    assert set(NAMES) <= set(ours.__all__)


@pytest.mark.parametrize("tensor", [False, True])
@pytest.mark.parametrize("kind", [torch.optim.SGD, torch.optim.Adam])
@pytest.mark.parametrize("maker", MAKERS)
def test_rates_momenta_and_attributes_are_torchs(maker, kind, tensor):
    make, results, states = MAKERS[maker], [], []
    for module in (theirs, ours):
        opt = optimizer(tensor, kind)
        second = opt.param_groups[1]["lr"]
        with warnings.catch_warnings():
            # torch warns of a chain in a sequence, for no reason.
            warnings.simplefilter("error" if module is ours else "ignore")
            sched = make(module, opt)
            results.append(follow(sched, opt))
        assert isinstance(opt.param_groups[1]["lr"], type(second))
        if tensor:
            assert opt.param_groups[1]["lr"] is second
            assert isinstance(sched.get_last_lr()[1], torch.Tensor) and sched.get_last_lr()[1] is not second
        assert [float(rate) for rate in sched.get_last_lr()] == rates(opt)
        states.append(sched.state_dict())
    close(results[1], results[0])
    assert states[1].keys() == states[0].keys()
    for key in states[0].keys() - {"_last_lr", "_schedulers", "base_lrs", "T_cur", "_scale_fn_ref", "lr_lambdas"}:
        assert states[1][key] == states[0][key], key


@pytest.mark.parametrize("maker", MAKERS)
def test_states_go_round_through_files(maker):
    opt = optimizer()
    sched = MAKERS[maker](ours, opt)
    follow(sched, opt, 11)
    for weights_only in (True, False):
        file = io.BytesIO()
        torch.save(sched.state_dict(), file)
        file.seek(0)
        state = torch.load(file, weights_only=weights_only)
        assert state == sched.state_dict()
        other_opt = optimizer()
        other = MAKERS[maker](ours, other_opt)
        other.load_state_dict(state)
        assert other.state_dict() == sched.state_dict()
        assert rates(other_opt) == rates(opt)


@pytest.mark.parametrize("maker", MAKERS)
def test_a_state_of_torch_can_be_taken_up(maker):
    opt = optimizer()
    sched = MAKERS[maker](theirs, opt)
    follow(sched, opt, 11)
    state, rest = (opt.state_dict(), sched.state_dict()), None
    state = copy.deepcopy(state)
    rest = follow(sched, opt, 12)
    other_opt = optimizer()
    other_opt.load_state_dict(state[0])
    other = MAKERS[maker](ours, other_opt)
    other.load_state_dict(state[1])
    if "momentum" not in opt.param_groups[0] or "cycl" not in maker:
        close(follow(other, other_opt, 12), rest)


@pytest.mark.parametrize("optimizer_first", [True, False])
@pytest.mark.parametrize("maker", MAKERS)
def test_resuming_is_exact_whatever_the_order(maker, optimizer_first):
    opt = optimizer()
    sched = MAKERS[maker](ours, opt)
    follow(sched, opt, 11)
    saved = copy.deepcopy((opt.state_dict(), sched.state_dict()))
    rest = follow(sched, opt, 12)
    opt = optimizer()
    if optimizer_first:
        opt.load_state_dict(saved[0])
        sched = MAKERS[maker](ours, opt)
        sched.load_state_dict(saved[1])
    else:
        sched = MAKERS[maker](ours, opt)
        sched.load_state_dict(saved[1])
        opt.load_state_dict(saved[0])
    again = follow(sched, opt, 12)
    assert [r for r, _ in again] == [r for r, _ in rest]
    assert [m for _, m in again[1:]] == [m for _, m in rest[1:]]


@pytest.mark.parametrize("maker", MAKERS)
def test_pickles_and_copies(maker):
    opt = optimizer()
    sched = MAKERS[maker](ours, opt)
    follow(sched, opt, 7)
    for other in (copy.deepcopy(sched), pickle.loads(pickle.dumps(sched))):
        mine = copy.deepcopy(sched)
        assert follow(other, other.optimizer, 5) == follow(mine, mine.optimizer, 5)


@pytest.mark.parametrize("maker", [name for name in MAKERS if "chain" not in name and "sequence" not in name])
def test_steps_to_a_given_epoch(maker):
    with warnings.catch_warnings(record=True):
        warnings.simplefilter("always")
        results = []
        for module in (theirs, ours):
            opt = optimizer()
            sched = MAKERS[maker](module, opt)
            seen = []
            for epoch in [0, 1, 2, 5, 3, 3, 12, 13]:
                opt.step()
                sched.step(epoch)
                seen.append(rates(opt))
            for _ in range(4):
                sched.step()
                seen.append(rates(opt))
            results.append(seen)
    for mine, torchs in zip(*results):
        assert mine == pytest.approx(torchs, rel=1e-9, abs=1e-15)


@pytest.mark.parametrize("maker", ["step", "multi-step", "constant", "linear", "exponential", "polynomial", "cosine"])
def test_a_rate_that_someone_changes_stays_changed(maker):
    results = []
    for module in (theirs, ours):
        opt = optimizer()
        sched = MAKERS[maker](module, opt)
        seen = []
        for t in range(20):
            if t in (4, 9):
                opt.param_groups[0]["lr"] *= 0.37
            opt.step()
            sched.step()
            seen.append(rates(opt))
        results.append(seen)
    for mine, torchs in zip(*results):
        assert mine == pytest.approx(torchs, rel=1e-9, abs=1e-15)


def warned(act):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        act()
    return [(w.category, str(w.message), w.filename) for w in caught]


def test_warnings_are_torchs():
    def too_early(module):
        opt = optimizer()
        sched = module.StepLR(opt, 3)
        return lambda: [sched.step() for _ in range(3)]

    def overridden(module):
        opt = optimizer()
        sched = module.StepLR(opt, 3)
        step = opt.step
        opt.step = lambda: step()
        opt.step()
        return lambda: [sched.step() for _ in range(3)]

    def epoch(module):
        opt = optimizer()
        sched = module.CosineAnnealingLR(opt, 3)
        opt.step()
        return lambda: sched.step(2)

    def outside(module):
        opt = optimizer()
        sched = module.ExponentialLR(opt, 0.9)
        return lambda: sched.get_lr()

    for case in (too_early, overridden, epoch, outside):
        mine, torchs = warned(case(ours)), warned(case(theirs))
        assert [w[:2] for w in mine] == [w[:2] for w in torchs] and len(mine) == 1, case
        if case is not outside:
            assert mine[0][2] == torchs[0][2] == __file__


def test_an_overridden_get_lr_is_used():
    class Half(ours.StepLR):
        def get_lr(self):
            return [rate / 2 for rate in super().get_lr()]

    class Fixed(ours.ExponentialLR):
        def get_lr(self):
            return [7.0 for _ in self.base_lrs]

    opt = optimizer()
    sched = Half(opt, 100)
    follow(sched, opt, 3)
    assert rates(opt) == pytest.approx([0.05 / 16, 0.5 / 16])
    opt = optimizer()
    sched = Fixed(opt, 0.9)
    follow(sched, opt, 3)
    assert rates(opt) == [7.0, 7.0] == sched.get_last_lr()

    opt = optimizer()
    sched = ours.ExponentialLR(opt, 0.5)
    sched.get_lr = lambda: [3.0, 4.0]
    follow(sched, opt, 3)
    assert rates(opt) == [3.0, 4.0]


def test_settings_may_be_changed_on_the_way():
    results = []
    for module in (theirs, ours):
        opt = optimizer()
        sched = module.ExponentialLR(opt, 0.9)
        follow(sched, opt, 3)
        sched.gamma = 0.5
        opt.param_groups[0]["lr"] = 1.0
        follow(sched, opt, 3)
        results.append(rates(opt)[0])
    assert results[1] == pytest.approx(results[0])


def test_errors_are_torchs():
    for make, error, words in [
        (lambda m: m.StepLR(optimizer(), 3, last_epoch=1), KeyError, "initial_lr"),
        (lambda m: m.StepLR(torch.nn.Linear(1, 1), 3), TypeError, "is not an Optimizer"),
        (lambda m: m.LinearLR(optimizer(), 0.0), ValueError, "Starting multiplicative factor"),
        (lambda m: m.ConstantLR(optimizer(), 1.5), ValueError, "Constant multiplicative factor"),
        (lambda m: m.LambdaLR(optimizer(), [Growing(1)]), ValueError, "Expected 2 lr_lambdas"),
        (lambda m: m.MultiplicativeLR(optimizer(), 0.9), TypeError, "should be a function"),
        (lambda m: m.OneCycleLR(optimizer(), 0.1), ValueError, "You must define"),
        (lambda m: m.OneCycleLR(optimizer(), 0.1, 10, pct_start=2), ValueError, "pct_start"),
        (lambda m: m.CosineAnnealingWarmRestarts(optimizer(), 0), ValueError, "positive integer T_0"),
        (lambda m: m.CosineAnnealingWarmRestarts(optimizer(), 3).step(-1), ValueError, "non-negative epoch"),
        (lambda m: m.CyclicLR(optimizer(momentum=0), 0.1, 0.2, mode="x"), ValueError, "mode is invalid"),
        (lambda m: m.SequentialLR(o := optimizer(), [m.StepLR(o, 1)], [3]), ValueError, "number of schedulers"),
        (lambda m: m.ChainedScheduler([]), ValueError, "at least one scheduler"),
        (lambda m: m.ReduceLROnPlateau(optimizer(), factor=1.0), ValueError, "Factor should be < 1.0"),
        (lambda m: m.ReduceLROnPlateau(optimizer(), mode="x"), ValueError, "mode x is unknown"),
        (lambda m: m.SequentialLR(o := optimizer(), [m.ReduceLROnPlateau(o)], []), ValueError, "ReduceLROnPlateau"),
    ]:
        for module in (theirs, ours):
            with pytest.raises(error, match=words):
                make(module)


@pytest.mark.parametrize(
    "make",
    [
        lambda: ours.StepLR(optimizer(), 3, math.nan),
        lambda: ours.StepLR(optimizer(), 0),
        lambda: ours.ExponentialLR(optimizer(), math.nan),
        lambda: ours.ExponentialLR(optimizer(), -0.5),
        lambda: ours.CosineAnnealingLR(optimizer(), -10),
        lambda: ours.CosineAnnealingLR(optimizer(), 0),
        lambda: ours.CosineAnnealingLR(optimizer(), 10, math.inf),
        lambda: ours.PolynomialLR(optimizer(), 10, math.nan),
        lambda: ours.SequentialLR(o := optimizer(), [ours.StepLR(o, 3) for _ in range(3)], [9, 5]),
        lambda: ours.ReduceLROnPlateau(optimizer(), patience=-1),
        lambda: ours.ReduceLROnPlateau(optimizer(), factor=math.nan),
        lambda: ours.CyclicLR(optimizer(), 0.1, 0.2, 0),
        lambda: ours.OneCycleLR(optimizer(), 0.1, 10, div_factor=0.0),
    ],
)
def test_what_torch_takes_in_silence_is_refused(make):
    with pytest.raises(ValueError):
        make()


def test_rates_do_not_drift_and_keep_their_digits():
    steps = 2000
    opt = optimizer()
    sched = ours.CosineAnnealingLR(opt, steps)
    follow(sched, opt, steps - 1)
    exact = 0.05 * math.sin(math.pi / 2 / steps) ** 2
    assert rates(opt)[0] == pytest.approx(exact, rel=1e-14)
    opt = optimizer()
    sched = ours.ExponentialLR(opt, 0.999)
    follow(sched, opt, 3000)
    assert rates(opt)[0] == 0.05 * 0.999**3000


def test_restarts_are_exact():
    wrong = []
    for T_0, T_mult, epoch in [(1, 3, 121), (10, 2, 70), (1, 2, 2**20 - 1), (7, 5, 7 * (5**6 - 1) // 4)]:
        opt = optimizer()
        sched = ours.CosineAnnealingWarmRestarts(opt, T_0, T_mult)
        sched.step(epoch)
        assert sched.T_cur == 0 and rates(opt) == [0.05, 0.5]
        opt = optimizer()
        theirs.CosineAnnealingWarmRestarts(opt, T_0, T_mult).step(epoch)
        wrong.append(rates(opt) != pytest.approx([0.05, 0.5]))
    assert any(wrong), "torch's trap is gone: the documentation should no longer name it"
    opt = optimizer()
    sched = ours.CosineAnnealingWarmRestarts(opt, 10, 2)
    follow(sched, opt, 35)
    stepped = rates(opt)
    again = ours.CosineAnnealingWarmRestarts(opt, 10, 2, last_epoch=34)
    assert rates(opt) == stepped and (again.T_cur, again.T_i) == (5, 40)


def test_sequences_and_chains_nest():
    def nested(o):
        inner = ours.SequentialLR(o, [ours.LinearLR(o, 0.1, 1.0, 3), ours.ConstantLR(o, 1.0, 1)], [3])
        return ours.SequentialLR(o, [inner, ours.ExponentialLR(o, 0.5)], [5])

    opt = optimizer()
    seen = [r[0] / 0.05 for r, _ in follow(nested(opt), opt, 8)]
    assert seen == pytest.approx([0.1, 0.4, 0.7, 1.0, 1.0, 1.0, 0.5, 0.25])

    opt = optimizer()
    first = ours.ConstantLR(opt, 0.5, 100)
    inner = ours.SequentialLR(opt, [ours.LinearLR(opt, 0.1, 1.0, 3), ours.ExponentialLR(opt, 0.5)], [3])
    seen = [r[0] / 0.05 for r, _ in follow(ours.SequentialLR(opt, [first, inner], [2]), opt, 8)]
    assert seen == pytest.approx([0.5, 0.5, 0.1, 0.4, 0.7, 1.0, 0.5, 0.25])

    opt = optimizer()
    first = ours.ConstantLR(opt, 0.5, 100)
    chain = ours.ChainedScheduler([ours.LinearLR(opt, 0.5, 1.0, 2), ours.ExponentialLR(opt, 0.5)])
    seen = [r[0] / 0.05 for r, _ in follow(ours.SequentialLR(opt, [first, chain], [2]), opt, 6)]
    assert seen == pytest.approx([0.5, 0.5, 0.5, 0.375, 0.25, 0.125])


def test_a_chain_begins_in_a_sequence_as_it_does_alone():
    def chain(module, o):
        return module.ChainedScheduler([module.LinearLR(o, 0.5, 1.0, 2), module.ExponentialLR(o, 0.5)])

    opt = optimizer()
    alone = [r for r, _ in follow(chain(ours, opt), opt, 5)]
    opt = optimizer()
    assert [r for r, _ in follow(ours.SequentialLR(opt, [chain(ours, opt)], []), opt, 5)] == alone


def test_one_cycle_in_a_sequence_leaves_the_others_alone():
    opt = optimizer()
    warm = ours.LinearLR(opt, 0.5, 1.0, 2)
    cycle = ours.OneCycleLR(opt, 0.3, total_steps=10)
    seen = [r[0] for r, _ in follow(ours.SequentialLR(opt, [warm, cycle], [3]), opt, 5)]
    assert seen[:4] == pytest.approx([0.025, 0.0375, 0.05, 0.3 / 25])


def test_a_loaded_length_is_told():
    opt = optimizer()
    state = ours.CosineAnnealingLR(opt, 10).state_dict()
    other = ours.CosineAnnealingLR(optimizer(), 20)
    with pytest.warns(UserWarning, match="T_max=10.*built with 20"):
        other.load_state_dict(state)
    assert other.T_max == 10


def test_a_plateau_compares_negative_metrics_by_size_and_names_nan():
    mine, torchs = (m.ReduceLROnPlateau(optimizer(), patience=0, threshold=0.5) for m in (ours, theirs))
    for sched in (mine, torchs):
        sched.step(-1.0)
        sched.step(-0.6)
    assert mine.best == -1.0 and torchs.best == -0.6
    mine.step(-1.6)
    assert mine.best == -1.6
    with pytest.warns(RuntimeWarning, match="NaN"):
        mine.step(math.nan)


@pytest.mark.parametrize("mode", ["min", "max"])
@pytest.mark.parametrize("threshold_mode", ["rel", "abs"])
def test_a_plateau_is_torchs(mode, threshold_mode):
    torch.manual_seed(1)
    metrics = (torch.rand(60) + 2).tolist()
    results = []
    for module in (theirs, ours):
        opt = optimizer(tensor=True)
        sched = module.ReduceLROnPlateau(
            opt, mode, 0.5, 2, 0.01, threshold_mode, cooldown=3, min_lr=[0.001, 0.01], eps=1e-4
        )
        seen = []
        for metric in metrics:
            sched.step(metric)
            seen.append((rates(opt), sched.num_bad_epochs, sched.best, [float(r) for r in sched.get_last_lr()]))
        results.append(seen)
    assert results[0] == results[1]


def test_no_reference_cycles():
    opt = optimizer()
    sched = ours.CosineAnnealingLR(opt, 10)
    follow(sched, opt, 3)
    gone, gone_too = weakref.ref(sched), weakref.ref(opt)
    gc.collect()
    gc.disable()
    try:
        del sched
        assert gone() is None
        del opt
    finally:
        gc.enable()
    gc.collect()
    assert gone_too() is None


def test_groups_may_be_added_as_with_torch():
    for tensor in (False, True):
        results = []
        for module in (theirs, ours):
            opt = optimizer(tensor)
            sched = module.ExponentialLR(opt, 0.9)
            follow(sched, opt, 3)
            rate = torch.tensor(0.7, dtype=torch.float64) if tensor else 0.7
            opt.add_param_group({"params": [torch.nn.Parameter(torch.zeros(1))], "lr": rate})
            follow(sched, opt, 3)
            results.append(rates(opt))
        assert results[1] == pytest.approx(results[0], rel=1e-12)


def test_a_class_with_other_bases_can_be_copied():
    class Mixin:
        pass

    class Named(Mixin, ours.StepLR):
        pass

    opt = optimizer()
    sched = Named(opt, 2)
    follow(sched, opt, 3)
    other = copy.deepcopy(sched)
    assert other.get_last_lr() == sched.get_last_lr() and type(other) is Named
