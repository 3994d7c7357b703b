"""Processes that end with this one: each is ended by its own id, whatever happens."""

import json
import os
import signal
import subprocess
import threading

GRACE = 5  # seconds to end by itself


class Processes:
    """A `with` block at whose end everything started in it is gone."""

    def __init__(self, logs):
        self.logs = logs
        self.started = []

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for process in reversed(self.started):
            end(process)

    def server(self, name, command, **options):
        """Starts one that prints a line of JSON as soon as it listens; that line."""
        log = open(self.logs / f"{name}.log", "wb")
        process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, start_new_session=True, **options
        )
        self.started.append(process)
        timer = threading.Timer(60, end, [process])
        timer.start()
        line = process.stdout.readline()
        timer.cancel()
        if not line:
            raise RuntimeError(f"{name} did not start; see {log.name}")
        threading.Thread(target=drain, args=[process.stdout, log], daemon=True).start()
        return json.loads(line)

    def stop(self, pid):
        """Ends one of them now."""
        for process in self.started:
            if process.pid == pid:
                end(process)


def drain(stream, log):
    for line in stream:
        log.write(line)


def run(command, seconds, **options):
    """Runs one to its end, at most so long; its exit code, output and errors. -1: it took too long."""
    process = subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True,
        **options,
    )
    try:
        out, err = process.communicate(timeout=seconds)
        return process.returncode, out.decode(errors="replace"), err.decode(errors="replace")
    except subprocess.TimeoutExpired:
        end(process)
        out, err = process.communicate()
        return -1, out.decode(errors="replace"), err.decode(errors="replace")
    except BaseException:
        end(process)
        raise
    finally:
        group_gone(process)


def end(process):
    """Politely, then not: it and what it started (each has a process group of its own)."""
    if process.stdin and not process.stdin.closed:
        try:
            process.stdin.close()  # our own servers take this as the end
        except OSError:
            pass
    if process.poll() is None:
        try:
            process.wait(timeout=1 if process.stdin else 0)
        except subprocess.TimeoutExpired:
            signal_group(process, signal.SIGTERM)
            try:
                process.wait(timeout=GRACE)
            except subprocess.TimeoutExpired:
                pass
    group_gone(process)
    process.wait()


def group_gone(process):
    signal_group(process, signal.SIGKILL)


def signal_group(process, number):
    try:
        os.killpg(process.pid, number)
    except (ProcessLookupError, PermissionError):
        pass
