"""Faults of a line or two of the HLS sources. `old` occurs once in `file`."""

from typing import NamedTuple


class Mutant(NamedTuple):
    """kind: the class of fault. reason: why it is equivalent; empty where the suite must find it. also: other kinds that are
    right as well, since the words are the same (a window one pixel off is padding left out on one side)."""

    name: str
    file: str
    kind: str
    old: str
    new: str
    reason: str = ""
    also: tuple[str, ...] = ()


# Kinds that `golden diff` may say as well, since they are the same in the words: a tile that ends early is a loop that does.
ALIKE = {"tile edge": ("loop bound",), "buffer swap": ("tile edge",)}
INT, BACK, CHUNK, PIPE = "a3cs_int.h", "write_back.h", "chunk.h", "pipeline.h"
SIGNED_Y = "    ap_fixed<BITS, BITS - FRAC, Q, O> y = acc;"
UNSIGNED_Y = "    ap_ufixed<BITS, BITS - FRAC, Q, O> y = acc;"
# Wrong where a residual is added and the sum wraps, and nowhere else: the suite's small ResNets alone have such words.
WORD = "        typename CHUNK::word_t word = CHUNK::write_back(u.format, sums.read());\n"
SUM = "        const typename CHUNK::acc_t sum = sums.read();\n" + WORD.replace("sums.read()", "sum")
ENDS = "sum < 0 ? -(1 << (8 * u.bytes[OUTPUT] - 1)) : (1 << (8 * u.bytes[OUTPUT] - 1)) - 1"
SATURATES = SUM + f"        if (u.residual && (sum < 0 ? !(word < 1) : word < 0)) word = {ENDS};\n"
RELU_OF_SUM = SUM + "        if (u.relu && u.residual && sum < 0) word = 0;\n"

