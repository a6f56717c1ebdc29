/* --- the kernel: golden/FORMAT.md's arithmetic, word for word, without a signed overflow or a shift of a negative number --- */

enum { FRAME = -1, NONE = -1 }; /* x of a unit that reads the frame, r of a unit that adds nothing */
enum { AP_RND, AP_RND_ZERO, AP_RND_MIN_INF, AP_RND_INF, AP_RND_CONV, AP_TRN, AP_TRN_ZERO };
enum { AP_SAT, AP_SAT_ZERO, AP_SAT_SYM, AP_WRAP, AP_WRAP_SM };

/* One layer with its write-back: M output and N input channels, H x W input, K x K kernel, stride S, R x C output. */
struct unit {
    const weight_t *w; /* [m][n][ky][kx] */
    const bias_t *b;   /* [m] */
    int32_t x, r, y;   /* where input, residual and output begin in `maps` */
    int32_t M, N, H, W, K, S, pad, R, C;
    uint8_t depthwise, relu, acc_bits, shift, residual_shift, y_bits, rounding, overflow;
};

static word_t maps[MAPS_WORDS];      /* every unit's output, each where no other is needed at the same time */
static tap_t window[WINDOW_WORDS];   /* the input words that one output pixel sees, [n][ky][kx] */

/* The low bits of a value, read as two's complement. */
static int64_t wrap(int64_t value, int bits)
{
    const uint64_t sign = UINT64_C(1) << (bits - 1), low = (uint64_t)value & (2 * sign - 1);
    return bits == 64 ? value : (int64_t)(low ^ sign) - (int64_t)sign;
}

/* value / 2^shift towards minus infinity. */
static int64_t floor_shift(int64_t value, int shift)
{
    return value < 0 ? ~(~value >> shift) : value >> shift;
}

/* acc / 2^shift to an integer; floor is floor_shift of the same. */
static int64_t round_shift(int64_t acc, int64_t floor, int shift, int rounding)
{
    const uint64_t rest = (uint64_t)acc & ((UINT64_C(1) << shift) - 1), half = shift ? UINT64_C(1) << (shift - 1) : 1;
    if (rest == 0 || rounding == AP_TRN)
        return floor;
    if (rounding == AP_TRN_ZERO)
        return floor + (acc < 0);
    if (rest != half)
        return floor + (rest > half);
    switch (rounding) { /* a tie */
    case AP_RND: return floor + 1;
    case AP_RND_ZERO: return floor + (acc < 0);
    case AP_RND_INF: return floor + (acc > 0);
    case AP_RND_CONV: return floor + (floor & 1);
    default: return floor; /* AP_RND_MIN_INF */
    }
}

/* A rounded value as a signed word; floor is the quotient before rounding, which AP_WRAP_SM looks at. */
static int64_t overflow_word(int64_t value, int64_t floor, int bits, int overflow)
{
    const int64_t high = (INT64_C(1) << (bits - 1)) - 1, low = overflow == AP_SAT_SYM ? -high : -high - 1;
    int64_t wrapped;
    if (value >= low && value <= high)
        return value;
    switch (overflow) {
    case AP_SAT:
    case AP_SAT_SYM: return value < low ? low : high;
    case AP_WRAP: return wrap(value, bits);
    case AP_WRAP_SM:
        wrapped = wrap(value, bits);
        return (wrapped < 0) == (int)(floor_shift(floor, bits) & 1) ? wrapped : ~wrapped;
    default: return 0; /* AP_SAT_ZERO */
    }
}

/* Bias, residual and write-back: the sum of products of output word `index`, of channel m, becomes that word. */
static void store(const struct unit *u, int32_t m, int32_t index, int64_t sum)
{
    int64_t acc, floor, y;
    sum += u->b[m];
    if (u->r != NONE)
        sum += maps[u->r + index] * (INT64_C(1) << u->residual_shift);
    acc = wrap(sum, u->acc_bits);
    floor = floor_shift(acc, u->shift);
    y = overflow_word(round_shift(acc, floor, u->shift, u->rounding), floor, u->y_bits, u->overflow);
    maps[u->y + index] = (word_t)(u->relu && y < 0 ? 0 : y);
}

/* Words first .. first + count - 1 of the unit's input. */
static void copy_words(const struct unit *u, const frame_t *frame, int32_t first, int32_t count, tap_t *to)
{
    int32_t i;
    if (u->x == FRAME)
        for (i = 0; i < count; i++)
            to[i] = (tap_t)frame[first + i];
    else
        for (i = 0; i < count; i++)
            to[i] = maps[u->x + first + i];
}

/* The K x K words of input channel n that output (r, c) sees; 0 outside the map. */
static void read_channel(const struct unit *u, const frame_t *frame, int32_t n, int32_t r, int32_t c, tap_t *to)
{
    const int32_t top = r * u->S - u->pad, left = c * u->S - u->pad;
    const int32_t begin = left < 0 ? -left : 0, end = u->W - left < u->K ? u->W - left : u->K; /* kx inside the map */
    int32_t ky, kx;
    for (ky = 0; ky < u->K; ky++, to += u->K) {
        if (top + ky < 0 || top + ky >= u->H) {
            for (kx = 0; kx < u->K; kx++)
                to[kx] = 0;
            continue;
        }
        for (kx = 0; kx < begin; kx++)
            to[kx] = 0;
        copy_words(u, frame, (n * u->H + top + ky) * u->W + left + begin, end - begin, to + begin);
        for (kx = end; kx < u->K; kx++)
            to[kx] = 0;
    }
}

/* Sum of products. No partial sum leaves sum_t: the exporter chose it by the weights. */
static int64_t dot(const tap_t *x, const weight_t *w, int32_t count)
{
    sum_t sum = 0;
    int32_t i;
    for (i = 0; i < count; i++)
        sum += (product_t)x[i] * w[i];
    return sum;
}

/* conv; and fc, which is a conv of N maps of one pixel. */
static void run_conv(const struct unit *u, const frame_t *frame)
{
    const int32_t kernel = u->K * u->K, taps = u->N * kernel;
    int32_t m, n, r, c;
    for (r = 0; r < u->R; r++)
        for (c = 0; c < u->C; c++) {
            for (n = 0; n < u->N; n++)
                read_channel(u, frame, n, r, c, window + n * kernel);
            for (m = 0; m < u->M; m++)
                store(u, m, (m * u->R + r) * u->C + c, dot(window, u->w + m * taps, taps));
        }
}

/* depthwise: channel m sees channel m alone. */
static void run_depthwise(const struct unit *u, const frame_t *frame)
{
    const int32_t kernel = u->K * u->K;
    int32_t m, r, c;
    for (m = 0; m < u->M; m++)
        for (r = 0; r < u->R; r++)
            for (c = 0; c < u->C; c++) {
                read_channel(u, frame, m, r, c, window);
                store(u, m, (m * u->R + r) * u->C + c, dot(window, u->w + m * kernel, kernel));
            }
}

static void run_unit(const struct unit *u, const frame_t *frame)
{
    if (u->depthwise)
        run_depthwise(u, frame);
    else
        run_conv(u, frame);
}
