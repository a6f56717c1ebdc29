/* Recomputes every schedule of a folder, from FORMAT.md alone: C99, no library.
 *
 *   cc -std=c99 -O2 -o schedule golden/schedule.c && ./schedule golden
 *
 * Steps through all tiles of all units, and compares every figure. Prints "N schedules, M mismatches"; exit status 0 when M is
 * 0, 1 otherwise, 2 when the folder cannot be read. Hashes are check.c's.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CHUNKS 64
#define LINE 1024

enum { INPUT, WEIGHT, RESIDUAL, RELOAD, SPILL, OUTPUT, KINDS };
enum { M, N, R, C, LOOPS };

typedef long long count;

struct unit {
    char kind[16], r[256];
    int m, n, H, W, K, S, pad, bits[KINDS], total[LOOPS], depthwise, residual, fill;
};

struct chunk {
    int rows, columns, tile[LOOPS], bram[3], rate, resident, wide, units;
    char interconnect[8], order[8], weights[16];
    count cycles, pes;
};

struct figures {
    count tiles, macs, cycles, compute, load, store, words[KINDS], peak[3];
};

/* A tile: its passes of the four loops, and their sizes. */
struct tile {
    int at[LOOPS], size[LOOPS];
};

static const char *folder;
static int ideal;

static void fail(const char *what, const char *where)
{
    fprintf(stderr, "error: %s: %s\n", where, what), exit(2);
}

static char *read_file(const char *path)
{
    char name[1024], *text;
    long size;
    FILE *file;
    snprintf(name, sizeof name, "%s/%s", folder, path);
    file = fopen(name, "rb");
    if (!file || fseek(file, 0, SEEK_END) || (size = ftell(file)) < 0) fail("cannot be read", name);
    rewind(file);
    text = calloc((size_t)size + 1, 1);
    if (!text || fread(text, 1, (size_t)size, file) != (size_t)size) fail("cannot be read", name);
    fclose(file);
    return text;
}

static count ceil_div(count a, count b) { return (a + b - 1) / b; }
static count most(count a, count b) { return a > b ? a : b; }
static count least(count a, count b) { return a < b ? a : b; }

/* --- one unit on one chunk ---------------------------------------------------------------------------------------- */

static void set_sizes(const struct unit *u, const struct chunk *k, struct tile *t)
{
    int i;
    for (i = 0; i < LOOPS; i++)
        t->size[i] = (int)least(k->tile[i], u->total[i] - t->at[i] * k->tile[i]);
}

/* The next tile; 0 after the last. */
static int advance(const struct unit *u, const struct chunk *k, struct tile *t)
{
    static const char names[] = "mnrc";
    char loops[2 * sizeof k->order];
    int used = 0;
    const char *o;
    for (o = k->order; *o; o++) {
        loops[used++] = *o == 's' ? 'r' : *o;
        if (*o == 's') loops[used++] = 'c';
    }
    while (used-- > 0) {
        const char *loop = strchr(names, loops[used]);
        int i = loop ? (int)(loop - names) : 0;
        if (++t->at[i] * k->tile[i] < u->total[i]) {
            set_sizes(u, k, t);
            return 1;
        }
        t->at[i] = 0;
    }
    return 0;
}

/* Input rows (or columns) between the first and the last tap of the tile, inside the map. */
static count box(const struct unit *u, const struct chunk *k, const struct tile *t, int loop, int size)
{
    int first = t->at[loop] * k->tile[loop] * u->S - u->pad;
    int last = (t->at[loop] * k->tile[loop] + t->size[loop] - 1) * u->S - u->pad + u->K;
    return least(last, size) - most(first, 0);
}

static count input_words(const struct unit *u, const struct chunk *k, const struct tile *t)
{
    return t->size[u->depthwise ? M : N] * box(u, k, t, R, u->H) * box(u, k, t, C, u->W);
}

