/* Units from standard input through the kernel of `a3cs export c`, outputs to standard output; all numbers are int64_t.
 *
 * A unit is: the numbers of `enum number`, weights, biases, and for every frame its x and its residual. The integer types are
 * given with -D, as the exporter would choose them.
 */
#include <stdint.h>
#include <stdio.h>

typedef FRAME_T frame_t;
typedef WORD_T word_t;
typedef WEIGHT_T weight_t;
typedef BIAS_T bias_t;
typedef TAP_T tap_t;
typedef PRODUCT_T product_t;
typedef SUM_T sum_t;

#define SPACE (1 << 20)
#define MAPS_WORDS (3 * SPACE)
#define WINDOW_WORDS SPACE

#include "kernel.c"

enum number {
    M, N, H, W, K, S, PAD, R, C, DEPTHWISE, RELU, ACC_BITS, SHIFT, RESIDUAL_SHIFT, Y_BITS, ROUNDING, OVERFLOW, READS_FRAME,
    ADDS, FRAMES, WEIGHTS, NUMBERS
};

static int64_t numbers[NUMBERS];
static weight_t weights[SPACE];
static bias_t biases[SPACE];
static frame_t pixels[SPACE];

static int64_t next(void)
{
    int64_t value = 0;
    if (fread(&value, sizeof value, 1, stdin) != 1)
        fprintf(stderr, "cut short\n");
    return value;
}

int main(void)
{
    int64_t f, i;
    while (fread(numbers, sizeof numbers, 1, stdin) == 1) {
        const int64_t *p = numbers;
        const struct unit u = {
            weights, biases, p[READS_FRAME] ? FRAME : 0, p[ADDS] ? SPACE : NONE, 2 * SPACE, (int32_t)p[M], (int32_t)p[N],
            (int32_t)p[H], (int32_t)p[W], (int32_t)p[K], (int32_t)p[S], (int32_t)p[PAD], (int32_t)p[R], (int32_t)p[C],
            (uint8_t)p[DEPTHWISE], (uint8_t)p[RELU], (uint8_t)p[ACC_BITS], (uint8_t)p[SHIFT], (uint8_t)p[RESIDUAL_SHIFT],
            (uint8_t)p[Y_BITS], (uint8_t)p[ROUNDING], (uint8_t)p[OVERFLOW]};
        if (p[N] * p[H] * p[W] > SPACE || p[M] * p[R] * p[C] > SPACE || p[WEIGHTS] > SPACE || p[M] > SPACE)
            return 1;
        for (i = 0; i < p[WEIGHTS]; i++)
            weights[i] = (weight_t)next();
        for (i = 0; i < p[M]; i++)
            biases[i] = (bias_t)next();
        for (f = 0; f < p[FRAMES]; f++) {
            for (i = 0; i < p[N] * p[H] * p[W]; i++)
                if (p[READS_FRAME])
                    pixels[i] = (frame_t)next();
                else
                    maps[i] = (word_t)next();
            for (i = 0; p[ADDS] && i < p[M] * p[R] * p[C]; i++)
                maps[SPACE + i] = (word_t)next();
            run_unit(&u, pixels);
            for (i = 0; i < p[M] * p[R] * p[C]; i++) {
                const int64_t word = maps[2 * SPACE + i];
                fwrite(&word, sizeof word, 1, stdout);
            }
        }
    }
    return 0;
}
