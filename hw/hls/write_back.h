/* The types, and the write-back: what becomes of an accumulator.
 *
 * With A3CS_AP, and in synthesis, ap_int, ap_fixed and hls::stream are Xilinx's; otherwise those of a3cs_int.h.
 */
#ifndef A3CS_WRITE_BACK_H
#define A3CS_WRITE_BACK_H

#if defined(A3CS_AP) || defined(__SYNTHESIS__)
#include <ap_fixed.h>
#include <ap_int.h>
#include <hls_stream.h>
#else
#include "a3cs_int.h"
#endif

#include <cstdint>

namespace a3cs {

/* y = overflow(round(acc / 2^s)), s = ACC_FRAC - FRAC: the sum wraps to ACC bits, then one rounding, one overflow. */
template <int ACC, int ACC_FRAC, int BITS, int FRAC, ap_q_mode Q, ap_o_mode O> inline ap_int<BITS> requantize(ap_int<ACC> sum)
{
#pragma HLS INLINE
    ap_fixed<ACC, ACC - ACC_FRAC> acc;
    acc.range() = sum;
    ap_fixed<BITS, BITS - FRAC, Q, O> y = acc;
    return y.range();
}

/* The same for an unsigned word; the result is not negative. */
template <int ACC, int ACC_FRAC, int BITS, int FRAC, ap_q_mode Q, ap_o_mode O>
inline ap_int<BITS + 1> requantize_unsigned(ap_int<ACC> sum)
{
#pragma HLS INLINE
    ap_fixed<ACC, ACC - ACC_FRAC> acc;
    acc.range() = sum;
    ap_ufixed<BITS, BITS - FRAC, Q, O> y = acc;
    return y.range();
}

} // namespace a3cs

#endif
