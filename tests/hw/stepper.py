"""An independent stepper of the tile walk: plain loops over words, nothing of a3cs_hw but the dataclasses it is given.

It does not count tiles' words by formula: it lists the words of every tile and takes the length of the list.
"""


def step(unit, chunk, bits, ideal=False, fill=0):
    """The figures of one unit on one chunk, by their names in UnitCost."""
    deep = unit.kind == "depthwise"
    N, R, C = 1 if deep else unit.N, unit.R, unit.C
    cut = {"m": (unit.M, chunk.tm), "n": (N, chunk.tn), "r": (R, chunk.tr), "c": (C, chunk.tc)}
    ranges = {k: [range(a, min(a + t, total)) for a in range(0, total, t)] for k, (total, t) in cut.items()}
    walk = [{}]
    for loop in chunk.order.replace("s", "rc"):
        walk = [{**tile, loop: part} for tile in walk for part in ranges[loop]]

    def taps(outs, size):
        reach = [o * unit.S - unit.pad + k for o in outs for k in range(unit.K)]
        return [i for i in range(min(reach), max(reach) + 1) if 0 <= i < size]

    def turns(loop, lanes):
        return len(range(0, len(loop), lanes))

    def cycles_of(m, n, r, c):
        k, rows, columns = range(unit.K), chunk.rows, chunk.columns
        if chunk.interconnect == "m_n":
            return len(k) ** 2 * len(r) * len(c) * turns(m, rows) * turns(n, columns)
        if chunk.interconnect == "m_c":
            return len(k) ** 2 * len(r) * len(n) * turns(m, rows) * turns(c, columns)
        if chunk.interconnect == "n_c":
            return len(k) ** 2 * len(r) * len(m) * turns(n, rows) * turns(c, columns)
        return len(k) * len(c) * len(m) * len(n) * turns(k, rows) * turns(r, columns)

    def seconds(count, width):
        return 0 if ideal else -(-count * -(-width // 8) // chunk.bytes_per_cycle)

    moved = dict.fromkeys(("input", "weight", "residual", "reload", "spill", "output"), 0)
    width = dict(input=bits.x, weight=bits.w, residual=bits.residual, reload=bits.acc, spill=bits.acc, output=bits.y)
    peak, load, store, busy, begun, macs = [0, 0, 0], [], [], [], set(), 0
    for i, tile in enumerate(walk):
        m, n, r, c = (tile[k] for k in "mnrc")
        old, new = walk[i - 1] if i else None, walk[i + 1] if i + 1 < len(walk) else None
        words = {"input": len(m if deep else n) * len(taps(r, unit.H)) * len(taps(c, unit.W))}
        words["weight"] = len(m) * len(n) * unit.K**2
        words["output"] = len(m) * len(r) * len(c)
        went = {"input": "mrc" if deep else "nrc", "weight": "mn", "output": "mrc"}
        fresh = {k: old is None or any(old[d] != tile[d] for d in dims) for k, dims in went.items()}
        leaves = new is None or any(new[d] != tile[d] for d in "mrc")
        loads = {"input": words["input"] * fresh["input"], "weight": words["weight"] * fresh["weight"]}
        loads["weight"] *= chunk.weights == "streamed"
        loads["residual"] = words["output"] * (bool(unit.residual) and n[-1] == N - 1)
        loads["reload"] = words["output"] * (fresh["output"] and (m, r, c) in begun)
        begun.add((m, r, c))
        stores = {"output": words["output"] * (n[-1] == N - 1), "spill": words["output"] * (n[-1] < N - 1 and leaves)}
        for operand, count in (loads | stores).items():
            moved[operand] += count
        load.append(sum(seconds(count, width[k]) for k, count in loads.items()))
        store.append(sum(seconds(count, width[k]) for k, count in stores.items()))
        busy.append(cycles_of(m, n, r, c) + fill)
        macs += len(m) * len(n) * len(r) * len(c) * unit.K**2
        held = words["input"], words["weight"], words["output"]
        peak = [max(a, b) for a, b in zip(peak, held, strict=True)]
    if chunk.weights == "resident":
        peak[1] = unit.weight_words
    figures = {"tiles": len(walk), "macs": macs, "compute": sum(busy), "load": sum(load), "store": sum(store)}
    load, store = [*load, 0], [0, *store]
    cycles = load[0] + sum(max(b, load[i + 1] + store[i]) for i, b in enumerate(busy)) + store[-1]
    return {**figures, "cycles": cycles, "words": moved, "peak": tuple(peak)}
