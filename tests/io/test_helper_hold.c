/* A driver that says more than channel 0 can carry has to wait. */
#include "tunnel/helper_talk.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

#include "io/transport.h"
#include "support_capture.h"
#include "support_faults.h"
#include "support_net.h"
#include "support_partner.h"
#include "support_stage.h"
#include "support_test.h"
#include "tunnel/control_port.h"

enum { COUNT = 200, BYTES = 60000, CHUNK = 1 << 20, IDLE_TURNS = 2 };

struct rig {
    struct stage stage;
    char dir[NET_PATH_MAX];
    char path[NET_PATH_MAX + 8];
    struct helper_talk *talk;
    struct control_port *port;
    struct transport *local; /* where the channel would be */
    struct partner driver;
    unsigned changes; /* of the drivers */
    unsigned rooms;
    int sent;
    char *text; /* what has come out */
    size_t length;
};

static void
on_message(void *arg, const struct control_message *message)
{
    struct rig *rig = arg;

    helper_talk_take(rig->talk, message);
}

static void
on_room(void *arg)
{
    struct rig *rig = arg;

    rig->rooms++;
    helper_talk_room(rig->talk);
}

static void
on_bad(void *arg)
{
    (void)arg;
    fail_msg("nothing bad was said");
}

static void
on_drivers(void *arg)
{
    struct rig *rig = arg;

    rig->changes++;
}

static void
new_port(struct rig *rig)
{
    struct helper_talk_session session = { .on_drivers = on_drivers,
                                           .arg = rig };

    rig->port = control_port_new(
        &(struct control_port_options){ .loop = rig->stage.loop,
                                        .on_message = on_message,
                                        .on_room = on_room,
                                        .on_bad = on_bad,
                                        .arg = rig },
        &rig->local);
    assert_non_null(rig->port);
    session.port = rig->port;
    helper_talk_begin(rig->talk, &session);
}

static void
channel_says(struct rig *rig, const char *text)
{
    struct iovec iov = { (void *)(uintptr_t)text, strlen(text) };

    assert_int_equal(transport_writev(rig->local, &iov, 1), iov.iov_len);
}

static void
rig_open(struct rig *rig)
{
    char why[SOCKET_WHY_MAX];

    *rig = (struct rig){ 0 };
    faults_clear();
    capture_start();
    stage_open(&rig->stage);
    net_temp_dir(rig->dir);
    snprintf(rig->path, sizeof rig->path, "%s/x.ctl", rig->dir);
    assert_int_equal(helper_talk_open(&rig->talk,
                                      &(struct helper_talk_options){
                                          .loop = rig->stage.loop,
                                          .path = rig->path,
                                          .program = "mig-client 1",
                                          .needed = true },
                                      why),
                     0);
    new_port(rig);
    partner_open(&rig->driver, &rig->stage, rig->path, HELPER_DRIVER, false);
    STAGE_UNTIL(&rig->stage, rig->driver.ups == 1);
    assert_int_equal(rig->changes, 1);
    channel_says(rig, "{\"type\":\"helper\",\"attached\":true}\n");
    STAGE_UNTIL(&rig->stage, rig->driver.there);
    assert_int_equal(rig->changes, 2);
    assert_true(helper_talk_both(rig->talk));
}

static void
rig_close(struct rig *rig)
{
    partner_close(&rig->driver);
    helper_talk_free(rig->talk);
    control_port_free(rig->port);
    transport_free(rig->local);
    free(rig->text);
    net_remove_dir(rig->dir);
    stage_close(&rig->stage);
    capture_stop();
}

static void
say_more(struct rig *rig)
{
    while (rig->sent < COUNT &&
           partner_say(&rig->driver, rig->sent, BYTES) == 0)
        rig->sent++;
}

/* Return whether something came out. */
static bool
channel_reads(struct rig *rig)
{
    struct iovec iov;
    ssize_t n;

    rig->text = realloc(rig->text, rig->length + CHUNK + 1);
    assert_non_null(rig->text);
    iov = (struct iovec){ rig->text + rig->length, CHUNK };
    n = transport_readv(rig->local, &iov, 1);
    if (n > 0)
        rig->length += (size_t)n;
    rig->text[rig->length] = '\0';
    return n > 0;
}

