"""The vector type of the fast kernels: LANES float32 in one register, as a Numba type with a handful of intrinsics.

Compilers vectorise the plain loops of reference.py poorly, so the fast kernels say which register holds what. A `Block` is
rows x columns LLVM vectors of float32, the accumulators of a kernel, which LLVM keeps in registers. The central operation
is `outer`, one step of a matrix product:

    block[i, v] += x[i] * w[v]        x[i] one float, spread over all lanes; w[v] a vector of LANES output channels

Addresses are plain integers (bytes), so that one compiled kernel serves every array, view and batch size. Sizes of blocks
are compile-time constants; the loops over a block are unrolled here, in the generated code.

LANES: 16 with AVX-512, 8 with AVX2, 4 elsewhere (NEON, SSE); the environment variable A3CS_SIMD=4|8|16 forces it, and LLVM
splits vectors that are wider than the machine's.
"""

from __future__ import annotations

import os
import platform

from llvmlite import binding, ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic, models, register_model

from a3cs_hw.files import UserError

FLOAT = 4  # bytes


def detect_lanes() -> int:
    """float32 lanes of this CPU's widest vectors, or what A3CS_SIMD says."""
    forced = os.environ.get("A3CS_SIMD", "")
    if forced:
        if forced not in ("4", "8", "16"):
            raise UserError(f"A3CS_SIMD={forced!r} is unknown; use 4, 8 or 16 (float32 lanes)")
        return int(forced)
    features = binding.get_host_cpu_features()
    if features.get("avx512f") and features.get("avx512vl"):
        return 16
    return 8 if features.get("avx2") and features.get("fma") else 4


LANES = detect_lanes()
# Accumulators that leave room for a row of weights and one spread input: 16 vector registers, or 32 (AVX-512, NEON).
ACCUMULATORS = 28 if LANES == 16 or platform.machine() in ("aarch64", "arm64") else 12

_float, _byte = ir.FloatType(), ir.IntType(8)
_vector = ir.VectorType(_float, LANES)


class Block(types.Type):
    """rows x columns vectors of LANES float32: the accumulators of a kernel."""

    def __init__(self, rows: int, columns: int):
        self.rows, self.columns, self.count = rows, columns, rows * columns
        super().__init__(name=f"Block({rows}x{columns}x{LANES})")


@register_model(Block)
class BlockModel(models.PrimitiveModel):
    """In LLVM, an array of vectors; it never leaves the registers unless they run out."""

    def __init__(self, dmm, fe_type):
        super().__init__(dmm, fe_type, ir.ArrayType(_vector, fe_type.count))


def _pointer(builder, address, offset, kind):
    """Address + offset (both in bytes, integers) as an LLVM pointer to `kind`."""
    return builder.inttoptr(builder.add(address, offset), kind.as_pointer())


def pointer_to(builder, address, index):
    """LLVM pointer to the int64 number `index` at `address`."""
    return _pointer(builder, address, builder.mul(index, _constant(8)), ir.IntType(64))


def _opaque(builder, address):
    """The same address, of which LLVM does not know the origin: it then computes neighbours from it, not one pointer each."""
    return builder.asm(ir.FunctionType(ir.IntType(64), [ir.IntType(64)]), "", "=r,0", [address], False)


def _load(builder, address, offset):
    return builder.load(_pointer(builder, address, offset, _vector), align=FLOAT)


def _store(builder, value, address, offset):
    builder.store(value, _pointer(builder, address, offset, _vector), align=FLOAT)


def _splat(builder, address, offset):
    """One float, spread over all lanes."""
    value = builder.load(_pointer(builder, address, offset, _float), align=FLOAT)
    first = builder.insert_element(ir.Constant(_vector, ir.Undefined), value, ir.Constant(ir.IntType(32), 0))
    zeros = ir.Constant(ir.VectorType(ir.IntType(32), LANES), [0] * LANES)
    return builder.shuffle_vector(first, ir.Constant(_vector, ir.Undefined), zeros)


