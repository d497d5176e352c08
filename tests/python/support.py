"""Helpers that test modules import."""

import importlib
import os

import pytest


def need(module):
    """Imports a heavy package. In the light environment, which lacks it, the whole module is skipped and says why;
    in the full one a failing import is a failure."""
    if os.environ.get("LEHR_LIGHT"):
        return pytest.importorskip(module, reason=f"{module} is left out by --light")
    return importlib.import_module(module)
