"""Dense layers: dense, dense_dx and dense_dw of reference.py by BLAS, one share of the result's columns a thread.

BLAS itself runs one thread; the pool's threads call it. BLAS counts in columns: the row-major w (N, M) is its matrix
(M, N), so y = x w is asked for as y^T = w^T x^T, and a share is a range of rows of y^T.

    y   (B, M)   share of M:    w[:, m0:m1]^T (as stored)  x^T
    dx  (B, N)   share of N:    w[n0:n1]      (transposed) dy^T
    dw  (N, M)   share of N:    dy^T                       x[:, n0:n1]

sgemm comes from SciPy's cython_blas, which takes a free leading dimension, so no share is copied. Without SciPy, and for
small layers, np.dot does the work.
"""

from __future__ import annotations

import functools

import numpy as np
from llvmlite import ir
from numba import types
from numba.extending import get_cython_function_address, intrinsic

from a3cs_ref.kernels import reference
from a3cs_ref.kernels.native import WORD, address, compiled
from a3cs_ref.kernels.pool import launch
from a3cs_ref.kernels.simd import FLOAT, pointer_to, word
from a3cs_ref.kernels.threads import threads

SMALL = 1 << 20  # multiply-adds below which a share is not worth a thread
OPERANDS = 13  # of sgemm: transa, transb, m, n, k, alpha, a, lda, b, ldb, beta, c, ldc, all addresses


@intrinsic
def call_sgemm(typingctx, function, operands):
    """Call sgemm at address `function` with the OPERANDS addresses stored at `operands`."""

    def codegen(context, builder, signature, args):
        byte = ir.IntType(8).as_pointer()
        kind = ir.FunctionType(ir.VoidType(), [byte] * OPERANDS)
        values = [builder.load(pointer_to(builder, args[1], ir.Constant(ir.IntType(64), i))) for i in range(OPERANDS)]
        builder.call(builder.inttoptr(args[0], kind.as_pointer()), [builder.inttoptr(value, byte) for value in values])
        return context.get_dummy_value()

    return types.void(types.int64, types.int64), codegen


@functools.cache
def sgemm_kernel():
    """Task t is the product whose operands are row t of a table."""

    def multiply(arguments, task, chunk):
        call_sgemm(word(arguments, 0), word(arguments, 1) + task * OPERANDS * WORD)

    return compiled(multiply)


@functools.cache
def sgemm() -> int | None:
    """Address of BLAS's sgemm; None without SciPy."""
    try:
        return get_cython_function_address("scipy.linalg.cython_blas", "sgemm")
    except ImportError:
        return None


def multiply(a, b, c, transposed_a: bool, transposed_b: bool, add: bool) -> None:
    """c = op(a) op(b), + c if `add`, in BLAS's reading (a row-major array is its transpose): shares of c's columns.

    c (n, m) row-major; a is (k, m), or (m, k) if transposed; b (n, k), or (k, n) if transposed.
    """
    (n, m), k = c.shape, a.shape[1 if transposed_a else 0]
    count = max(1, min(threads(), m * n * k // SMALL, m // 16))
    edges = [m * i // count for i in range(count + 1)]
    sizes = np.array([*np.diff(edges), n, k, a.shape[1], b.shape[1], m], np.int32)
    factors, letters = np.array([1, float(add)], np.float32), np.frombuffer(b"NT", np.uint8)
    size = [address(sizes) + 4 * i for i in range(len(sizes))]
    letter = [address(letters), address(letters) + 1]
    alpha, beta = address(factors), address(factors) + FLOAT
    table = np.array([
        [letter[transposed_a], letter[transposed_b], size[i], size[count], size[count + 1], alpha,
         address(a) + edges[i] * a.strides[0 if transposed_a else 1], size[count + 2], address(b), size[count + 3],
         beta, address(c) + edges[i] * FLOAT, size[count + 4]]
        for i in range(count)
    ], np.int64)  # fmt: skip
    launch([(sgemm_kernel(), [sgemm(), address(table)])], count)


def forward(x, w, b, rectify) -> np.ndarray:
    """dense of reference.py."""
    if small(x.shape[0] * w.size):
        return reference.dense(x, w, b, rectify)
    x, w = np.ascontiguousarray(x), np.ascontiguousarray(w)
    y = np.empty((x.shape[0], w.shape[1]), np.float32)
    if b is not None:
        y[...] = b
    multiply(w, x, y, False, False, b is not None)
    return np.maximum(y, 0, out=y) if rectify else y


def dx(dy, w) -> np.ndarray:
    """dense_dx of reference.py."""
    if small(dy.shape[0] * w.size):
        return reference.dense_dx(dy, w)
    dy, w = np.ascontiguousarray(dy), np.ascontiguousarray(w)
    out = np.empty((dy.shape[0], w.shape[0]), np.float32)
    multiply(w, dy, out, True, False, False)
    return out


def dw(x, dy) -> tuple[np.ndarray, np.ndarray]:
    """dense_dw of reference.py."""
    if small(x.shape[1] * dy.size):
        return reference.dense_dw(x, dy)
    x, dy = np.ascontiguousarray(x), np.ascontiguousarray(dy)
    out = np.empty((x.shape[1], dy.shape[1]), np.float32)
    multiply(dy, x, out, False, True, False)
    return out, dy.sum(axis=0)


def small(multiply_adds: int) -> bool:
    """Whether a product is left to np.dot."""
    return multiply_adds < SMALL or sgemm() is None
