/* Helpers attach to the tunnel. */
#include "tunnel/control_socket.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "support_capture.h"
#include "support_control.h"
#include "support_session_clock.h"
#include "support_test.h"

#define SAY(what) "{\"type\":\"message\",\"message\":" what "}\n"
#define REFUSED "{\"type\":\"refused\",\"why\":\""

enum { NOBODY = 65534, IDLE_TURNS = 2 };

static void
a_helper_is_told_how_it_stands(void **state)
{
    static const struct tunnel_view view = { .state = TUNNEL_READY,
                                             .session = "3f2a1b2c",
                                             .partner = true };
    struct control_rig rig;
    struct line_peer *driver;

    (void)state;
    control_rig_open(&rig);
    driver = control_rig_driver(&rig);
    assert_string_equal(driver->text,
                        "{\"type\":\"hello\",\"state\":\"joining\","
                        "\"session\":null,\"partner\":false,\"version\":1,"
                        "\"program\":\"mig-client 1\"}\n");
    assert_int_equal(rig.came, 1);
    control_socket_state(rig.socket, &view);
    assert_int_equal(rig.left, 0);
    assert_string_equal(control_rig_observer(&rig)->text,
                        "{\"type\":\"hello\",\"state\":\"ready\","
                        "\"session\":\"3f2a1b2c\",\"partner\":true,"
                        "\"version\":1,\"program\":\"mig-client 1\"}\n");
    assert_int_equal(rig.came, 1);
    control_rig_close(&rig);
}

static void
the_file_is_for_this_user_alone_and_goes_with_the_socket(void **state)
{
    struct control_rig rig;
    struct stat st;

    (void)state;
    control_rig_open(&rig);
    assert_int_equal(stat(rig.path, &st), 0);
    assert_true(S_ISSOCK(st.st_mode));
    assert_int_equal(st.st_mode & 0777, 0600);
    control_socket_free(rig.socket);
    rig.socket = NULL;
    assert_int_equal(access(rig.path, F_OK), -1);
    control_rig_close(&rig);
}

static void
a_path_that_is_taken_is_told(void **state)
{
    struct control_socket_options options;
    char why[SOCKET_WHY_MAX];
    struct control_rig rig;

    (void)state;
    control_rig_open(&rig);
    options = (struct control_socket_options){ .loop = rig.stage.loop,
                                               .path = rig.path };
    assert_null(control_socket_new(&options, why));
    assert_non_null(strstr(why, rig.path));
    options.path = rig.dir;
    assert_null(control_socket_new(&options, why));
    assert_non_null(strstr(why, "is not a socket"));
    control_rig_close(&rig);
}

static void
what_changes_is_told_once_to_all(void **state)
{
    struct tunnel_view view = { .state = TUNNEL_WAITING,
                                .session = "3f2a1b2c" };
    struct line_peer *driver, *observer, *silent;
    struct control_rig rig;

    (void)state;
    control_rig_open(&rig);
    driver = control_rig_driver(&rig);
    observer = control_rig_observer(&rig);
    silent = control_rig_connect(&rig, "");
    control_socket_state(rig.socket, &view);
    control_socket_state(rig.socket, &view);
    view.state = TUNNEL_READY;
    control_socket_state(rig.socket, &view);
    view.partner = true;
    control_socket_state(rig.socket, &view);
    memcpy(view.session, "00000000", sizeof "00000000");
    control_socket_state(rig.socket, &view);
    control_socket_state(rig.socket, &view);
    line_peer_wait(driver, "00000000");
    line_peer_wait(observer, "00000000");
    assert_int_equal(line_peer_count(driver, "\"type\":\"state\""), 4);
    assert_int_equal(line_peer_count(observer, "\"type\":\"state\""), 4);
    assert_int_equal(line_peer_count(driver, "\"state\":\"waiting\""), 1);
    stage_turns_in(&rig.stage, 20);
    assert_null(silent->text); /* it has not said hello */
    control_rig_close(&rig);
}

