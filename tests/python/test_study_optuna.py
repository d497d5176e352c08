"""Lehr's studies opened by the real Optuna and its dashboard, and Optuna's by Lehr, in SQLite and in PostgreSQL."""

import io
import json
import math
import sqlite3
import subprocess
import time
import warnings

import optuna
import pytest
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.trial import TrialState, create_trial

optuna.logging.set_verbosity(optuna.logging.WARNING)
warnings.filterwarnings("ignore", category=optuna.exceptions.ExperimentalWarning)
inf, nan = float("inf"), float("nan")


class Lines:
    """Lehr's storage behind a pipe."""

    def __init__(self, program, url):
        self.process = subprocess.Popen(
            [program, url], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, encoding="utf-8"
        )

    def __call__(self, do, **command):
        self.process.stdin.write(json.dumps({"do": do, **command}) + "\n")
        self.process.stdin.flush()
        line = self.process.stdout.readline()
        assert line, "the program ended"
        answer = json.loads(line)
        if isinstance(answer, dict) and "error" in answer:
            raise RuntimeError(answer["error"])
        return answer

    def kill(self):
        self.process.kill()
        self.process.wait()

    def close(self):
        self.process.stdin.close()
        assert self.process.wait(timeout=60) == 0


@pytest.fixture
def lines(example, url):
    opened = []

    def start():
        opened.append(Lines(example("study_lines"), url))
        return opened[-1]

    yield start
    for session in opened:
        session.kill()


SPACE = (
    "x=-5.0..5.0, lr=log 1e-5..1, drop=0.0..0.5 step 0.1, layers=1..9 step 2, batch=log 1..512, "
    "opt=sgd|adamw|null|true|2|0.5, size=small<big"
)
DISTRIBUTIONS = {
    "x": FloatDistribution(-5, 5),
    "lr": FloatDistribution(1e-5, 1, log=True),
    "drop": FloatDistribution(0, 0.5, step=0.1),
    "layers": IntDistribution(1, 9, step=2),
    "batch": IntDistribution(1, 512, log=True),
    "opt": CategoricalDistribution(["sgd", "adamw", None, True, 2, 0.5]),
    "size": CategoricalDistribution(["small", "big"]),
}
PARAMS = {"x": -1.25, "lr": 0.003, "drop": 0.30000000000000004, "layers": 7, "batch": 512, "opt": None, "size": "big"}


def objective(trial):
    for name, d in DISTRIBUTIONS.items():
        if isinstance(d, CategoricalDistribution):
            trial.suggest_categorical(name, d.choices)
        elif isinstance(d, IntDistribution):
            trial.suggest_int(name, d.low, d.high, step=d.step, log=d.log)
        else:
            trial.suggest_float(name, d.low, d.high, step=d.step, log=d.log)
    for step in range(3):
        trial.report(10.0 - step, step)
    return trial.params["x"] ** 2


