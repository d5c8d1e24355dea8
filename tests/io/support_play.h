/*
 * A play: mig-send's or mig-recv's job, with a QEMU of the test's own.  What
 * the job says is read from its JSON.
 */
#ifndef SUPPORT_PLAY_H
#define SUPPORT_PLAY_H

#include <stdio.h>

#include "migrate/job.h"
#include "support_net.h"
#include "support_qmp_server.h"
#include "support_stage.h"

struct play {
    struct stage stage;
    struct qmp_server server;
    char dir[NET_PATH_MAX];
    char qmp_path[64];
    int tunnel; /* listens at config.unix_path, or -1 */
    struct job_config config;
    struct sender *sender;
    struct receiver *receiver;
    FILE *json;
    char *json_text;
    size_t json_len;
    bool done;
    bool frees; /* the job when it is done */
    enum exit_status status;
    json_t *result; /* the last JSON line, when it is done */

    /* For the tests' own use. */
    size_t hang_up_at;
    size_t cancel_at;
    size_t came;
};

/**
 * play_open(play, side):
 * Set the stage: a QEMU that runs or waits, and for JOB_SENDS a tunnel that
 * listens.  The config may still be changed.
 */
void play_open(struct play *play, enum job_side side);

/**
 * play_receives(play):
 * Let the scripted QEMU wait for a VM and know what a destination is told:
 * play_open has done so for JOB_RECEIVES.
 */
void play_receives(struct play *play);

/**
 * play_start(play):
 * Complete the config and start the job.
 */
void play_start(struct play *play);

/**
 * play_end(play):
 * Serve the loop until the job is done.  Return its exit status.
 */
enum exit_status play_end(struct play *play);
void play_close(struct play *play);

/**
 * play_cancel(play):
 * A person presses Ctrl-C.
 */
void play_cancel(struct play *play);

/**
 * play_assert_message(play, part):
 * The result's message has ${part} in it.
 */
void play_assert_message(const struct play *play, const char *part);

/**
 * play_json_count(play, part):
 * Return how many JSON lines have ${part} in them.
 */
unsigned play_json_count(struct play *play, const char *part);

#endif
