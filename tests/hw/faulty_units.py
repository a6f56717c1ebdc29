"""A unit in plain Python loops with one step done wrongly: designs with known faults, for what must recognise them.

Nothing is shared with the suspects of a3cs_hw: a fault replaces one method of Machine, which makes words one by one.
"""

from dataclasses import dataclass, field

import numpy as np

from a3cs_hw import oracle


class Machine:
    """One unit as hardware would compute it, word by word. Every method is a place where a fault can be."""

    def __init__(self, part, x, residual, tile=None):
        self.part, self.unit, self.x, self.added = part, part.unit, x, residual
        self.S, self.pad, self.K = part.unit.S, part.unit.pad, part.unit.K
        self.tile = tile  # sizes m, n, r, c of the design's tiles

    def row(self, r, ky):
        return r * self.S + ky - self.pad

    def column(self, c, kx):
        return c * self.S + kx - self.pad

    def channel(self, n):
        return n

    def read(self, f, n, row, column):
        inside = 0 <= row < self.unit.H and 0 <= column < self.unit.W
        return self.x[f][n][row][column] if inside else self.outside(f, n, row, column)

    def outside(self, f, n, row, column):
        return 0

    def word(self, x):
        return x

    def weight(self, m, n, ky, kx):
        w = self.part.weights
        return int(w[m, n] if self.unit.kind == "fc" else w[m, n, ky, kx])

    def product(self, x, w):
        return x * w

    def taps(self, m, f, r, c):
        """(n of the weights, n of the input, ky, kx) of all products."""
        depthwise = self.unit.kind == "depthwise"
        for n in [0] if depthwise else range(self.unit.N):
            for ky in range(self.K):
                for kx in range(self.K):
                    yield n, m if depthwise else n, ky, kx

    def sum(self, f, m, r, c):
        return sum(
            self.product(self.word(self.read(f, self.channel(i), self.row(r, ky), self.column(c, kx))), self.weight(m, n, ky, kx))
            for n, i, ky, kx in self.taps(m, f, r, c)
        )

    def bias(self, m):
        return int(self.part.bias[m])

    def residual(self, f, m, r, c):
        return self.added[f][m][r][c] << self.part.residual_shift if self.added is not None else 0

    def exact(self, f, m, r, c):
        return self.sum(f, m, r, c) + self.bias(m) + self.residual(f, m, r, c)

    def accumulator(self, exact):
        return oracle.wrap(exact, self.part.formats.acc_bits)

    def rounded(self, acc):
        return oracle.round_quotient(acc, self.part.shift, self.part.formats.rounding)

    def limited(self, rounded, acc):
        return oracle.overflow_word(rounded, acc >> self.part.shift, self.part.y.bits, True, self.part.formats.overflow)

    def relu(self, y):
        return max(y, 0) if self.unit.relu else y

    def output(self, f, m, r, c):
        acc = self.accumulator(self.exact(f, m, r, c))
        return self.relu(self.limited(self.rounded(acc), acc))

    def place(self, f, m, r, c):
        """Whose words lie at (f, m, r, c)."""
        return f, m, r, c

    def run(self):
        """(B, M, R, C) int64."""
        unit = self.unit
        shape = (len(self.x), unit.M, unit.R, unit.C)
        return np.array([self.output(*self.place(*map(int, index))) for index in np.ndindex(shape)], np.int64).reshape(shape)

    def sums(self):
        """The accumulators before the write-back, (B, M, R, C) int64."""
        unit = self.unit
        shape = (len(self.x), unit.M, unit.R, unit.C)
        sums = [self.accumulator(self.exact(*map(int, index))) for index in np.ndindex(shape)]
        return np.array(sums, np.int64).reshape(shape)


@dataclass(frozen=True)
class Fault:
    """name: GROUP/UNIT. kinds: what a report may call it, the first being the intended one. methods: replacements in Machine.

    reads: the unit whose output is taken for the input. said: what a report must say of it, "" for anything of the kind.
    order: of the tile loops, "" for the design's own.
    """

    what: str
    kinds: tuple[str, ...]
    name: str
    methods: dict = field(default_factory=dict)
    reads: str = ""
    said: str = ""
    order: str = ""

    def machine(self, part, x, residual, tile=None):
        lists = None if residual is None else residual.tolist()
        return type("Faulty", (Machine,), self.methods)(part, x.tolist(), lists, tile)

    def run(self, part, x, residual, tile=None):
        """What the faulty unit writes, in y's type."""
        return self.machine(part, x, residual, tile).run().astype(part.y.dtype)


