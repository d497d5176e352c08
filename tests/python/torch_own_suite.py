"""Runs torch's own tests of its schedulers against the drop-in classes.

    PYTHONPATH="$(cargo xtask package)" "$(cargo xtask venv)" tests/python/torch_own_suite.py FILE

FILE is `test/optim/test_lrscheduler.py` out of torch's repository, which its wheel does not bring; it needs the package
`expecttest`. No test module: it does nothing by itself.
"""

import importlib.util
import sys
import unittest

import torch
from torch.optim import lr_scheduler as theirs

import lehr.torch as ours


def main(path: str) -> int:
    names = [name for name in ours.__all__ if name in vars(theirs) and issubclass(getattr(ours, name), theirs.LRScheduler)]
    # The suite imports the classes by name, and sometimes writes the path of torch's out.
    for name in names:
        setattr(theirs, name, getattr(ours, name))
    spec = importlib.util.spec_from_file_location("torch_own_suite_tests", path)
    module = sys.modules[spec.name] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    print(f"torch {torch.__version__}: {len(names)} classes are Lehr's", file=sys.stderr)
    cases = [case for case in vars(module).values() if isinstance(case, type) and issubclass(case, unittest.TestCase)]
    load = unittest.defaultTestLoader.loadTestsFromTestCase
    tests = unittest.TestSuite(load(case) for case in cases if case.__module__ == module.__name__)
    done = unittest.TextTestRunner().run(tests)
    return 0 if done.wasSuccessful() else 1


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