static void
messages_pass_both_ways_and_observers_see_both(void **state)
{
    struct line_peer *driver, *observer;
    struct control_rig rig;

    (void)state;
    control_rig_open(&rig);
    driver = control_rig_driver(&rig);
    observer = control_rig_observer(&rig);
    line_peer_say(driver,
                  SAY("{\"a\":1}") "{\"type\":\"later\"}\n" SAY("{\"a\":2}"));
    STAGE_UNTIL(&rig.stage, rig.messages == 2);
    assert_string_equal(rig.last, "{\"a\":2}");
    line_peer_wait(observer, "{\"type\":\"message\",\"from\":\"here\","
                             "\"message\":{\"a\":2}}\n");
    control_rig_message(&rig, "{\"b\":3}");
    line_peer_wait(driver, "{\"type\":\"message\",\"from\":\"partner\","
                           "\"message\":{\"b\":3}}\n");
    line_peer_wait(observer, "{\"type\":\"message\",\"from\":\"partner\","
                             "\"message\":{\"b\":3}}\n");
    assert_int_equal(line_peer_count(driver, "\"from\":\"here\""), 0);
    assert_int_equal(line_peer_count(observer, "\"from\":\"here\""), 2);
    line_peer_say(observer, SAY("{\"a\":3}"));
    stage_turns_in(&rig.stage, 20);
    assert_int_equal(rig.messages, 2); /* it may listen only */
    assert_false(observer->eof);
    control_rig_close(&rig);
}

static void
a_line_may_come_in_pieces(void **state)
{
    static const char line[] = DRIVER_HELLO SAY("{\"a\":1}");
    struct line_peer *driver;
    struct control_rig rig;

    (void)state;
    control_rig_open(&rig);
    driver = control_rig_connect(&rig, "");
    for (size_t i = 0; i < sizeof line - 1; i++) {
        line_peer_say(driver, (char[]){ line[i], '\0' });
        stage_turns_in(&rig.stage, 0);
    }
    STAGE_UNTIL(&rig.stage, rig.messages == 1);
    assert_int_equal(rig.came, 1);
    control_rig_close(&rig);
}

static void
a_second_driver_is_refused_and_the_first_goes_on(void **state)
{
    struct line_peer *driver, *second;
    struct control_rig rig;
    char why[128];

    (void)state;
    control_rig_open(&rig);
    driver = control_rig_driver(&rig);
    second = control_rig_connect(&rig, DRIVER_HELLO SAY("{\"a\":1}"));
    STAGE_UNTIL(&rig.stage, second->eof);
    snprintf(why, sizeof why,
             REFUSED "mig-send 1 (process %d) is attached already\"}\n",
             (int)getpid());
    assert_string_equal(second->text, why);
    assert_int_equal(rig.messages, 0);
    assert_int_equal(rig.left, 0);
    line_peer_say(driver, SAY("{\"a\":2}"));
    STAGE_UNTIL(&rig.stage, rig.messages == 1);
    control_rig_close(&rig);
}

/* Its end and the next one's hello are found in the same turn of the loop. */
static void
a_driver_that_has_ended_is_not_in_the_way(void **state)
{
    struct control_rig rig;

    (void)state;
    control_rig_open(&rig);
    for (unsigned i = 1; i <= 20; i++) {
        struct line_peer driver;

        line_peer_open(&driver, &rig.stage, net_connect_unix(rig.path));
        line_peer_say(&driver, DRIVER_HELLO);
        line_peer_wait(&driver, "\"type\":\"hello\"");
        line_peer_say(&driver, SAY("{\"a\":1}"));
        line_peer_close(&driver);
        assert_int_equal(rig.came, i);
    }
    STAGE_UNTIL(&rig.stage, rig.left == 20);
    assert_int_equal(rig.messages, 20);
    assert_int_equal(rig.at_left, 20);
    control_rig_close(&rig);
}