def test_optuna_loads_continues_and_finishes_a_study_of_lehr(lines, url):
    lehr = lines()
    lehr("create", study="s <b>'; DROP", space=SPACE)
    run = lehr("start", study="s <b>'; DROP", params={**PARAMS, "opt": True}, horizon=100)
    assert run["params"]["opt"] is True
    for step, value in [(10, 3.5), (20, "nan"), (30, "inf"), (40, "-inf"), (50, 1.5)]:
        lehr("report", run=0, step=step, value=value)
    lehr("finish", run=0, outcome="complete", value=0.1 + 0.2)
    for outcome, value in [("complete", "inf"), ("complete", "-inf"), ("complete", "nan"), ("pruned", None), ("failed", None)]:
        run = lehr("start", study="s <b>'; DROP", params=PARAMS)["run"]
        lehr("report", run=run, step=1, value=7.5)
        lehr("finish", run=run, outcome=outcome, value=value)
    lehr("enqueue", study="s <b>'; DROP", params={"x": 2.5, "opt": 0.5})
    lehr("attributes", study="s <b>'; DROP", set={"who": "üñí\x00", "n": [1, None]})
    lehr("attributes", study="s <b>'; DROP", trial=0, set={"note": "a\nb"})
    running = lehr("start", study="s <b>'; DROP", params=PARAMS)["run"]

    study = optuna.load_study(study_name="s <b>'; DROP", storage=url)
    trials = study.get_trials()
    states = [t.state.name for t in trials]
    assert states == ["COMPLETE"] * 3 + ["FAIL", "PRUNED", "FAIL", "WAITING", "RUNNING"]
    assert [t.number for t in trials] == list(range(8))
    first = trials[0]
    assert first.value == 0.1 + 0.2 and first.params == {**PARAMS, "opt": True}
    assert first.distributions == DISTRIBUTIONS
    steps = first.intermediate_values
    assert list(steps) == [10, 20, 30, 40, 50] and math.isnan(steps[20]) and (steps[30], steps[40]) == (inf, -inf)
    assert (trials[1].value, trials[2].value, trials[3].value, trials[4].value) == (inf, -inf, None, 7.5)
    assert first.datetime_start <= first.datetime_complete
    assert study.user_attrs == {"who": "üñí\x00", "n": [1, None]} and first.user_attrs == {"note": "a\nb"}
    assert trials[6].system_attrs["fixed_params"] == {"x": 2.5, "opt": 0.5}
    assert study.best_trial.number == 2 and study.direction == optuna.study.StudyDirection.MINIMIZE

    # It goes on, the enqueued trial first, and ends what Lehr has open.
    study.optimize(objective, n_trials=12)
    assert study.trials[6].params["x"] == 2.5 and study.trials[6].params["opt"] == 0.5
    assert len(study.trials) == 8 + 11
    study.tell(7, 4.5)
    with pytest.raises(RuntimeError, match="another program"):
        lehr("finish", run=running, outcome="complete", value=1.0)

    # And Lehr sees what Optuna did, and goes on itself.
    found = lehr("trials", study="s <b>'; DROP")
    assert [t["number"] for t in found] == list(range(19))
    for mine, theirs in zip(found, study.trials):
        assert mine["state"] == theirs.state.name
        assert mine["params"] == theirs.params or theirs.state is TrialState.FAIL
        assert [s for s, _ in mine["reports"]] == sorted(theirs.intermediate_values)
    for _ in range(4):
        run = lehr("ask", study="s <b>'; DROP", seed=3)["run"]
        lehr("finish", run=run, outcome="complete", value=1.0)
    assert len(study.get_trials(deepcopy=False)) == 23
    lehr.close()


