/* --- the network -------------------------------------------------------------------------------------------------------- */

/* The action of the maps as they are: the lowest of those with the largest logit. */
static int greedy(void)
{
    const word_t *logits = agent_logits();
    int i, best = 0;
    for (i = 1; i < AGENT_ACTIONS; i++)
        if (logits[i] > logits[best])
            best = i;
    return best;
}

int agent_act(const frame_t *frame)
{
    int i;
    for (i = 0; i < UNITS; i++)
        run_unit(&units[i], frame);
    return greedy();
}

#ifndef AGENT_NO_MAIN
/* --- main: frames from standard input, the action of each to standard output --------------------------------------------- */

#include <stdio.h>

static frame_t frame[AGENT_FRAME_WORDS];

static int complain(const char *what, const char *where)
{
    fprintf(stderr, "error: %s: %s\n", where, what);
    return 2;
}

/* Reads little-endian words: 1 when a frame was read, 0 when the input ended before it, -1 when it is no whole frame of such words. */
static int read_frame(void)
{
    static unsigned char bytes[AGENT_FRAME_WORDS * sizeof(frame_t)];
    const size_t got = fread(bytes, 1, sizeof bytes, stdin);
    size_t i, j;
    for (i = 0; i < AGENT_FRAME_WORDS && got == sizeof bytes; i++) {
        uint64_t low = 0;
        int64_t word;
        for (j = 0; j < sizeof(frame_t); j++)
            low |= (uint64_t)bytes[i * sizeof(frame_t) + j] << (8 * j);
        word = FRAME_SIGNED ? wrap((int64_t)low, 8 * sizeof(frame_t)) : (int64_t)low;
        if (word < FRAME_MIN || word > FRAME_MAX)
            return -1;
        frame[i] = (frame_t)word;
    }
    return got == sizeof bytes ? 1 : got == 0 ? 0 : -1;
}

/* Adds a unit's map to FOLDER/UNIT.bin, each word in the fewest bytes, little-endian; the first frame begins the file anew. */
static int write_map(const struct unit *u, const char *name, const char *folder, unsigned long frames)
{
    const int bytes = u->y_bits <= 8 ? 1 : u->y_bits <= 16 ? 2 : 4;
    char path[4096];
    int32_t i;
    int j, failed;
    FILE *file;
    if (snprintf(path, sizeof path, "%s/%s.bin", folder, name) >= (int)sizeof path)
        return complain("the name is too long", folder);
    file = fopen(path, frames ? "ab" : "wb");
    if (!file)
        return complain("cannot be written; give a folder that exists", path);
    for (i = 0; i < u->M * u->R * u->C; i++)
        for (j = 0; j < bytes; j++)
            fputc((int)((uint64_t)maps[u->y + i] >> (8 * j) & 255), file);
    failed = ferror(file);
    return fclose(file) || failed ? complain("cannot be written; free space", path) : 0;
}

int main(int argc, char **argv)
{
    unsigned long frames = 0;
    int found, i;
    if (argc > 2 || (argc == 2 && argv[1][0] == '-')) {
        fprintf(stderr, "usage: %s [FOLDER] < FRAMES   raw frames in, an action a line out; every map as FOLDER/UNIT.bin\n", argv[0]);
        return 2;
    }
    while ((found = read_frame()) == 1) {
        for (i = 0; i < UNITS; i++) {
            run_unit(&units[i], frame);
            if (argc == 2 && write_map(&units[i], names[i], argv[1], frames))
                return 2; /* each map is written at once: later ones take its place */
        }
        printf("%d\n", greedy());
        frames++;
    }
    if (found < 0)
        return complain("the input is cut short, or a word is no word of a frame", "standard input");
    if (!frames)
        return complain("no frame was read; give raw frames", "standard input");
    return fflush(stdout) ? complain("cannot be written", "standard output") : 0;
}
#endif
