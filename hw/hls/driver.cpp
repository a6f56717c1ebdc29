/* Runs frames through the pipeline: ./driver FRAMES.bin OUT_DIR
 *
 * FRAMES.bin: the words of all frames, [frame][channel][row][column], little-endian, as golden/FORMAT.md lays out x.
 * Writes OUT_DIR/UNIT.bin, every unit's output, as `a3cs golden diff` reads it, and prints what each unit's loops counted for one
 * frame. Exit status: 0 done, 1 the counts of two frames differ, 2 bad input.
 */
#include "pipeline.h"

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

using namespace a3cs;

static void fail(const char* what, const std::string& where)
{
    std::fprintf(stderr, "error: %s: %s\n", where.c_str(), what);
    std::exit(2);
}

static std::vector<unsigned char> read_file(const std::string& path)
{
    std::vector<unsigned char> bytes;
    std::FILE* file = std::fopen(path.c_str(), "rb");
    if (!file)
        fail("cannot be read", path);
    unsigned char block[65536];
    for (std::size_t got; (got = std::fread(block, 1, sizeof block, file)) > 0;)
        bytes.insert(bytes.end(), block, block + got);
    std::fclose(file);
    return bytes;
}

/* A little-endian word of `size` bytes. */
static int64_t decode(const unsigned char* bytes, int size, bool is_signed)
{
    uint64_t word = is_signed && bytes[size - 1] & 0x80 ? ~UINT64_C(0) : 0;
    for (int i = size - 1; i >= 0; i--)
        word = word << 8 | bytes[i];
    return static_cast<int64_t>(word);
}

static void enter_frame(const unsigned char* bytes, int64_t frame)
{
    word_t* map = place(0, frame);
    for (int i = 0; i < FRAME_WORDS; i++)
        map[i] = decode(bytes + i * FRAME_BYTES, FRAME_BYTES, FRAME_SIGNED);
}

/* Append one frame's map to a unit's file. */
static void dump(const Stage& stage, int64_t frame, std::FILE* file)
{
    const word_t* map = place(stage.y, frame);
    for (int i = 0; i < MAPS[stage.y].words; i++) {
        const uint64_t word = static_cast<uint64_t>(map[i].to_int64());
        for (int byte = 0; byte < stage.bytes; byte++)
            std::fputc(static_cast<int>(word >> 8 * byte & 0xFF), file);
    }
}

static void print_counts(const Counts counts[UNITS])
{
    static const char* const operands[OPERANDS] = {"input", "weight", "residual", "reload", "spill", "output"};
    int64_t cycles[CHUNKS] = {0}, epoch = 0, latency = 0;
    for (int i = 0; i < UNITS; i++) {
        const Counts& unit = counts[i];
        std::printf("unit %s chunk %d tiles %lld", STAGES[i].name, STAGES[i].chunk, static_cast<long long>(unit.tiles));
        for (int operand = 0; operand < OPERANDS; operand++)
            std::printf(" %s %lld", operands[operand], static_cast<long long>(unit.words[operand]));
        std::printf(" compute %lld cycles %lld\n", static_cast<long long>(unit.compute), static_cast<long long>(unit.cycles));
        cycles[STAGES[i].chunk] += unit.cycles;
        latency += unit.cycles;
    }
    for (int chunk = 0; chunk < CHUNKS; chunk++)
        epoch = cycles[chunk] > epoch ? cycles[chunk] : epoch;
    std::printf("epoch %lld latency %lld segments %d\n", static_cast<long long>(epoch), static_cast<long long>(latency), SEGMENTS);
}

int main(int argc, char** argv)
{
    if (argc != 3)
        fail("usage: driver FRAMES.bin OUT_DIR", "driver");
    const std::vector<unsigned char> bytes = read_file(argv[1]);
    const std::size_t size = static_cast<std::size_t>(FRAME_WORDS) * FRAME_BYTES;
    if (bytes.empty() || bytes.size() % size)
        fail("its length is no multiple of a frame's", argv[1]);
    const int64_t frames = static_cast<int64_t>(bytes.size() / size);
    std::vector<std::FILE*> dumps;
    for (int i = 0; i < UNITS; i++) {
        const std::string path = std::string(argv[2]) + "/" + STAGES[i].name + ".bin";
        dumps.push_back(std::fopen(path.c_str(), "wb"));
        if (!dumps[i])
            fail("cannot be written", path);
    }
    Counts counts[UNITS] = {}, first[UNITS] = {};
    configure();
    for (int64_t e = 0; e < frames + SEGMENTS - 1; e++) {
        if (e < frames)
            enter_frame(bytes.data() + static_cast<std::size_t>(e) * size, e);
        run_epoch(e, frames, counts);
        for (int i = 0; i < UNITS; i++) {
            const int64_t frame = e - STAGES[i].segment;
            if (0 <= frame && frame < frames)
                dump(STAGES[i], frame, dumps[i]);
            if (frame == 0)
                first[i] = counts[i];
        }
    }
    for (int i = 0; i < UNITS; i++)
        if (std::fclose(dumps[i]))
            fail("cannot be written", STAGES[i].name);
    print_counts(counts);
    return std::memcmp(counts, first, sizeof counts) ? 1 : 0;
}