/* It is the next one's hello that comes first. */
static void
a_driver_that_ends_while_the_next_one_comes_is_not_in_the_way(void **state)
{
    struct line_peer *driver, *next;
    struct control_rig rig;

    (void)state;
    control_rig_open(&rig);
    driver = control_rig_driver(&rig);
    next = control_rig_connect(&rig, "");
    stage_turns_in(&rig.stage, 20);
    line_peer_say(next, DRIVER_HELLO SAY("{\"b\":1}"));
    line_peer_say(driver, SAY("{\"a\":1}"));
    line_peer_close(driver);
    line_peer_wait(next, "\"type\":\"hello\"");
    STAGE_UNTIL(&rig.stage, rig.messages == 2);
    assert_string_equal(rig.last, "{\"b\":1}");
    assert_int_equal(rig.at_left, 1);
    assert_int_equal(rig.came, 2);
    assert_int_equal(rig.left, 1);
    control_rig_close(&rig);
}

static void
last_words_are_heard_before_the_driver_has_left(void **state)
{
    struct line_peer *driver;
    struct control_rig rig;

    (void)state;
    control_rig_open(&rig);
    driver = control_rig_driver(&rig);
    for (int i = 0; i < 100; i++)
        line_peer_say(driver, SAY("{\"a\":1}"));
    line_peer_close(driver);
    STAGE_UNTIL(&rig.stage, rig.left == 1);
    assert_int_equal(rig.at_left, 100);
    assert_false(control_socket_driver(rig.socket));
    control_rig_close(&rig);
}

static void
an_observer_reaches_the_driver(void **state)
{
    struct line_peer *driver, *observer;
    struct control_rig rig;

    (void)state;
    control_rig_open(&rig);
    driver = control_rig_driver(&rig);
    observer = control_rig_observer(&rig);
    line_peer_wait(driver, "{\"type\":\"request\",\"request\":\"status\"}\n");
    line_peer_say(observer, "{\"type\":\"request\",\"request\":\"cancel\"}\n"
                            "{\"type\":\"request\",\"request\":\"dance\"}\n"
                            "{\"type\":\"request\",\"request\":\"release\"}\n");
    line_peer_wait(driver, "{\"type\":\"request\",\"request\":\"cancel\"}\n"
                           "{\"type\":\"request\",\"request\":\"release\"}\n");
    line_peer_say(
        driver, "{\"type\":\"request\",\"request\":\"cancel\"}\n" DRIVER_HELLO);
    stage_turns_in(&rig.stage, 20);
    assert_int_equal(line_peer_count(driver, "\"request\":"), 3);
    assert_int_equal(line_peer_count(driver, "hello"), 1);
    assert_int_equal(line_peer_count(observer, "request"), 0);
    control_rig_close(&rig);
}

static void
the_bandwidth_is_set_and_that_is_answered(void **state)
{
    struct line_peer *driver, *observer;
    struct control_rig rig;

    (void)state;
    control_rig_open(&rig);
    observer = control_rig_observer(&rig);
    line_peer_say(observer, "{\"type\":\"bandwidth\",\"rate\":50000000}\n");
    line_peer_wait(observer, "{\"type\":\"bandwidth\",\"rate\":50000000}\n");
    assert_int_equal(bucket_rate(&rig.bandwidth), 50000000);
    driver = control_rig_driver(&rig);
    line_peer_say(driver, "{\"type\":\"bandwidth\",\"rate\":0}\n");
    line_peer_wait(driver, "{\"type\":\"bandwidth\",\"rate\":0}\n");
    assert_int_equal(bucket_rate(&rig.bandwidth), 0);
    assert_int_equal(line_peer_count(observer, "bandwidth"), 1);
    assert_int_equal(line_peer_count(driver, "bandwidth"), 1);
    control_rig_close(&rig);
}

