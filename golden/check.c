/* Recomputes every golden vector of a folder, from FORMAT.md alone: C99, no library.
 *
 *   cc -std=c99 -O2 -o check golden/check.c && ./check golden
 *
 * Verifies that the manifest is whole and the SHA-256 of every file in the folder, computes every output word, and compares;
 * of an output that is not in the folder it compares the SHA-256. Prints "N vectors, M mismatches"; exit status 0 when M is 0, 1 otherwise, 2 when the
 * folder cannot be read. Schedules are schedule.c's.
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
static char *manifest;

static void fail(const char *what, const char *where)
{
    fprintf(stderr, "error: %s: %s\n", where, what), exit(2);
}

static void *allocate(size_t count, size_t size)
{
    void *memory = calloc(count + !count, size);
    if (!memory) fail("no memory", folder);
    return memory;
}

/* --- SHA-256 (FIPS 180-4) ----------------------------------------------------------------------------------------- */

static const uint32_t K256[64] = {
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5, 0xd807aa98, 0x12835b01,
    0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174, 0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc,
    0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da, 0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147,
    0x06ca6351, 0x14292967, 0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
    0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070, 0x19a4c116, 0x1e376c08,
    0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3, 0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208,
    0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2};

static uint32_t turn(uint32_t x, int n) { return x >> n | x << (32 - n); }

/* The digest of `size` bytes in hexadecimal. */
static void sha256(const unsigned char *data, size_t size, char *hex)
{
    uint32_t h[8] = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19};
    size_t padded = (size + 9 + 63) / 64 * 64, block, i;
    unsigned char *text = allocate(padded, 1);
    memcpy(text, data, size);
    text[size] = 0x80;
    for (i = 0; i < 8; i++) text[padded - 1 - i] = (unsigned char)((uint64_t)size * 8 >> (8 * i));
    for (block = 0; block < padded; block += 64) {
        uint32_t w[64] = {0}, v[8];
        for (i = 0; i < 64; i++) w[i / 4] = w[i / 4] << 8 | text[block + i];
        for (i = 16; i < 64; i++)
            w[i] = w[i - 16] + (turn(w[i - 15], 7) ^ turn(w[i - 15], 18) ^ w[i - 15] >> 3) + w[i - 7] +
                   (turn(w[i - 2], 17) ^ turn(w[i - 2], 19) ^ w[i - 2] >> 10);
        memcpy(v, h, sizeof v);
        for (i = 0; i < 64; i++) {
            uint32_t choice = (v[4] & v[5]) ^ (~v[4] & v[6]), sum = turn(v[4], 6) ^ turn(v[4], 11) ^ turn(v[4], 25);
            uint32_t e = v[7] + sum + choice + K256[i] + w[i];
            uint32_t a = (turn(v[0], 2) ^ turn(v[0], 13) ^ turn(v[0], 22)) + ((v[0] & v[1]) ^ (v[0] & v[2]) ^ (v[1] & v[2]));
            memmove(v + 1, v, 7 * sizeof *v);
            v[4] += e, v[0] = e + a;
        }
        for (i = 0; i < 8; i++) h[i] += v[i];
    }
    free(text);
    for (i = 0; i < 8; i++)
        sprintf(hex + 8 * i, "%08lx", (unsigned long)h[i]);
}

/* --- numbers ---------------------------------------------------------------------------------------------------- */

static int is(const char *text, const char *other) { return !strcmp(text, other); }

/* The low bits of a value, read as two's complement. */
static int64_t wrap(int64_t value, int bits)
{
    uint64_t sign = UINT64_C(1) << (bits - 1), low = (uint64_t)value & (sign | (sign - 1));
    return (int64_t)((low ^ sign) - sign);
}

/* acc / 2^shift towards minus infinity; C leaves open what >> does to a negative value. */
static int64_t floor_shift(int64_t acc, int shift) { return acc < 0 ? ~(~acc >> shift) : acc >> shift; }

