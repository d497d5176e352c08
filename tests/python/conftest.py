"""What every Python test may use. `cargo xtask test` sets the environment; a bare `pytest` finds a debug build."""

import os
import subprocess
import time
from pathlib import Path

# Before any test imports them: Keras on torch (on JAX its cosine is float32 whatever its float type), JAX in double
# precision and on the CPU, no call to a model hub.
os.environ.setdefault("KERAS_BACKEND", "torch")
os.environ.setdefault("JAX_ENABLE_X64", "1")
os.environ.setdefault("JAX_PLATFORMS", "cpu")
os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("OMP_NUM_THREADS", "2")

import pytest  # noqa: E402

ROOT = Path(__file__).resolve().parents[2]
EXE = ".exe" if os.name == "nt" else ""


@pytest.fixture(scope="session")
def lehr():
    """The path of the program `lehr`."""
    return _program(os.environ.get("LEHR_BIN"), ROOT / "target" / "debug" / f"lehr{EXE}")


@pytest.fixture(scope="session")
def example():
    """A function from the name of a Rust example to the path of its program."""
    folder = Path(os.environ.get("LEHR_EXAMPLES", ROOT / "target" / "debug" / "examples"))
    return lambda name: _program(None, folder / f"{name}{EXE}")


@pytest.fixture(scope="session")
def shared_data():
    """A function from a path to real data, such as `a9a/a9a`; without the data the test is skipped and says so."""

    def find(name):
        path = ROOT / ".." / "shared" / "data" / name
        if not path.exists():
            pytest.skip(f"the real data {name} is not in ../shared/data")
        return path.resolve()

    return find


@pytest.fixture(scope="session")
def server(example):
    """The URL of a PostgreSQL server of one's own."""
    process = subprocess.Popen(
        [example("postgresql_server")], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    yield process.stdout.readline().strip()
    process.stdin.close()
    process.wait(timeout=60)


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request, tmp_path):
    """The URL of a new database, in SQLite and on a server."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/study.db"
    base = request.getfixturevalue("server")
    if base.startswith("skip: "):
        pytest.skip(base.removeprefix("skip: "))
    import psycopg2

    # A database for each test.
    name = "t" + str(time.time_ns())
    connection = psycopg2.connect(base)
    connection.autocommit = True
    connection.cursor().execute(f"CREATE DATABASE {name}")
    connection.close()
    return base.replace("postgresql:", "postgresql+psycopg2:").rsplit("/", 1)[0] + "/" + name


def _program(given, otherwise):
    path = Path(given) if given else otherwise
    assert path.exists(), f"{path} is not built: run `cargo xtask test --no-rust`, or `cargo build --bins --examples`"
    return path