static void
a_bandwidth_that_nothing_gets_through_is_refused(void **state)
{
    struct line_peer *observer;
    struct control_rig rig;

    (void)state;
    control_rig_open(&rig);
    observer = control_rig_observer(&rig);
    line_peer_say(observer, "{\"type\":\"bandwidth\",\"rate\":16384}\n");
    line_peer_wait(observer, "{\"type\":\"bandwidth\",\"rate\":16384}\n");
    line_peer_say(observer, "{\"type\":\"bandwidth\",\"rate\":16383}\n");
    STAGE_UNTIL(&rig.stage, observer->eof);
    assert_int_equal(line_peer_count(observer, "a bandwidth is 0 or at least"),
                     1);
    assert_int_equal(bucket_rate(&rig.bandwidth), 16384);
    control_rig_close(&rig);
}

static void
an_observer_alone_can_ask_nobody(void **state)
{
    struct line_peer *observer;
    struct control_rig rig;

    (void)state;
    control_rig_open(&rig);
    observer = control_rig_observer(&rig);
    line_peer_say(observer, "{\"type\":\"request\",\"request\":\"cancel\"}\n");
    STAGE_UNTIL(&rig.stage, observer->eof);
    line_peer_wait(observer,
                   REFUSED "no mig-send or mig-recv is attached\"}\n");
    control_rig_close(&rig);
}

static void
another_version_is_refused(void **state)
{
    struct line_peer *helper;
    struct control_rig rig;

    (void)state;
    control_rig_open(&rig);
    helper = control_rig_connect(&rig, "{\"type\":\"hello\",\"version\":2}\n");
    STAGE_UNTIL(&rig.stage, helper->eof);
    assert_string_equal(helper->text,
                        REFUSED "version 2 of the control lines is not spoken "
                                "here, only 1\"}\n");
    assert_int_equal(rig.came, 0);
    control_rig_close(&rig);
}

static void
observers_leave_the_driver_its_place(void **state)
{
    struct line_peer *eighth;
    struct control_rig rig;

    (void)state;
    control_rig_open(&rig);
    for (int i = 0; i < CONTROL_HELPERS_MAX - 1; i++)
        control_rig_observer(&rig);
    eighth = control_rig_connect(&rig, OBSERVER_HELLO);
    STAGE_UNTIL(&rig.stage, eighth->eof);
    assert_string_equal(eighth->text,
                        REFUSED "7 observers are attached already\"}\n");
    control_rig_driver(&rig);
    assert_int_equal(rig.came, 1);
    line_peer_close(&rig.peers[3]);
    stage_turns_in(&rig.stage, 20);
    control_rig_observer(&rig);
    control_rig_close(&rig);
}

/* They are turned away one by one, and not those who speak. */
static void
who_says_no_hello_takes_nobodys_place(void **state)
{
    struct line_peer *silent, *driver;
    struct control_rig rig;

    (void)state;
    control_rig_open(&rig);
    silent = control_rig_connect(&rig, "");
    for (int i = 1; i < CONTROL_STRANGERS_MAX; i++)
        control_rig_connect(&rig, "");
    stage_turns_in(&rig.stage, 20);
    assert_false(silent->eof);
    driver = control_rig_driver(&rig);
    STAGE_UNTIL(&rig.stage, silent->eof);
    stage_turns_in(&rig.stage, 20);
    for (unsigned i = 1; i < rig.count; i++)
        assert_false(rig.peers[i].eof);
    line_peer_say(driver, SAY("{}"));
    STAGE_UNTIL(&rig.stage, rig.messages == 1);
    assert_int_equal(capture_count(capture_stop(), "too many do not say hello"),
                     1);
    capture_start();
    control_rig_close(&rig);
}

