"""Count different things without keeping them: exactly while there are few, within about one per cent after that.

The estimate is HyperLogLog (Flajolet and others, 2007) with 16,384 registers: 16 KiB whatever is counted.
"""

from __future__ import annotations

import math
import zlib

_EXACT = 20_000
_BITS = 14
_REGISTERS = 1 << _BITS
_REST = 64 - _BITS
_ODD = 0x9E3779B97F4A7C15
_MASK = (1 << 64) - 1


def hash64(data: bytes) -> int:
    """64 bits that depend on every bit of `data`, the same in every process. They tell 2**32 things apart."""
    mixed = (zlib.crc32(data) + len(data)) * _ODD & _MASK
    mixed = (mixed ^ mixed >> 29) * 0xBF58476D1CE4E5B9 & _MASK  # crc32 alone is linear: similar data, similar sums
    return mixed ^ mixed >> 32


class DistinctCount:
    """How many different byte strings were added."""

    def __init__(self) -> None:
        self._seen: set[int] = set()
        self._registers: bytearray | None = None

    def add(self, data: bytes) -> None:
        """Count `data` unless it was counted before."""
        number = hash64(data)
        if self._registers is not None:
            self._register(self._registers, number)
            return
        self._seen.add(number)
        if len(self._seen) > _EXACT:
            self._registers = bytearray(_REGISTERS)
            for known in self._seen:
                self._register(self._registers, known)
            self._seen.clear()

    @staticmethod
    def _register(registers: bytearray, number: int) -> None:
        place, rest = number >> _REST, number & ((1 << _REST) - 1)
        rank = _REST - rest.bit_length() + 1
        if rank > registers[place]:
            registers[place] = rank

    def __len__(self) -> int:
        if self._registers is None:
            return len(self._seen)
        scale = 0.7213 / (1 + 1.079 / _REGISTERS)
        estimate = scale * _REGISTERS**2 / sum(2.0**-rank for rank in self._registers)
        empty = self._registers.count(0)
        if estimate <= 2.5 * _REGISTERS and empty:
            estimate = _REGISTERS * math.log(_REGISTERS / empty)
        return round(estimate)
