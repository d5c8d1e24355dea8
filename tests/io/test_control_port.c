/* The messages of channel 0, where its channel is slow or gone. */
#include "tunnel/control_port.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>

#include "io/transport.h"
#include "support_capture.h"
#include "support_faults.h"
#include "support_stage.h"
#include "support_test.h"

enum { FILLER = 60000, MESSAGES = 40, IDLE_TURNS = 2 };

struct rig {
    struct stage stage;
    struct control_port *port;
    struct transport *local; /* the channel's end */
    unsigned messages;
    json_int_t last;
    unsigned helpers;
    unsigned ends;
    unsigned bad;
    unsigned room;
    char *text; /* what the channel has read */
    size_t length;
    bool eof;
};

static void
on_message(void *arg, const struct control_message *message)
{
    struct rig *rig = arg;

    switch (message->type) {
    case CONTROL_MESSAGE:
        rig->messages++;
        rig->last = json_integer_value(json_object_get(message->message, "n"));
        break;
    case CONTROL_HELPER: rig->helpers += message->attached ? 1 : 100; break;
    case CONTROL_END:
        rig->ends++;
        control_port_free(rig->port);
        rig->port = NULL;
        break;
    default: fail_msg("there was none"); break;
    }
}

static void
on_room(void *arg)
{
    struct rig *rig = arg;

    assert_false(control_port_full(rig->port));
    rig->room++;
}

static void
on_bad(void *arg)
{
    struct rig *rig = arg;

    rig->bad++;
    control_port_free(rig->port);
    rig->port = NULL;
}

static void
rig_open(struct rig *rig, bool asks_for_room)
{
    *rig = (struct rig){ 0 };
    faults_clear();
    stage_open(&rig->stage);
    rig->port = control_port_new(
        &(struct control_port_options){ .loop = rig->stage.loop,
                                        .on_message = on_message,
                                        .on_room =
                                            asks_for_room ? on_room : NULL,
                                        .on_bad = on_bad,
                                        .arg = rig },
        &rig->local);
    assert_non_null(rig->port);
}

static void
rig_close(struct rig *rig)
{
    control_port_free(rig->port);
    transport_free(rig->local);
    free(rig->text);
    stage_close(&rig->stage);
}

/* The channel reads what there is, once. */
static void
read_once(struct rig *rig)
{
    enum { CHUNK = 100000 };
    struct iovec iov;
    ssize_t n;

    rig->text = realloc(rig->text, rig->length + CHUNK + 1);
    iov = (struct iovec){ rig->text + rig->length, CHUNK };
    n = transport_readv(rig->local, &iov, 1);
    rig->eof |= n == 0;
    if (n > 0)
        rig->length += (size_t)n;
    rig->text[rig->length] = '\0';
    stage_turns_in(&rig->stage, 0);
}

/* The channel reads all there is before the port hears of it. */
static void
drain(struct rig *rig)
{
    char bytes[65536];
    struct iovec iov = { bytes, sizeof bytes };

    while (transport_readv(rig->local, &iov, 1) > 0)
        continue;
}

static void
channel_says(struct rig *rig, const char *text)
{
    struct iovec iov = { (void *)(uintptr_t)text, strlen(text) };

    assert_int_equal(transport_writev(rig->local, &iov, 1), iov.iov_len);
}

static void
send_number(struct rig *rig, int number)
{
    char filler[FILLER];
    struct control_message message = { .type = CONTROL_MESSAGE };

    memset(filler, 'x', sizeof filler - 1);
    filler[sizeof filler - 1] = '\0';
    message.message = json_pack("{si ss}", "n", number, "fill", filler);
    control_port_send(rig->port, &message);
    json_decref(message.message);
}

static void
what_the_other_end_says_is_handed_on(void **state)
{
    struct rig rig;

    (void)state;
    rig_open(&rig, true);
    channel_says(&rig, "{\"type\":\"helper\",\"attached\":true}\n"
                       "{\"type\":\"message\",\"message\":{\"n\":5}}\n"
                       "{\"type\":\"later\"}\n"
                       "{\"type\":\"helper\",\"attached\":false}\n"
                       "{\"type\":\"end\",\"reason\":0}\n"
                       "{\"type\":\"message\",\"message\":{\"n\":6}}\n");
    STAGE_UNTIL(&rig.stage, rig.ends == 1);
    assert_int_equal(rig.messages, 1);
    assert_int_equal(rig.last, 5);
    assert_int_equal(rig.helpers, 101);
    rig_close(&rig);
}

