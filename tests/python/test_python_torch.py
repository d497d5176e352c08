"""The Python package: an optimiser of torch driven by a Lehr schedule."""

import copy
import gc
import io
import itertools
import pickle
import warnings

import pytest
from support import need

torch = need("torch")

import lehr  # noqa: E402
from lehr.torch import scheduler  # noqa: E402

pytestmark = pytest.mark.filterwarnings("error")


def parameter():
    return torch.nn.Parameter(torch.zeros(2))


def sgd(*rates, **settings):
    return torch.optim.SGD([{"params": [parameter()], "lr": rate} for rate in rates], lr=0.1, **settings)


def run(optimizer, sched, steps):
    seen = []
    for _ in range(steps):
        seen.append([group["lr"] for group in optimizer.param_groups])
        optimizer.step()
        sched.step()
    return seen


@pytest.mark.parametrize("spec", ["warmup 10%, cosine to 0.1", "one-cycle", "restarts every 20 grow 2", "linear to lr 1e-4"])
def test_each_group_follows_the_schedule_at_its_own_peak(spec):
    peaks = [0.1, 0.02, 0.1]
    optimizer = sgd(*peaks)
    seen = run(optimizer, scheduler(optimizer, spec, steps=150), 160)
    for i, peak in enumerate(peaks):
        curve = lehr.schedule(spec, 150, peak=peak)
        assert [rates[i] for rates in seen] == curve.values(0, 160).tolist()


def test_it_is_an_lr_scheduler_of_torch():
    optimizer = sgd(0.1)
    sched = scheduler(optimizer, "linear", steps=10)
    assert isinstance(sched, torch.optim.lr_scheduler.LRScheduler)
    assert sched.get_last_lr() == [0.1] and sched.last_epoch == 0 and sched._step_count == 1
    optimizer.step()
    sched.step()
    assert sched.get_last_lr() == pytest.approx([0.09]) and sched.last_epoch == 1 and sched._step_count == 2
    assert sched.base_lrs == [0.1] and sched.total_steps == 10
    sched.get_last_lr().clear()
    optimizer.step()
    sched.step()
    assert sched.get_last_lr() == [optimizer.param_groups[0]["lr"]] == pytest.approx([0.08])


def test_peaks_of_all_kinds():
    optimizer = sgd(0.1, 0.2)
    assert scheduler(optimizer, "linear", steps=10, peak=1.0).get_last_lr() == [1.0, 1.0]
    assert scheduler(optimizer, "linear", steps=10, peak=[1.0, 2.0]).get_last_lr() == [1.0, 2.0]
    for bad, words in [([1.0], "1 peaks and 2"), (-1.0, "above 0"), (float("nan"), "above 0")]:
        with pytest.raises(ValueError, match=words):
            scheduler(sgd(0.1, 0.2), "linear", steps=10, peak=bad)


def test_wrong_use_has_a_clear_error():
    with pytest.raises(ValueError, match="steps=…"):
        scheduler(sgd(0.1), "linear")
    with pytest.raises(TypeError, match="not an Optimizer"):
        scheduler(torch.nn.Linear(1, 1), "linear", steps=10)
    with pytest.raises(ValueError, match="dropout.*it has: momentum"):
        scheduler(sgd(0.1), "linear with dropout from 0 to 1", steps=10)
    with pytest.raises(ValueError, match="parameter group `head`"):
        scheduler(sgd(0.1), "linear with group head by 0.1", steps=10)
    with pytest.raises(lehr.SpecError):
        scheduler(sgd(0.1), "linaer", steps=10)


def test_momentum_weight_decay_and_named_groups():
    spec = "linear with momentum from 0.95 to 0.85 with weight-decay from 0 to 0.1 with group head by 0.5"
    groups = [
        {"params": [parameter()], "name": "body"},
        {"params": [parameter()], "name": "head"},
        {"params": [parameter()], "name": "bias", "weight_decay": 0.0},
    ]
    for make in (
        lambda g: torch.optim.SGD(g, lr=1.0, momentum=0.9, weight_decay=0.1),
        lambda g: torch.optim.AdamW(g, lr=1.0, weight_decay=0.1),
    ):
        optimizer = make(copy.deepcopy(groups))
        sched = scheduler(optimizer, spec, steps=10)
        whole = lehr.schedule(spec, 10, peak=1.0)
        for t in range(12):
            body, head, bias = optimizer.param_groups
            assert (body["lr"], head["lr"]) == (whole.at(t), whole.at(t) * 0.5)
            momentum = body["momentum"] if "momentum" in body else body["betas"][0]
            assert momentum == whole.channels["momentum"].at(t)
            assert body["weight_decay"] == whole.channels["weight-decay"].at(t)
            assert bias["weight_decay"] == 0.0
            assert body.get("betas", (0, 0.999))[1] == 0.999
            optimizer.step()
            sched.step()


