/* One chunk (sub-accelerator): three double buffers, a PE array, a fused write-back, and the walk over the tiles of a unit.
 *
 * docs/hardware.md defines what this does; README.md beside this file says which line does what. Symbols: M output channels,
 * N input channels, H x W input map, R x C output map, K kernel size, S stride. Maps lie in DRAM as [channel][row][column].
 *
 * A chunk's configuration CHUNK is a struct that `a3cs export hls` writes:
 *
 *   rows, columns, row_loop, column_loop       the PE array, and the loops (of k m n r c) that its rows and columns unroll
 *   input_words, weight_words, output_words    of one side of each buffer
 *   input_banks, weight_banks, output_banks    how many words the PE array reads of each at once
 *   resident                                   all weights of the chunk's units lie in the weight buffer, loaded once
 *   x_t, w_t, acc_t, word_t, weight_t          words of the buffers; of the maps and the weights in DRAM
 *   write_back(format, sum)                    the write-back of one of its units' formats
 */
#ifndef A3CS_CHUNK_H
#define A3CS_CHUNK_H

#include "write_back.h"

namespace a3cs {

/* What crosses between DRAM and the chunk. */
enum Operand { INPUT, WEIGHT, RESIDUAL, RELOAD, SPILL, OUTPUT, OPERANDS };

/* One unit as its chunk runs it. */
struct Unit {
    int M, N, H, W, K, S, pad, R, C;
    bool depthwise, relu, residual;
    char order[4];       /* the tile loops m, n, s, outermost first; s walks the map row by row */
    int tm, tn, tr, tc;  /* the chunk's tile, clipped to the unit */
    int format;          /* of its write-back */
    int residual_shift;  /* from the residual's frac to the accumulator's */
    int weights, biases; /* where they begin in DRAM */
    int resident;        /* where its weights begin in a resident weight buffer */
    int bytes[OPERANDS]; /* of a word in DRAM */
    int rate;            /* bytes that DRAM moves in a cycle; 0: an ideal memory */
    int fill;            /* cycles added to every tile */
};

/* Performance counters of one unit: what its loops did. */
struct Counts {
    int64_t tiles, cycles, compute, words[OPERANDS];
};

/* First output channel, input channel, row and column of a tile, its sizes, and the sides of the buffers that hold it. */
struct Tile {
    bool valid;
    int m, n, r, c;
    int tm, tn, tr, tc;
    int input, weight, output;
};

/* The three buffers. One side is filled or emptied while the PE array works on the other. */
template <typename CHUNK> struct Buffers {
    typename CHUNK::x_t input[2][CHUNK::input_words];
    typename CHUNK::w_t weight[CHUNK::resident ? 1 : 2][CHUNK::weight_words];
    typename CHUNK::acc_t output[2][CHUNK::output_words];
};

/* Where a unit's operands lie in DRAM. partial: room for M x R x C accumulators that are left before their last n. */
template <typename CHUNK> struct Dram {
    const typename CHUNK::word_t* x;
    const typename CHUNK::weight_t* weights;
    const int64_t* biases;
    const typename CHUNK::word_t* residual;
    typename CHUNK::acc_t* partial;
    typename CHUNK::word_t* y;
};

/* --- the walk ----------------------------------------------------------------------------------------------------- */

inline int smaller(int a, int b) { return a < b ? a : b; }

/* Iterations of the loop over input channels: a depthwise unit has one. */
inline int channels(const Unit& u) { return u.depthwise ? 1 : u.N; }

/* Rows or columns between the first and the last tap of `count` outputs. */
inline int box(const Unit& u, int count) { return (count - 1) * u.S + u.K; }

/* Where the output word (m, r, c) of a unit lies in DRAM. */
inline int output_place(const Unit& u, int m, int r, int c) { return (m * u.R + r) * u.C + c; }

/* Whether two tiles have the same outputs. */
inline bool same_outputs(const Tile& a, const Tile& b) { return a.m == b.m && a.r == b.r && a.c == b.c; }

/* Whether a tile is the last that adds to its outputs. */
inline bool last_n(const Unit& u, const Tile& t) { return t.n + t.tn == channels(u); }

/* The sizes of a tile: the last of a loop may be shorter. */
inline void clip(const Unit& u, Tile& t)
{
    t.tm = smaller(u.tm, u.M - t.m);
    t.tn = smaller(u.tn, channels(u) - t.n);
    t.tr = smaller(u.tr, u.R - t.r);
    t.tc = smaller(u.tc, u.C - t.c);
}

inline Tile no_tile()
{
    const Tile none = {false, 0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1};
    return none;
}

inline Tile first_tile(const Unit& u)
{
    Tile t = no_tile();
    t.valid = true;
    clip(u, t);
    return t;
}

/* The tile after t, the innermost loop of the order fastest; not valid after the last. */
inline Tile next_tile(const Unit& u, Tile t)
{
    for (int level = 2; level >= 0 && t.valid; level--) {
        bool more;
        switch (u.order[level]) {
        case 'm':
            t.m += u.tm;
            more = t.m < u.M;
            t.m = more ? t.m : 0;
            break;
        case 'n':
            t.n += u.tn;
            more = t.n < channels(u);
            t.n = more ? t.n : 0;
            break;
        default:
            t.c += u.tc;
            t.r += t.c < u.C ? 0 : u.tr;
            t.c = t.c < u.C ? t.c : 0;
            more = t.r < u.R;
            t.r = more ? t.r : 0;
        }
        if (more) {
            clip(u, t);
            return t;
        }
    }
    t.valid = false;
    return t;
}

/* --- load --------------------------------------------------------------------------------------------------------- */

/* Count the words that an operand moved; returns the cycles that this takes. */
inline int64_t transfer(const Unit& u, Operand operand, int64_t words, Counts& counts)
{
    counts.words[operand] += words;
    return u.rate ? (words * u.bytes[operand] + u.rate - 1) / u.rate : 0;
}

/* The dense box from the tile's first to its last tap; what lies in the padding is made here and not moved. */
template <typename CHUNK>
int64_t load_input(const Unit& u, const Tile& t, const typename CHUNK::word_t* x, typename CHUNK::x_t buffer[])
{
    const int first = u.depthwise ? t.m : t.n, count = u.depthwise ? t.tm : t.tn;
    const int rows = box(u, t.tr), columns = box(u, t.tc);
    int64_t words = 0;
    for (int n = 0; n < count; n++)
        for (int row = 0; row < rows; row++)
            for (int column = 0; column < columns; column++) {
#pragma HLS PIPELINE II=1
                const int h = t.r * u.S - u.pad + row, w = t.c * u.S - u.pad + column;
                const bool inside = 0 <= h && h < u.H && 0 <= w && w < u.W;
                const int place = (n * rows + row) * columns + column;
                if (inside)
                    buffer[place] = x[((first + n) * u.H + h) * u.W + w];
                else
                    buffer[place] = 0;
                words += inside;
            }
    return words;
}

template <typename CHUNK>
int64_t load_weights(const Unit& u, const Tile& t, const typename CHUNK::weight_t* weights, typename CHUNK::w_t buffer[])
{
    const int taps = u.K * u.K;
    int64_t words = 0;
    for (int m = 0; m < t.tm; m++)
        for (int n = 0; n < t.tn; n++)
            for (int k = 0; k < taps; k++) {
#pragma HLS PIPELINE II=1
                buffer[(m * t.tn + n) * taps + k] = weights[u.weights + ((t.m + m) * channels(u) + t.n + n) * taps + k];
                words++;
            }
    return words;
}

/* All weights of a unit, once, at configuration. */
template <typename CHUNK> void load_resident(const Unit& u, const typename CHUNK::weight_t* weights, Buffers<CHUNK>& buffers)
{
    const int words = u.M * channels(u) * u.K * u.K;
    for (int i = 0; i < words; i++) {
#pragma HLS PIPELINE II=1
        buffers.weight[0][u.resident + i] = weights[u.weights + i];
    }
}

/* Accumulators begin with the bias, or with the partial sums that were spilled; returns the words reloaded. */
template <typename CHUNK>
int64_t load_output(const Unit& u, const Tile& t, const Dram<CHUNK>& dram, typename CHUNK::acc_t buffer[])
{
    int64_t words = 0;
    for (int m = 0; m < t.tm; m++)
        for (int r = 0; r < t.tr; r++)
            for (int c = 0; c < t.tc; c++) {
#pragma HLS PIPELINE II=1
                const int place = (m * t.tr + r) * t.tc + c;
                if (t.n == 0) {
                    buffer[place] = dram.biases[u.biases + t.m + m];
                } else {
                    buffer[place] = dram.partial[output_place(u, t.m + m, t.r + r, t.c + c)];
                    words++;
                }
            }
    return words;
}

/* The residual is added to the accumulators as it arrives. */
template <typename CHUNK>
int64_t load_residual(const Unit& u, const Tile& t, const typename CHUNK::word_t* residual, typename CHUNK::acc_t buffer[])
{
    int64_t words = 0;
    for (int m = 0; m < t.tm; m++)
        for (int r = 0; r < t.tr; r++)
            for (int c = 0; c < t.tc; c++) {
#pragma HLS PIPELINE II=1
                const ap_int<64> word = residual[output_place(u, t.m + m, t.r + r, t.c + c)];
                buffer[(m * t.tr + r) * t.tc + c] += word << u.residual_shift;
                words++;
            }
    return words;
}

/* Bring what `tile` needs and `before`, the tile in front of it, did not have; returns the cycles. An operand that moves goes
 * to the other side of its buffer, one that stays remains on its side. */
template <typename CHUNK>
int64_t load(const Unit& u, const Tile& before, Tile& tile, const Dram<CHUNK>& dram, Buffers<CHUNK>& buffers, Counts& counts)
{
    if (!tile.valid)
        return 0;
    const bool new_map = !before.valid || before.r != tile.r || before.c != tile.c;
    const bool new_m = !before.valid || before.m != tile.m;
    const bool new_n = !before.valid || before.n != tile.n;
    int64_t cycles = 0;
    tile.input = before.input;
    tile.weight = before.weight;
    tile.output = before.output;
    if (new_map || (u.depthwise ? new_m : new_n)) {
        tile.input = 1 - before.input;
        cycles += transfer(u, INPUT, load_input<CHUNK>(u, tile, dram.x, buffers.input[tile.input]), counts);
    }
    if ((new_m || new_n) && !CHUNK::resident) {
        tile.weight = 1 - before.weight;
        cycles += transfer(u, WEIGHT, load_weights<CHUNK>(u, tile, dram.weights, buffers.weight[tile.weight]), counts);
    }
    if (new_m || new_map) {
        tile.output = 1 - before.output;
        cycles += transfer(u, RELOAD, load_output<CHUNK>(u, tile, dram, buffers.output[tile.output]), counts);
    }
    if (u.residual && last_n(u, tile))
        cycles += transfer(u, RESIDUAL, load_residual<CHUNK>(u, tile, dram.residual, buffers.output[tile.output]), counts);
    return cycles;
}

/* --- compute ------------------------------------------------------------------------------------------------------ */

/* How many iterations of a loop the PE array does at once. */
template <typename CHUNK> constexpr int lanes(char loop)
{
    return loop == CHUNK::row_loop ? CHUNK::rows : loop == CHUNK::column_loop ? CHUNK::columns : 1;
}

/* Which of them the PE (row, column) does. */
template <typename CHUNK> constexpr int lane(char loop, int row, int column)
{
    return loop == CHUNK::row_loop ? row : loop == CHUNK::column_loop ? column : 0;
}

/* First iteration of each loop of a tile in one cycle. */
struct Turn {
    int n, ky, kx, r, c, m;
};

/* Where the weights of a tile lie in the weight buffer, and how far apart those of its channels are. */
struct WeightView {
    int first, m_stride, n_stride;
};

template <typename CHUNK> WeightView weight_view(const Unit& u, const Tile& t)
{
    const int taps = u.K * u.K;
    const WeightView streamed = {0, t.tn * taps, taps};
    const WeightView resident = {u.resident + (t.m * channels(u) + t.n) * taps, channels(u) * taps, taps};
    return CHUNK::resident ? resident : streamed;
}

/* One cycle of the PE array: a multiply-accumulate in each PE whose iterations exist. PEs that unroll n or k add up their
 * products before the output buffer is touched. */
template <typename CHUNK>
void multiply_accumulate(
    const Unit& u, const Tile& t, const Turn& turn, const typename CHUNK::x_t input[], const typename CHUNK::w_t weight[],
    const WeightView& view, typename CHUNK::acc_t output[])
{
#pragma HLS INLINE
    const int rows = box(u, t.tr), columns = box(u, t.tc);
    const int m_lanes = lanes<CHUNK>('m'), r_lanes = lanes<CHUNK>('r'), c_lanes = lanes<CHUNK>('c');
    typename CHUNK::acc_t sums[m_lanes * r_lanes * c_lanes];
#pragma HLS ARRAY_PARTITION variable=sums complete
    for (int i = 0; i < m_lanes * r_lanes * c_lanes; i++) {
#pragma HLS UNROLL
        sums[i] = 0;
    }
    for (int row = 0; row < CHUNK::rows; row++) {
#pragma HLS UNROLL
        for (int column = 0; column < CHUNK::columns; column++) {
#pragma HLS UNROLL
            const int m_lane = lane<CHUNK>('m', row, column), r_lane = lane<CHUNK>('r', row, column);
            const int c_lane = lane<CHUNK>('c', row, column);
            const int m = turn.m + m_lane, r = turn.r + r_lane, c = turn.c + c_lane;
            const int n = turn.n + lane<CHUNK>('n', row, column), ky = turn.ky + lane<CHUNK>('k', row, column);
            if (m < t.tm && n < t.tn && r < t.tr && c < t.tc && ky < u.K) {
                const int channel = u.depthwise ? m : n;
                const int place = (channel * rows + r * u.S + ky) * columns + c * u.S + turn.kx;
                const int tap = view.first + m * view.m_stride + n * view.n_stride + ky * u.K + turn.kx;
                sums[(m_lane * r_lanes + r_lane) * c_lanes + c_lane] += input[place] * weight[tap];
            }
        }
    }
    for (int i = 0; i < m_lanes * r_lanes * c_lanes; i++) {
#pragma HLS UNROLL
        const int m = turn.m + i / (r_lanes * c_lanes), r = turn.r + i / c_lanes % r_lanes, c = turn.c + i % c_lanes;
        if (m < t.tm && r < t.tr && c < t.tc)
            output[(m * t.tr + r) * t.tc + c] += sums[i];
    }
}

/* All products of a tile; returns the cycles, the fill among them. */
template <typename CHUNK> int64_t compute(const Unit& u, const Tile& t, Buffers<CHUNK>& buffers)
{
    if (!t.valid)
        return 0;
    const WeightView view = weight_view<CHUNK>(u, t);
    int64_t cycles = u.fill;
    Turn turn;
    for (turn.n = 0; turn.n < t.tn; turn.n += lanes<CHUNK>('n'))
        for (turn.ky = 0; turn.ky < u.K; turn.ky += lanes<CHUNK>('k'))
            for (turn.kx = 0; turn.kx < u.K; turn.kx++)
                for (turn.r = 0; turn.r < t.tr; turn.r += lanes<CHUNK>('r'))
                    for (turn.c = 0; turn.c < t.tc; turn.c += lanes<CHUNK>('c'))
                        for (turn.m = 0; turn.m < t.tm; turn.m += lanes<CHUNK>('m')) {
#pragma HLS PIPELINE II=1
#pragma HLS DEPENDENCE variable=buffers.output inter false
                            multiply_accumulate<CHUNK>(
                                u, t, turn, buffers.input[t.input], buffers.weight[CHUNK::resident ? 0 : t.weight], view,
                                buffers.output[t.output]);
                            cycles++;
                        }
    return cycles;
}

/* --- store -------------------------------------------------------------------------------------------------------- */

/* The accumulators of a tile, in the order m, r, c. */
template <typename CHUNK>
void drain(const Tile& t, const typename CHUNK::acc_t buffer[], hls::stream<typename CHUNK::acc_t>& sums)
{
    const int count = t.tm * t.tr * t.tc;
    for (int i = 0; i < count; i++) {
#pragma HLS PIPELINE II=1
        sums.write(buffer[i]);
    }
}

/* The write-back: wrap to the unit's accumulator, round, overflow; then ReLU, on the word just made. */
template <typename CHUNK>
void write_back(
    const Unit& u, const Tile& t, hls::stream<typename CHUNK::acc_t>& sums, hls::stream<typename CHUNK::word_t>& words)
{
    const int count = t.tm * t.tr * t.tc;
    for (int i = 0; i < count; i++) {
#pragma HLS PIPELINE II=1
        typename CHUNK::word_t word = CHUNK::write_back(u.format, sums.read());
        if (u.relu && word < 0)
            word = 0;
        words.write(word);
    }
}

/* Words of a tile to its places in a map of M x R x C words, counted. */
template <typename T> void store_words(const Unit& u, const Tile& t, hls::stream<T>& words, T* map, int64_t& count)
{
    count = 0;
    for (int m = 0; m < t.tm; m++)
        for (int r = 0; r < t.tr; r++)
            for (int c = 0; c < t.tc; c++) {
#pragma HLS PIPELINE II=1
                map[output_place(u, t.m + m, t.r + r, t.c + c)] = words.read();
                count++;
            }
}

template <typename CHUNK>
void store_results(
    const Unit& u, const Tile& t, const typename CHUNK::acc_t buffer[], typename CHUNK::word_t* y, int64_t& count)
{
#pragma HLS DATAFLOW
    hls::stream<typename CHUNK::acc_t> sums("sums");
    hls::stream<typename CHUNK::word_t> words("words");
    drain<CHUNK>(t, buffer, sums);
    write_back<CHUNK>(u, t, sums, words);
    store_words(u, t, words, y, count);
}

template <typename CHUNK>
void spill(
    const Unit& u, const Tile& t, const typename CHUNK::acc_t buffer[], typename CHUNK::acc_t* partial, int64_t& count)
{
#pragma HLS DATAFLOW
    hls::stream<typename CHUNK::acc_t> sums("sums");
    drain<CHUNK>(t, buffer, sums);
    store_words(u, t, sums, partial, count);
}

/* Store the outputs of `tile` if they are complete, spill them if `after` leaves them early; returns the cycles. */
template <typename CHUNK>
int64_t store(
    const Unit& u, const Tile& tile, const Tile& after, const Dram<CHUNK>& dram, const Buffers<CHUNK>& buffers, Counts& counts)
{
    if (!tile.valid)
        return 0;
    const typename CHUNK::acc_t* sums = buffers.output[tile.output];
    int64_t words;
    if (last_n(u, tile)) {
        store_results<CHUNK>(u, tile, sums, dram.y, words);
        return transfer(u, OUTPUT, words, counts);
    }
    if (!after.valid || !same_outputs(tile, after)) {
        spill<CHUNK>(u, tile, sums, dram.partial, words);
        return transfer(u, SPILL, words, counts);
    }
    return 0;
}

/* --- a unit ------------------------------------------------------------------------------------------------------- */

/* All tiles of a unit. While a tile is computed, the results of the one before it leave, then the operands of the one after it
 * arrive: stores go first, since the next tile may reload what was just spilled. The three work on different sides of the
 * buffers and in hardware at once, so a step takes as long as the slower of computing and moving. */
template <typename CHUNK> Counts run_unit(const Unit& u, const Dram<CHUNK>& dram, Buffers<CHUNK>& buffers)
{
#pragma HLS ARRAY_PARTITION variable=buffers.input complete dim=1
#pragma HLS ARRAY_PARTITION variable=buffers.input cyclic factor=CHUNK::input_banks dim=2
#pragma HLS ARRAY_PARTITION variable=buffers.weight complete dim=1
#pragma HLS ARRAY_PARTITION variable=buffers.weight cyclic factor=CHUNK::weight_banks dim=2
#pragma HLS ARRAY_PARTITION variable=buffers.output complete dim=1
#pragma HLS ARRAY_PARTITION variable=buffers.output cyclic factor=CHUNK::output_banks dim=2
    Counts counts = {0, 0, 0, {0, 0, 0, 0, 0, 0}};
    Tile before = no_tile(), tile = no_tile(), after = first_tile(u);
    do {
        int64_t moving = store(u, before, tile, dram, buffers, counts);
        moving += load(u, tile, after, dram, buffers, counts);
        const int64_t computing = compute(u, tile, buffers);
        counts.cycles += computing > moving ? computing : moving;
        counts.compute += computing;
        counts.tiles += tile.valid;
        before = tile;
        tile = after;
        after = next_tile(u, after);
    } while (before.valid || tile.valid);
    return counts;
}

/* What a chunk does when it is started: run one unit on one frame; or, to configure it, take in the unit's resident weights. */
template <typename CHUNK> Counts start(const Unit& u, bool configure, const Dram<CHUNK>& dram)
{
    static Buffers<CHUNK> buffers;
    if (!configure)
        return run_unit(u, dram, buffers);
    if (CHUNK::resident)
        load_resident(u, dram.weights, buffers);
    const Counts nothing = {0, 0, 0, {0, 0, 0, 0, 0, 0}};
    return nothing;
}

} // namespace a3cs

#endif
