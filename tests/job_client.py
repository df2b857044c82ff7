"""In place of `python SCRIPT`: has the script run by the process that listens at a socket, see forked.py.

usage: python job_client.py SOCKET SCRIPT. Ends as the script does, by the same signal if one killed it.
"""

import json
import os
import signal
import socket
import sys

LENGTH = 8  # bytes in which the size of a request is told


def receive(connection: socket.socket) -> tuple[list, list[int]]:
    """A request as `main` sends it, and the three standard streams that came with it."""
    size, streams, _, _ = socket.recv_fds(connection, LENGTH, 3)
    content = b""
    while len(content) < int(size):
        content += connection.recv(int(size) - len(content))
    return json.loads(content), list(streams)


def main(address: str, script: str) -> None:
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(address)
        request = json.dumps([[script], os.getcwd(), dict(os.environ)]).encode()
        socket.send_fds(connection, [b"%*d" % (LENGTH, len(request))], [0, 1, 2])
        connection.sendall(request)
        status = int(connection.recv(64) or 1)
    if status < 0:
        signal.signal(-status, signal.SIG_DFL) if -status != signal.SIGKILL else None
        os.kill(os.getpid(), -status)
    sys.exit(status)


if __name__ == "__main__":
    main(*sys.argv[1:])