static int64_t round_shift(int64_t acc, int shift, const char *mode)
{
    int64_t floor = floor_shift(acc, shift);
    uint64_t rest = (uint64_t)acc & ((UINT64_C(1) << shift) - 1), half = shift ? UINT64_C(1) << (shift - 1) : 1;
    if (rest == 0 || is(mode, "AP_TRN")) return floor;
    if (is(mode, "AP_TRN_ZERO")) return floor + (acc < 0);
    if (rest != half) return floor + (rest > half);
    if (is(mode, "AP_RND")) return floor + 1;
    if (is(mode, "AP_RND_ZERO")) return floor + (acc < 0);
    if (is(mode, "AP_RND_MIN_INF")) return floor;
    if (is(mode, "AP_RND_INF")) return floor + (acc > 0);
    if (!is(mode, "AP_RND_CONV")) fail("unknown rounding", mode);
    return floor + (floor & 1);
}

static int64_t overflow(int64_t v, int64_t floor, int bits, int is_signed, const char *mode)
{
    int64_t low = is_signed ? -(INT64_C(1) << (bits - 1)) : 0, high = (INT64_C(1) << (is_signed ? bits - 1 : bits)) - 1;
    int64_t word = is_signed ? wrap(v, bits) : v & high;
    if (is(mode, "AP_SAT_SYM") && is_signed) low++;
    if (v >= low && v <= high) return v;
    if (is(mode, "AP_SAT") || is(mode, "AP_SAT_SYM")) return v < low ? low : high;
    if (is(mode, "AP_SAT_ZERO")) return 0;
    if (is(mode, "AP_WRAP")) return word;
    if (!is(mode, "AP_WRAP_SM") || !is_signed) fail("unknown overflow", mode);
    return (word < 0) == (int)(floor_shift(floor, bits) & 1) ? word : ~word;
}

static size_t word_size(int bits) { return bits <= 8 ? 1 : bits <= 16 ? 2 : bits <= 32 ? 4 : 8; }

static unsigned char *read_file(const char *path, size_t *size)
{
    char name[2 * PATH_SIZE];
    unsigned char *bytes;
    FILE *file;
    snprintf(name, sizeof name, "%s/%s", folder, path);
    file = fopen(name, "rb");
    if (!file || fseek(file, 0, SEEK_END) || ftell(file) < 0) fail("cannot be read", name);
    *size = (size_t)ftell(file);
    rewind(file);
    bytes = allocate(*size + 1, 1);
    if (fread(bytes, 1, *size, file) != *size) fail("cannot be read", name);
    fclose(file);
    return bytes;
}

/* What the manifest says of a file: whether it is in the folder, and its hash. */
static int is_stored(const char *path, char *hash)
{
    char presence[16], key[PATH_SIZE + 2], *line;
    snprintf(key, sizeof key, " %s\n", path);
    line = strstr(manifest, key);
    while (line && line[-1] != '\n') line--;
    if (!line || sscanf(line, "file %*s %64s %15s", hash, presence) != 2) fail("has no file line", path);
    return is(presence, "stored");
}

/* The manifest's last line is the hash of what stands above it. */
static void check_end(size_t size)
{
    char found[65], *last = manifest + size;
    if (size && last[-1] == '\n')
        for (last--; last > manifest && last[-1] != '\n';) last--;
    sha256((unsigned char *)manifest, (size_t)(last - manifest), found);
    if (strncmp(last, "end ", 4) || strncmp(last + 4, found, 64) || !is(last + 68, "\n"))
        fail("cut short or changed: its last line is not the SHA-256 of those above it", "manifest.txt");
}

/* A file that a line of the manifest calls stored is there, and is the one. */
static void check_file(const char *line)
{
    char path[PATH_SIZE], hash[65], presence[16], found[65];
    unsigned char *bytes;
    size_t length;
    if (sscanf(line, "file %*s %64s %15s %255s", hash, presence, path) != 3) fail("a damaged file line", "manifest.txt");
    if (!is(presence, "stored")) return;
    bytes = read_file(path, &length);
    sha256(bytes, length, found);
    if (!is(found, hash)) fail("its SHA-256 is not the manifest's", path);
    free(bytes);
}