/* Else an observer could have it dropped for what it does not read. */
static void
requests_do_not_pile_up_before_a_driver_that_does_not_read(void **state)
{
    enum { REQUESTS = 40000 };
    static const char request[] =
        "{\"type\":\"request\",\"request\":\"cancel\"}\n";
    struct line_peer *driver, *observer;
    struct control_rig rig;
    unsigned heard;

    (void)state;
    control_rig_open(&rig);
    driver = control_rig_driver(&rig);
    observer = control_rig_observer(&rig);
    line_peer_wait(driver, "status");
    line_peer_read(driver, false);
    for (int i = 0; i < REQUESTS; i++)
        line_peer_say(observer, request);
    line_peer_say(observer, "{\"type\":\"request\",\"request\":\"release\"}\n");
    stage_rest(&rig.stage);
    line_peer_read(driver, true);
    line_peer_wait(driver, "release");
    heard = line_peer_count(driver, "cancel");
    assert_true(heard > 0 && heard < REQUESTS);
    line_peer_say(observer, request); /* what was read may be asked again */
    STAGE_UNTIL(&rig.stage, line_peer_count(driver, "cancel") == heard + 1);
    assert_int_equal(rig.left, 0);
    control_rig_close(&rig);
}

/* What it says is read piece by piece, also when somebody asks for it. */
static void
a_driver_that_never_stops_holds_up_nobody(void **state)
{
    struct line_peer *driver, *second;
    struct control_rig rig;
    unsigned before;

    (void)state;
    control_rig_open(&rig);
    driver = control_rig_driver(&rig);
    rig.busy = driver;
    second = control_rig_connect(&rig, DRIVER_HELLO);
    for (int i = 0; i < 10; i++)
        line_peer_say(driver, SAY("{}"));
    before = rig.messages;
    STAGE_UNTIL(&rig.stage, second->eof);
    assert_true(rig.messages - before < CONTROL_RIG_BUSY);
    rig.busy = NULL;
    assert_int_equal(rig.left, 0);
    control_rig_close(&rig);
}

/* A helper that reads slowly; the last line is what is. */
static void
states_do_not_pile_up_and_an_absence_is_not_missed(void **state)
{
    enum { CHANGES = 50000 };
    struct tunnel_view view = { .state = TUNNEL_READY, .partner = true };
    struct line_peer *driver;
    struct control_rig rig;

    (void)state;
    control_rig_open(&rig);
    driver = control_rig_driver(&rig);
    line_peer_read(driver, false);
    for (int i = 0; i < CHANGES; i++) {
        view.partner = !view.partner;
        control_socket_state(rig.socket, &view);
        if (i % 100 == 0)
            stage_turns_in(&rig.stage, 0);
    }
    assert_true(view.partner);
    memcpy(view.session, "11111111", sizeof "11111111");
    for (int there = 0; there < 2; there++) {
        view.partner = there;
        control_socket_state(rig.socket, &view);
    }
    control_rig_message(&rig, "{\"b\":1}");
    line_peer_read(driver, true);
    line_peer_wait(driver, "{\"b\":1}");
    assert_int_equal(rig.left, 0);
    assert_true(line_peer_count(driver, "\"type\":\"state\"") < CHANGES);
    assert_non_null(strstr(driver->text,
                           "\"session\":\"11111111\",\"partner\":false}\n"
                           "{\"type\":\"state\",\"state\":\"ready\","
                           "\"session\":\"11111111\",\"partner\":true}\n"
                           "{\"type\":\"message\""));
    control_rig_close(&rig);
}

static void
a_driver_is_there_before_it_is_heard(void **state)
{
    struct control_rig rig;

    (void)state;
    control_rig_open(&rig);
    control_rig_connect(&rig, DRIVER_HELLO SAY("{\"a\":1}"));
    STAGE_UNTIL(&rig.stage, rig.messages == 1);
    assert_int_equal(rig.early, 0);
    control_rig_close(&rig);
}

static void
a_driver_that_dies_while_it_is_held_back_is_noticed(void **state)
{
    struct line_peer *driver;
    struct control_rig rig;

    (void)state;
    control_rig_open(&rig);
    driver = control_rig_driver(&rig);
    control_socket_hold(rig.socket, true);
    line_peer_say(driver, SAY("{\"a\":1}"));
    line_peer_close(driver);
    STAGE_UNTIL(&rig.stage, rig.left == 1);
    assert_int_equal(rig.messages, 0);
    assert_int_equal(
        capture_count(capture_stop(), "it has ended while it had to wait"), 1);
    capture_start();
    driver = control_rig_driver(&rig); /* nor is it in the way */
    line_peer_close(driver);
    control_rig_driver(&rig);
    STAGE_UNTIL(&rig.stage, rig.left == 2);
    assert_int_equal(rig.came, 3);
    control_rig_close(&rig);
}

