#include "support_dialogue.h"

#include <stdio.h>
#include <string.h>

#include "support_test.h"
#include "tunnel/control_socket.h"

static const struct tunnel_view together = { .state = TUNNEL_READY,
                                             .session = "3f2a1b2c",
                                             .partner = true };

static const char *
type_of(const json_t *word)
{
    return json_string_value(json_object_get(word, "type"));
}

static void
on_driver(void *arg, bool attached)
{
    (void)arg;
    (void)attached;
}

static void
on_message(void *arg, json_t *message)
{
    struct dialogue *dialogue = arg;

    if (strcmp(type_of(message), "progress") == 0) {
        dialogue->progress++;
        return;
    }
    assert_true(dialogue->count < DIALOGUE_WORDS);
    dialogue->words[dialogue->count++] = json_incref(message);
}

void
dialogue_open(struct dialogue *dialogue, enum job_side side)
{
    char path[NET_PATH_MAX + 16], why[SOCKET_WHY_MAX];

    memset(dialogue, 0, sizeof *dialogue);
    play_open(&dialogue->play, side);
    snprintf(path, sizeof path, "%s/mig.ctl", dialogue->play.dir);
    dialogue->socket = control_socket_new(
        &(struct control_socket_options){ .loop = dialogue->play.stage.loop,
                                          .path = path,
                                          .program = "mig-client 1",
                                          .on_driver = on_driver,
                                          .on_message = on_message,
                                          .arg = dialogue },
        why);
    assert_non_null(dialogue->socket);
    control_socket_state(dialogue->socket, &together);
}

void
dialogue_close(struct dialogue *dialogue)
{
    control_socket_free(dialogue->socket);
    for (size_t i = 0; i < dialogue->count; i++)
        json_decref(dialogue->words[i]);
    play_close(&dialogue->play);
}

static const char *
id_of(const struct dialogue *dialogue)
{
    const char *id = NULL;

    for (size_t i = 0; i < dialogue->count && id == NULL; i++)
        id =
            json_string_value(json_object_get(dialogue->words[i], "migration"));
    return id;
}

void
dialogue_say(struct dialogue *dialogue, const char *text)
{
    json_t *message = json_loads(text, 0, NULL);
    const char *id = id_of(dialogue);

    assert_non_null(message);
    if (id != NULL && json_object_get(message, "migration") == NULL)
        json_object_set_new(message, "migration", json_string(id));
    control_socket_message(dialogue->socket, message);
    json_decref(message);
}

unsigned
dialogue_heard(const struct dialogue *dialogue, const char *type)
{
    unsigned count = 0;

    for (size_t i = 0; i < dialogue->count; i++)
        count += strcmp(type_of(dialogue->words[i]), type) == 0;
    return count;
}

const json_t *
dialogue_hear(struct dialogue *dialogue, const char *type)
{
    size_t i = 0;

    STAGE_UNTIL(&dialogue->play.stage, dialogue_heard(dialogue, type) > 0);
    while (strcmp(type_of(dialogue->words[i]), type) != 0)
        i++;
    return dialogue->words[i];
}

void
dialogue_start(struct dialogue *dialogue)
{
    play_start(&dialogue->play);
    dialogue_hear(dialogue, "hello");
    dialogue_say(dialogue, dialogue->play.config.side == JOB_SENDS
                               ? "{\"type\":\"hello\",\"version\":1,"
                                 "\"program\":\"mig-recv\"}"
                               : "{\"type\":\"hello\",\"version\":1,"
                                 "\"program\":\"mig-send\"}");
}
