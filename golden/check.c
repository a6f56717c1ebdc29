/* Recomputes every golden vector of a folder, from FORMAT.md alone: C99, no library.
 *
 *   cc -std=c99 -O2 -o check golden/check.c && ./check golden
 *
 * Prints "N vectors, M mismatches"; exit status 0 when M is 0, 1 otherwise, 2 when the folder cannot be read.
 * Hashes are not looked at (`awk ... | sha256sum -c`, in FORMAT.md, does that).
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PATH_SIZE 256

/* Outputs of which only the hash is stored: computed, and kept for the vectors that read them. */
struct derived {
    char path[PATH_SIZE];
    int64_t *words;
    struct derived *next;
};

struct unit {
    char kind[16], rounding[16], overflow[16], x[PATH_SIZE], w[PATH_SIZE], b[PATH_SIZE], r[PATH_SIZE], y[PATH_SIZE];
    int frames, M, N, H, W, K, S, pad, relu, x_bits, x_frac, x_signed, w_bits, w_frac, r_bits, r_frac, y_bits, y_frac;
    int acc_bits, whole, sampled;
};

static struct derived *kept;
static const char *folder;

static void fail(const char *what, const char *where)
{
    fprintf(stderr, "error: %s: %s\n", where, what);
    exit(2);
}

static void *allocate(size_t count, size_t size)
{
    void *memory = calloc(count ? count : 1, size);
    if (!memory)
        fail("no memory", folder);
    return memory;
}

/* --- numbers ---------------------------------------------------------------------------------------------------- */

/* The low bits of a value, read as two's complement. */
static int64_t wrap(int64_t value, int bits)
{
    uint64_t low, sign;
    if (bits >= 64)
        return value;
    low = (uint64_t)value & ((UINT64_C(1) << bits) - 1);
    sign = UINT64_C(1) << (bits - 1);
    return (int64_t)((low ^ sign) - sign);
}

/* acc / 2^shift towards minus infinity: an arithmetic shift, which C leaves open for negative values. */
static int64_t floor_shift(int64_t acc, int shift)
{
    uint64_t sign = acc < 0 ? ~(UINT64_MAX >> shift) : 0;
    return (int64_t)((uint64_t)acc >> shift | sign);
}

static int64_t round_shift(int64_t acc, int shift, const char *mode)
{
    int64_t floor = floor_shift(acc, shift);
    uint64_t rest = (uint64_t)acc & ((UINT64_C(1) << shift) - 1);
    uint64_t half = shift ? UINT64_C(1) << (shift - 1) : 1;
    int tie_up;
    if (rest == 0 || !strcmp(mode, "AP_TRN"))
        return floor;
    if (!strcmp(mode, "AP_TRN_ZERO"))
        return floor + (acc < 0);
    if (rest != half)
        return floor + (rest > half);
    if (!strcmp(mode, "AP_RND"))
        tie_up = 1;
    else if (!strcmp(mode, "AP_RND_ZERO"))
        tie_up = acc < 0;
    else if (!strcmp(mode, "AP_RND_MIN_INF"))
        tie_up = 0;
    else if (!strcmp(mode, "AP_RND_INF"))
        tie_up = acc > 0;
    else if (!strcmp(mode, "AP_RND_CONV"))
        tie_up = (int)(floor & 1);
    else {
        fail("unknown rounding", mode);
        return 0;
    }
    return floor + tie_up;
}

static int64_t overflow(int64_t v, int64_t floor, int bits, int is_signed, const char *mode)
{
    int64_t low = is_signed ? -(INT64_C(1) << (bits - 1)) : 0;
    int64_t high = (INT64_C(1) << (is_signed ? bits - 1 : bits)) - 1;
    int64_t word;
    if (!strcmp(mode, "AP_SAT_SYM") && is_signed)
        low++;
    if (v >= low && v <= high)
        return v;
    if (!strcmp(mode, "AP_SAT") || !strcmp(mode, "AP_SAT_SYM"))
        return v < low ? low : high;
    if (!strcmp(mode, "AP_SAT_ZERO"))
        return 0;
    word = is_signed ? wrap(v, bits) : v & high;
    if (!strcmp(mode, "AP_WRAP"))
        return word;
    if (!strcmp(mode, "AP_WRAP_SM") && is_signed)
        return (word < 0) == (int)(floor_shift(floor, bits) & 1) ? word : ~word;
    fail("unknown overflow", mode);
    return 0;
}