def test_lehr_loads_and_continues_a_study_of_optuna(lines, url):
    study = optuna.create_study(study_name="theirs", storage=url, direction="maximize")
    study.set_user_attr("odd", [inf, -inf, nan, "Infinity"])
    study._storage.set_study_system_attr(study._study_id, "big", {"x": [1, {"y": inf}]})
    study.optimize(objective, n_trials=15)
    values = [0.5, inf, -inf]
    for value in values:
        study.add_trial(create_trial(value=value, params=PARAMS, distributions=DISTRIBUTIONS, user_attrs={"v": nan}))
    study.add_trial(create_trial(state=TrialState.PRUNED, params={}, distributions={}, intermediate_values={7: inf, 2: nan, 5: 1.0}))
    study.add_trial(create_trial(state=TrialState.FAIL, params={"x": 1.0}, distributions={"x": DISTRIBUTIONS["x"]}))
    odd = CategoricalDistribution([nan, inf, None, True, "a\n\"b"])
    study.add_trial(create_trial(value=1.0, params={"odd": inf}, distributions={"odd": odd}))
    study.enqueue_trial({"x": 4.5, "opt": "sgd"}, user_attrs={"from": "optuna"})
    asked = study.ask(DISTRIBUTIONS)
    asked.report(1.0, 3)
    open_trial = study.ask()

    lehr = lines()
    found = lehr("trials", study="theirs")
    for mine, theirs in zip(found, study.trials, strict=True):
        assert (mine["number"], mine["state"]) == (theirs.number, theirs.state.name)
        if theirs.state is not TrialState.WAITING and theirs.number != 20:
            assert mine["params"] == theirs.params
        assert [float(v) for v in mine["values"]] == (theirs.values or [])
        theirs_reports = sorted(theirs.intermediate_values.items())
        assert [s for s, _ in mine["reports"]] == [s for s, _ in theirs_reports]
        for (_, a), (_, b) in zip(mine["reports"], theirs_reports):
            assert float(a) == b or math.isnan(float(a)) and math.isnan(b)
    assert found[20]["params"]["odd"] == "inf"
    assert lehr("attributes", study="theirs") == {"odd": ["Infinity", "-Infinity", "NaN", "Infinity"]}
    assert lehr("attributes", study="theirs", kind="system")["big"] == {"x": [1, {"y": "Infinity"}]}
    assert lehr("attributes", study="theirs", trial=15) == {"v": "NaN"}

    lehr("create", study="theirs", space=SPACE, direction="maximize")
    history = lehr("history", study="theirs")
    # 21 was enqueued: the first question took it. Reports of Optuna's trials count at their end.
    assert history["trials"] == len(found) and set(history["pending"]) == {21, 22}
    for _ in range(5):
        run = lehr("ask", study="theirs", seed=1)
        lehr("report", run=run["run"], step=1, value=0.5)
        lehr("finish", run=run["run"], outcome="complete", value=0.25)
    study.tell(asked, 1.5)
    study.tell(open_trial, state=TrialState.FAIL)
    reloaded = optuna.load_study(study_name="theirs", storage=url)
    assert [t.number for t in reloaded.trials] == list(range(23 + 5))
    assert reloaded.trials[-1].value == 0.25 and reloaded.trials[-1].params.keys() == DISTRIBUTIONS.keys()
    assert lehr("trials", study="theirs")[21]["state"] != "WAITING"
    lehr.close()


def test_several_runs_of_a_trial_read_as_multi_fidelity(lines, url):
    lehr = lines()
    lehr("create", study="runs", space="x=0.0..1.0")
    lehr("start", study="runs", params={"x": 0.5}, horizon=100)
    lehr("report", run=0, step=50, value=9.0)
    lehr("finish", run=0, outcome="complete", value=4.0, open=True)
    lehr("again", study="runs", trial=0, horizon=400)
    lehr("report", run=1, step=200, value=8.0)
    lehr("finish", run=1, outcome="complete", value=2.0, open=True)
    study = optuna.load_study(study_name="runs", storage=url)
    assert study.trials[0].state is TrialState.RUNNING
    assert study.trials[0].intermediate_values == {100: 4.0, 400: 2.0}
    lehr("close", study="runs", trial=0)
    study = optuna.load_study(study_name="runs", storage=url)
    assert study.trials[0].state is TrialState.PRUNED and study.trials[0].value == 2.0


def test_dead_workers_are_found_by_either_and_retried_as_optuna_does(lines, url):
    lehr = lines()
    lehr("create", study="dead", space="x=0.0..1.0")
    run = lehr("start", study="dead", params={"x": 0.5})["run"]
    lehr("report", run=run, step=1, value=0.5)
    time.sleep(1.5)  # reports are written within a second
    storage = optuna.storages.RDBStorage(
        url,
        heartbeat_interval=1,
        grace_period=2,
        heartbeat_stale_trial_callback=optuna.storages.RetryHeartbeatStaleTrialCallback(max_retry=1),
    )
    study = optuna.load_study(study_name="dead", storage=storage)
    assert study.trials[0].intermediate_values == {1: 0.5}
    lehr.kill()
    time.sleep(3.5)
    optuna.storages.fail_stale_trials(study)
    assert [t.state.name for t in study.trials] == ["FAIL", "WAITING"]
    lehr = lines()
    run = lehr("ask", study="dead", seed=1)
    assert run["trial"] == 1 and run["params"] == {"x": 0.5}
    lehr("drop", run=run["run"])
    time.sleep(1.5)
    assert lehr("stale", study="dead", grace=1, retries=5) == [{"trial": 1, "retry": 2}]
    system = optuna.load_study(study_name="dead", storage=url).trials[2].system_attrs
    assert system["failed_trial"] == 0 and system["retry_history"] == [0, 1]
    # A trial of Optuna whose worker died.
    trial = study.ask()
    storage.record_heartbeat(trial._trial_id)
    time.sleep(1.5)
    assert lehr("stale", study="dead", grace=1, retries=0) == [{"trial": trial.number, "retry": None}]