/* The words of a file, each as int64; bits and sign say how it stores them. */
static int64_t *load(const char *path, size_t count, int bits, int is_signed)
{
    size_t size = word_size(bits), length, i, j;
    char hash[65];
    unsigned char *bytes;
    int64_t *words = allocate(count, sizeof *words);
    struct derived *one;
    for (one = kept; one; one = one->next)
        if (is(one->path, path)) return memcpy(words, one->words, count * sizeof *words);
    if (!is_stored(path, hash)) fail("is not in the folder, and no earlier vector writes it", path);
    bytes = read_file(path, &length);
    if (length != count * size) fail("of another length than its shape", path);
    for (i = 0; i < count; i++) {
        uint64_t word = 0;
        for (j = 0; j < size; j++)
            word |= (uint64_t)bytes[i * size + j] << (8 * j);
        words[i] = is_signed ? wrap((int64_t)word, (int)(8 * size)) : (int64_t)word;
    }
    free(bytes);
    return words;
}

/* --- vectors ---------------------------------------------------------------------------------------------------- */

/* Takes `got`: compares it with the file, or where only the hash is stored with that. Returns 1 when it is wrong. */
static int judge(const char *name, const char *path, int64_t *got, size_t count, int bits, int is_signed)
{
    size_t size = word_size(bits), wrong = 0, first = 0, i;
    char hash[65], found[65];
    if (is_stored(path, hash)) {
        int64_t *expected = load(path, count, bits, is_signed);
        for (i = count; i-- > 0;)
            if (expected[i] != got[i])
                wrong++, first = i;
        if (wrong)
            printf("%s: %lu of %lu words, first number %lu: %lld expected, %lld got\n", name, (unsigned long)wrong,
                   (unsigned long)count, (unsigned long)first, (long long)expected[first], (long long)got[first]);
        free(expected), free(got);
    } else {
        struct derived *one = allocate(1, sizeof *one);
        unsigned char *bytes = allocate(count, size);
        strcpy(one->path, path);
        one->words = got, one->next = kept, kept = one;
        for (i = 0; i < count * size; i++)
            bytes[i] = (unsigned char)((uint64_t)got[i / size] >> (8 * (i % size)));
        sha256(bytes, count * size, found);
        free(bytes);
        if ((wrong = !is(found, hash)))
            printf("%s: the SHA-256 of the output is another one\n", name);
    }
    return wrong > 0;
}

/* Takes `acc`: compares it with the vector's file of accumulators, if there is one. */
static int judge_accumulators(const char *name, int64_t *acc, size_t count)
{
    char key[PATH_SIZE + 32], label[PATH_SIZE + 16], path[PATH_SIZE], *line;
    snprintf(key, sizeof key, "\naccumulators %s acc=", name);
    line = strstr(manifest, key);
    if (!line) return free(acc), 0;
    if (sscanf(line + strlen(key), "%255s", path) != 1) fail("a line that cannot be read", name);
    snprintf(label, sizeof label, "%s accumulators", name);
    return judge(label, path, acc, count, 64, 1);
}

