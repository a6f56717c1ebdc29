"""An independent check that a design fits its board, from the fields of its chunks alone (docs/hardware.md, "Resources")."""

from math import ceil

SHAPES = ((36, 512), (18, 1024), (9, 2048))


def bank_blocks(width, depth):
    """BRAM18 of one bank; a small one is built of LUTs."""
    return 0 if width * depth <= 1024 else min(ceil(width / w) * ceil(depth / d) for w, d in SHAPES)


def banks_of(chunk):
    """Banks of the input, weight and output buffer."""
    a, b, both = chunk.rows, chunk.columns, chunk.rows * chunk.columns
    return {"m_n": (b, both, a), "m_c": (b, a, both), "n_c": (both, a, b), "k_r": (both, a, b)}[chunk.interconnect]


def complaints(units, design, bits, board):
    """What is wrong with the design on this board, empty when nothing is."""
    wrong, chunks = [], {}
    for unit in units:
        if unit.name not in design.allocation:
            wrong.append(f"{unit.name} is on no chunk")
        else:
            chunks.setdefault(design.allocation[unit.name], []).append(unit)
    dsp = bram = rate = 0
    for index, its_units in chunks.items():
        chunk = design.chunks[index]
        narrow = all(bits[u.name].x <= 8 and bits[u.name].w <= 8 for u in its_units)
        dsp += ceil(chunk.rows * chunk.columns / (2 if narrow else 1))
        shares = chunk.input_bram, chunk.weight_bram, chunk.output_bram
        bram, rate = bram + sum(shares), rate + chunk.bytes_per_cycle
        banks = banks_of(chunk)
        for unit in its_units:
            tm, tr, tc = min(chunk.tm, unit.M), min(chunk.tr, unit.R), min(chunk.tc, unit.C)
            tn = 1 if unit.kind == "depthwise" else min(chunk.tn, unit.N)
            box = ((tr - 1) * unit.S + unit.K) * ((tc - 1) * unit.S + unit.K)
            held = (tm if unit.kind == "depthwise" else tn) * box, tm * tn * unit.K**2, tm * tr * tc
            widths = bits[unit.name].x, bits[unit.name].w, bits[unit.name].acc
            for part in (0, 2) if chunk.weights == "resident" else (0, 1, 2):
                if 2 * banks[part] * bank_blocks(widths[part], ceil(held[part] / banks[part])) > shares[part]:
                    wrong.append(f"{unit.name} exceeds buffer {part} of chunk {index}")
        if chunk.weights == "resident":
            depth = sum(ceil(u.weight_words / banks[1]) for u in its_units)
            if banks[1] * bank_blocks(max(bits[u.name].w for u in its_units), depth) > shares[1]:
                wrong.append(f"the resident weights of chunk {index} exceed its buffer")
    limits = ("DSP", dsp, board.dsp), ("BRAM18", bram, board.bram18), ("bytes a cycle", rate, board.bytes_per_cycle)
    return wrong + [f"{use} {name} of {limit}" for name, use, limit in limits if use > limit]
