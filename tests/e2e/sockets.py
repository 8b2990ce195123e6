"""The TCP sockets of a process while it runs."""
import contextlib
import os
import pathlib
import subprocess

ESTABLISHED, CLOSE_WAIT = "01", "08"


def sockets_of(process):
    """The states of a process's TCP sockets as /proc/net/tcp numbers them."""
    own = set()
    try:
        for name in os.listdir(f"/proc/{process}/fd"):
            try:
                own.add(os.readlink(f"/proc/{process}/fd/{name}"))
            except OSError:
                pass
    except OSError:
        return []
    lines = pathlib.Path("/proc/net/tcp").read_text().splitlines()[1:]
    return [line.split()[3] for line in lines if f"socket:[{line.split()[9]}]" in own]


class Watch:
    """Looks at a process's sockets five times a second until it ends."""

    def __init__(self, process):
        self.seen = []
        while process.poll() is None:
            self.seen.append(sockets_of(process.pid))
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(timeout=0.2)

    def close_wait_that_stays(self, forgiven=2):
        """Numbers of sockets in CLOSE_WAIT that two looks in a row found. For the instant between the peer's FIN and our
        notice a few may be."""
        counts = [states.count(CLOSE_WAIT) for states in self.seen]
        return [pair for pair in zip(counts, counts[1:]) if min(pair) > forgiven]

    def established_max(self):
        return max((states.count(ESTABLISHED) for states in self.seen), default=0)