static void
what_is_no_helper_is_dropped_and_said(void **state)
{
    static const struct {
        const char *says;
        const char *why;
    } cases[] = {
        { "GET / HTTP/1.0\r\n", "what it says is no control line" },
        { "{\"type\":\"hello\"}\n", "what it says is no control line" },
        { SAY("{}"), "it does not begin with a hello" },
        { "{\"type\":\"bandwidth\",\"rate\":5}\n",
          "it does not begin with a hello" },
        { OBSERVER_HELLO "{}\n", "what it says is no control line" },
        { DRIVER_HELLO SAY("[]"), "what it says is no control line" },
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct line_peer *helper;
        struct control_rig rig;

        control_rig_open(&rig);
        helper = control_rig_connect(&rig, cases[i].says);
        STAGE_UNTIL(&rig.stage, helper->eof && rig.came == rig.left);
        assert_int_equal(rig.messages, 0);
        assert_int_equal(bucket_rate(&rig.bandwidth), 0);
        assert_int_equal(capture_count(capture_stop(), cases[i].why), 1);
        capture_start();
        control_rig_close(&rig);
    }
}

/* A line without end, and a message that would not fit on the wire. */
static void
what_is_too_long_is_not_taken(void **state)
{
    static const char *const whys[] = { "a line of it is longer than 64 KiB",
                                        "a message of it is longer than 60" };
    char *filler = malloc(CONTROL_LINE_MAX);

    (void)state;
    for (int i = 0; i < 2; i++) {
        size_t length = i == 0 ? CONTROL_LINE_MAX : CONTROL_MESSAGE_MAX;
        struct line_peer *driver;
        struct control_rig rig;

        control_rig_open(&rig);
        driver = control_rig_driver(&rig);
        memset(filler, 'x', length - 1);
        filler[length - 1] = '\0';
        line_peer_say(driver, "{\"type\":\"message\",\"message\":{\"x\":\"");
        line_peer_say(driver, filler);
        line_peer_say(driver, "\"}}\n");
        STAGE_UNTIL(&rig.stage, rig.left == 1);
        assert_int_equal(rig.messages, 0);
        assert_int_equal(capture_count(capture_stop(), whys[i]), 1);
        capture_start();
        control_rig_close(&rig);
    }
    free(filler);
}

static void
a_helper_that_says_nothing_is_dropped(void **state)
{
    struct line_peer *silent, *driver;
    struct control_rig rig;

    (void)state;
    control_rig_open(&rig);
    session_clock_speed(100);
    driver = control_rig_driver(&rig);
    silent = control_rig_connect(&rig, "{\"type\":");
    STAGE_UNTIL(&rig.stage, silent->eof);
    stage_turns_in(&rig.stage, 100);
    session_clock_speed(1);
    assert_false(driver->eof);
    assert_int_equal(capture_count(capture_stop(), "it does not say hello"), 1);
    capture_start();
    control_rig_close(&rig);
}