static void
nothing_is_lost_while_the_link_stands_still(void **state)
{
    static const char last[] = "{\"type\":\"message\",\"message\":{\"n\":199,";
    struct rig rig;
    char number[32];

    (void)state;
    rig_open(&rig);
    say_more(&rig);
    stage_rest(&rig.stage);
    say_more(&rig);
    stage_rest(&rig.stage);
    assert_true(control_port_full(rig.port));
    assert_true(rig.sent > 20 && rig.sent < COUNT);
    assert_int_equal(errno, ENOBUFS); /* it is told, and has to wait */
    assert_true(stage_turns_in(&rig.stage, 100) <= IDLE_TURNS);
    while (rig.sent < COUNT || strstr(rig.text, last) == NULL) {
        channel_reads(&rig);
        stage_turns_in(&rig.stage, 0);
        say_more(&rig);
    }
    while (channel_reads(&rig))
        stage_turns_in(&rig.stage, 0);
    for (int i = 0; i < COUNT; i++) {
        snprintf(number, sizeof number, "{\"n\":%d,", i);
        assert_int_equal(capture_count(rig.text, number), 1);
    }
    assert_true(rig.length > (size_t)COUNT * BYTES);
    assert_true(rig.rooms > 0);
    assert_int_equal(rig.driver.ends, 0);
    assert_int_equal(
        capture_count(rig.text, "{\"type\":\"helper\",\"attached\":false}\n"),
        1);
    assert_int_equal(
        capture_count(rig.text, "{\"type\":\"helper\",\"attached\":true}\n"),
        1);
    rig_close(&rig);
}

/* What was held back is lost with the session, but not the driver. */
static void
the_next_session_is_not_held_up(void **state)
{
    struct rig rig;

    (void)state;
    rig_open(&rig);
    say_more(&rig);
    stage_rest(&rig.stage);
    assert_true(control_port_full(rig.port));
    helper_talk_end(rig.talk, rig.port);
    assert_false(helper_talk_both(rig.talk));
    control_port_free(rig.port);
    transport_free(rig.local);
    STAGE_UNTIL(&rig.stage, !rig.driver.there);
    assert_int_equal(rig.driver.view.state, TUNNEL_ENDED);
    new_port(&rig);
    channel_says(&rig, "{\"type\":\"helper\",\"attached\":true}\n");
    STAGE_UNTIL(&rig.stage, rig.driver.came == 2);
    assert_int_equal(partner_say(&rig.driver, 4711, 1), 0);
    while (rig.text == NULL || strstr(rig.text, "4711") == NULL) {
        channel_reads(&rig);
        stage_turns_in(&rig.stage, 0);
    }
    assert_int_equal(
        capture_count(rig.text, "{\"type\":\"helper\",\"attached\":true}\n"),
        1);
    rig_close(&rig);
}

/* The end of a session that is not the present one changes nothing. */
static void
the_end_of_an_earlier_session_is_not_that_of_this_one(void **state)
{
    struct rig rig;

    (void)state;
    rig_open(&rig);
    helper_talk_end(rig.talk, NULL);
    helper_talk_end(rig.talk, (const struct control_port *)&rig);
    assert_true(helper_talk_both(rig.talk));
    stage_turns_in(&rig.stage, 10);
    assert_true(rig.driver.there);
    rig_close(&rig);
}

static void
on_left(void *arg)
{
    unsigned *left = arg;

    (*left)++;
}

static void
a_driver_that_leaves_is_waited_for_no_longer(void **state)
{
    enum { NEVER_MS = 3600 * 1000, NOW_MS = 1 };
    unsigned left = 0;
    struct rig rig;

    (void)state;
    rig_open(&rig);
    assert_true(helper_talk_farewell(rig.talk, NEVER_MS, on_left, &left));
    stage_turns_in(&rig.stage, 50);
    assert_int_equal(left, 0);
    partner_close(&rig.driver);
    STAGE_UNTIL(&rig.stage, left == 1);
    assert_false(helper_talk_farewell(rig.talk, NOW_MS, on_left, &left));
    partner_open(&rig.driver, &rig.stage, rig.path, HELPER_DRIVER, false);
    STAGE_UNTIL(&rig.stage, rig.driver.there);
    assert_true(helper_talk_farewell(rig.talk, NOW_MS, on_left, &left));
    STAGE_UNTIL(&rig.stage, left == 2); /* it is not waited for forever */
    partner_close(&rig.driver);
    stage_rest(&rig.stage);
    assert_int_equal(left, 2);
    rig_close(&rig);
}

static void
without_a_control_socket_there_is_nothing_to_do(void **state)
{
    const struct helper_talk_options none = { 0 };
    const struct control_message message = { .type = CONTROL_HELPER,
                                             .attached = true };
    struct helper_talk *talk;
    char why[SOCKET_WHY_MAX];

    (void)state;
    assert_int_equal(helper_talk_open(&talk, &none, why), 0);
    assert_null(talk);
    helper_talk_begin(NULL, &(struct helper_talk_session){ 0 });
    helper_talk_state(NULL, TUNNEL_READY);
    helper_talk_take(NULL, &message);
    helper_talk_room(NULL);
    helper_talk_end(NULL, NULL);
    assert_false(helper_talk_both(NULL));
    assert_false(helper_talk_farewell(NULL, 1, NULL, NULL));
    helper_talk_free(NULL);
}

int
main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_is_lost_while_the_link_stands_still),
        cmocka_unit_test(the_next_session_is_not_held_up),
        cmocka_unit_test(the_end_of_an_earlier_session_is_not_that_of_this_one),
        cmocka_unit_test(a_driver_that_leaves_is_waited_for_no_longer),
        cmocka_unit_test(without_a_control_socket_there_is_nothing_to_do),
    };

    return RUN_TESTS(tests);
}