def test_rates_that_are_tensors_are_filled_in_place():
    rate = torch.tensor(0.1, dtype=torch.float64)
    optimizer = torch.optim.Adam([parameter()], lr=rate)
    sched = scheduler(optimizer, "linear", steps=10)
    assert sched.base_lrs[0] is not rate
    for t in range(5):
        assert optimizer.param_groups[0]["lr"] is rate and float(rate) == pytest.approx(0.1 * (1 - t / 10))
        optimizer.step()
        sched.step()
    assert float(optimizer.param_groups[0]["initial_lr"]) == 0.1


def save(*things):
    file = io.BytesIO()
    torch.save([thing.state_dict() for thing in things], file)
    file.seek(0)
    return torch.load(file, weights_only=True)


SPEC = "warmup 5, cosine to 0.1 with momentum from 0.9 to 0.8"


def interrupted():
    optimizer = sgd(0.1, 0.3, momentum=0.9)
    sched = scheduler(optimizer, SPEC, steps=40)
    run(optimizer, sched, 17)
    return save(optimizer, sched), run(optimizer, sched, 23)


@pytest.mark.parametrize("order", [o for o in itertools.permutations("oOS") if o.index("o") < o.index("O")])
@pytest.mark.parametrize("early", [False, True])
def test_resuming_is_exact_whatever_the_order(order, early):
    """o: load the optimiser; O, S stand for building the scheduler and loading it."""
    (saved_optimizer, saved), rest = interrupted()
    optimizer = sgd(0.1, 0.3, momentum=0.9)
    if early:
        optimizer.load_state_dict(saved_optimizer)
    sched = None
    for what in order:
        if what == "o":
            optimizer.load_state_dict(saved_optimizer)
        else:
            sched = sched or scheduler(optimizer, SPEC, steps=40)
            sched.load_state_dict(saved)
    assert run(optimizer, sched, 23) == rest


def test_resuming_without_the_optimisers_state():
    (_, saved), rest = interrupted()
    optimizer = sgd(0.1, 0.3, momentum=0.9)
    sched = scheduler(optimizer, SPEC, steps=40)
    sched.load_state_dict(saved)
    assert run(optimizer, sched, 23) == rest
    assert len(pickle.dumps(saved)) < 400


def test_last_epoch_resumes_too():
    (saved_optimizer, _), rest = interrupted()
    optimizer = sgd(0.1, 0.3, momentum=0.9)
    optimizer.load_state_dict(saved_optimizer)
    assert run(optimizer, scheduler(optimizer, SPEC, steps=40, last_epoch=16), 23) == rest
    with pytest.raises(KeyError, match="initial_lr"):
        scheduler(sgd(0.1), SPEC.split(" with")[0], steps=40, last_epoch=16)


def test_the_horizon_is_extended_out_loud():
    spec = "warmup 10, constant, linear 20%"
    optimizer = sgd(0.1)
    sched = scheduler(optimizer, spec, steps=100)
    run(optimizer, sched, 50)
    (saved,) = save(sched)
    optimizer = sgd(0.1)
    longer = scheduler(optimizer, spec, steps=200)
    longer.load_state_dict(saved)
    assert [rates[0] for rates in run(optimizer, longer, 150)] == lehr.schedule(spec, 200, peak=0.1).values(50).tolist()

    optimizer = sgd(0.1)
    sched = scheduler(optimizer, "cosine", steps=100)
    run(optimizer, sched, 90)
    (saved,) = save(sched)
    longer = scheduler(sgd(0.1), "cosine", steps=200)
    with pytest.warns(UserWarning, match="jumps up"):
        longer.load_state_dict(saved)
    assert longer.schedule.steps == 200 and longer.get_last_lr() == [lehr.schedule("cosine", 200, peak=0.1).at(90)]
    change = sched.extend(200)
    assert change.jumps and sched.get_last_lr() == longer.get_last_lr()
    other = scheduler(sgd(0.1), "linear", steps=100)
    with pytest.warns(UserWarning, match="from here on it is `linear`"):
        other.load_state_dict(saved)
    assert other.get_last_lr() == [lehr.schedule("linear", 100, peak=0.1).at(90)]


