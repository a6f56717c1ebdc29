/* The pipeline of chunks. In an epoch all chunks run at once, each its units in order, on different frames: a unit of segment g
 * works on the frame that entered g epochs ago. Maps pass from chunk to chunk through DRAM, which holds a map until its last
 * reader has had it. */
#ifndef A3CS_PIPELINE_H
#define A3CS_PIPELINE_H

#include "parameters.h"

namespace a3cs {

static word_t DRAM_MAPS[MAP_WORDS];

/* Where a map of a frame lies. */
inline word_t* place(int map, int64_t frame)
{
    return DRAM_MAPS + MAPS[map].first + frame % MAPS[map].held * MAPS[map].words;
}

/* Load the weights of chunks that keep them. */
inline void configure()
{
    for (int i = 0; i < UNITS; i++)
        start_chunk(STAGES[i], true, 0, 0, 0);
}

/* Epoch number e of `frames` frames. counts: of each unit, left alone where it has no frame. */
inline void run_epoch(int64_t e, int64_t frames, Counts counts[UNITS])
{
    for (int chunk = 0; chunk < CHUNKS; chunk++)
        for (int i = 0; i < UNITS; i++) {
            const Stage& stage = STAGES[i];
            const int64_t frame = e - stage.segment;
            if (stage.chunk != chunk || frame < 0 || frame >= frames)
                continue;
            const word_t* residual = stage.residual < 0 ? 0 : place(stage.residual, frame);
            counts[i] = start_chunk(stage, false, place(stage.x, frame), residual, place(stage.y, frame));
        }
}

} // namespace a3cs

#endif
