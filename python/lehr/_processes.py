"""Processes that work side by side, and end with the one that started them."""

from __future__ import annotations

import contextlib
import multiprocessing
import multiprocessing.connection
import os
import pickle
import signal
import sys
import threading
import traceback
from typing import Any, Callable, Iterator

from . import _core

Tell = Callable[[str], None]


def in_processes(count: int, work: Callable, arguments: tuple, tell: Tell) -> None:
    """Runs ``work(tell, stop, *arguments)`` in so many processes until all have ended.

    What they tell is told here. If one fails, the others end after what they are at, and its exception is raised; if this
    process is interrupted, they are. They do not outlive this process.
    """
    # Functions of notebooks and scripts cannot be pickled, so processes are forked where that can be done.
    can_fork = "fork" in multiprocessing.get_all_start_methods() and sys.platform != "darwin"
    context = multiprocessing.get_context("fork" if can_fork else "spawn")
    stop = context.Event()
    channels, processes = [], []
    for _ in range(count):
        here, there = context.Pipe()
        process = context.Process(target=_child, args=(work, arguments, stop, there))
        process.start()
        there.close()
        channels.append(here)
        processes.append(process)
    failure: list[BaseException] = []
    done, interrupted = 0, False
    try:
        while channels:
            # With a limit, for the same reason as below.
            for channel in multiprocessing.connection.wait(channels, 1):
                try:
                    kind, what = channel.recv()
                except EOFError:
                    channels.remove(channel)
                    continue
                if kind == "told":
                    tell(what)
                elif kind == "failed":
                    failure.append(what)
                    stop.set()
                else:
                    done += 1
    except BaseException:
        interrupted = True
        raise
    finally:
        # A signal that comes right before a process goes to sleep is seen only when it wakes: it is sent until it is heard.
        while interrupted and (alive := [process for process in processes if process.is_alive()]):
            for process in alive:
                os.kill(process.pid, signal.SIGINT)
            alive[0].join(0.5)
        for process in processes:
            process.join()
    if failure:
        raise failure[0]
    if done == 0:
        codes = ", ".join(str(process.exitcode) for process in processes)
        raise _core.LehrError(f"all {count} processes have died (exit codes {codes}); the study is kept, call again to go on")
    if done < count:
        tell(f"{count - done} of {count} processes have died; the others did their part")


def _child(work: Callable, arguments: tuple, stop: Any, channel: Any) -> None:
    parent = multiprocessing.parent_process()
    signal.signal(signal.SIGINT, _once)
    threading.Thread(target=_end_with, args=(parent,), daemon=True).start()
    try:
        work(lambda line: channel.send(("told", line)), stop.is_set, *arguments)
        channel.send(("done", None))
    except KeyboardInterrupt:
        pass
    except BaseException as why:  # noqa: BLE001 - handed on to the parent
        channel.send(("failed", _portable(why)))


def _end_with(parent: Any) -> None:
    multiprocessing.connection.wait([parent.sentinel])
    # Killed, or it would have waited for this one: nobody is there any more to be told anything.
    os._exit(1)


# Whether this process was interrupted, and whether that may be raised where it is.
_interrupted = _open = False


def _once(number: int, frame: Any) -> None:
    # A terminal tells the whole group, and the parent tells its children as well.
    global _interrupted
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    _interrupted = True
    if _open:
        raise KeyboardInterrupt


def check() -> None:
    """Raises what :func:`interruptible` did not let through."""
    if _interrupted:
        raise KeyboardInterrupt


@contextlib.contextmanager
def interruptible() -> Iterator[None]:
    """Lets an interrupt through. In a process of ours it waits otherwise, so that no trial is lost between being claimed and
    being trained."""
    global _open
    _open = True
    try:
        check()
        yield
    finally:
        _open = False


def _portable(why: BaseException) -> BaseException:
    """The exception if it can be sent, with where it was raised; otherwise one that says the same."""
    said = "".join(traceback.format_exception(why))
    try:
        pickle.loads(pickle.dumps(why))
    except Exception:  # noqa: BLE001 - whatever a foreign class does
        return RuntimeError(said)
    if hasattr(why, "add_note"):
        why.add_note(f"in a process of its own:\n{said}")
    return why