def _multiply_add(builder, a, b, c):
    """a * b + c, fused where the CPU can."""
    name = f"llvm.fmuladd.v{LANES}f32"
    function = cgutils.get_or_insert_function(builder.module, ir.FunctionType(_vector, [_vector] * 3), name)
    return builder.call(function, [a, b, c])


def _sum(builder, value):
    """The sum over all lanes: halves are added until one lane is left."""
    lanes = LANES
    while lanes > 1:
        lanes //= 2
        half = ir.VectorType(ir.IntType(32), lanes)
        low, high = ir.Constant(half, list(range(lanes))), ir.Constant(half, list(range(lanes, 2 * lanes)))
        value = builder.fadd(builder.shuffle_vector(value, value, low), builder.shuffle_vector(value, value, high))
    return builder.extract_element(value, ir.Constant(ir.IntType(32), 0))


def _zero():
    return ir.Constant(_vector, [0.0] * LANES)


def _constant(value):
    return ir.Constant(ir.IntType(64), value)


def _elements(builder, block, count):
    return [builder.extract_value(block, i) for i in range(count)]


def _block(builder, values):
    block = ir.Constant(ir.ArrayType(_vector, len(values)), ir.Undefined)
    for i, value in enumerate(values):
        block = builder.insert_value(block, value, i)
    return block


def _products(builder, kind, block, left, right):
    """block[i, j] + left[i]() right[j](): the shorter side is loaded first and held, the longer one comes one by one.

    So rows x columns accumulators need min(rows, columns) + 1 registers more: 16 are just enough for 6 x 2 and 3 x 4.
    """
    values, by_rows = _elements(builder, block, kind.count), kind.rows >= kind.columns
    held = [load() for load in (right if by_rows else left)]
    for outer_index, load in enumerate(left if by_rows else right):
        factor = load()
        for inner_index, other in enumerate(held):
            i, j = (outer_index, inner_index) if by_rows else (inner_index, outer_index)
            values[i * kind.columns + j] = _multiply_add(builder, factor, other, values[i * kind.columns + j])
    return _block(builder, values)


def _at(builder, address, row, step, column):
    """(address, byte offset) of vector `column` in row `row` of a block whose rows are `step` bytes apart."""
    rows = builder.mul(step, _constant(row))
    return address, builder.add(rows, _constant(column * LANES * FLOAT))


@intrinsic
def word(typingctx, address, index):
    """The integer number `index` of an array of int64 at `address`: how a kernel receives its arguments."""

    def codegen(context, builder, signature, args):
        return builder.load(pointer_to(builder, args[0], args[1]))

    return types.int64(types.int64, types.int64), codegen


def _typed(kind):
    """Signature and code of an intrinsic that makes an address a pointer to `kind`."""

    def codegen(context, builder, signature, args):
        return builder.inttoptr(args[0], context.get_value_type(signature.return_type))

    return types.CPointer(kind)(types.int64), codegen


@intrinsic
def floats_at(typingctx, address):
    """The address as a pointer to float32, for carray."""
    return _typed(types.float32)


@intrinsic
def bytes_at(typingctx, address):
    """The address as a pointer to uint8, for carray."""
    return _typed(types.uint8)


@intrinsic(prefer_literal=True)
def prefetch(typingctx, address, write):
    """Ask for the cache line at `address`, to be read or (write = 1, a constant) written soon; any address is allowed."""
    kind, number = ir.FunctionType(ir.VoidType(), [_byte.as_pointer(), *[ir.IntType(32)] * 3]), write.literal_value

    def codegen(context, builder, signature, args):
        function = cgutils.get_or_insert_function(builder.module, kind, "llvm.prefetch.p0")
        hints = [ir.Constant(ir.IntType(32), hint) for hint in (number, 2, 1)]  # read or write, nearness, data
        builder.call(function, [builder.inttoptr(args[0], _byte.as_pointer()), *hints])
        return context.get_dummy_value()

    return types.void(types.int64, write), codegen


