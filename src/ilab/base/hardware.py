"""GPUs, memory, cores and disk of this machine, read without importing torch."""

from __future__ import annotations

import os
import platform
import resource
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Gpu:
    """One accelerator: name and memory in bytes."""

    name: str
    memory: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Hardware:
    """What this machine offers to us: usable cores, memory in bytes, GPUs."""

    cpu: str
    cores: int
    memory_total: int
    memory_available: int
    gpus: tuple[Gpu, ...]
    system: str


def usable_cores() -> int:
    """Cores that this process may use: affinity, cut by a cgroup quota."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else (os.cpu_count() or 1)
    quota = Path("/sys/fs/cgroup/cpu.max")
    if quota.exists():
        limit, _, period = quota.read_text(encoding="utf-8").partition(" ")
        if limit != "max":
            cores = min(cores, max(1, int(limit) // int(period)))
    return max(1, cores)


def memory() -> tuple[int, int]:
    """Total and available memory in bytes, cut by a cgroup limit."""
    fields: dict[str, int] = {}
    meminfo = Path("/proc/meminfo")
    if meminfo.exists():
        for line in meminfo.read_text(encoding="utf-8").splitlines():
            name, _, rest = line.partition(":")
            fields[name] = int(rest.split()[0]) * 1024
    total = fields.get("MemTotal", 0)
    available = fields.get("MemAvailable", total)
    limit = Path("/sys/fs/cgroup/memory.max")
    if limit.exists() and (text := limit.read_text(encoding="utf-8").strip()) != "max":
        total = min(total, int(text))
        available = min(available, total)
    return total, available


def gpus() -> tuple[Gpu, ...]:
    """NVIDIA GPUs as nvidia-smi lists them; empty without a driver."""
    tool = shutil.which("nvidia-smi")
    if tool is None:
        return ()
    query = [tool, "--query-gpu=name,memory.total", "--format=csv,noheader,nounits"]
    try:
        output = subprocess.run(query, capture_output=True, text=True, encoding="utf-8", timeout=10, check=True).stdout
    except (OSError, subprocess.SubprocessError):
        return ()
    rows = [line.rsplit(",", 1) for line in output.splitlines() if "," in line]
    return tuple(Gpu(name=name.strip(), memory=int(size) * 2**20) for name, size in rows)


def cpu_name() -> str:
    """Model name of the processor."""
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        for line in cpuinfo.read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def read() -> Hardware:
    """Everything at once."""
    total, available = memory()
    return Hardware(
        cpu=cpu_name(),
        cores=usable_cores(),
        memory_total=total,
        memory_available=available,
        gpus=gpus(),
        system=platform.platform(),
    )


def peak_memory() -> int:
    """Largest resident size in bytes of this process or of any child that has ended."""
    unit = 1 if sys.platform == "darwin" else 1024
    own = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    children = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    return max(own, children) * unit


def free_disk(path: Path) -> int:
    """Free bytes on the disk that holds `path`, or will hold it."""
    while not path.exists():
        path = path.parent
    return shutil.disk_usage(path).free
