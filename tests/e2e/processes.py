"""How tests end what they have started."""

import signal
import subprocess


def end(process: subprocess.Popen, seconds: float = 15):
    """Asks a process to end, if it still runs, and kills it if it has not within `seconds`. Reads its pipes to their end."""
    if process.poll() is None:
        process.send_signal(signal.SIGTERM)
    try:
        process.communicate(timeout=seconds)
    except subprocess.TimeoutExpired:
        process.kill()
        process.communicate()
