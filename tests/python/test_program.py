"""The program itself, as a user starts it."""

import subprocess


def run(lehr, *arguments):
    return subprocess.run([lehr, *arguments], capture_output=True, text=True, timeout=60, stdin=subprocess.DEVNULL)


def test_version_names_the_program(lehr):
    done = run(lehr, "--version")
    assert done.returncode == 0
    assert done.stdout.startswith("lehr ")


def test_wrong_usage_is_exit_code_2_with_nothing_on_stdout(lehr):
    done = run(lehr, "no-such-verb")
    assert (done.returncode, done.stdout) == (2, "")
    assert "no-such-verb" in done.stderr