/* --- files ------------------------------------------------------------------------------------------------------ */

/* The words of a file, each as int64; bits and sign say how it stores them. */
static int64_t *load(const char *path, size_t count, int bits, int is_signed)
{
    size_t size = bits <= 8 ? 1 : bits <= 16 ? 2 : bits <= 32 ? 4 : 8, i, j;
    char name[2 * PATH_SIZE];
    unsigned char *bytes;
    int64_t *words = allocate(count, sizeof *words);
    struct derived *one;
    FILE *file;
    for (one = kept; one; one = one->next)
        if (!strcmp(one->path, path)) {
            memcpy(words, one->words, count * sizeof *words);
            return words;
        }
    snprintf(name, sizeof name, "%s/%s", folder, path);
    bytes = allocate(count, size);
    file = fopen(name, "rb");
    if (!file || fread(bytes, size, count, file) != count || fgetc(file) != EOF)
        fail("missing, or of another length than its shape", name);
    fclose(file);
    for (i = 0; i < count; i++) {
        uint64_t word = 0;
        for (j = 0; j < size; j++)
            word |= (uint64_t)bytes[i * size + j] << (8 * j);
        words[i] = is_signed ? wrap((int64_t)word, (int)(8 * size)) : (int64_t)word;
    }
    free(bytes);
    return words;
}

/* Whether the manifest says that the file itself is in the folder. */
static int is_stored(const char *manifest, const char *path)
{
    char line[PATH_SIZE + 128], presence[16], found[PATH_SIZE];
    int stored = 0;
    FILE *file = fopen(manifest, "r");
    while (file && fgets(line, sizeof line, file))
        if (sscanf(line, "file %*s %*s %15s %255s", presence, found) == 2 && !strcmp(found, path))
            stored = !strcmp(presence, "stored");
    if (file)
        fclose(file);
    return stored;
}

/* --- vectors ---------------------------------------------------------------------------------------------------- */

static size_t compare(const char *name, const int64_t *expected, const int64_t *got, size_t count)
{
    size_t wrong = 0, i, first = 0;
    for (i = count; i-- > 0;)
        if (expected[i] != got[i]) {
            wrong++;
            first = i;
        }
    if (wrong)
        printf("%s: %lu of %lu words, first number %lu: %lld expected, %lld got\n", name, (unsigned long)wrong,
               (unsigned long)count, (unsigned long)first, (long long)expected[first], (long long)got[first]);
    return wrong;
}

/* The sum of products of output (m, r, c) of one frame. */
static int64_t products(const struct unit *u, const int64_t *x, const int64_t *w, int m, int r, int c)
{
    int depthwise = !strcmp(u->kind, "depthwise"), channels = depthwise ? 1 : u->N, n, ky, kx;
    int64_t sum = 0;
    for (n = 0; n < channels; n++)
        for (ky = 0; ky < u->K; ky++)
            for (kx = 0; kx < u->K; kx++) {
                int row = r * u->S + ky - u->pad, column = c * u->S + kx - u->pad;
                if (row >= 0 && row < u->H && column >= 0 && column < u->W)
                    sum += x[((int64_t)(depthwise ? m : n) * u->H + row) * u->W + column] *
                           w[(((int64_t)m * channels + n) * u->K + ky) * u->K + kx];
            }
    return sum;
}

