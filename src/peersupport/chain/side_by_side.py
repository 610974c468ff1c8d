"""Which notebook waits for which, and work in processes side by side that keeps to such an order."""

import ast
import multiprocessing
import re
import signal
from contextlib import suppress
from multiprocessing.connection import wait
from pathlib import PurePath

WRITES = ("write", "to_")  # how the names of calls that write a file begin
FILE_NAME = re.compile(r"[\w./-]+\.[a-z]+")
TOGETHER = multiprocessing.get_context("fork")  # a new process has all modules at once


class Ended(Exception):
    """A process that came to its end without a word, as when the system stops it."""


def forerunners(scripts):
    """Name to the names that it waits for: the first notebook, and each earlier one that writes a file it names."""
    waits, written = {}, {}
    for script in scripts:
        names, here = file_names(script)
        waits[script.stem] = {*list(waits)[:1]} | {other for other, files in written.items() if files & names}
        written[script.stem] = here
    return waits


def file_names(script):
    """The file names that a text holds, and those of them in calls that write."""
    tree = ast.parse(script.read_text("utf-8"))
    writing = [n for n in ast.walk(tree) if isinstance(n, ast.Call) and called(n).startswith(WRITES)]
    return names_below(tree), set().union(*map(names_below, writing))


def called(call):
    return getattr(call.func, "attr", getattr(call.func, "id", ""))


def names_below(tree):
    constants = (node.value for node in ast.walk(tree) if isinstance(node, ast.Constant))
    texts = (value for value in constants if isinstance(value, str))
    return {PurePath(text).name for text in texts if FILE_NAME.fullmatch(text)}


def run_in_order(waits, work, at_once):
    """Calls work(name) in a process of its own for each name, once all that it waits for have ended.

    Yields each name with what work gave, as it ends. What work raises is raised here, and stops the others.
    """
    left, running = dict(waits), {}
    try:
        while left or running:
            unfinished = left.keys() | {name for name, _ in running.values()}
            free = [name for name, others in left.items() if not others & unfinished]
            for name in free[: at_once - len(running)]:
                receiver, process = start(work, name)
                running[receiver] = name, process
                del left[name]
            for receiver in wait(running):
                name, process = running.pop(receiver)
                yield name, answer(name, receiver, process)
    finally:
        for _, process in running.values():
            process.terminate()
        for _, process in running.values():
            process.join()


def start(work, name):
    receiver, sender = TOGETHER.Pipe(duplex=False)
    process = TOGETHER.Process(target=attempt, args=(work, name, sender), daemon=True)
    process.start()
    sender.close()
    return receiver, process


def attempt(work, name, sender):
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # whoever started it has the last word on an interruption
    try:
        word = work(name), None
    except Exception as error:
        word = None, error
    with suppress(OSError):  # nobody is there any more
        sender.send(word)


def answer(name, receiver, process):
    try:
        given, error = receiver.recv()
    except EOFError:
        process.join()
        raise Ended(f"{name} was stopped from outside ({process.exitcode}).") from None
    process.join()
    if error:
        raise error
    return given