/* The sum of products of output (m, r, c) of one frame. */
static int64_t products(const struct unit *u, const int64_t *x, const int64_t *w, int m, int r, int c)
{
    int depthwise = is(u->kind, "depthwise"), channels = depthwise ? 1 : u->N, n, ky, kx;
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

static int check_vector(const char *name, const char *line)
{
    struct unit u;
    int read = sscanf(line,
        "vector %*s kind=%15s frames=%d M=%d N=%d H=%d W=%d K=%d S=%d pad=%d relu=%d x_bits=%d x_frac=%d x_signed=%d "
        "w_bits=%d w_frac=%d r_bits=%d r_frac=%d y_bits=%d y_frac=%d acc_bits=%d rounding=%15s overflow=%15s "
        "whole=%d sampled=%d x=%255s w=%255s b=%255s r=%255s y=%255s",
        u.kind, &u.frames, &u.M, &u.N, &u.H, &u.W, &u.K, &u.S, &u.pad, &u.relu, &u.x_bits, &u.x_frac, &u.x_signed,
        &u.w_bits, &u.w_frac, &u.r_bits, &u.r_frac, &u.y_bits, &u.y_frac, &u.acc_bits, u.rounding, u.overflow,
        &u.whole, &u.sampled, u.x, u.w, u.b, u.r, u.y);
    if (read != 29) fail("a line that cannot be read", name);
    int R = (u.H + 2 * u.pad - u.K) / u.S + 1, C = (u.W + 2 * u.pad - u.K) / u.S + 1, f, m, r, c;
    int shift = u.x_frac + u.w_frac - u.y_frac, has_r = !is(u.r, "-");
    size_t x_words = (size_t)u.N * u.H * u.W, count = (size_t)u.M * R * C * u.frames, i = 0;
    size_t taps = (size_t)u.K * u.K * (is(u.kind, "depthwise") ? 1 : u.N);
    int64_t *x = load(u.x, x_words * u.frames, u.x_bits, u.x_signed), *w = load(u.w, u.M * taps, u.w_bits, 1);
    int64_t *b = load(u.b, u.M, 64, 1), *res = has_r ? load(u.r, count, u.r_bits, 1) : NULL;
    int64_t *y = allocate(count, sizeof *y), *sums = allocate(count, sizeof *sums);
    for (f = 0; f < u.frames; f++)
        for (m = 0; m < u.M; m++)
            for (r = 0; r < R; r++)
                for (c = 0; c < C; c++, i++) {
                    int64_t acc = products(&u, x + x_words * f, w, m, r, c) + b[m];
                    if (has_r) acc += res[i] * (INT64_C(1) << (u.x_frac + u.w_frac - u.r_frac));
                    sums[i] = acc = wrap(acc, u.acc_bits);
                    y[i] = overflow(round_shift(acc, shift, u.rounding), floor_shift(acc, shift), u.y_bits, 1, u.overflow);
                    if (u.relu && y[i] < 0) y[i] = 0;
                }
    free(x), free(w), free(b), free(res);
    int wrong = judge_accumulators(name, sums, count);
    return judge(name, u.y, y, count, u.y_bits, 1) || wrong;
}

static int check_requantize(const char *name, const char *line)
{
    char rounding[16], mode[16], acc_path[PATH_SIZE], y_path[PATH_SIZE];
    int count, shift, bits, is_signed, i;
    int64_t *acc, *y;
    if (sscanf(line, "requantize %*s count=%d shift=%d y_bits=%d y_signed=%d rounding=%15s overflow=%15s acc=%255s y=%255s",
               &count, &shift, &bits, &is_signed, rounding, mode, acc_path, y_path) != 8)
        fail("a line that cannot be read", name);
    acc = load(acc_path, count, 64, 1);
    y = allocate(count, sizeof *y);
    for (i = 0; i < count; i++)
        y[i] = overflow(round_shift(acc[i], shift, rounding), floor_shift(acc[i], shift), bits, is_signed, mode);
    free(acc);
    return judge(name, y_path, y, count, bits, is_signed);
}

int main(int argc, char **argv)
{
    char name[PATH_SIZE], word[16], *line;
    unsigned long vectors = 0, mismatches = 0;
    size_t size;
    folder = argc > 1 ? argv[1] : "golden";
    line = manifest = (char *)read_file("manifest.txt", &size);
    if (strncmp(manifest, "a3cs-golden 1\n", 14)) fail("no manifest of this version", folder);
    check_end(size);
    while ((line = strchr(line, '\n')) && *++line) {
        if (*line == '\n' || sscanf(line, "%15s %255s", word, name) != 2) continue;
        if (is(word, "file")) check_file(line);
        else if (is(word, "vector")) mismatches += check_vector(name, line), vectors++;
        else if (is(word, "requantize")) mismatches += check_requantize(name, line), vectors++;
    }
    printf("%lu vectors, %lu mismatches\n", vectors, mismatches);
    return mismatches > 0 || vectors == 0;
}
