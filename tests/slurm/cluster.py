"""A real SLURM on this machine, as long as it is asked for: Debian's packages, two nodes, two false GPUs.

    python tests/slurm/cluster.py        starts it and stops it at Ctrl-C

Everything it writes lies in one temporary folder, but for the configuration in /etc/slurm: the executor's job
step drops `SLURM_CONF` from its environment, so SLURM must find it there. Every daemon is a child of this
process and dies with it, however it dies.
"""

from __future__ import annotations

import contextlib
import ctypes
import fcntl
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

PACKAGES = ("munge", "slurmctld", "slurmd", "slurm-client")
ETC = Path("/etc/slurm")
MARK = "# made by the tests of dnn-cortex-rsa; removed when they end\n"
GPUS = 2

SLURM = """
ClusterName=test
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={ports[0]}
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
CryptoType=crypto/munge
AuthInfo=socket={root}/munge/socket
StateSaveLocation={root}/state
SlurmdSpoolDir={root}/spool-%n
SlurmctldPidFile={root}/slurmctld.pid
SlurmdPidFile={root}/slurmd-%n.pid
# no control groups: containers rarely allow them
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
MpiDefault=none
ReturnToService=2
KillWait=2
SchedulerParameters=sched_interval=1,bf_interval=1
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
# the inner srun fails without
DefMemPerCPU=500
# more processors than the machine has
SlurmdParameters=config_overrides
GresTypes=gpu
# no accounting: the controller itself tells of every job for an hour after its end
AccountingStorageType=accounting_storage/none
MinJobAge=3600
NodeName=c1 NodeHostname={host} NodeAddr=127.0.0.1 Port={ports[1]} CPUs=8 RealMemory=32000
NodeName=g1 NodeHostname={host} NodeAddr=127.0.0.1 Port={ports[2]} CPUs=8 RealMemory=16000 Gres=gpu:{gpus}
PartitionName=cpu Nodes=c1 Default=YES MaxTime=1-0 State=UP
PartitionName=gpu Nodes=g1 MaxTime=1-0 State=UP
"""

# a GRES file must be a device node, or SLURM sets no CUDA_VISIBLE_DEVICES; nothing opens it
GRES = "NodeName=g1 Name=gpu File={root}/gpu[0-{last}] Flags=nvidia_gpu_env\n"

# 22.05 knows no `disabled`, and slurmd ends where it finds no version by itself; this is loaded, not used
CGROUP = "CgroupPlugin=cgroup/v1\n"


def why_not() -> str | None:
    """Why a cluster cannot be started here, in one line; None if it can."""
    if os.geteuid() != 0:
        return "a test cluster needs root"
    if shutil.which("apt-get") is None:
        return "a test cluster needs Debian's packages, and there is no apt-get here"
    configuration = ETC / "slurm.conf"
    if configuration.exists() and not configuration.read_text().startswith(MARK):
        return f"{configuration} exists: this machine belongs to a cluster"
    return None


def install() -> None:
    """Install the packages that are missing; no daemon is started by that."""
    query = subprocess.run(
        ["dpkg-query", "-Wf", "${db:Status-Abbrev}${Package}\n", *PACKAGES], capture_output=True, text=True
    )
    missing = set(PACKAGES) - {line[3:] for line in query.stdout.splitlines() if line.startswith("ii ")}
    if not missing:
        return
    # Debian starts daemons on installation unless this file says no
    policy = Path("/usr/sbin/policy-rc.d")
    ours = not policy.exists()
    if ours:
        policy.write_text("#!/bin/sh\nexit 101\n")
        policy.chmod(0o755)
    environment = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
    command = ["apt-get", "install", "--yes", "--quiet", "--no-install-recommends", *sorted(missing)]
    try:
        subprocess.run(["apt-get", "update", "--quiet"], env=environment, check=True, capture_output=True)
        run = subprocess.run(command, env=environment, capture_output=True, text=True)
        assert run.returncode == 0, run.stdout[-2000:] + run.stderr[-2000:]
    finally:
        if ours:
            policy.unlink()


def _free_ports(count: int) -> list[int]:
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]


def output(*command: str) -> str:
    """What a command prints; an error if it fails."""
    run = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert run.returncode == 0, f"{command}: {run.stdout}{run.stderr}"
    return run.stdout