static void
a_helper_that_does_not_read_is_dropped_and_holds_up_nobody(void **state)
{
    struct line_peer *driver, *stuck;
    char message[30001];
    struct control_rig rig;

    (void)state;
    memset(message, 'x', sizeof message);
    memcpy(message, "{\"x\":\"", 6);
    memcpy(message + sizeof message - 3, "\"}", 3);
    control_rig_open(&rig);
    driver = control_rig_driver(&rig);
    stuck = control_rig_observer(&rig);
    line_peer_read(stuck, false);
    for (int i = 0; i < 100; i++) {
        control_rig_message(&rig, message);
        stage_turns_in(&rig.stage, 0);
    }
    STAGE_UNTIL(&rig.stage, line_peer_count(driver, "partner\"") == 101);
    assert_int_equal(
        capture_count(capture_stop(), "it does not read what it is told"), 1);
    capture_start();
    line_peer_read(stuck, true);
    STAGE_UNTIL(&rig.stage, stuck->eof);
    assert_true(line_peer_count(stuck, "partner\"") > 1);
    assert_true(line_peer_count(stuck, "partner\"") < 100);
    line_peer_say(driver, SAY("{}"));
    STAGE_UNTIL(&rig.stage, rig.messages == 1);
    control_rig_close(&rig);
}

static void
a_driver_that_is_held_back_loses_nothing(void **state)
{
    struct line_peer *driver;
    struct control_rig rig;

    (void)state;
    control_rig_open(&rig);
    driver = control_rig_driver(&rig);
    rig.hold = true;
    line_peer_say(driver, SAY("{\"a\":1}") SAY("{\"a\":2}"));
    line_peer_say(driver, SAY("{\"a\":3}"));
    for (unsigned i = 1; i <= 3; i++) {
        STAGE_UNTIL(&rig.stage, rig.messages == i);
        assert_true(stage_turns_in(&rig.stage, 30) <= IDLE_TURNS);
        assert_int_equal(rig.messages, i);
        control_socket_hold(rig.socket, false);
    }
    assert_string_equal(rig.last, "{\"a\":3}");
    line_peer_close(driver);
    STAGE_UNTIL(&rig.stage, rig.left == 1);
    control_rig_close(&rig);
}

static void
a_driver_that_comes_while_one_is_held_back_is_held_back_too(void **state)
{
    struct control_rig rig;

    (void)state;
    control_rig_open(&rig);
    control_socket_hold(rig.socket, true);
    control_rig_connect(&rig, DRIVER_HELLO SAY("{\"a\":1}"));
    STAGE_UNTIL(&rig.stage, rig.came == 1);
    stage_turns_in(&rig.stage, 20);
    assert_int_equal(rig.messages, 0);
    control_socket_hold(rig.socket, false);
    STAGE_UNTIL(&rig.stage, rig.messages == 1);
    control_rig_close(&rig);
}

/* It may come as a line that is just not too long, and grow by "from". */
static void
a_message_that_is_too_long_here_is_said_so_seldom(void **state)
{
    char message[CONTROL_LINE_MAX];
    struct line_peer *driver;
    struct control_rig rig;
    unsigned lines;

    (void)state;
    memset(message, 'x', sizeof message);
    memcpy(message, "{\"x\":\"", 6);
    memcpy(message + sizeof message - 3, "\"}", 3);
    control_rig_open(&rig);
    driver = control_rig_driver(&rig);
    for (int i = 0; i < 300; i++)
        control_rig_message(&rig, message);
    control_rig_message(&rig, "{}");
    line_peer_wait(driver, "\"message\":{}");
    lines = capture_count(capture_text(), "a message is lost");
    assert_true(lines > 0 && lines < 100);
    control_rig_close(&rig);
}

/* Where the file's mode has been changed, by a hand or a default ACL. */
static void
another_user_is_turned_away(void **state)
{
    struct line_peer stranger;
    struct control_rig rig;
    int fd;

    (void)state;
    if (geteuid() != 0) {
        print_message("only root can be another user, too\n");
        skip();
    }
    control_rig_open(&rig);
    assert_int_equal(chmod(rig.dir, 0755), 0);
    assert_int_equal(chmod(rig.path, 0666), 0);
    assert_int_equal(seteuid(NOBODY), 0);
    fd = net_connect_unix(rig.path);
    assert_int_equal(seteuid(0), 0);
    line_peer_open(&stranger, &rig.stage, fd);
    line_peer_say(&stranger, DRIVER_HELLO);
    STAGE_UNTIL(&rig.stage, stranger.eof);
    assert_int_equal(rig.came, 0);
    assert_null(stranger.text);
    assert_int_equal(capture_count(capture_stop(), "user 65534 may not"), 1);
    capture_start();
    line_peer_close(&stranger);
    control_rig_close(&rig);
}