static size_t check_unit(const char *name, const struct unit *u, const char *manifest)
{
    int R = (u->H + 2 * u->pad - u->K) / u->S + 1, C = (u->W + 2 * u->pad - u->K) / u->S + 1, f, m, r, c;
    int shift = u->x_frac + u->w_frac - u->y_frac, has_r = strcmp(u->r, "-") != 0;
    size_t x_words = (size_t)u->N * u->H * u->W, y_words = (size_t)u->M * R * C, count = y_words * u->frames, i = 0;
    size_t taps = (size_t)u->K * u->K * (strcmp(u->kind, "depthwise") ? u->N : 1), wrong = 0;
    int64_t *x = load(u->x, x_words * u->frames, u->x_bits, u->x_signed), *w = load(u->w, u->M * taps, u->w_bits, 1);
    int64_t *b = load(u->b, u->M, 64, 1), *res = has_r ? load(u->r, count, u->r_bits, 1) : NULL;
    int64_t *y = allocate(count, sizeof *y), *expected;
    for (f = 0; f < u->frames; f++)
        for (m = 0; m < u->M; m++)
            for (r = 0; r < R; r++)
                for (c = 0; c < C; c++, i++) {
                    int64_t acc = products(u, x + x_words * f, w, m, r, c) + b[m];
                    if (has_r)
                        acc += res[i] * (INT64_C(1) << (u->x_frac + u->w_frac - u->r_frac));
                    acc = wrap(acc, u->acc_bits);
                    y[i] = overflow(round_shift(acc, shift, u->rounding), floor_shift(acc, shift), u->y_bits, 1, u->overflow);
                    if (u->relu && y[i] < 0)
                        y[i] = 0;
                }
    if (is_stored(manifest, u->y)) {
        expected = load(u->y, count, u->y_bits, 1);
        wrong = compare(name, expected, y, count);
        free(expected);
        free(y);
    } else {
        struct derived *one = allocate(1, sizeof *one);
        strcpy(one->path, u->y);
        one->words = y;
        one->next = kept;
        kept = one;
    }
    free(x), free(w), free(b), free(res);
    return wrong;
}

static size_t check_requantize(const char *name, const char *line)
{
    char rounding[16], mode[16], acc_path[PATH_SIZE], y_path[PATH_SIZE];
    int count, shift, bits, is_signed, i;
    int64_t *acc, *y, *expected;
    size_t wrong;
    if (sscanf(line, "requantize %*s count=%d shift=%d y_bits=%d y_signed=%d rounding=%15s overflow=%15s acc=%255s y=%255s",
               &count, &shift, &bits, &is_signed, rounding, mode, acc_path, y_path) != 8)
        fail("a line that cannot be read", name);
    acc = load(acc_path, count, 64, 1);
    expected = load(y_path, count, bits, is_signed);
    y = allocate(count, sizeof *y);
    for (i = 0; i < count; i++)
        y[i] = overflow(round_shift(acc[i], shift, rounding), floor_shift(acc[i], shift), bits, is_signed, mode);
    wrong = compare(name, expected, y, count);
    free(acc), free(y), free(expected);
    return wrong;
}

static size_t check_vector(const char *name, const char *line, const char *manifest)
{
    struct unit u;
    int read = sscanf(line,
        "vector %*s kind=%15s frames=%d M=%d N=%d H=%d W=%d K=%d S=%d pad=%d relu=%d x_bits=%d x_frac=%d x_signed=%d "
        "w_bits=%d w_frac=%d r_bits=%d r_frac=%d y_bits=%d y_frac=%d acc_bits=%d rounding=%15s overflow=%15s "
        "whole=%d sampled=%d x=%255s w=%255s b=%255s r=%255s y=%255s",
        u.kind, &u.frames, &u.M, &u.N, &u.H, &u.W, &u.K, &u.S, &u.pad, &u.relu, &u.x_bits, &u.x_frac, &u.x_signed,
        &u.w_bits, &u.w_frac, &u.r_bits, &u.r_frac, &u.y_bits, &u.y_frac, &u.acc_bits, u.rounding, u.overflow,
        &u.whole, &u.sampled, u.x, u.w, u.b, u.r, u.y);
    if (read != 29)
        fail("a line that cannot be read", name);
    return check_unit(name, &u, manifest);
}

int main(int argc, char **argv)
{
    char line[4096], manifest[2 * PATH_SIZE], name[PATH_SIZE], word[16];
    unsigned long vectors = 0, mismatches = 0;
    FILE *file;
    folder = argc > 1 ? argv[1] : "golden";
    snprintf(manifest, sizeof manifest, "%s/manifest.txt", folder);
    file = fopen(manifest, "r");
    if (!file || !fgets(line, sizeof line, file) || strcmp(line, "a3cs-golden 1\n"))
        fail("no manifest of this version", manifest);
    while (fgets(line, sizeof line, file)) {
        if (sscanf(line, "%15s %255s", word, name) != 2)
            continue;
        if (!strcmp(word, "vector"))
            mismatches += check_vector(name, line, manifest) > 0, vectors++;
        else if (!strcmp(word, "requantize"))
            mismatches += check_requantize(name, line) > 0, vectors++;
    }
    fclose(file);
    printf("%lu vectors, %lu mismatches\n", vectors, mismatches);
    return mismatches > 0 || vectors == 0;
}