static count weight_words(const struct unit *u, const struct tile *t) { return (count)t->size[M] * t->size[N] * u->K * u->K; }
static count output_words(const struct tile *t) { return (count)t->size[M] * t->size[R] * t->size[C]; }

static count compute(const struct unit *u, const struct chunk *k, const struct tile *t)
{
    count K = u->K, m = t->size[M], n = t->size[N], r = t->size[R], c = t->size[C];
    if (!strcmp(k->interconnect, "m_n")) return K * K * r * c * ceil_div(m, k->rows) * ceil_div(n, k->columns) + u->fill;
    if (!strcmp(k->interconnect, "m_c")) return K * K * r * n * ceil_div(m, k->rows) * ceil_div(c, k->columns) + u->fill;
    if (!strcmp(k->interconnect, "n_c")) return K * K * r * m * ceil_div(n, k->rows) * ceil_div(c, k->columns) + u->fill;
    if (strcmp(k->interconnect, "k_r")) fail("unknown interconnect", k->interconnect);
    return K * c * m * n * ceil_div(K, k->rows) * ceil_div(r, k->columns) + u->fill;
}

/* Counts the words of a move; returns its cycles. */
static count move(const struct unit *u, const struct chunk *k, struct figures *f, int kind, count words)
{
    f->words[kind] += words;
    return ideal ? 0 : ceil_div(words * ceil_div(u->bits[kind], 8), k->rate);
}

static count load(const struct unit *u, const struct chunk *k, struct figures *f, const struct tile *old, const struct tile *t)
{
    int new_map = !old || old->at[R] != t->at[R] || old->at[C] != t->at[C];
    int new_m = !old || old->at[M] != t->at[M], new_n = !old || old->at[N] != t->at[N];
    count cycles = 0;
    if (new_map || (u->depthwise ? new_m : new_n)) cycles += move(u, k, f, INPUT, input_words(u, k, t));
    if ((new_m || new_n) && !k->resident) cycles += move(u, k, f, WEIGHT, weight_words(u, t));
    if (u->residual && (t->at[N] + 1) * k->tile[N] >= u->total[N]) cycles += move(u, k, f, RESIDUAL, output_words(t));
    if ((new_m || new_map) && t->at[N] > 0) cycles += move(u, k, f, RELOAD, output_words(t));
    f->load += cycles;
    return cycles;
}

static count store(const struct unit *u, const struct chunk *k, struct figures *f, const struct tile *t, const struct tile *next)
{
    count cycles = 0;
    if ((t->at[N] + 1) * k->tile[N] >= u->total[N])
        cycles = move(u, k, f, OUTPUT, output_words(t));
    else if (!next || next->at[M] != t->at[M] || next->at[R] != t->at[R] || next->at[C] != t->at[C])
        cycles = move(u, k, f, SPILL, output_words(t));
    f->store += cycles;
    return cycles;
}

static void walk(const struct unit *u, const struct chunk *k, struct figures *f)
{
    struct tile t = {{0, 0, 0, 0}, {0, 0, 0, 0}}, next;
    count stored = 0, loaded, busy;
    int more;
    set_sizes(u, k, &t);
    f->macs = (count)u->total[M] * u->total[N] * u->total[R] * u->total[C] * u->K * u->K;
    f->cycles = load(u, k, f, NULL, &t);
    do {
        next = t;
        more = advance(u, k, &next);
        busy = compute(u, k, &t);
        loaded = more ? load(u, k, f, &t, &next) : 0;
        f->cycles += most(busy, loaded + stored);
        stored = store(u, k, f, &t, more ? &next : NULL);
        f->tiles++, f->compute += busy;
        f->peak[0] = most(f->peak[0], input_words(u, k, &t));
        f->peak[1] = k->resident ? (count)u->total[M] * u->total[N] * u->K * u->K : most(f->peak[1], weight_words(u, &t));
        f->peak[2] = most(f->peak[2], output_words(&t));
        t = next;
    } while (more);
    f->cycles += stored;
}

/* --- files -------------------------------------------------------------------------------------------------------- */

