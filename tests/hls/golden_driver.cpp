/* Runs every vector of vectors.h: ./golden_driver GOLDEN OUT. Writes OUT/PATH for the y of each, and prints what the loops of
 * each unit counted for one frame. Files of GOLDEN that are not there (maps of which only the hash is kept) are read from OUT. */
#include "vectors.h"

#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

using namespace a3cs;

static std::string golden, out;

static std::vector<unsigned char> read_file(const char* path)
{
    std::FILE* file = std::fopen((golden + "/" + path).c_str(), "rb");
    if (!file)
        file = std::fopen((out + "/" + path).c_str(), "rb");
    if (!file) {
        std::fprintf(stderr, "error: %s cannot be read\n", path);
        std::exit(2);
    }
    std::vector<unsigned char> bytes;
    unsigned char block[65536];
    for (std::size_t got; (got = std::fread(block, 1, sizeof block, file)) > 0;)
        bytes.insert(bytes.end(), block, block + got);
    std::fclose(file);
    return bytes;
}

/* The little-endian words of a file. */
template <typename T> std::vector<T> read_words(const char* path, int size, bool is_signed)
{
    const std::vector<unsigned char> bytes = read_file(path);
    std::vector<T> words;
    for (std::size_t first = 0; first < bytes.size(); first += static_cast<std::size_t>(size)) {
        uint64_t word = is_signed && bytes[first + static_cast<std::size_t>(size) - 1] & 0x80 ? ~UINT64_C(0) : 0;
        for (int i = size - 1; i >= 0; i--)
            word = word << 8 | bytes[first + static_cast<std::size_t>(i)];
        words.push_back(static_cast<T>(static_cast<int64_t>(word)));
    }
    return words;
}

static void write_words(const char* path, const std::vector<word_t>& words, int size)
{
    std::FILE* file = std::fopen((out + "/" + path).c_str(), "wb");
    if (!file) {
        std::fprintf(stderr, "error: %s cannot be written\n", path);
        std::exit(2);
    }
    for (std::size_t i = 0; i < words.size(); i++)
        for (int byte = 0; byte < size; byte++)
            std::fputc(static_cast<int>(static_cast<uint64_t>(words[i].to_int64()) >> 8 * byte & 0xFF), file);
    std::fclose(file);
}

static void run_vector(const UnitVector& vector)
{
    const Unit& u = vector.unit;
    const std::vector<word_t> x = read_words<word_t>(vector.x, vector.x_bytes, vector.x_signed);
    const std::vector<weight_t> weights = read_words<weight_t>(vector.w, vector.w_bytes, true);
    const std::vector<int64_t> biases = read_words<int64_t>(vector.b, 8, true);
    std::vector<word_t> residual;
    if (u.residual)
        residual = read_words<word_t>(vector.r, vector.r_bytes, true);
    const int x_words = u.N * u.H * u.W, y_words = u.M * u.R * u.C;
    std::vector<word_t> y(static_cast<std::size_t>(vector.frames * y_words));
    Counts counts = {};
    for (int frame = 0; frame < vector.frames; frame++) {
        const word_t* added = u.residual ? residual.data() + frame * y_words : 0;
        counts = vector.run(u, x.data() + frame * x_words, weights.data(), biases.data(), added, y.data() + frame * y_words);
    }
    write_words(vector.y, y, vector.y_bytes);
    std::printf("%s %lld", vector.name, static_cast<long long>(counts.tiles));
    for (int operand = 0; operand < OPERANDS; operand++)
        std::printf(" %lld", static_cast<long long>(counts.words[operand]));
    std::printf(" %lld %lld\n", static_cast<long long>(counts.compute), static_cast<long long>(counts.cycles));
}

static void run_vector(const RequantizeVector& vector)
{
    const std::vector<int64_t> sums = read_words<int64_t>(vector.acc, 8, true);
    std::vector<word_t> y;
    for (std::size_t i = 0; i < sums.size(); i++)
        y.push_back(vector.write_back(sums[i]));
    write_words(vector.y, y, vector.y_bytes);
}

int main(int argc, char** argv)
{
    if (argc != 3)
        return 2;
    golden = argv[1];
    out = argv[2];
    for (const UnitVector* vector = UNIT_VECTORS; vector->name; vector++)
        run_vector(*vector);
    for (const RequantizeVector* vector = REQUANTIZE_VECTORS; vector->name; vector++)
        run_vector(*vector);
    return 0;
}