def test_states_that_do_not_fit_are_refused_and_lose_nothing():
    sched = scheduler(sgd(0.1), "linear", steps=10)
    for state, words in [
        ({}, "no `last_epoch`"),
        ({**sched.state_dict(), "lehr": 99}, "newer Lehr"),
        ({**sched.state_dict(), "peaks": [1.0, 2.0]}, "2 parameter groups"),
    ]:
        with pytest.raises(ValueError, match=words):
            sched.load_state_dict(state)
    assert sched.get_last_lr() == [0.1] and sched.last_epoch == 0
    other = torch.optim.lr_scheduler.LinearLR(sgd(0.1))
    other.last_epoch = 5
    with pytest.warns(UserWarning, match="another scheduler's"):
        sched.load_state_dict(other.state_dict())
    assert sched.get_last_lr() == [0.05]


def test_groups_that_are_added_later():
    optimizer = sgd(0.1)
    sched = scheduler(optimizer, "linear", steps=10)
    run(optimizer, sched, 3)
    optimizer.add_param_group({"params": [parameter()], "lr": 1.0})
    run(optimizer, sched, 2)
    assert sched.get_last_lr() == pytest.approx([0.05, 0.5]) and sched.base_lrs == [0.1, 1.0]


def test_pickles_copies_and_no_cycles():
    optimizer = sgd(0.1, 0.3, momentum=0.9)
    sched = scheduler(optimizer, SPEC, steps=40)
    run(optimizer, sched, 7)
    for other in (pickle.loads(pickle.dumps(sched)), copy.deepcopy(sched)):
        assert run(other.optimizer, other, 3) == run(*(lambda s: (s.optimizer, s))(copy.deepcopy(sched)), 3)
    gc.collect()
    gc.disable()
    try:
        import weakref

        gone = weakref.ref(sched)
        del sched, other
        assert gone() is None
    finally:
        gc.enable()


def test_torchs_warnings():
    sched = scheduler(sgd(0.1), "linear", steps=10)
    with pytest.warns(UserWarning, match=r"before `optimizer.step\(\)`") as caught:
        sched.step()
    assert caught[0].filename == __file__
    with pytest.warns(UserWarning, match="epoch parameter"):
        sched.step(5)
    assert sched.get_last_lr() == [0.05]
    sched.step()
    assert sched.get_last_lr() == pytest.approx([0.04])


def test_inside_torchs_sequence():
    optimizer = sgd(0.1)
    parts = [torch.optim.lr_scheduler.ConstantLR(optimizer, 0.5, 5), scheduler(optimizer, "linear", steps=10)]
    sched = torch.optim.lr_scheduler.SequentialLR(optimizer, parts, [5])
    seen = [rates[0] for rates in run(optimizer, sched, 10)]
    assert seen == pytest.approx([0.05] * 5 + [0.1, 0.09, 0.08, 0.07, 0.06])


def test_feedback_drives_an_optimiser():
    optimizer = sgd(0.1, 1.0)
    sched = scheduler(optimizer, "warmup 2, plateau by 0.5 patience 1", steps=100)
    losses = [9, 8, 3, 3, 3, 3, 3, 2]
    for loss in losses:
        optimizer.step()
        sched.step(torch.tensor(float(loss)))
    expected = lehr.schedule("warmup 2, plateau by 0.5 patience 1", 100)
    for t, loss in enumerate(losses):
        expected.observe(t, loss)
    assert sched.get_last_lr() == [0.1 * expected.at(8), expected.at(8)]
    (saved,) = save(sched)
    optimizer = sgd(0.1, 1.0)
    other = scheduler(optimizer, "warmup 2, plateau by 0.5 patience 1", steps=100)
    other.load_state_dict(saved)
    assert other.get_last_lr() == sched.get_last_lr() == [group["lr"] for group in optimizer.param_groups]
    sched.step()
    assert sched.observe(5.0).kind == "worse"


def test_a_model_is_trained_as_by_hand():
    torch.manual_seed(0)
    x, y = torch.randn(64, 3), torch.randn(64, 1)
    first = torch.nn.Linear(3, 1)
    second = copy.deepcopy(first)
    one = torch.optim.SGD(first.parameters(), lr=0.1)
    two = torch.optim.SGD(second.parameters(), lr=0.1)
    sched = scheduler(one, "warmup 10%, linear", steps=50)
    with warnings.catch_warnings():
        for t, rate in enumerate(lehr.schedule("warmup 10%, linear", 50, peak=0.1)):
            two.param_groups[0]["lr"] = rate
            for model, optimizer in ((first, one), (second, two)):
                optimizer.zero_grad()
                ((model(x) - y) ** 2).mean().backward()
                optimizer.step()
            sched.step()
    assert torch.equal(first.weight, second.weight)