/* The unit of the vector GROUP/NAME. */
static struct unit find_unit(const char *manifest, const char *group, const char *name)
{
    struct unit u = {0};
    char start[600];
    const char *line;
    int x_bits, w_bits, r_bits, y_bits, acc_bits;
    snprintf(start, sizeof start, "\nvector %s/%s kind=", group, name);
    line = strstr(manifest, start);
    if (!line || sscanf(line,
            " vector %*s kind=%15s frames=%*d M=%d N=%d H=%d W=%d K=%d S=%d pad=%d relu=%*d x_bits=%d x_frac=%*d x_signed=%*d "
            "w_bits=%d w_frac=%*d r_bits=%d r_frac=%*d y_bits=%d y_frac=%*d acc_bits=%d rounding=%*s overflow=%*s whole=%*d "
            "sampled=%*d x=%*s w=%*s b=%*s r=%255s", u.kind, &u.m, &u.n, &u.H, &u.W, &u.K, &u.S, &u.pad, &x_bits, &w_bits,
            &r_bits, &y_bits, &acc_bits, u.r) != 14)
        fail("no such vector", start + 1);
    u.depthwise = !strcmp(u.kind, "depthwise"), u.residual = strcmp(u.r, "-") != 0;
    u.total[M] = u.m, u.total[N] = u.depthwise ? 1 : u.n;
    u.total[R] = (u.H + 2 * u.pad - u.K) / u.S + 1, u.total[C] = (u.W + 2 * u.pad - u.K) / u.S + 1;
    u.bits[INPUT] = x_bits, u.bits[WEIGHT] = w_bits, u.bits[RESIDUAL] = r_bits, u.bits[OUTPUT] = y_bits;
    u.bits[RELOAD] = u.bits[SPILL] = acc_bits;
    return u;
}

/* Bytes of a unit's maps and weights, each moved once. */
static count bytes_once(const struct unit *u, const struct chunk *k)
{
    count out = (count)u->m * u->total[R] * u->total[C], bytes = out * ceil_div(u->bits[OUTPUT], 8);
    bytes += (count)u->n * u->H * u->W * ceil_div(u->bits[INPUT], 8);
    if (u->residual) bytes += out * ceil_div(u->bits[RESIDUAL], 8);
    if (!k->resident) bytes += (count)u->m * u->total[N] * u->K * u->K * ceil_div(u->bits[WEIGHT], 8);
    return bytes;
}

/* Compares the end of a line, from its word `key` on, with what was counted. Returns 1 when it is wrong. */
static int differs(const char *path, const char *line, const char *key, const char *counted)
{
    const char *at = strstr(line, key), *end = strchr(line, '\n');
    size_t length = strlen(counted);
    if (at && end && at < end && (size_t)(end - at) == length && !strncmp(at, counted, length)) return 0;
    printf("%s: %.*s: counted %s\n", path, (int)(end ? end - line : 0), line, counted);
    return 1;
}

