/* What the chunk needs of ap_int.h, ap_fixed.h and hls_stream.h, on 64-bit integers and with no other header than the
 * standard library's. Names and meaning are those of Xilinx's headers; golden/FORMAT.md lists the modes with their ties.
 *
 * Words have at most 64 bits, and so have products: no exact product or sum of a network needs more.
 */
#ifndef A3CS_INT_H
#define A3CS_INT_H

#include <cstddef>
#include <cstdint>
#include <deque>

enum ap_q_mode { AP_RND, AP_RND_ZERO, AP_RND_MIN_INF, AP_RND_INF, AP_RND_CONV, AP_TRN, AP_TRN_ZERO };
enum ap_o_mode { AP_SAT, AP_SAT_ZERO, AP_SAT_SYM, AP_WRAP, AP_WRAP_SM };

namespace a3cs_int {

/* The low W bits, read as a word: two's complement when signed. */
template <int W, bool SIGNED> inline int64_t wrap(uint64_t bits)
{
    const uint64_t mask = ~UINT64_C(0) >> (64 - W);
    const uint64_t low = bits & mask;
    return static_cast<int64_t>(SIGNED && (low >> (W - 1)) ? low | ~mask : low);
}

/* round(acc / 2^shift), 0 <= shift < 64. No intermediate can overflow. */
template <ap_q_mode Q> inline int64_t round_shift(int64_t acc, int shift)
{
    const int64_t floor = acc >> shift;
    if (shift == 0 || Q == AP_TRN)
        return floor;
    const uint64_t rest = static_cast<uint64_t>(acc) & ((UINT64_C(1) << shift) - 1);
    const uint64_t half = UINT64_C(1) << (shift - 1);
    if (Q == AP_TRN_ZERO)
        return floor + (acc < 0 && rest != 0);
    const bool tie_up = Q == AP_RND || (Q == AP_RND_ZERO && acc < 0) || (Q == AP_RND_INF && acc >= 0)
                        || (Q == AP_RND_CONV && (floor & 1));
    return floor + (rest > half || (rest == half && tie_up));
}

/* The rounded value in W bits. floor is acc >> shift, which AP_WRAP_SM looks at. */
template <int W, bool SIGNED, ap_o_mode O> inline int64_t overflow(int64_t rounded, int64_t floor)
{
    const int64_t high = static_cast<int64_t>(~UINT64_C(0) >> (64 - W + SIGNED));
    const int64_t low = SIGNED ? -high - 1 : 0;
    if (O == AP_SAT_SYM && SIGNED && rounded <= low)
        return low + 1; /* also for the value that would have fitted */
    if (low <= rounded && rounded <= high)
        return rounded;
    if (O == AP_SAT || O == AP_SAT_SYM)
        return rounded < low ? low : high;
    if (O == AP_SAT_ZERO)
        return 0;
    const int64_t wrapped = wrap<W, SIGNED>(static_cast<uint64_t>(rounded));
    if (O == AP_WRAP)
        return wrapped;
    const bool bit_above = (floor >> (W < 64 ? W : 63)) & 1; /* AP_WRAP_SM */
    return (wrapped < 0) != bit_above ? ~wrapped : wrapped;
}

/* All bits of an ap_fixed: assigned from an integer, or read as one. */
template <int W, bool SIGNED> struct Range {
    int64_t& V;
    template <typename BITS> Range& operator=(const BITS& bits)
    {
        V = wrap<W, SIGNED>(static_cast<uint64_t>(bits.V));
        return *this;
    }
};

} // namespace a3cs_int

/* A signed integer of W bits. */
template <int W> struct ap_int {
    static_assert(1 <= W && W <= 64, "an ap_int has 1 to 64 bits here");
    static const int width = W;
    int64_t V;

    ap_int() : V(0) {}
    ap_int(int64_t value) : V(a3cs_int::wrap<W, true>(static_cast<uint64_t>(value))) {}
    template <int W2> ap_int(const ap_int<W2>& other) : ap_int(other.V) {}
    template <int W2, bool SIGNED> ap_int(const a3cs_int::Range<W2, SIGNED>& bits)
        : ap_int(a3cs_int::wrap<W2, false>(static_cast<uint64_t>(bits.V)))
    {
    }

    int64_t to_int64() const { return V; }
    bool operator<(int64_t other) const { return V < other; }
    template <int W2> ap_int& operator+=(const ap_int<W2>& other)
    {
        V = a3cs_int::wrap<W, true>(static_cast<uint64_t>(V) + static_cast<uint64_t>(other.V));
        return *this;
    }
    ap_int operator<<(int shift) const { return static_cast<int64_t>(static_cast<uint64_t>(V) << shift); }
};

template <int A, int B> inline ap_int<(A + B < 64 ? A + B : 64)> operator*(const ap_int<A>& a, const ap_int<B>& b)
{
    return static_cast<int64_t>(static_cast<uint64_t>(a.V) * static_cast<uint64_t>(b.V));
}

namespace a3cs_int {

/* A fixed-point word of W bits, I of them above the point: V * 2^(I - W). */
template <int W, int I, bool SIGNED, ap_q_mode Q, ap_o_mode O> struct Fixed {
    static const int width = W;
    int64_t V;

    Fixed() : V(0) {}
    template <int W2, int I2, bool SIGNED2, ap_q_mode Q2, ap_o_mode O2> Fixed(const Fixed<W2, I2, SIGNED2, Q2, O2>& other)
    {
        const int shift = (W2 - I2) - (W - I);
        static_assert(0 <= shift && shift < 64, "a write-back drops fraction bits, fewer than 64");
        V = overflow<W, SIGNED, O>(round_shift<Q>(other.V, shift), other.V >> shift);
    }

    Range<W, SIGNED> range() { return {V}; }
};

} // namespace a3cs_int

template <int W, int I, ap_q_mode Q = AP_TRN, ap_o_mode O = AP_WRAP> using ap_fixed = a3cs_int::Fixed<W, I, true, Q, O>;
template <int W, int I, ap_q_mode Q = AP_TRN, ap_o_mode O = AP_WRAP> using ap_ufixed = a3cs_int::Fixed<W, I, false, Q, O>;

namespace hls {

/* A queue between two functions. */
template <typename T> class stream {
  public:
    explicit stream(const char*) {}
    void write(const T& word) { words.push_back(word); }
    T read()
    {
        const T word = words.front();
        words.pop_front();
        return word;
    }

  private:
    std::deque<T> words;
};

} // namespace hls

#endif
