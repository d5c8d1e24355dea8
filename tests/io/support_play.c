#include "support_play.h"

#include <stdlib.h>
#include <string.h>

#include "base/fd.h"
#include "base/log.h"
#include "migrate/receiver.h"
#include "migrate/sender.h"
#include "support_test.h"

void
play_receives(struct play *play)
{
    qmp_server_answer(&play->server, "query-status",
                      "{\"return\": {\"status\": \"inmigrate\"}}");
    qmp_server_answer(&play->server, "stop", "{\"return\": {}}");
    qmp_server_answer(&play->server, "object-add", "{\"return\": {}}");
    qmp_server_answer(&play->server, "qom-list", "{\"return\": []}");
}

void
play_open(struct play *play, enum job_side side)
{
    memset(play, 0, sizeof *play);
    log_open("play", LOG_LEVEL_VERBOSE);
    stage_open(&play->stage);
    net_temp_dir(play->dir);
    snprintf(play->qmp_path, sizeof play->qmp_path, "%s/qmp", play->dir);
    qmp_server_open(&play->server, &play->stage, play->qmp_path);
    play->server.arg = play;
    job_config_init(&play->config, side);
    play->config.has_target = true;
    assert_null(qmp_target_parse(play->qmp_path, &play->config.target));
    snprintf(play->config.unix_path, sizeof play->config.unix_path, "%s/mig",
             play->dir);
    play->tunnel = -1;
    if (side == JOB_SENDS)
        play->tunnel = net_listen_unix(play->config.unix_path, 1);
    else
        play_receives(play);
}

static void
free_job(struct play *play)
{
    sender_free(play->sender);
    receiver_free(play->receiver);
    play->sender = NULL;
    play->receiver = NULL;
}

static void
on_done(void *arg, enum exit_status status)
{
    struct play *play = arg;

    assert_false(play->done);
    play->done = true;
    play->status = status;
    if (play->frees)
        free_job(play);
}

void
play_start(struct play *play)
{
    char why[JOB_WHY_MAX];
    struct job_options options = { .config = &play->config,
                                   .on_done = on_done,
                                   .arg = play };

    if (job_config_finish(&play->config, why) != 0)
        fail_msg("%s", why);
    play->json = open_memstream(&play->json_text, &play->json_len);
    assert_non_null(play->json);
    options.json = play->json;
    if (play->config.side == JOB_SENDS)
        play->sender = sender_new(play->stage.loop, &options);
    else
        play->receiver = receiver_new(play->stage.loop, &options);
    assert_true(play->sender != NULL || play->receiver != NULL);
}

enum exit_status
play_end(struct play *play)
{
    char *last;

    STAGE_UNTIL(&play->stage, play->done);
    fflush(play->json);
    play->json_text[play->json_len - 1] = '\0';
    last = strrchr(play->json_text, '\n');
    play->result =
        json_loads(last != NULL ? last + 1 : play->json_text, 0, NULL);
    play->json_text[play->json_len - 1] = '\n';
    assert_int_equal(
        json_integer_value(json_object_get(play->result, "exit_status")),
        play->status);
    assert_int_equal(play_json_count(play, "\"type\":\"result\""), 1);
    return play->status;
}

void
play_close(struct play *play)
{
    free_job(play);
    json_decref(play->result);
    fclose(play->json);
    free(play->json_text);
    fd_close(&play->tunnel);
    qmp_server_close(&play->server);
    stage_close(&play->stage);
    net_remove_dir(play->dir);
}

void
play_cancel(struct play *play)
{
    if (play->sender != NULL)
        sender_cancel(play->sender);
    else
        receiver_cancel(play->receiver);
}

void
play_assert_message(const struct play *play, const char *part)
{
    const char *message =
        json_string_value(json_object_get(play->result, "message"));

    assert_non_null(message);
    if (strstr(message, part) == NULL)
        fail_msg("%s", message);
}

unsigned
play_json_count(struct play *play, const char *part)
{
    unsigned count = 0;

    fflush(play->json);
    for (const char *at = play->json_text;
         at != NULL && (at = strstr(at, part)) != NULL; at = strchr(at, '\n'))
        count++;
    return count;
}