static int check(const char *manifest, const char *group, const char *path, int units)
{
    char *text = read_file(path), *line, *lines[CHUNKS], *design = strchr(text, '\n'), name[256], said[LINE];
    struct chunk chunks[CHUNKS] = {{0}}, *k;
    struct figures f;
    struct unit u;
    count latency = 0, macs = 0, bytes = 0, epoch = 0, pes = 0, dsp = 0, bram = 0, rate, floor;
    int index, last = -1, segments = 0, used = 0, wrong = 0, i;
    if (strncmp(text, "a3cs-schedule 1\n", 16) ||
        sscanf(design, " design ideal_memory=%d board_bytes_per_cycle=%lld", &ideal, &rate) != 2)
        fail("no schedule of this version", path);
    for (line = design + 1; (line = strchr(line, '\n')) && *++line;) {
        if (*line == 'c') {
            k = &chunks[used];
            if (used == CHUNKS || sscanf(line, "chunk %d rows=%d columns=%d interconnect=%7s tm=%d tn=%d tr=%d tc=%d order=%7s "
                    "input_bram=%d weight_bram=%d output_bram=%d weights=%15s bytes_per_cycle=%d", &index, &k->rows, &k->columns,
                    k->interconnect, &k->tile[M], &k->tile[N], &k->tile[R], &k->tile[C], k->order, &k->bram[0], &k->bram[1],
                    &k->bram[2], k->weights, &k->rate) != 14 || index != used)
                fail("a line that cannot be read", line);
            k->resident = !strcmp(k->weights, "resident"), k->pes = (count)k->rows * k->columns;
            lines[used++] = line;
            continue;
        }
        memset(&f, 0, sizeof f);
        if (sscanf(line, "unit %255s chunk=%d", name, &index) != 2 || index < 0 || index >= used)
            fail("a line that cannot be read", line);
        u = find_unit(manifest, group, name), k = &chunks[index];
        if (sscanf(line, "unit %*s chunk=%*d fill=%d", &u.fill) != 1) fail("a line that cannot be read", line);
        walk(&u, k, &f);
        snprintf(said, sizeof said, "tiles=%lld macs=%lld cycles=%lld compute=%lld load=%lld store=%lld input=%lld weight=%lld "
                 "residual=%lld reload=%lld spill=%lld output=%lld peak_input=%lld peak_weight=%lld peak_output=%lld", f.tiles,
                 f.macs, f.cycles, f.compute, f.load, f.store, f.words[INPUT], f.words[WEIGHT], f.words[RESIDUAL],
                 f.words[RELOAD], f.words[SPILL], f.words[OUTPUT], f.peak[0], f.peak[1], f.peak[2]);
        wrong += differs(path, line, "tiles=", said);
        k->cycles += f.cycles, k->wide |= u.bits[INPUT] > 8 || u.bits[WEIGHT] > 8, k->units++;
        latency += f.cycles, macs += f.macs, bytes += bytes_once(&u, k), segments += index != last, last = index, units--;
    }
    for (i = 0; i < used; i++) {
        count own_dsp, own_bram;
        k = &chunks[i];
        own_dsp = !k->units ? 0 : k->wide ? k->pes : ceil_div(k->pes, 2);
        own_bram = k->units ? k->bram[0] + k->bram[1] + k->bram[2] : 0;
        snprintf(said, sizeof said, "cycles=%lld dsp=%lld bram18=%lld", k->cycles, own_dsp, own_bram);
        wrong += differs(path, lines[i], "cycles=", said);
        epoch = most(epoch, k->cycles), dsp += own_dsp, bram += own_bram, pes += k->units ? k->pes : 0;
    }
    floor = most(ceil_div(macs, most(pes, 1)), ideal ? 0 : ceil_div(bytes, rate));
    snprintf(said, sizeof said, "epoch=%lld latency=%lld segments=%d pipeline_latency=%lld pes=%lld dsp=%lld bram18=%lld "
             "floor=%lld", epoch, latency, segments, segments * epoch, pes, dsp, bram, floor);
    wrong += differs(path, design + 1, "epoch=", said);
    if (units) wrong++, printf("%s: %d units missing\n", path, units);
    free(text);
    return wrong > 0;
}

int main(int argc, char **argv)
{
    char *manifest, *line, *last = "", name[256], path[256];
    int schedules = 0, mismatches = 0, units;
    folder = argc > 1 ? argv[1] : "golden";
    line = manifest = read_file("manifest.txt");
    while ((line = strchr(line, '\n')) && *++line) {
        last = line;
        if (sscanf(line, "schedule %255s units=%d design=%*s figures=%255s", name, &units, path) == 3) {
            *strrchr(name, '/') = 0;
            mismatches += check(manifest, name, path, units), schedules++;
        }
    }
    if (strncmp(last, "end ", 4)) fail("cut short: its last line is not its SHA-256", "manifest.txt");
    free(manifest);
    printf("%d schedules, %d mismatches\n", schedules, mismatches);
    return mismatches > 0 || schedules == 0;
}
