/* The loop that a test drives, one wake-up at a time. */
#ifndef SUPPORT_STAGE_H
#define SUPPORT_STAGE_H

#include <stdbool.h>
#include <stdint.h>

struct event;
struct loop;

struct stage {
    struct loop *loop;
    struct event *guard;
    bool expired;
    unsigned long turns; /* wake-ups so far */
};

/**
 * stage_open(stage):
 * Make a loop, and a guard that fails the test after STAGE_GUARD_S.
 */
void stage_open(struct stage *stage);
void stage_close(struct stage *stage);

/**
 * stage_turn(stage):
 * Sleep until something happens on the loop, and serve it: one wake-up.
 */
void stage_turn(struct stage *stage);

/**
 * stage_turns_in(stage, ms):
 * Serve the loop for ${ms} milliseconds.  Return how often it woke up for
 * anything but the end of that time.
 */
unsigned long stage_turns_in(struct stage *stage, unsigned ms);

/**
 * stage_rest(stage):
 * Serve the loop until it has come to rest, which is a few wake-ups in a fifth
 * of a second.  One that is busy never rests, and the guard fails the test.
 */
void stage_rest(struct stage *stage);

/**
 * stage_now_ms():
 * Return the time in milliseconds on the monotonic clock.
 */
uint64_t stage_now_ms(void);

/* Serve the loop until ${condition} holds. */
#define STAGE_UNTIL(stage, condition) \
    do {                              \
        while (!(condition))          \
            stage_turn(stage);        \
    } while (0)

/* The same where ${condition} may come about on another thread. */
#define STAGE_POLL(stage, condition)        \
    do {                                    \
        while (!(condition))                \
            (void)stage_turns_in(stage, 1); \
    } while (0)

#endif
