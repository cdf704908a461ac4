"""Ending the processes that tests start."""

import signal
import subprocess


def end(process: subprocess.Popen, seconds: float = 15):
    """Terminates a process, and kills it if it still runs after `seconds`. Drains its pipes."""
    if process.poll() is None:
        process.send_signal(signal.SIGTERM)
    try:
        process.communicate(timeout=seconds)
    except subprocess.TimeoutExpired:
        process.kill()
        process.communicate()
