/*
 * A play with a partner: beside the QEMU of the test's own there is a tunnel's
 * control socket, and the test is the partner at its other end.
 */
#ifndef SUPPORT_DIALOGUE_H
#define SUPPORT_DIALOGUE_H

#include "support_play.h"

struct control_socket;

enum { DIALOGUE_WORDS = 64 };

struct dialogue {
    struct play play;
    struct control_socket *socket;
    json_t *words[DIALOGUE_WORDS]; /* what the job has said, in order */
    size_t count;
    size_t progress; /* of them that only told of it, and were dropped */
};

/**
 * dialogue_open(dialogue, side):
 * Set the stage, with the partner there.  The config may still be changed.
 */
void dialogue_open(struct dialogue *dialogue, enum job_side side);
void dialogue_close(struct dialogue *dialogue);

/**
 * dialogue_start(dialogue):
 * Start the job, and greet it when it has greeted.
 */
void dialogue_start(struct dialogue *dialogue);

/**
 * dialogue_say(dialogue, text):
 * The partner says ${text}, an object, to which the id of the migration is
 * added if it has none and the job has told one.
 */
void dialogue_say(struct dialogue *dialogue, const char *text);

/**
 * dialogue_hear(dialogue, type):
 * Serve the loop until the job has said ${type}, and return that; it is
 * borrowed.
 */
const json_t *dialogue_hear(struct dialogue *dialogue, const char *type);

/**
 * dialogue_heard(dialogue, type):
 * Return how often the job has said ${type}.
 */
unsigned dialogue_heard(const struct dialogue *dialogue, const char *type);

#endif