def fault(what, kinds, name, reads="", said="", order="", **methods):
    return Fault(what, (kinds,) if isinstance(kinds, str) else kinds, name, methods, reads, said, order)


def wrap(value, bits):
    return oracle.wrap(value, bits)


def saturate(value, bits):
    return max(-(1 << bits - 1), min((1 << bits - 1) - 1, value))


def rounding(mode):
    return {"rounded": lambda s, acc: oracle.round_quotient(acc, s.part.shift, mode)}


def overflow(mode):
    return {"limited": lambda s, v, acc: oracle.overflow_word(v, acc >> s.part.shift, s.part.y.bits, True, mode)}


def late_residual(s, f, m, r, c):
    """The residual joins after rounding."""
    acc = s.accumulator(s.sum(f, m, r, c) + s.bias(m))
    up = s.part.y.frac - s.part.r.frac
    word = s.added[f][m][r][c]
    word = word << up if up >= 0 else oracle.round_quotient(word, -up, s.part.formats.rounding)
    return s.relu(s.limited(s.rounded(acc) + word, acc))


def relu_first(s, f, m, r, c):
    """ReLU on the unit's own word, then the residual."""
    acc = s.accumulator(s.sum(f, m, r, c) + s.bias(m))
    up = s.part.y.frac - s.part.r.frac
    word = s.added[f][m][r][c]
    word = word << up if up >= 0 else oracle.round_quotient(word, -up, s.part.formats.rounding)
    return s.limited(max(0, s.limited(s.rounded(acc), acc)) + word, acc)


def swap(a, b):
    """A permutation of two numbers."""
    return lambda s, n: {a: b, b: a}.get(n, n)


def saturate_high_only(s, rounded, acc):
    return min(rounded, s.part.y.max) if rounded > s.part.y.max else wrap(rounded, s.part.y.bits)


def edge(s, f, n, row, column):
    return s.x[f][n][min(max(row, 0), s.unit.H - 1)][min(max(column, 0), s.unit.W - 1)]


def around(s, f, n, row, column):
    return s.x[f][n][row % s.unit.H][column % s.unit.W]


def short(axis):
    """A loop over taps that ends one early."""

    def taps(s, m, f, r, c):
        limit = {"n": s.unit.N, "ky": s.K, "kx": s.K}[axis] - 1
        for n, i, ky, kx in Machine.taps(s, m, f, r, c):
            if {"n": n, "ky": ky, "kx": kx}[axis] < limit:
                yield n, i, ky, kx

    return {"taps": taps}


def unwritten(axis):
    """The last channel, row or column is never written."""

    def output(s, f, m, r, c):
        last = {"m": m == s.unit.M - 1, "r": r == s.unit.R - 1, "c": c == s.unit.C - 1}[axis]
        return 0 if last else Machine.output(s, f, m, r, c)

    return {"output": output}


def before(s, f, n, row, column):
    """The input of the frame before."""
    return Machine.read(s, f - 1, n, row, column) if f else 0


def partial_tile(s, m, f, r, c):
    """The last n tile is left out."""
    first = (s.unit.N - 1) // s.tile[1] * s.tile[1]
    return ((n, i, ky, kx) for n, i, ky, kx in Machine.taps(s, m, f, r, c) if n < first)


def last_tile(s, m, f, r, c):
    """The accumulator is cleared before every n tile."""
    first = (s.unit.N - 1) // s.tile[1] * s.tile[1]
    return ((n, i, ky, kx) for n, i, ky, kx in Machine.taps(s, m, f, r, c) if n >= first)


def tile_before(axis):
    """Words of the tile before, along one axis of (f, m, r, c): 1, 2 or 3."""

    def place(s, *index):
        index, size = list(index), s.tile[{1: 0, 2: 2, 3: 3}[axis]]
        if index[axis] >= size:
            index[axis] -= size
        return tuple(index)

    return {"place": place}


def wrong_last_row_tile(s, r, ky):
    """The last, clipped row tile is read one row too low."""
    last = r // s.tile[2] == (s.unit.R - 1) // s.tile[2]
    return Machine.row(s, r, ky) + last


def weights_before(s, m, n, ky, kx):
    """The weights of the m tile before."""
    return Machine.weight(s, (m - s.tile[0]) % s.unit.M, n, ky, kx)


def swap_bytes(word, size=2):
    return int.from_bytes(int(word).to_bytes(size, "little", signed=True), "big", signed=True)


