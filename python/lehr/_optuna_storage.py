"""Lehr's storage behind Optuna's interface; :class:`lehr.optuna.Storage`."""

from __future__ import annotations

import copy
import functools
import json
import threading
import uuid
import weakref
from collections.abc import Callable, Container, Sequence
from datetime import datetime, timedelta, timezone
from typing import Any

from optuna.distributions import BaseDistribution, distribution_to_json, json_to_distribution
from optuna.storages import BaseStorage
from optuna.storages._base import DEFAULT_STUDY_NAME_PREFIX
from optuna.storages._heartbeat import BaseHeartbeat
from optuna.study import Study, StudyDirection
from optuna.study._frozen import FrozenStudy
from optuna.trial import FrozenTrial, TrialState

from . import _core

_EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)
_MICROSECOND = timedelta(microseconds=1)
_MEMORIES: weakref.WeakValueDictionary[str, _core.Storage] = weakref.WeakValueDictionary()
"""The storages in the memory of this process, which a pickled one comes back to."""


def _moment(micros: int | None) -> datetime | None:
    # Optuna's moments are local and say nothing of their time zone.
    return None if micros is None else (_EPOCH + micros * _MICROSECOND).astimezone().replace(tzinfo=None)


def _micros(moment: datetime | None) -> int | None:
    return None if moment is None else (moment.astimezone(timezone.utc) - _EPOCH) // _MICROSECOND


@functools.lru_cache(maxsize=1024)
def _distribution(text: str) -> BaseDistribution:
    return json_to_distribution(text)


def _attributes(pairs: list[tuple[str, str]]) -> dict[str, Any]:
    return {key: json.loads(text) for key, text in pairs}


def _texts(attributes: dict[str, Any]) -> list[tuple[str, str]]:
    return [(key, json.dumps(value)) for key, value in attributes.items()]


def _frozen(given: tuple) -> FrozenTrial:
    trial_id, number, state, values, params, user, system, reports, started, ended = given
    distributions = {name: _distribution(text) for name, _, text in params}
    return FrozenTrial(
        number=number,
        state=TrialState[state],
        value=None,
        values=values or None,
        datetime_start=_moment(started),
        datetime_complete=_moment(ended),
        params={name: distributions[name].to_external_repr(raw) for name, raw, _ in params},
        distributions=distributions,
        user_attrs=_attributes(user),
        system_attrs=_attributes(system),
        intermediate_values=dict(reports),
        trial_id=trial_id,
    )


def _given(trial: FrozenTrial) -> tuple:
    params = [
        (name, float(distribution.to_internal_repr(trial.params[name])), distribution_to_json(distribution))
        for name, distribution in trial.distributions.items()
    ]
    return (
        0,
        0,
        trial.state.name,
        [float(value) for value in trial.values or ()],
        params,
        _texts(trial.user_attrs),
        _texts(trial.system_attrs),
        [(step, float(value)) for step, value in trial.intermediate_values.items()],
        _micros(trial.datetime_start),
        _micros(trial.datetime_complete),
    )


class _Read:
    """What was read of a study: trials that have ended are not read again."""

    def __init__(self) -> None:
        self.trials: list[FrozenTrial] = []
        self.places: dict[int, int] = {}
        self.open: set[int] = set()

    def take(self, given: list[tuple]) -> None:
        for trial in map(_frozen, given):
            place = self.places.setdefault(trial._trial_id, len(self.trials))
            self.trials[place : place + 1] = [trial]
            (self.open.discard if trial.state.is_finished() else self.open.add)(trial._trial_id)


