/* A unit's place in the pipeline of chunks, and a map's place in DRAM. */
#ifndef A3CS_STAGE_H
#define A3CS_STAGE_H

#include "chunk.h"

namespace a3cs {

/* segment: how many times a frame has changed chunks before this unit. x, residual, y: numbers of maps; residual -1: none.
 * bytes: of a word of y in a file. */
struct Stage {
    const char* name;
    int chunk, segment, x, residual, y, bytes;
    Unit unit;
};

/* A map lies in DRAM for `held` frames at once, frame f in place f % held. */
struct Map {
    int first, words, held;
};

} // namespace a3cs

#endif