def reverse(number, beat, total):
    """The number of the word that comes in place of `number` when a stream of `total` words is reversed beat by beat."""
    first = number // beat * beat
    return first + min(beat, total - first) - 1 - (number - first)


def reversed_input(beat):
    """x comes in reversed beats."""

    def read(s, f, n, row, column):
        if not (0 <= row < s.unit.H and 0 <= column < s.unit.W):
            return 0
        number = reverse((n * s.unit.H + row) * s.unit.W + column, beat, s.unit.input_words)
        return int(np.ravel(s.x[f])[number])

    return {"read": read}


def reversed_weights(beat):
    """w comes in reversed beats."""

    def weight(s, m, n, ky, kx):
        number = reverse(((m * (s.unit.taps // s.K**2) + n) * s.K + ky) * s.K + kx, beat, s.part.weights.size)
        return int(s.part.weights.reshape(-1)[number])

    return {"weight": weight}


def reversed_output(beat):
    """y leaves in reversed beats."""

    def place(s, f, m, r, c):
        shape = (s.unit.M, s.unit.R, s.unit.C)
        number = reverse(int(np.ravel_multi_index((m, r, c), shape)), beat, s.unit.output_words)
        return (f, *np.unravel_index(number, shape))

    return {"place": place}


def stuck_bit(bit, level):
    def output(s, f, m, r, c):
        word = Machine.output(s, f, m, r, c)
        return wrap(word | 1 << bit if level else word & ~(1 << bit), s.part.y.bits)

    return {"output": output}


def spilled(spill):
    """Partial sums of all passes over n but the last go through `spill`; the bias is in the first, the residual in the last."""

    def exact(s, f, m, r, c):
        total, last = s.bias(m), (s.unit.N - 1) // s.tile[1]
        for number in range(last + 1):
            for n, i, ky, kx in s.taps(m, f, r, c):
                if n // s.tile[1] == number:
                    total += s.product(s.read(f, i, s.row(r, ky), s.column(c, kx)), s.weight(m, n, ky, kx))
            total = spill(s, total) if number < last else total
        return total + s.residual(f, m, r, c)

    return {"exact": exact}


def spilled_word(s, v):
    return saturate(oracle.round_quotient(v, s.part.shift, s.part.formats.rounding), s.part.y.bits) << s.part.shift


def missing(row, column, rows, columns):
    """One element of an m x n array adds no products."""

    def taps(s, m, f, r, c):
        for n, i, ky, kx in Machine.taps(s, m, f, r, c):
            if m % s.tile[0] % rows != row or n % s.tile[1] % columns != column:
                yield n, i, ky, kx

    return {"taps": taps}


STEM, WISE, WISE5 = "tiny16/stem", "tiny16/cell01.depthwise", "tiny8/cell03.depthwise"
ADD, ADD8, CONV, CONV5 = "tiny16/cell01.output", "tiny8/cell03.output", "tiny8/cell02.output", "tiny16/cell04.output"
EXPAND, FC, HEAD = "tiny8/cell01.expand", "tiny16/fc", "tiny16/logits"

FAULTS = [
    *(fault(f"rounds {mode}", "rounding", name, **rounding(mode)) for mode, name in (
        ("AP_TRN", STEM), ("AP_TRN_ZERO", ADD8), ("AP_RND_ZERO", "units/modes.AP_RND.AP_SAT"),
        ("AP_RND_CONV", "units/modes.AP_RND_INF.AP_SAT_SYM"), ("AP_RND_MIN_INF", "units/modes.AP_RND.AP_WRAP"), ("AP_TRN", HEAD),
    )),
    fault("adds a whole unit before the shift", "rounding", CONV, rounded=lambda s, acc: (acc >> s.part.shift) + 1),
    fault("rounds negatives by magnitude", "rounding", "units/modes.AP_RND.AP_SAT_ZERO", rounded=lambda s, acc: (
        (acc + (1 << s.part.shift >> 1)) >> s.part.shift if acc >= 0 else -((-acc + (1 << s.part.shift >> 1)) >> s.part.shift)
    )),
    *(fault(f"overflows {mode}", "saturation", name, **overflow(mode)) for mode, name in (
        ("AP_WRAP", STEM), ("AP_SAT_ZERO", "units/conv3x3"), ("AP_SAT", "units/modes.AP_TRN.AP_WRAP"),
        ("AP_WRAP_SM", "units/modes.AP_RND.AP_SAT"), ("AP_SAT_SYM", "units/modes.AP_TRN.AP_SAT"),
        ("AP_SAT", "units/relu_after_wrap"),
    )),
    fault("saturates above alone", "saturation", "units/modes.AP_TRN.AP_SAT", limited=saturate_high_only),
    fault("accumulator of 20 bits", "width", "tiny16/stem", accumulator=lambda s, v: wrap(v, 20)),
    fault("accumulator of 31 bits", "width", "units/acc32_edge", accumulator=lambda s, v: wrap(v, 31)),
    fault("accumulator of 15 bits", "width", ADD8, accumulator=lambda s, v: wrap(v, 15)),
    fault("accumulator too wide", "width", "units/acc32_wraps", accumulator=lambda s, v: v),
    fault("accumulator saturates", ("width", "saturation"), "units/acc32_wraps",
          accumulator=lambda s, v: max(-(2**31), min(2**31 - 1, v))),
    fault("products of 24 bits", "width", "units/conv5x5", product=lambda s, x, w: wrap(x * w, 24)),
    fault("bias of 12 bits", ("width", "bias"), "tiny16/stem", bias=lambda s, m: wrap(int(s.part.bias[m]), 12)),
    fault("shifts one bit too far", "width", CONV, rounded=lambda s, acc: oracle.round_quotient(
        acc, s.part.shift + 1, s.part.formats.rounding)),
    fault("frames read as signed", "sign", "tiny8/stem", word=lambda s, x: wrap(x, 8)),
    fault("x zero-extended", "sign", "units/conv1x1.8bit", word=lambda s, x: x & 255),
    fault("w zero-extended", "sign", FC, weight=lambda s, m, n, ky, kx: Machine.weight(s, m, n, ky, kx) & 0xFFFF),
    fault("residual zero-extended", "sign", "units/residual_coarser", residual=lambda s, f, m, r, c: (
        (s.added[f][m][r][c] & 65535) << s.part.residual_shift)),
    fault("unsigned shift", "sign", "units/conv4x4_s2.8bit", accumulator=lambda s, v: v % 2**32),
    fault("one row down", ("index", "padding"), WISE, row=lambda s, r, ky: r * s.S + ky - s.pad + 1),
    fault("one row up", "index", WISE, row=lambda s, r, ky: r * s.S + ky - s.pad - 1),
    fault("one column left", "index", CONV5, column=lambda s, c, kx: c * s.S + kx - s.pad - 1),
    fault("kernel transposed", "index", STEM, weight=lambda s, m, n, ky, kx: Machine.weight(s, m, n, kx, ky)),
    fault("depthwise kernel transposed", "index", WISE5, weight=lambda s, m, n, ky, kx: Machine.weight(s, m, n, kx, ky)),
    fault("kernel flipped", "index", CONV, weight=lambda s, m, n, ky, kx: Machine.weight(s, m, n, s.K - 1 - ky, s.K - 1 - kx)),
    fault("kernel flipped in kx", "index", CONV5, weight=lambda s, m, n, ky, kx: Machine.weight(s, m, n, ky, s.K - 1 - kx)),
    fault("map transposed", "index", EXPAND, read=lambda s, f, n, row, column: Machine.read(s, f, n, column, row)),
    fault("output transposed", "index", CONV, place=lambda s, f, m, r, c: (f, m, c, r)),
    fault("flattened in the order y, x, c", "index", FC, channel=lambda s, n: n % 12 * 9 + n // 12),
    fault("stride 1", "stride", STEM, row=lambda s, r, ky: r + ky - s.pad, column=lambda s, c, kx: c + kx - s.pad),
    fault("stride 1 over columns", "stride", CONV, column=lambda s, c, kx: c + kx - s.pad),
    fault("stride 3", "stride", "units/conv4x4_s2", row=lambda s, r, ky: 3 * r + ky, column=lambda s, c, kx: 3 * c + kx),
    fault("windows begin 2 pixels off", "stride", "units/conv8x8_s4",
          row=lambda s, r, ky: 4 * r + ky + 2, column=lambda s, c, kx: 4 * c + kx + 2),
    fault("no padding", "padding", WISE5, row=lambda s, r, ky: r * s.S + ky, column=lambda s, c, kx: c * s.S + kx),
    fault("edge replicated", "padding", STEM, outside=edge),
    fault("padding comes round", "padding", "tiny8/cell01.depthwise", outside=around),
    fault("padding of ones", "padding", CONV5, outside=lambda s, f, n, row, column: 1),
    fault("input channels swapped", "channel order", STEM, channel=swap(1, 2)),
    fault("input channels reversed", "channel order", "tiny8/cell02.output", channel=lambda s, n: s.unit.N - 1 - n),
    fault("two output channels swapped", "channel order", "tiny8/stem",
          place=lambda s, f, m, r, c: (f, swap(2, 5)(s, m), r, c)),
    fault("output channels rotated", "channel order", "tiny16/cell03.expand",
          place=lambda s, f, m, r, c: (f, (m + 1) % 36, r, c)),
    fault("weights of the next channel", "channel order", "tiny16/cell02.output",
          weight=lambda s, m, n, ky, kx: Machine.weight(s, (m + 1) % 12, n, ky, kx)),
    fault("channels of the heads reversed", "channel order", HEAD, place=lambda s, f, m, r, c: (f, 5 - m, r, c)),
    fault("bias missing", "bias", "tiny8/stem", bias=lambda s, m: 0),
    fault("bias shifted", "bias", FC, bias=lambda s, m: int(s.part.bias[m]) << 2),
    fault("bias of the channel before", "bias", CONV, bias=lambda s, m: int(s.part.bias[(m - 1) % 12])),
    fault("bias in every n tile", "bias", "tiny16/cell02.output", bias=lambda s, m: 2 * int(s.part.bias[m])),
    fault("residual missing", "residual", ADD, residual=lambda s, *index: 0),
    fault("residual after rounding", "residual", ADD, output=late_residual),
    fault("residual after rounding, 8 bits", "residual", ADD8, output=late_residual),
    fault("residual shifted one bit less", "residual", ADD8, residual=lambda s, f, m, r, c: (
        s.added[f][m][r][c] << (s.part.residual_shift - 1))),
    fault("residual of the neighbouring pixel", "residual", ADD, residual=lambda s, f, m, r, c: (
        s.added[f][m][r][(c + 1) % s.unit.C] << s.part.residual_shift)),
    fault("residual twice", "residual", "units/residual_same_frac", residual=lambda s, *index: 2 * Machine.residual(s, *index)),
    fault("ReLU missing", "ReLU", WISE, relu=lambda s, y: y),
    fault("ReLU where none is", "ReLU", ADD8, relu=lambda s, y: max(y, 0)),
    fault("ReLU before the residual", ("ReLU", "residual"), "units/residual_same_frac", output=relu_first),
    fault("last input channel left out", "loop bound", STEM, **short("n")),
    fault("last kernel row left out", "loop bound", WISE5, **short("ky")),
    fault("last kernel column left out", "loop bound", CONV, **short("kx")),
    fault("last output row not written", "loop bound", CONV5, **unwritten("r")),
    fault("the loop over taps is never entered", "loop bound", CONV5, taps=lambda s, m, f, r, c: iter(())),
    fault("last output channel not written", ("loop bound", "stuck"), EXPAND, **unwritten("m")),
    fault("an output channel stuck", "stuck", STEM, said="3 is 7 everywhere (fitted)",
          output=lambda s, f, m, r, c: 7 if m == 3 else Machine.output(s, f, m, r, c)),
    fault("x of the frame before", "chunk hand-off", CONV, read=before),
    fault("x of the frame before in a head", "chunk hand-off", HEAD, read=before),
    fault("residual of another frame", "chunk hand-off", ADD,
          residual=lambda s, f, m, r, c: Machine.residual(s, (f + 1) % 3, m, r, c)),
    fault("last n tile left out", ("loop bound", "buffer swap"), CONV, taps=partial_tile),
    fault("only the last n tile", ("loop bound", "buffer swap"), "tiny16/cell02.output", taps=last_tile),
    fault("m tiles hold those before", "buffer swap", EXPAND, **tile_before(1)),
    fault("row tiles hold those before", "buffer swap", STEM, **tile_before(2)),
    fault("weights of the m tile before", "buffer swap", CONV, weight=weights_before),
    fault("last row tile misread", "tile edge", WISE, row=wrong_last_row_tile),
    fault("accumulator not cleared between frames", "loop bound", ADD8,
          exact=lambda s, f, m, r, c: sum(Machine.exact(s, g, m, r, c) for g in range(f + 1))),
    fault("reads the map of the cell before", "chunk hand-off", CONV5, reads="cell02.output"),
    fault("output columns one off", "index", CONV, place=lambda s, f, m, r, c: (f, m, r, (c + 1) % 3)),
    fault("residual of the frame before", "chunk hand-off", "tiny8/cell01.output",
          residual=lambda s, f, m, r, c: Machine.residual(s, f - 1, m, r, c) if f else 0),
    fault("bytes of x swapped", "byte order", CONV5, said="bytes of x are swapped", word=lambda s, x: swap_bytes(x)),
    fault("bytes of w swapped", "byte order", WISE, said="bytes of w are swapped",
          weight=lambda s, m, n, ky, kx: swap_bytes(Machine.weight(s, m, n, ky, kx))),
    fault("bytes of the residual swapped", "byte order", ADD, said="bytes of the residual are swapped",
          residual=lambda s, f, m, r, c: swap_bytes(s.added[f][m][r][c]) << s.part.residual_shift),
    fault("bytes of y swapped", "byte order", STEM, said="bytes of y are swapped",
          output=lambda s, *index: swap_bytes(Machine.output(s, *index))),
    fault("x in reversed beats of 4", "word order", WISE, said="x: the 4 words of a beat in reverse", **reversed_input(4)),
    fault("w in reversed beats of 8", "word order", CONV, said="w: the 8 words of a beat in reverse", **reversed_weights(8)),
    fault("w in reversed beats of 2, depthwise", "word order", WISE5, said="w: the 2 words of a beat in reverse",
          **reversed_weights(2)),
    fault("y in reversed beats of 2", "word order", CONV5, said="y: the 2 words of a beat in reverse", **reversed_output(2)),
    fault("y in reversed beats of 16", "word order", ADD8, said="y: the 16 words of a beat in reverse", **reversed_output(16)),
    fault("bit 0 stuck at 0", "stuck", STEM, said="bit 0 of every output word is stuck at 0", **stuck_bit(0, 0)),
    fault("bit 9 stuck at 1", "stuck", CONV5, said="bit 9 of every output word is stuck at 1", **stuck_bit(9, 1)),
    fault("sign bit stuck at 0", "stuck", ADD8, said="bit 7 of every output word is stuck at 0", **stuck_bit(7, 0)),
    fault("accumulator saturates at 20 bits", "width", STEM, said="accumulator saturates at 20 bits, 48 are specified",
          accumulator=lambda s, v: saturate(v, 20)),
    fault("accumulator saturates at 14 bits", "width", ADD8, said="accumulator saturates at 14 bits, 32 are specified",
          accumulator=lambda s, v: saturate(v, 14)),
    fault("y of one bit less", "width", "units/modes.AP_RND.AP_SAT_SYM", said="y has one bit less",
          limited=lambda s, v, acc: max(-saturate(1 << 40, s.part.y.bits - 1), saturate(v, s.part.y.bits - 1))),
    fault("y saturates at 6 bits", "saturation", CONV, said="saturates at 6 bits, y has 8",
          limited=lambda s, v, acc: saturate(v, 6)),
    fault("y wraps at 12 bits", ("saturation", "width"), CONV5, said="wraps at 12 bits, y has 16",
          limited=lambda s, v, acc: wrap(v, 12)),
    fault("the writer dies in frame 1", "loop bound", STEM,
          said="from word 333 of 864 (frame 1, c 1, y 1, x 3) on, where every word is 0",
          output=lambda s, f, m, r, c: Machine.output(s, f, m, r, c) if ((f * 8 + m) * 6 + r) * 6 + c < 333 else 0),
    fault("the writer dies in the last channels", "loop bound", CONV5, said="where every word is 0: the rest was never written",
          output=lambda s, f, m, r, c: Machine.output(s, f, m, r, c) if (f, m) < (2, 7) else 0),
    fault("partial sums of 22 bits wrap", "partial sums", CONV5, order="nms",
          said="spilled at 22 bits, 48 are specified, and wrap", **spilled(lambda s, v: wrap(v, 22))),
    fault("partial sums of 13 bits saturate", "partial sums", CONV, order="nms",
          said="spilled at 13 bits, 32 are specified, and saturate", **spilled(lambda s, v: saturate(v, 13))),
    fault("partial sums spilled as words", "partial sums", CONV, order="snm",
          said="spilled in y's format, which rounds like AP_RND and saturates", **spilled(spilled_word)),
    fault("partial sums reloaded as 0", "partial sums", ADD, order="nsm", said="reloaded as 0: only the last n tile counts",
          **spilled(lambda s, v: 0)),
    fault("one element of the PE array missing", "PE array", CONV5, said="element (row 1, column 2) of the PE array adds nothing",
          **missing(1, 2, 4, 4)),
]  # fmt: skip
