"""Asks the kernel for Intel's AMX tiles, which vLLM 0.32 uses without asking: its worker dies of SIGILL then.

Seen on a Xeon with amx_tile, at the first completion. Each process asks for itself, as exec forgets the answer; where
there is no AMX the kernel refuses, and nothing is lost.
"""

import ctypes
import platform

ARCH_PRCTL, REQUEST_PERMISSION, TILE_DATA = 158, 0x1023, 18          # x86-64; ARCH_REQ_XCOMP_PERM, XFEATURE_XTILEDATA

if platform.machine() == "x86_64":
    ctypes.CDLL(None).syscall(ARCH_PRCTL, REQUEST_PERMISSION, TILE_DATA)
