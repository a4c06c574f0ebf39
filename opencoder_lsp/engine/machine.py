"""What this computer has: cores that we may use, and whether its CPU is fast in bfloat16."""

import ctypes
import math
import os
import subprocess
import sys
from pathlib import Path

import psutil

# AVX-512 without the bf16 instructions converts fast enough to be ahead of float32 (measured).
_FAST_BF16 = {"avx512_bf16", "amx_bf16", "avx512f", "bf16"}  # x86, and "bf16" on ARM


def cores(quota: Path = Path("/sys/fs/cgroup/cpu.max")) -> int:
    """
    Return the number of physical cores that this process may use, at least 1.

    Affinity and a container's quota (cgroup v2: "MICROSECONDS PERIOD" or "max PERIOD") count.
    """
    counts = [psutil.cpu_count(logical=False) or os.cpu_count() or 1]
    if hasattr(os, "sched_getaffinity"):
        counts.append(len(os.sched_getaffinity(0)))
    try:
        allowed, period = quota.read_text().split()
        counts.append(math.ceil(int(allowed) / int(period)))
    except (OSError, ValueError):
        pass  # no container, or no quota ("max")
    return max(1, min(counts))


def has_fast_bf16(cpuinfo: Path = Path("/proc/cpuinfo")) -> bool:
    """Tell whether bfloat16 is at least as fast as float32 on this CPU; False where unknown."""
    if sys.platform == "darwin":
        name = "hw.optional.arm.FEAT_BF16"
        asked = subprocess.run(["sysctl", "-n", name], capture_output=True, text=True, check=False)
        return asked.stdout.strip() == "1"
    try:
        lines = cpuinfo.read_text().splitlines()
    except OSError:
        return False
    flags = (line.partition(":")[2].split() for line in lines if line.startswith(("flags", "Feat")))
    return not _FAST_BF16.isdisjoint(next(flags, []))


def give_back_memory() -> bool:
    """
    Give freed memory back to the system, where the C library can (glibc: `malloc_trim`).

    It keeps what lies between tensors that were joined and rounded: of the demo model in int8 as
    much as was won. Returns whether it could.
    """
    try:
        ctypes.CDLL(None).malloc_trim(0)
    except (AttributeError, OSError, TypeError):  # another C library
        return False
    return True


def free_memory() -> int:
    """Return the bytes that could be had without swapping."""
    return int(psutil.virtual_memory().available)