class Storage(BaseStorage, BaseHeartbeat):
    """Lehr's storage for Optuna: `sqlite:///study.db`, `postgresql://user:password@host/database` or `memory:`.

    What is on disk is Optuna's own format, so `RDBStorage`, the dashboard and `lehr` open the same studies. A trial that
    waits is given to one worker only and numbers are dense, on SQLite as well; the end of a trial waits for the disk.

    With ``heartbeat_interval`` (seconds) running trials give signs of life; one that gave none for ``grace_period`` seconds
    (twice the interval unless given) is failed when the next trial starts, and handed to ``heartbeat_stale_trial_callback``.
    """

    def __init__(
        self,
        url: str,
        *,
        heartbeat_interval: int | None = None,
        grace_period: int | None = None,
        heartbeat_stale_trial_callback: Callable[[Study, FrozenTrial], None] | None = None,
    ) -> None:
        for name, seconds in (("heartbeat_interval", heartbeat_interval), ("grace_period", grace_period)):
            if seconds is not None and seconds <= 0:
                raise _core.LehrError(f"{name} must be positive, not {seconds}")
        self._url = url
        self._interval, self._grace, self._callback = heartbeat_interval, grace_period, heartbeat_stale_trial_callback
        self._memory: str | None = None
        self._open()

    def _open(self) -> None:
        held = _MEMORIES.get(self._memory) if self._memory is not None else None
        if self._memory is not None and held is None:
            raise _core.LehrError("a storage in memory cannot be taken to another process; use a file or a server")
        self._core = _core.Storage(self._url) if held is None else held
        if self._memory is None and self._core.url == "memory:":
            self._memory = uuid.uuid4().hex
            _MEMORIES[self._memory] = self._core
        self._read: dict[int, _Read] = {}
        self._lock = threading.Lock()

    def __getstate__(self) -> dict[str, Any]:
        return {key: value for key, value in self.__dict__.items() if key not in ("_core", "_read", "_lock")}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._open()

    def __repr__(self) -> str:
        return f"lehr.optuna.Storage({self._core.url!r})"

    # Studies

    def create_new_study(self, directions: Sequence[StudyDirection], study_name: str | None = None) -> int:
        """Makes a study and returns its id."""
        name = f"{DEFAULT_STUDY_NAME_PREFIX}{uuid.uuid4()}" if study_name is None else study_name
        return self._core.create_study(name, [direction == StudyDirection.MAXIMIZE for direction in directions])

    def delete_study(self, study_id: int) -> None:
        """Removes a study and everything in it."""
        with self._lock:
            self._core.delete_study(study_id)
            self._read.pop(study_id, None)

    def set_study_user_attr(self, study_id: int, key: str, value: Any) -> None:
        """Sets an attribute of the user's."""
        self._core.set_study_attribute(study_id, True, key, json.dumps(value))

    def set_study_system_attr(self, study_id: int, key: str, value: Any) -> None:
        """Sets an attribute of Optuna's."""
        self._core.set_study_attribute(study_id, False, key, json.dumps(value))

    def get_study_id_from_name(self, study_name: str) -> int:
        """The id of the study of that name."""
        return self._core.study_id(study_name)

    def get_study_name_from_id(self, study_id: int) -> str:
        """The name of a study."""
        return self._core.studies(study_id)[0][1]

    def get_study_directions(self, study_id: int) -> list[StudyDirection]:
        """What a study minimises or maximises."""
        return _directions(self._core.studies(study_id)[0])

    def get_study_user_attrs(self, study_id: int) -> dict[str, Any]:
        """The attributes of the user's."""
        return _attributes(self._core.studies(study_id)[0][3])

    def get_study_system_attrs(self, study_id: int) -> dict[str, Any]:
        """The attributes of Optuna's; those that begin with ``lehr:`` are Lehr's."""
        return _attributes(self._core.studies(study_id)[0][4])

    def get_all_studies(self) -> list[FrozenStudy]:
        """All studies by id."""
        return [
            FrozenStudy(
                study_name=study[1],
                direction=None,
                directions=_directions(study),
                user_attrs=_attributes(study[3]),
                system_attrs=_attributes(study[4]),
                study_id=study[0],
            )
            for study in self._core.studies()
        ]

    # Trials

    def create_new_trial(self, study_id: int, template_trial: FrozenTrial | None = None) -> int:
        """Adds a trial and returns its id."""
        if template_trial is None:
            return self._core.create_trial(study_id, (0, 0, "RUNNING", [], [], [], [], [], None, None))
        return self._core.create_trial(study_id, _given(template_trial))

    def set_trial_param(
        self, trial_id: int, param_name: str, param_value_internal: float, distribution: BaseDistribution
    ) -> None:
        """Sets a parameter."""
        self._core.set_param(trial_id, param_name, float(param_value_internal), distribution_to_json(distribution))

    def set_trial_state_values(
        self, trial_id: int, state: TrialState, values: Sequence[float] | None = None
    ) -> bool:
        """Sets state and values; False if a running trial was to be started."""
        given = None if values is None else [float(value) for value in values]
        return self._core.set_state(trial_id, state.name, given)

    def set_trial_intermediate_value(self, trial_id: int, step: int, intermediate_value: float) -> None:
        """Sets the value of a step."""
        self._core.set_report(trial_id, step, float(intermediate_value))

    def set_trial_user_attr(self, trial_id: int, key: str, value: Any) -> None:
        """Sets an attribute of the user's."""
        self._core.set_trial_attribute(trial_id, True, key, json.dumps(value))

    def set_trial_system_attr(self, trial_id: int, key: str, value: Any) -> None:
        """Sets an attribute of Optuna's."""
        self._core.set_trial_attribute(trial_id, False, key, json.dumps(value))

    def get_trial(self, trial_id: int) -> FrozenTrial:
        """One trial."""
        return _frozen(self._core.trial(trial_id))

    def get_all_trials(
        self, study_id: int, deepcopy: bool = True, states: Container[TrialState] | None = None
    ) -> list[FrozenTrial]:
        """The trials of a study by number."""
        with self._lock:
            read = self._read.setdefault(study_id, _Read())
            after = read.trials[-1]._trial_id if read.trials else -1
            try:
                read.take(self._core.trials(study_id, after, sorted(read.open)))
            except KeyError:
                self._read.pop(study_id, None)
                raise
            trials = [trial for trial in read.trials if states is None or trial.state in states]
        return copy.deepcopy(trials) if deepcopy else trials

    # Signs of life

    def record_heartbeat(self, trial_id: int) -> None:
        """Gives a sign of life."""
        self._core.sign(trial_id)

    def _get_stale_trial_ids(self, study_id: int) -> list[int]:
        grace = self._grace if self._grace is not None else 2 * (self._interval or 0)
        return self._core.stale(study_id, float(grace))

    def get_heartbeat_interval(self) -> int | None:
        """The seconds between two signs of life."""
        return self._interval

    def get_heartbeat_stale_trial_callback(self) -> Callable[[Study, FrozenTrial], None] | None:
        """What is called with a trial whose worker died."""
        return self._callback


def _directions(study: tuple) -> list[StudyDirection]:
    return [StudyDirection.MAXIMIZE if maximize else StudyDirection.MINIMIZE for maximize in study[2]]
