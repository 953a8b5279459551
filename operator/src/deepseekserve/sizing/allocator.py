"""Turns sizes of tensors into the memory that torch takes for them, as it counts it itself.

Pure. The rules are those of c10/cuda/CUDACachingAllocator.cpp: a tensor of 1 MiB or less is rounded to 512 bytes.
Others get the smallest free piece that holds them, else a new segment of 20 MiB or, from 10 MiB on, of whole 2 MiB;
what is left of the piece is free for others only when it is more than 1 MiB, else it counts as taken.
"""

from collections.abc import Iterable

from deepseekserve.sizing.shape import divided

_MIB = 1 << 20
_SMALL, _LARGE = _MIB, 10 * _MIB
_ROUND_SMALL, _ROUND_LARGE, _SEGMENT = 512, 2 * _MIB, 20 * _MIB


def allocated(sizes: Iterable[int]) -> int:
    """Bytes that torch.cuda.memory_allocated() says of tensors that come in this order and stay."""
    total, free = 0, list[int]()
    for size in sizes:
        if size <= _SMALL:
            total += divided(size, _ROUND_SMALL) * _ROUND_SMALL
            continue
        piece = min((each for each in free if each >= size), default=0)
        if piece:
            free.remove(piece)
        else:
            piece = _SEGMENT if size < _LARGE else divided(size, _ROUND_LARGE) * _ROUND_LARGE
        rest = piece - size
        if rest > _SMALL:
            free.append(rest)
        total += size if rest > _SMALL else piece
    return total