@intrinsic(prefer_literal=True)
def zeros(typingctx, rows, columns):
    """A block of zeros; rows and columns are constants."""
    kind = Block(rows.literal_value, columns.literal_value)

    def codegen(context, builder, signature, args):
        return _block(builder, [_zero()] * kind.count)

    return kind(rows, columns), codegen


@intrinsic(prefer_literal=True)
def load_block(typingctx, rows, columns, address, step):
    """rows x columns (constants) vectors from memory; rows are `step` bytes apart (0: the same row for all)."""
    kind = Block(rows.literal_value, columns.literal_value)

    def codegen(context, builder, signature, args):
        places = [_at(builder, args[2], i // kind.columns, args[3], i % kind.columns) for i in range(kind.count)]
        return _block(builder, [_load(builder, *place) for place in places])

    return kind(rows, columns, types.int64, types.int64), codegen


@intrinsic
def store_block(typingctx, block, address, step):
    """Write a block; its rows are `step` bytes apart."""

    def codegen(context, builder, signature, args):
        for i, value in enumerate(_elements(builder, args[0], block.count)):
            _store(builder, value, *_at(builder, args[1], i // block.columns, args[2], i % block.columns))
        return context.get_dummy_value()

    return types.void(block, types.int64, types.int64), codegen


@intrinsic
def add_from(typingctx, block, address, step):
    """block + the block in memory whose rows are `step` bytes apart."""

    def codegen(context, builder, signature, args):
        places = [_at(builder, args[1], i // block.columns, args[2], i % block.columns) for i in range(block.count)]
        old = _elements(builder, args[0], block.count)
        return _block(builder, [builder.fadd(v, _load(builder, *place)) for v, place in zip(old, places, strict=True)])

    return block(block, types.int64, types.int64), codegen


@intrinsic
def add(typingctx, a, b):
    """The sum of two blocks."""

    def codegen(context, builder, signature, args):
        pairs = zip(_elements(builder, args[0], a.count), _elements(builder, args[1], a.count), strict=True)
        return _block(builder, [builder.fadd(u, v) for u, v in pairs])

    return a(a, a), codegen


def linear(*matrices: tuple[tuple[float, ...], ...]):
    """An intrinsic, block -> block: the product of constant matrices with the column of a block's rows."""

    def combine(builder, factors, values):
        terms = [(factor, value) for factor, value in zip(factors, values, strict=True) if factor]
        (first, total), *others = sorted(terms, key=lambda term: (term[0] != 1, term[0] != -1))  # so few need a product
        total = total if first == 1 else builder.fmul(total, ir.Constant(_vector, [first] * LANES))
        for factor, value in others:
            if abs(factor) == 1:
                total = (builder.fadd if factor > 0 else builder.fsub)(total, value)
            else:
                total = _multiply_add(builder, value, ir.Constant(_vector, [factor] * LANES), total)
        return total

    @intrinsic
    def transform(typingctx, block):
        kind, columns = Block(len(matrices[0]), block.columns), block.columns

        def codegen(context, builder, signature, args):
            values = _elements(builder, args[0], block.count)
            for matrix in reversed(matrices):
                values = [combine(builder, row, values[v::columns]) for row in matrix for v in range(columns)]
            return _block(builder, values)

        return kind(block), codegen

    return transform


@intrinsic(prefer_literal=True)
def outer(typingctx, block, x, step, w):
    """block[i, v] + x[i] w[v]: floats at x, x + step, ... (bytes), and the vectors of one row at w."""
    fixed = isinstance(step, types.IntegerLiteral)

    def codegen(context, builder, signature, args):
        x, step_value = (args[1], _constant(step.literal_value)) if fixed else (_opaque(builder, args[1]), args[2])
        spread = [lambda i=i: _splat(builder, x, builder.mul(step_value, _constant(i))) for i in range(block.rows)]
        weights = [lambda v=v: _load(builder, args[3], _constant(v * LANES * FLOAT)) for v in range(block.columns)]
        return _products(builder, block, args[0], spread, weights)

    return block(block, types.int64, step if fixed else types.int64, types.int64), codegen


@intrinsic
def inner(typingctx, block, a, a_step, b, b_step):
    """block[i, j] + a[i] * b[j], lane by lane: vectors at a, a + a_step, ... and b, b + b_step, ..."""

    def codegen(context, builder, signature, args):
        left = [lambda i=i: _load(builder, args[1], builder.mul(args[2], _constant(i))) for i in range(block.rows)]
        right = [lambda j=j: _load(builder, args[3], builder.mul(args[4], _constant(j))) for j in range(block.columns)]
        return _products(builder, block, args[0], left, right)

    return block(block, types.int64, types.int64, types.int64, types.int64), codegen


@intrinsic
def store_sums(typingctx, block, address, row_step, column_step):
    """Write the sum over the lanes of each vector, one float each."""

    def codegen(context, builder, signature, args):
        for i, value in enumerate(_elements(builder, args[0], block.count)):
            row, column = _constant(i // block.columns), _constant(i % block.columns)
            offset = builder.add(builder.mul(args[2], row), builder.mul(args[3], column))
            builder.store(_sum(builder, value), _pointer(builder, args[1], offset, _float), align=FLOAT)
        return context.get_dummy_value()

    return types.void(block, types.int64, types.int64, types.int64), codegen


@intrinsic(prefer_literal=True)
def correlate(typingctx, block, terms, row_stride, term_stride, x, x_step, w, w_step):
    """block[i] + sum over j < terms of x[i row_stride + j term_stride] w[j], lane by lane; one column of vectors.

    terms and both strides are constants; vectors of x and w are x_step and w_step bytes apart. Each is loaded once.
    """
    count, stride_i, stride_j = terms.literal_value, row_stride.literal_value, term_stride.literal_value

    def codegen(context, builder, signature, args):
        def vectors(address, step, n):
            address = _opaque(builder, address)
            return [_load(builder, address, builder.mul(step, _constant(k))) for k in range(n)]

        xs = vectors(args[4], args[5], (block.rows - 1) * stride_i + (count - 1) * stride_j + 1)
        ws = vectors(args[6], args[7], count)
        values = _elements(builder, args[0], block.rows)
        for j, i in ((j, i) for j in range(count) for i in range(block.rows)):
            values[i] = _multiply_add(builder, xs[i * stride_i + j * stride_j], ws[j], values[i])
        return _block(builder, values)

    return block(block, terms, row_stride, term_stride, *[types.int64] * 4), codegen


@intrinsic
def relu(typingctx, block):
    """max(0, x); NaN stays NaN, as with np.maximum."""

    def codegen(context, builder, signature, args):
        values = _elements(builder, args[0], block.count)
        return _block(builder, [builder.select(builder.fcmp_ordered("<", v, _zero()), _zero(), v) for v in values])

    return block(block), codegen


@intrinsic
def where_positive(typingctx, block, address, step):
    """The block where the block in memory, rows `step` bytes apart, is not <= 0, else 0: a ReLU's gradient, NaN let through."""

    def codegen(context, builder, signature, args):
        places = [_at(builder, args[1], i // block.columns, args[2], i % block.columns) for i in range(block.count)]
        pairs = zip(_elements(builder, args[0], block.count), places, strict=True)
        cut = [(v, builder.fcmp_ordered("<=", _load(builder, *place), _zero())) for v, place in pairs]
        return _block(builder, [builder.select(condition, _zero(), v) for v, condition in cut])

    return block(block, types.int64, types.int64), codegen


@intrinsic
def call(typingctx, function, arguments, task, chunk):
    """Call the compiled kernel at address `function` with (arguments, task, chunk), all int64."""
    kind = ir.FunctionType(ir.VoidType(), [ir.IntType(64)] * 3)

    def codegen(context, builder, signature, args):
        builder.call(builder.inttoptr(args[0], kind.as_pointer()), args[1:])
        return context.get_dummy_value()

    return types.void(types.int64, types.int64, types.int64, types.int64), codegen
