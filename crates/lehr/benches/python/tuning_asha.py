"""Ray Tune's ASHA scheduler, asked over standard input: the scheduler itself, without a cluster.

`PARTS`; then a JSON object a line: `{"seed": n}` (a new search), `{"add": n}`, `{"trial": n, "part": k, "loss": x}` (answers whether to stop it),
`{"complete": n, "part": k, "loss": x}`.
"""

import json
import sys

import numpy
from ray.tune.schedulers import AsyncHyperBandScheduler


class Trial:
    """As much of a trial as the scheduler looks at."""

    def __init__(self, number: int) -> None:
        self.trial_id = str(number)


def main() -> None:
    parts = int(sys.argv[1])
    trials: dict[int, Trial] = {}
    for line in sys.stdin:
        asked = json.loads(line)
        answer = {}
        if "seed" in asked:
            numpy.random.seed(asked["seed"])
            scheduler = AsyncHyperBandScheduler(
                time_attr="part", metric="loss", mode="min", max_t=parts, grace_period=1, reduction_factor=3
            )
            trials.clear()
        elif "add" in asked:
            trial = trials[asked["add"]] = Trial(asked["add"])
            scheduler.on_trial_add(None, trial)
        elif "trial" in asked:
            result = {"part": asked["part"], "loss": asked["loss"]}
            said = scheduler.on_trial_result(None, trials[asked["trial"]], result)
            answer = {"stop": said == AsyncHyperBandScheduler.STOP}
        else:
            result = {"part": asked["part"], "loss": asked["loss"]}
            scheduler.on_trial_complete(None, trials[asked["complete"]], result)
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