def test_what_optuna_deletes_leaves_nothing_of_lehr_behind(lines, url):
    lehr = lines()
    for _ in range(2):
        lehr("create", study="gone", space="x=0.0..1.0")
        run = lehr("start", study="gone", params={"x": 0.5})
        assert run["trial"] == 0 and run["run"] == 0
        lehr("finish", run=0, outcome="complete", value=1.0)
        optuna.delete_study(study_name="gone", storage=url)
    lehr("create", study="gone", space="x=0.0..1.0")
    assert lehr("trials", study="gone") == []
    lehr("delete", study="gone")
    assert optuna.get_all_study_names(url) == []


def test_a_study_that_was_killed_is_whole(lines, url):
    lehr = lines()
    lehr("create", study="killed", space="x=0.0..1.0")
    for number in range(20):
        run = lehr("start", study="killed", params={"x": 0.5})["run"]
        lehr("finish", run=run, outcome="complete", value=float(number))
    lehr.kill()
    assert [t.value for t in optuna.load_study(study_name="killed", storage=url).trials] == list(range(20))


def test_the_dashboard_serves_a_study_of_lehr(lines, url):
    from optuna_dashboard import wsgi

    lehr = lines()
    lehr("create", study="<script>alert(1)</script>", space=SPACE)
    for value in [3.0, 2.0, "inf"]:
        run = lehr("start", study="<script>alert(1)</script>", params=PARAMS)["run"]
        lehr("report", run=run, step=5, value=value)
        lehr("finish", run=run, outcome="complete", value=value)
    lehr("start", study="<script>alert(1)</script>", params=PARAMS)
    app = wsgi(url)

    def get(path):
        status = []
        environ = {
            "REQUEST_METHOD": "GET", "PATH_INFO": path, "QUERY_STRING": "", "SERVER_NAME": "localhost",
            "SERVER_PORT": "80", "wsgi.input": io.BytesIO(), "wsgi.errors": io.StringIO(), "wsgi.url_scheme": "http",
        }  # fmt: skip
        body = b"".join(app(environ, lambda line, _headers, _exc=None: status.append(line)))
        assert status[0].startswith("200"), (status, body[:500])
        return json.loads(body)

    studies = get("/api/studies")["study_summaries"]
    assert [s["study_name"] for s in studies] == ["<script>alert(1)</script>"]
    study = get(f"/api/studies/{studies[0]['study_id']}")
    assert [t["state"] for t in study["trials"]] == ["Complete"] * 3 + ["Running"]
    assert study["trials"][0]["values"] == [3.0]
    assert {p["name"] for p in study["trials"][0]["params"]} == set(DISTRIBUTIONS)


def test_a_database_of_another_revision_is_refused_and_left_alone(example, tmp_path):
    path = tmp_path / "old.db"
    optuna.create_study(study_name="old", storage=f"sqlite:///{path}")
    connection = sqlite3.connect(path)
    connection.execute("UPDATE alembic_version SET version_num = 'v9.9.9.z'")
    connection.commit()
    tables = connection.execute("SELECT name FROM sqlite_master").fetchall()
    done = subprocess.run([example("study_lines"), f"sqlite:///{path}"], capture_output=True, text=True, timeout=60)
    assert done.returncode != 0 and "v9.9.9.z" in done.stderr and "v3.2.0.a" in done.stderr
    assert connection.execute("SELECT name FROM sqlite_master").fetchall() == tables