static void
what_is_no_message_is_told_and_the_last(void **state)
{
    static const char *const texts[] = {
        "x\n",
        "{\"type\":\"helper\"}\n",
        "{\"type\":\"message\",\"message\":1}\n",
    };

    (void)state;
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        struct rig rig;

        rig_open(&rig, true);
        channel_says(&rig, texts[i]);
        channel_says(&rig, "{\"type\":\"helper\",\"attached\":true}\n");
        STAGE_UNTIL(&rig.stage, rig.bad == 1);
        assert_int_equal(rig.helpers, 0);
        rig_close(&rig);
    }
}

/* A line without end. */
static void
a_line_that_is_too_long_is_no_message(void **state)
{
    char *line = malloc(CONTROL_LINE_MAX + 3);
    struct rig rig;

    (void)state;
    memset(line, 'x', CONTROL_LINE_MAX + 2);
    line[CONTROL_LINE_MAX + 2] = '\0';
    rig_open(&rig, true);
    channel_says(&rig, line);
    STAGE_UNTIL(&rig.stage, rig.bad == 1);
    rig_close(&rig);
    free(line);
}

/* The owner that does not heed it, too, loses nothing up to 1 MiB. */
static void
what_the_channel_does_not_take_waits(void **state)
{
    (void)state;
    for (int asks = 0; asks < 2; asks++) {
        struct rig rig;
        char number[32];
        int sent = 0;

        rig_open(&rig, asks);
        assert_false(control_port_full(rig.port));
        while (!control_port_full(rig.port))
            send_number(&rig, sent++);
        assert_true(sent > 4);
        for (int i = 0; i < 10; i++)
            send_number(&rig, sent++);
        control_port_send(rig.port,
                          &(struct control_message){ .type = CONTROL_END });
        control_port_end(rig.port);
        assert_true(stage_turns_in(&rig.stage, 30) <= IDLE_TURNS);
        assert_int_equal(rig.room, 0);
        while (!rig.eof)
            read_once(&rig);
        assert_int_equal(rig.room, asks);
        for (int i = 0; i < sent; i++) {
            snprintf(number, sizeof number, "{\"n\":%d,", i);
            assert_int_equal(capture_count(rig.text, number), 1);
        }
        assert_true(rig.length > (size_t)sent * FILLER);
        assert_memory_equal(rig.text + rig.length - 3, "\"}\n", 3);
        rig_close(&rig);
    }
}

static void
what_is_beyond_that_is_lost_and_said(void **state)
{
    struct rig rig;

    (void)state;
    capture_start();
    rig_open(&rig, true);
    for (int i = 0; i < MESSAGES; i++)
        send_number(&rig, i);
    assert_true(capture_count(capture_stop(), "a control message is lost") > 0);
    rig_close(&rig);
}

/* What is sent in between may make the room that was waited for, or show that
 * there is nobody to wait for. */
static void
room_is_told_whatever_is_sent_meanwhile(void **state)
{
    (void)state;
    for (int gone = 0; gone < 2; gone++) {
        struct rig rig;

        rig_open(&rig, true);
        while (!control_port_full(rig.port))
            send_number(&rig, 1);
        if (gone) {
            transport_free(rig.local);
            rig.local = NULL;
        } else {
            drain(&rig);
        }
        control_port_send(rig.port,
                          &(struct control_message){ .type = CONTROL_READY });
        assert_false(control_port_full(rig.port));
        while (rig.room == 0) {
            if (!gone)
                drain(&rig);
            stage_turn(&rig.stage);
        }
        stage_rest(&rig.stage);
        assert_int_equal(rig.room, 1);
        assert_true(stage_turns_in(&rig.stage, 100) <= IDLE_TURNS);
        rig_close(&rig);
    }
}

static void
a_channel_that_has_gone_is_not_waited_for(void **state)
{
    struct rig rig;

    (void)state;
    rig_open(&rig, true);
    while (!control_port_full(rig.port))
        send_number(&rig, 1);
    transport_free(rig.local);
    rig.local = NULL;
    STAGE_UNTIL(&rig.stage, rig.room == 1);
    control_port_end(rig.port);
    stage_rest(&rig.stage);
    assert_true(stage_turns_in(&rig.stage, 100) <= IDLE_TURNS);
    rig_close(&rig);
}

int
main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_the_other_end_says_is_handed_on),
        cmocka_unit_test(what_is_no_message_is_told_and_the_last),
        cmocka_unit_test(a_line_that_is_too_long_is_no_message),
        cmocka_unit_test(what_the_channel_does_not_take_waits),
        cmocka_unit_test(what_is_beyond_that_is_lost_and_said),
        cmocka_unit_test(room_is_told_whatever_is_sent_meanwhile),
        cmocka_unit_test(a_channel_that_has_gone_is_not_waited_for),
    };

    return RUN_TESTS(tests);
}