def wait_until(condition: Callable[[], object], what: str, seconds: float = 120) -> None:
    """Ask again and again until the condition holds."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError(f"{what}: not within {seconds} s")
        time.sleep(0.1)


def _dies_with_parent() -> None:
    PR_SET_PDEATHSIG = 1
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)


class Daemons:
    """Daemons in the foreground, each a child with its log; stopped in reverse order."""

    def __init__(self, root: Path):
        self.root, self.running = root, []

    def start(self, name: str, *command: str, **environment: str) -> subprocess.Popen:
        with open(self.root / f"{name}.log", "wb") as log:
            process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=os.environ | environment,
                start_new_session=True,
                preexec_fn=_dies_with_parent,
            )
        self.running.append(process)
        return process

    def check(self) -> bool:
        """True if all live; the last words of one that does not are the error."""
        for process in self.running:
            if process.poll() is not None:
                logs = [path.read_text(errors="replace")[-800:] for path in self.root.glob("*.log")]
                raise AssertionError(f"{process.args} ended with {process.returncode}:\n" + "\n".join(logs))
        return True

    def stop(self) -> None:
        for process in reversed(self.running):
            process.terminate()
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _configure(root: Path, ports: list[int]) -> list[Path]:
    values = {"root": root, "ports": ports, "host": socket.gethostname().split(".")[0]}
    texts = {
        "slurm.conf": SLURM.format(**values, gpus=GPUS),
        "gres.conf": GRES.format(**values, last=GPUS - 1),
        "cgroup.conf": CGROUP,
    }
    ETC.mkdir(parents=True, exist_ok=True)
    paths = []
    for name, text in texts.items():
        path = ETC / name
        path.write_text(MARK + text)
        path.chmod(0o644)
        paths.append(path)
    return paths


def _start_munge(daemons: Daemons) -> None:
    folder = daemons.root / "munge"
    folder.mkdir(mode=0o755)
    (folder / "key").write_bytes(os.urandom(1024))
    (folder / "key").chmod(0o400)
    files = [
        f"--{option}={folder / option.split('-')[0]}" for option in ("key-file", "pid-file", "seed-file")
    ]
    daemons.start(
        "munged",
        *(
            "munged",
            "--foreground",
            "--force",
            f"--socket={folder}/socket",
            f"--log-file={folder}/log",
            *files,
        ),
    )
    wait_until(lambda: daemons.check() and (folder / "socket").exists(), "munge")


def _states() -> set[str]:
    run = subprocess.run(["sinfo", "--noheader", "--Node", "--format=%T"], capture_output=True, text=True)
    return set(run.stdout.split())


@contextlib.contextmanager
def cluster() -> Iterator[Path]:
    """Install and start the cluster, yield the folder of its files and logs, and stop and remove all of it.

    Node c1 is the partition `cpu` (the default), node g1 with its GPUs the partition `gpu`.
    """
    with contextlib.ExitStack() as stack:
        lock = stack.enter_context(open(Path(tempfile.gettempdir()) / "dnn-cortex-rsa-slurm.lock", "w"))
        # one at a time on a machine: /etc/slurm is one
        fcntl.flock(lock, fcntl.LOCK_EX)
        install()
        root = Path(
            stack.enter_context(tempfile.TemporaryDirectory(prefix="slurm-", ignore_cleanup_errors=True))
        )
        root.chmod(0o755)
        (root / "state").mkdir()
        for k in range(GPUS):
            os.mknod(root / f"gpu{k}", 0o020666, os.makedev(195, k))
        daemons = Daemons(root)
        ports = _free_ports(3)
        for path in _configure(root, ports):
            stack.callback(path.unlink, missing_ok=True)
        stack.callback(daemons.stop)
        _start_munge(daemons)
        daemons.start("slurmctld", "slurmctld", "-D", "-c")
        for node in ("c1", "g1"):
            daemons.start(f"slurmd-{node}", "slurmd", "-D", "-N", node)
        # steps of jobs are no children of slurmd's end: they go first
        stack.callback(cancel_all)
        wait_until(lambda: daemons.check() and _states() == {"idle"}, "the nodes")
        yield root


def cancel_all() -> None:
    """Cancel every job of the cluster, and wait until none is left."""
    subprocess.run(["scancel", "--user=root"], capture_output=True, timeout=60)
    with contextlib.suppress(TimeoutError, AssertionError):
        wait_until(lambda: not output("squeue", "--noheader"), "the end of all jobs", 30)


if __name__ == "__main__":
    reason = why_not()
    if reason:
        sys.exit(f"Error: {reason}")
    with cluster(), contextlib.suppress(KeyboardInterrupt):
        print(output("sinfo", "--Node", "--long"), end="", flush=True)
        signal.pause()