MUTANTS = [
    Mutant("rnd_ties_down", INT, "rounding", "tie_up = Q == AP_RND || (Q", "tie_up = (Q"),
    Mutant("rnd_zero_sign", INT, "rounding", "(Q == AP_RND_ZERO && acc < 0)", "(Q == AP_RND_ZERO && acc >= 0)"),
    Mutant("rnd_inf_sign", INT, "rounding", "(Q == AP_RND_INF && acc >= 0)", "(Q == AP_RND_INF && acc < 0)"),
    Mutant("rnd_conv_odd", INT, "rounding", "(floor & 1));", "!(floor & 1));"),
    Mutant("rnd_min_inf_up", INT, "rounding", "|| (Q == AP_RND_CONV", "|| Q == AP_RND_MIN_INF || (Q == AP_RND_CONV"),
    Mutant("half_too_large", INT, "rounding", "half = UINT64_C(1) << (shift - 1);", "half = UINT64_C(1) << shift;"),
    Mutant("rest_too_short", INT, "rounding", "((UINT64_C(1) << shift) - 1);", "((UINT64_C(1) << (shift - 1)) - 1);"),
    Mutant("ties_always_up", INT, "rounding", "(rest > half ||", "(rest >= half ||"),
    Mutant("trn_zero_is_trn", INT, "rounding", "(acc < 0 && rest != 0)", "(acc < 0 && rest == half)"),
    Mutant("trn_zero_exact", INT, "rounding", "(acc < 0 && rest != 0)", "(acc < 0)"),
    Mutant("one_rounding", BACK, "rounding", SIGNED_Y, "    ap_fixed<BITS, BITS - FRAC, AP_RND, O> y = acc;"),
    Mutant("truncates", BACK, "rounding", SIGNED_Y, "    ap_fixed<BITS, BITS - FRAC, AP_TRN, O> y = acc;"),
    Mutant("unsigned_truncates", BACK, "rounding", UNSIGNED_Y, "    ap_ufixed<BITS, BITS - FRAC, AP_TRN, O> y = acc;"),
    Mutant("sat_sym_low", INT, "saturation", "return low + 1;", "return low;"),
    Mutant("sat_sym_at_low", INT, "saturation", "SIGNED && rounded <= low)", "SIGNED && rounded < low)"),
    Mutant("sat_sym_forgotten", INT, "saturation", "(O == AP_SAT || O == AP_SAT_SYM)", "(O == AP_SAT)"),
    Mutant("sat_always_high", INT, "saturation", "return rounded < low ? low : high;", "return high;"),
    Mutant("sat_zero_low", INT, "saturation", "return 0;\n    const int64_t wrapped", "return low;\n    const int64_t wrapped"),
    Mutant("low_out_of_range", INT, "saturation", "(low <= rounded && rounded <= high)", "(low < rounded && rounded <= high)"),
    Mutant("high_out_of_range", INT, "saturation", "(low <= rounded && rounded <= high)", "(low <= rounded && rounded < high)"),
    Mutant("wrap_sm_inverted", INT, "saturation", "(wrapped < 0) != bit_above", "(wrapped < 0) == bit_above"),
    Mutant("wrap_sm_negates", INT, "saturation", "? ~wrapped : wrapped", "? -wrapped : wrapped"),
    Mutant("wrap_sm_rounded", INT, "saturation", "(floor >> (W < 64", "(rounded >> (W < 64"),
    Mutant("always_saturates", BACK, "saturation", SIGNED_Y, "    ap_fixed<BITS, BITS - FRAC, Q, AP_SAT> y = acc;"),
    Mutant("always_wraps", BACK, "saturation", SIGNED_Y, "    ap_fixed<BITS, BITS - FRAC, Q, AP_WRAP> y = acc;"),
    Mutant("range_of_unsigned", INT, "sign", "(64 - W + SIGNED));", "(64 - W));", also=("saturation",)),
    Mutant("no_sign_extension", INT, "sign", "SIGNED && (low >> (W - 1)) ? low | ~mask : low", "low"),
    Mutant("unsigned_read_signed", INT, "sign", "ap_int(a3cs_int::wrap<W2, false>", "ap_int(a3cs_int::wrap<W2, true>"),
    Mutant("unsigned_made_signed", BACK, "sign", UNSIGNED_Y, "    ap_fixed<BITS, BITS - FRAC, Q, O> y = acc;"),
    Mutant("input_unsigned", CHUNK, "sign", "* u.H + h) * u.W + w];", "* u.H + h) * u.W + w].to_int64() & 0xFFFF;"),
    Mutant("range_asymmetric", INT, "sign", "SIGNED ? -high - 1 : 0;", "SIGNED ? -high : 0;", also=("saturation",)),
    Mutant("sums_24_bits", CHUNK, "width", "typename CHUNK::acc_t sums[m", "ap_int<24> sums[m"),
    Mutant("product_narrow", INT, "width", "ap_int<(A + B < 64 ? A + B : 64)>", "ap_int<(A + B < 64 ? A + B - 4 : 64)>"),
    Mutant("residual_narrow", CHUNK, "width", "const ap_int<64> word", "const ap_int<16> word", also=("residual",)),
    Mutant(
        "acc_a_bit_short", BACK, "width",
        "    ap_fixed<ACC, ACC - ACC_FRAC> acc;\n    acc.range() = sum;\n    ap_fixed",
        "    ap_fixed<ACC - 1, ACC - 1 - ACC_FRAC> acc;\n    acc.range() = sum;\n    ap_fixed",
    ),
    Mutant("y_frac_off", BACK, "width", SIGNED_Y, "    ap_fixed<BITS, BITS - FRAC + 1, Q, O> y = acc;"),
    Mutant("y_a_bit_short", BACK, "width", SIGNED_Y, "    ap_fixed<BITS - 1, BITS - 1 - FRAC, Q, O> y = acc;"),
    Mutant(
        "acc_wraps_late", INT, "width", "V = a3cs_int::wrap<W, true>(static_cast<uint64_t>(V) +",
        "V = static_cast<int64_t>(static_cast<uint64_t>(V) +",
        "sums modulo 2^64 wrap once more at the write-back, and to no more bits: early or late is the same",
    ),
    Mutant("kernel_transposed", CHUNK, "index", "+ ky * u.K + turn.kx;", "+ turn.kx * u.K + ky;"),
    Mutant("kernel_mirrored", CHUNK, "index", "+ ky * u.K + turn.kx;", "+ (u.K - 1 - ky) * u.K + turn.kx;"),
    Mutant("kernel_columns_mirrored", CHUNK, "index", "+ ky * u.K + turn.kx;", "+ ky * u.K + u.K - 1 - turn.kx;"),
    Mutant("output_transposed", CHUNK, "index", "return (m * u.R + r) * u.C + c;", "return (m * u.C + c) * u.R + r;"),
    Mutant("input_transposed", CHUNK, "index", "* u.H + h) * u.W + w];", "* u.W + w) * u.H + h];"),
    Mutant("tile_pixels_swapped", CHUNK, "index", "(m * t.tr + r) * t.tc + c] += sums", "(m * t.tc + c) * t.tr + r] += sums"),
    Mutant("tile_channels_inner", CHUNK, "index", "(m * t.tr + r) * t.tc + c] += sums", "(r * t.tc + c) * t.tm + m] += sums"),
    Mutant("box_width_of_rows", CHUNK, "index", "(n * rows + row) * columns + column;", "(n * rows + row) * rows + column;"),
    Mutant("compute_stride_rows", CHUNK, "stride", "rows + r * u.S + ky)", "rows + r + ky)"),
    Mutant("compute_stride_columns", CHUNK, "stride", "* columns + c * u.S + turn.kx;", "* columns + c + turn.kx;"),
    Mutant("load_stride_rows", CHUNK, "stride", "h = t.r * u.S - u.pad", "h = t.r - u.pad"),
    Mutant("load_stride_columns", CHUNK, "stride", "w = t.c * u.S - u.pad", "w = t.c - u.pad", also=("tile edge",)),
    Mutant("box_stride", CHUNK, "stride", "return (count - 1) * u.S + u.K;", "return count - 1 + u.K;"),
    Mutant("no_left_padding", CHUNK, "padding", "w = t.c * u.S - u.pad + column", "w = t.c * u.S + column", also=("index",)),
    Mutant("no_top_padding", CHUNK, "padding", "h = t.r * u.S - u.pad + row", "h = t.r * u.S + row", also=("index",)),
    Mutant("a_pixel_down", CHUNK, "padding", "h = t.r * u.S - u.pad + row", "h = t.r * u.S - u.pad + 1 + row", also=("index",)),
    Mutant("padding_of_ones", CHUNK, "padding", "buffer[place] = 0;", "buffer[place] = 1;"),
    Mutant("padding_reads_rows", CHUNK, "padding", "h < u.H && 0 <= w && w < u.W;", "h < u.H && w < u.W;"),
    Mutant("padding_right_edge", CHUNK, "padding", "0 <= w && w < u.W;", "0 <= w && w <= u.W;"),
    Mutant("padding_last_row", CHUNK, "padding", "0 <= h && h < u.H &&", "0 <= h && h < u.H - 1 &&", also=("loop bound",)),
    Mutant("kernel_rows_short", CHUNK, "loop bound", "turn.ky < u.K; turn.ky +=", "turn.ky < u.K - 1; turn.ky +="),
    Mutant("kernel_columns_short", CHUNK, "loop bound", "turn.kx < u.K; turn.kx++", "turn.kx < u.K - 1; turn.kx++"),
    Mutant("rows_short", CHUNK, "loop bound", "turn.r < t.tr; turn.r +=", "turn.r < t.tr - 1; turn.r +="),
    Mutant("channels_short", CHUNK, "loop bound", "turn.n < t.tn; turn.n +=", "turn.n < t.tn - 1; turn.n +="),
    Mutant("outer_loop_skipped", CHUNK, "loop bound", "level >= 0 && t.valid", "level > 0 && t.valid"),
    Mutant("a_tap_not_loaded", CHUNK, "loop bound", "k < taps; k++", "k < taps - 1; k++"),
    Mutant(
        "lane_past_channels", CHUNK, "loop bound",
        "m < t.tm && n < t.tn && r", "m < t.tm && n <= t.tn && r", also=("tile edge",),
    ),
    Mutant("lane_past_kernel", CHUNK, "loop bound", "c < t.tc && ky < u.K)", "c < t.tc)"),
    Mutant(
        "weights_short", CHUNK, "loop bound",
        "words = u.M * channels(u) * u.K * u.K;", "words = u.M * channels(u) * u.K * u.K - 1;",
    ),
    Mutant("last_n_never", CHUNK, "tile edge", "t.n + t.tn == channels(u)", "t.n + u.tn == channels(u)"),
    Mutant("last_n_dropped", CHUNK, "tile edge", "more = t.n < channels(u);", "more = t.n + u.tn <= channels(u);"),
    Mutant("last_rows_dropped", CHUNK, "tile edge", "more = t.r < u.R;", "more = t.r + u.tr <= u.R;"),
    Mutant("last_m_dropped", CHUNK, "tile edge", "more = t.m < u.M;", "more = t.m + u.tm <= u.M;"),
    Mutant("weights_of_full_tile", CHUNK, "tile edge", "streamed = {0, t.tn * taps, taps}", "streamed = {0, u.tn * taps, taps}"),
    Mutant("resident_row", CHUNK, "tile edge", "(t.m * channels(u) + t.n) * taps", "(t.m * channels(u)) * taps"),
    Mutant("bias_of_first_tile", CHUNK, "tile edge", "dram.biases[u.biases + t.m + m]", "dram.biases[u.biases + m]"),
    Mutant("input_side", CHUNK, "buffer swap", "tile.input = 1 - before.input;", "tile.input = before.input;"),
    Mutant("weight_side", CHUNK, "buffer swap", "tile.weight = 1 - before.weight;", "tile.weight = before.weight;"),
    Mutant("output_side", CHUNK, "buffer swap", "tile.output = 1 - before.output;", "tile.output = before.output;"),
    Mutant("input_stays_wrong", CHUNK, "buffer swap", "tile.input = before.input;", "tile.input = 1 - before.input;"),
    Mutant("weight_stays_wrong", CHUNK, "buffer swap", "tile.weight = before.weight;", "tile.weight = 1 - before.weight;"),
    Mutant("stores_other_side", CHUNK, "buffer swap", "sums = buffers.output[tile.", "sums = buffers.output[1 - tile."),
    Mutant(
        "reloads_too_early", CHUNK, "buffer swap",
        "store(u, before, tile, dram, buffers, counts);\n        moving += load(u, tile, after, dram,",
        "load(u, tile, after, dram, buffers, counts);\n        moving += store(u, before, tile, dram,",
    ),
    Mutant(
        "no_spill", CHUNK, "buffer swap",
        "if (!after.valid || !same_outputs(tile, after))", "if (!after.valid)", also=("loop bound",),
    ),
    Mutant("spill_misses_columns", CHUNK, "buffer swap", "a.r == b.r && a.c == b.c;", "a.r == b.r;"),
    Mutant("reload_forgotten", CHUNK, "buffer swap", "if (t.n == 0) {", "if (t.n >= 0) {", also=("loop bound",)),
    Mutant("no_bias", CHUNK, "bias", "buffer[place] = dram.biases[u.biases + t.m + m];", "buffer[place] = t.m + m < 0;"),
    Mutant("bias_halved", CHUNK, "bias", "dram.biases[u.biases + t.m + m];", "dram.biases[u.biases + t.m + m] >> 1;"),
    Mutant("bias_of_n", CHUNK, "bias", "dram.biases[u.biases + t.m + m];", "dram.biases[u.biases + t.n];"),
    Mutant(
        "bias_32_bits", CHUNK, "bias",
        "= dram.biases[u.biases + t.m + m]", "= static_cast<int32_t>(dram.biases[u.biases + t.m + m])", also=("width",),
    ),
    Mutant("residual_unshifted", CHUNK, "residual", "word << u.residual_shift;", "word;"),
    Mutant("residual_shift_off", CHUNK, "residual", "word << u.residual_shift;", "word << (u.residual_shift + 1);"),
    Mutant("residual_every_n", CHUNK, "residual", "if (u.residual && last_n(u, tile))", "if (u.residual)"),
    Mutant("residual_first_n", CHUNK, "residual", "if (u.residual && last_n(u, tile))", "if (u.residual && tile.n == 0)"),
    Mutant(
        "residual_row", CHUNK, "residual",
        "residual[output_place(u, t.m + m, t.r + r", "residual[output_place(u, t.m + m, t.r",
    ),
    Mutant("no_residual", CHUNK, "residual", "if (u.residual && last_n(u, tile))", "if (u.residual && tile.n < 0)"),
    Mutant("residual_sum_saturates", CHUNK, "saturation", WORD, SATURATES),
    Mutant("relu_of_residual_sum", CHUNK, "ReLU", WORD, RELU_OF_SUM, also=("saturation",)),
    Mutant("always_relu", CHUNK, "ReLU", "if (u.relu && word < 0)", "if (word < 0)"),
    Mutant("no_relu", CHUNK, "ReLU", "if (u.relu && word < 0)", "if (u.relu && word < -65536)"),
    Mutant("relu_keeps_minus_one", CHUNK, "ReLU", "if (u.relu && word < 0)", "if (u.relu && word < -1)"),
    Mutant("relu_to_one", CHUNK, "ReLU", "            word = 0;", "            word = 1;"),
    Mutant("relu_of_zero", CHUNK, "ReLU", "if (u.relu && word < 0)", "if (u.relu && word < 1)", "a word of 0 becomes 0"),
    Mutant("depthwise_channel", CHUNK, "channel order", "const int channel = u.depthwise ? m : n;", "const int channel = n;"),
    Mutant("depthwise_first", CHUNK, "channel order", "first = u.depthwise ? t.m : t.n,", "first = t.n,"),
    Mutant("depthwise_moves", CHUNK, "channel order", "(u.depthwise ? new_m : new_n)", "new_n"),
    Mutant(
        "weights_oi_swapped", CHUNK, "channel order",
        "((t.m + m) * channels(u) + t.n + n) * taps", "((t.n + n) * u.M + t.m + m) * taps", also=("index",),
    ),
    Mutant("drained_backwards", CHUNK, "channel order", "sums.write(buffer[i]);", "sums.write(buffer[count - 1 - i]);"),
    Mutant("no_fill", CHUNK, "cycles", "int64_t cycles = u.fill;", "int64_t cycles = 0;"),
    Mutant("moving_after_computing", CHUNK, "cycles", "computing > moving ? computing : moving;", "computing + moving;"),
    Mutant("transfer_rounded_down", CHUNK, "cycles", "* u.bytes[operand] + u.rate - 1)", "* u.bytes[operand])"),
    Mutant("always_slot_zero", PIPE, "chunk hand-off", "frame % MAPS[map].held", "frame % 1"),
    Mutant("no_segments", PIPE, "chunk hand-off", "frame = e - stage.segment;", "frame = e;"),
    Mutant("next_frame_read", PIPE, "chunk hand-off", "place(stage.x, frame)", "place(stage.x, frame + 1)"),
    Mutant("next_frame_written", PIPE, "chunk hand-off", "place(stage.y, frame))", "place(stage.y, frame + 1))"),
    Mutant("residual_is_input", PIPE, "chunk hand-off", "place(stage.residual, frame);", "place(stage.x, frame);"),
    Mutant(
        "residual_of_next_frame", PIPE, "chunk hand-off",
        "place(stage.residual, frame);", "place(stage.residual, frame + 1);",
    ),
    Mutant(
        "not_configured", PIPE, "chunk hand-off",
        "start_chunk(STAGES[i], true, 0, 0, 0);", "start_chunk(STAGES[0], true, 0, 0, 0);",
    ),
    Mutant("resident_overwritten", CHUNK, "chunk hand-off", "buffers.weight[0][u.resident + i] =", "buffers.weight[0][i] ="),
    Mutant("last_frame_dropped", PIPE, "chunk hand-off", "frame >= frames)", "frame >= frames - 1)"),
    Mutant(
        "inf_of_zero", INT, "rounding", "(Q == AP_RND_INF && acc >= 0)", "(Q == AP_RND_INF && acc > 0)",
        "0 leaves no rest, so it is no tie",
    ),
]  # fmt: skip
