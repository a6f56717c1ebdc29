"""The exact optimum of a table problem: units dealt out to chunks, each chunk with a configuration, a limit on PEs in all.

For an epoch T the cheapest chunk that runs a set of units within T is a minimum over configurations; the fewest PEs for all
units on 1, 2, 4, ... chunks follow by splitting sets in two; T is found by bisection over all cycles that occur. Units with the
same row of the table are alike, so a set is how many it has of each kind. Shares nothing with a3cs_ref but the table.
"""

import itertools

import numpy as np

UNREACHABLE = 1 << 40


def optimum(table, pes, limit, chunks=4):
    """The least epoch. table (U, configurations) cycles, pes (configurations,); chunks a power of two."""
    kinds, copies = np.unique(table, axis=0, return_counts=True)
    counts = np.array(list(itertools.product(*(range(n + 1) for n in copies))))  # every set, the empty one first
    cycles = counts @ kinds
    wholes, parts, rests = _splits(copies)
    starts = np.flatnonzero(np.diff(wholes, prepend=-1))

    def fewest_pes(epoch):
        least = np.where(cycles <= epoch, pes, UNREACHABLE).min(axis=1)
        least[0] = 0
        for _ in range(chunks.bit_length() - 1):
            least = np.minimum.reduceat(least[parts] + least[rests], starts)
        return least[-1]

    values = np.unique(cycles)
    low, high = 0, len(values) - 1
    while low < high:
        middle = (low + high) // 2
        if fewest_pes(values[middle]) <= limit:
            high = middle
        else:
            low = middle + 1
    return int(values[low])


def _splits(copies):
    """All ways to split all sets in two: numbers of the whole, of a part and of the rest, ordered by the whole."""
    whole, part = np.zeros(1, np.int64), np.zeros(1, np.int64)
    for n in copies:
        pairs = np.array([(total, some) for total in range(n + 1) for some in range(total + 1)])
        whole = (whole[:, None] * (n + 1) + pairs[:, 0]).reshape(-1)
        part = (part[:, None] * (n + 1) + pairs[:, 1]).reshape(-1)
    order = np.argsort(whole, kind="stable")
    return whole[order], part[order], (whole - part)[order]