static void
helpers_that_rest_cost_nothing(void **state)
{
    struct control_rig rig;

    (void)state;
    control_rig_open(&rig);
    control_rig_driver(&rig);
    control_rig_observer(&rig);
    stage_rest(&rig.stage);
    assert_true(stage_turns_in(&rig.stage, 300) <= IDLE_TURNS);
    control_rig_close(&rig);
}

/* One that was busy when it was freed. */
static void
a_socket_may_be_freed_at_any_time(void **state)
{
    (void)state;
    for (unsigned turns = 0; turns < 12; turns++) {
        struct control_rig rig;

        control_rig_open(&rig);
        control_rig_connect(&rig, DRIVER_HELLO SAY("{}"));
        control_rig_connect(&rig, OBSERVER_HELLO);
        control_rig_connect(&rig, DRIVER_HELLO);
        control_rig_connect(&rig, "x\n");
        for (unsigned i = 0; i < turns; i++)
            stage_turns_in(&rig.stage, 0);
        control_rig_close(&rig);
    }
    control_socket_free(NULL);
}

int
main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_helper_is_told_how_it_stands),
        cmocka_unit_test(
            the_file_is_for_this_user_alone_and_goes_with_the_socket),
        cmocka_unit_test(a_path_that_is_taken_is_told),
        cmocka_unit_test(what_changes_is_told_once_to_all),
        cmocka_unit_test(messages_pass_both_ways_and_observers_see_both),
        cmocka_unit_test(a_line_may_come_in_pieces),
        cmocka_unit_test(a_second_driver_is_refused_and_the_first_goes_on),
        cmocka_unit_test(a_driver_that_has_ended_is_not_in_the_way),
        cmocka_unit_test(
            a_driver_that_ends_while_the_next_one_comes_is_not_in_the_way),
        cmocka_unit_test(last_words_are_heard_before_the_driver_has_left),
        cmocka_unit_test(an_observer_reaches_the_driver),
        cmocka_unit_test(the_bandwidth_is_set_and_that_is_answered),
        cmocka_unit_test(a_bandwidth_that_nothing_gets_through_is_refused),
        cmocka_unit_test(an_observer_alone_can_ask_nobody),
        cmocka_unit_test(another_version_is_refused),
        cmocka_unit_test(observers_leave_the_driver_its_place),
        cmocka_unit_test(who_says_no_hello_takes_nobodys_place),
        cmocka_unit_test(
            requests_do_not_pile_up_before_a_driver_that_does_not_read),
        cmocka_unit_test(a_driver_that_never_stops_holds_up_nobody),
        cmocka_unit_test(states_do_not_pile_up_and_an_absence_is_not_missed),
        cmocka_unit_test(a_driver_is_there_before_it_is_heard),
        cmocka_unit_test(a_driver_that_dies_while_it_is_held_back_is_noticed),
        cmocka_unit_test(what_is_no_helper_is_dropped_and_said),
        cmocka_unit_test(what_is_too_long_is_not_taken),
        cmocka_unit_test(a_helper_that_says_nothing_is_dropped),
        cmocka_unit_test(
            a_helper_that_does_not_read_is_dropped_and_holds_up_nobody),
        cmocka_unit_test(a_driver_that_is_held_back_loses_nothing),
        cmocka_unit_test(
            a_driver_that_comes_while_one_is_held_back_is_held_back_too),
        cmocka_unit_test(a_message_that_is_too_long_here_is_said_so_seldom),
        cmocka_unit_test(another_user_is_turned_away),
        cmocka_unit_test(helpers_that_rest_cost_nothing),
        cmocka_unit_test(a_socket_may_be_freed_at_any_time),
    };

    return RUN_TESTS(tests);
}
