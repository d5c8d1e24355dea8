/* A helper finds the tunnel, and through it its partner. */
#include "migrate/partner_link.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "support_acceptor.h"
#include "support_capture.h"
#include "support_control.h"
#include "support_partner.h"
#include "support_session_clock.h"
#include "support_test.h"

enum { NOBODY = 65534 };
enum { IDLE_TURNS = 2, SPEED = 50, RETRIES_MS = 60000, RETRIES_MAX = 40 };

static const struct tunnel_view together = { .state = TUNNEL_READY,
                                             .session = "3f2a1b2c",
                                             .partner = true };

static void
partner_without_tunnel(struct control_rig *rig, struct partner *partner)
{
    partner_open(partner, &rig->stage, rig->path, HELPER_DRIVER, true);
    assert_int_equal(partner->calls, 0);
    STAGE_UNTIL(&rig->stage, partner->ends == 1);
    assert_int_equal(partner->ups, 0);
    assert_int_equal(partner->calls, 1);
    partner_close(partner);
}

static void
no_socket_is_told_at_once_and_apart(void **state)
{
    struct partner partner;
    struct control_rig rig;
    int fd;

    (void)state;
    control_rig_open(&rig);
    control_rig_stop(&rig);
    partner_without_tunnel(&rig, &partner);
    assert_int_equal(partner.end, LINK_ABSENT);
    assert_non_null(strstr(partner.why, "no tunnel listens on"));
    fd = net_listen_unix(rig.path, 1);
    close(fd); /* the file of one that was killed stays */
    partner_without_tunnel(&rig, &partner);
    assert_int_equal(partner.end, LINK_ABSENT);
    unlink(rig.path);
    snprintf(rig.path, sizeof rig.path, "%s/x/y", rig.dir);
    partner_without_tunnel(&rig, &partner);
    assert_int_equal(partner.end, LINK_ABSENT);
    control_rig_close(&rig);
}

static void
a_path_that_can_be_no_socket_is_an_error(void **state)
{
    char path[300];
    struct partner partner;
    struct control_rig rig;

    (void)state;
    control_rig_open(&rig);
    memset(path, 'x', sizeof path - 1);
    path[0] = '/';
    path[sizeof path - 1] = '\0';
    partner_open(&partner, &rig.stage, path, HELPER_DRIVER, true);
    STAGE_UNTIL(&rig.stage, partner.ends == 1);
    assert_int_equal(partner.end, LINK_BROKEN);
    partner_close(&partner);
    control_rig_close(&rig);
}

static void
helpers_are_attached_and_told_how_it_stands(void **state)
{
    struct partner driver, observer;
    struct control_rig rig;

    (void)state;
    control_rig_open(&rig);
    control_socket_state(rig.socket, &together);
    partner_open(&driver, &rig.stage, rig.path, HELPER_DRIVER, false);
    assert_null(partner_link_view(driver.link));
    STAGE_UNTIL(&rig.stage, driver.there);
    assert_int_equal(driver.ups, 1);
    assert_int_equal(driver.states, 0);
    assert_int_equal(driver.view.state, TUNNEL_READY);
    assert_string_equal(driver.view.session, "3f2a1b2c");
    assert_true(partner_link_view(driver.link)->partner);
    assert_int_equal(rig.came, 1);
    partner_open(&observer, &rig.stage, rig.path, HELPER_OBSERVER, false);
    STAGE_UNTIL(&rig.stage, observer.there);
    STAGE_UNTIL(&rig.stage, driver.requests[REQUEST_STATUS] == 1);
    assert_int_equal(rig.came, 1);
    partner_close(&observer);
    partner_close(&driver);
    STAGE_UNTIL(&rig.stage, rig.left == 1);
    control_rig_close(&rig);
}

static void
the_partner_comes_and_goes(void **state)
{
    struct tunnel_view view = { .state = TUNNEL_RUNNING };
    struct partner driver;
    struct control_rig rig;

    (void)state;
    control_rig_open(&rig);
    partner_open(&driver, &rig.stage, rig.path, HELPER_DRIVER, false);
    STAGE_UNTIL(&rig.stage, driver.ups == 1);
    for (unsigned i = 0; i < 3; i++) {
        view.partner = true;
        control_socket_state(rig.socket, &view);
        view.partner = false;
        control_socket_state(rig.socket, &view);
    }
    STAGE_UNTIL(&rig.stage, driver.left == 3);
    assert_int_equal(driver.came, 3);
    assert_int_equal(driver.states, 6);
    assert_int_equal(driver.view.state, TUNNEL_RUNNING);
    control_rig_close(&rig);
    partner_close(&driver);
}

static void
messages_of_all_sizes_pass_in_order(void **state)
{
    static const size_t sizes[] = { 0, 1, 100, 5000, 60000 };
    enum { COUNT = 50 };
    struct partner driver, observer;
    struct control_rig rig;

    (void)state;
    control_rig_open(&rig);
    partner_open(&observer, &rig.stage, rig.path, HELPER_OBSERVER, false);
    partner_open(&driver, &rig.stage, rig.path, HELPER_DRIVER, false);
    STAGE_UNTIL(&rig.stage, driver.ups == 1 && observer.ups == 1);
    for (int i = 0; i < COUNT; i++)
        while (partner_say(&driver, i, sizes[i % 5]) != 0) {
            assert_int_equal(errno, ENOBUFS);
            stage_turn(&rig.stage);
        }
    STAGE_UNTIL(&rig.stage, observer.messages[FROM_HERE] == COUNT);
    assert_int_equal(rig.messages, COUNT);
    assert_false(observer.mismatch);
    for (int i = 0; i < COUNT; i++) {
        char text[64];

        snprintf(text, sizeof text, "{\"n\":%d,\"fill\":\"\"}", i);
        control_rig_message(&rig, text);
    }
    STAGE_UNTIL(&rig.stage, driver.messages[FROM_PARTNER] == COUNT &&
                                observer.messages[FROM_PARTNER] == COUNT);
    assert_false(driver.mismatch || observer.mismatch);
    assert_int_equal(driver.messages[FROM_HERE], 0);
    partner_close(&driver);
    partner_close(&observer);
    control_rig_close(&rig);
}

static void
what_can_not_be_sent_is_told(void **state)
{
    struct partner driver;
    struct control_rig rig;
    json_t *list = json_array();
    int sent = 0;

    (void)state;
    control_rig_open(&rig);
    control_socket_hold(rig.socket, true);
    partner_open(&driver, &rig.stage, rig.path, HELPER_DRIVER, false);
    assert_int_equal(partner_say(&driver, 0, 1), -1);
    assert_int_equal(errno, ENOTCONN);
    assert_int_equal(partner_link_request(driver.link, REQUEST_CANCEL), -1);
    assert_int_equal(errno, ENOTCONN);
    STAGE_UNTIL(&rig.stage, driver.ups == 1);
    assert_int_equal(partner_link_send(driver.link, list), -1);
    assert_int_equal(errno, EMSGSIZE);
    assert_int_equal(partner_say(&driver, 0, CONTROL_MESSAGE_MAX), -1);
    assert_int_equal(errno, EMSGSIZE);
    /* The kernel takes a few MiB, and then the link 1 MiB. */
    while (sent < 1000 && partner_say(&driver, sent, 60000) == 0)
        sent++;
    assert_true(sent >= 17 && sent < 1000);
    assert_int_equal(errno, ENOBUFS);
    assert_true(stage_turns_in(&rig.stage, 50) <= IDLE_TURNS);
    control_socket_hold(rig.socket, false);
    STAGE_UNTIL(&rig.stage, rig.messages == (unsigned)sent);
    assert_int_equal(partner_say(&driver, sent, 1), 0);
    STAGE_UNTIL(&rig.stage, rig.messages == (unsigned)sent + 1);
    json_decref(list);
    partner_close(&driver);
    control_rig_close(&rig);
}

static void
last_words_leave_with_the_helper(void **state)
{
    struct partner driver;
    struct control_rig rig;

    (void)state;
    control_rig_open(&rig);
    partner_open(&driver, &rig.stage, rig.path, HELPER_DRIVER, false);
    STAGE_UNTIL(&rig.stage, driver.ups == 1);
    assert_int_equal(partner_say(&driver, 0, 1000), 0);
    partner_close(&driver);
    STAGE_UNTIL(&rig.stage, rig.left == 1);
    assert_int_equal(rig.at_left, 1);
    control_rig_close(&rig);
}

static void
observers_ask_the_driver(void **state)
{
    struct partner driver, observer;
    struct control_rig rig;

    (void)state;
    control_rig_open(&rig);
    partner_open(&driver, &rig.stage, rig.path, HELPER_DRIVER, false);
    partner_open(&observer, &rig.stage, rig.path, HELPER_OBSERVER, false);
    STAGE_UNTIL(&rig.stage, driver.ups == 1 && observer.ups == 1);
    assert_int_equal(partner_link_request(observer.link, REQUEST_CANCEL), 0);
    assert_int_equal(partner_link_request(observer.link, REQUEST_RELEASE), 0);
    STAGE_UNTIL(&rig.stage, driver.requests[REQUEST_RELEASE] == 1);
    assert_int_equal(driver.requests[REQUEST_CANCEL], 1);
    partner_close(&driver);
    STAGE_UNTIL(&rig.stage, rig.left == 1);
    assert_int_equal(partner_link_request(observer.link, REQUEST_CANCEL), 0);
    STAGE_UNTIL(&rig.stage, observer.ends == 1);
    assert_int_equal(observer.end, LINK_REFUSED);
    assert_string_equal(observer.why, "the tunnel refuses: no mig-send or "
                                      "mig-recv is attached");
    partner_close(&observer);
    control_rig_close(&rig);
}

static void
a_second_driver_is_told_who_is_there(void **state)
{
    struct partner driver, second;
    struct control_rig rig;

    (void)state;
    control_rig_open(&rig);
    partner_open(&driver, &rig.stage, rig.path, HELPER_DRIVER, true);
    STAGE_UNTIL(&rig.stage, driver.ups == 1);
    partner_open(&second, &rig.stage, rig.path, HELPER_DRIVER, true);
    STAGE_UNTIL(&rig.stage, second.ends == 1);
    assert_int_equal(second.end, LINK_REFUSED);
    assert_non_null(strstr(second.why, "driver 1 (process "));
    assert_int_equal(second.ups, 0);
    assert_int_equal(driver.ends, 0);
    partner_close(&second);
    partner_close(&driver);
    control_rig_close(&rig);
}

static void
a_tunnel_that_goes_away_is_told_once(void **state)
{
    struct partner driver;
    struct control_rig rig;

    (void)state;
    control_rig_open(&rig);
    control_socket_state(rig.socket, &together);
    partner_open(&driver, &rig.stage, rig.path, HELPER_DRIVER, false);
    STAGE_UNTIL(&rig.stage, driver.there);
    control_rig_stop(&rig);
    STAGE_UNTIL(&rig.stage, driver.ends == 1);
    assert_int_equal(driver.end, LINK_CLOSED);
    assert_string_equal(driver.why, "the tunnel has gone away");
    assert_null(partner_link_view(driver.link));
    assert_int_equal(partner_say(&driver, 0, 1), -1);
    assert_int_equal(errno, ENOTCONN);
    stage_rest(&rig.stage);
    assert_int_equal(driver.ends, 1);
    partner_close(&driver);
    control_rig_close(&rig);
}

static void
who_wants_to_attaches_again(void **state)
{
    struct partner driver;
    struct control_rig rig;

    (void)state;
    control_rig_open(&rig);
    partner_open(&driver, &rig.stage, rig.path, HELPER_DRIVER, true);
    for (unsigned i = 1; i <= 3; i++) {
        control_socket_state(rig.socket, &together);
        STAGE_UNTIL(&rig.stage, driver.there);
        assert_int_equal(driver.ups, i);
        control_rig_stop(&rig);
        STAGE_UNTIL(&rig.stage, !driver.there);
        assert_int_equal(driver.view.state, TUNNEL_UNKNOWN);
        assert_string_equal(driver.view.session, "");
        assert_null(partner_link_view(driver.link));
        assert_int_equal(partner_say(&driver, 0, 1), -1);
        stage_turns_in(&rig.stage, 300);
        control_rig_start(&rig);
    }
    STAGE_UNTIL(&rig.stage, driver.ups == 4);
    assert_int_equal(driver.ends, 0);
    assert_int_equal(driver.came, 3);
    partner_close(&driver);
    control_rig_close(&rig);
}

/* It waits for ever, and looks at longer and longer intervals. */
static void
attaching_again_costs_little(void **state)
{
    struct partner driver;
    struct control_rig rig;
    unsigned long turns;

    (void)state;
    control_rig_open(&rig);
    partner_open(&driver, &rig.stage, rig.path, HELPER_DRIVER, true);
    STAGE_UNTIL(&rig.stage, driver.ups == 1);
    control_rig_stop(&rig);
    session_clock_speed(SPEED);
    turns = stage_turns_in(&rig.stage, RETRIES_MS / SPEED);
    session_clock_speed(1);
    assert_true(turns >= RETRIES_MS / 2000 / 4 && turns <= RETRIES_MAX);
    assert_int_equal(driver.ends, 0);
    partner_close(&driver);
    control_rig_close(&rig);
}

/* Who takes the tunnel's place at first does not answer: it may be busy, or
 * stopped, and the next one may. */
static void
silence_is_no_end_for_who_attaches_again(void **state)
{
    struct acceptor acceptor;
    struct partner driver;
    struct control_rig rig;

    (void)state;
    control_rig_open(&rig);
    partner_open(&driver, &rig.stage, rig.path, HELPER_DRIVER, true);
    STAGE_UNTIL(&rig.stage, driver.ups == 1);
    control_rig_stop(&rig);
    acceptor_open(&acceptor, &rig.stage, net_listen_unix(rig.path, 1));
    session_clock_speed(SPEED);
    STAGE_UNTIL(&rig.stage, acceptor.count == 2);
    session_clock_speed(1);
    acceptor_close(&acceptor);
    unlink(rig.path);
    control_rig_start(&rig);
    STAGE_UNTIL(&rig.stage, driver.ups == 2);
    assert_int_equal(driver.ends, 0);
    partner_close(&driver);
    control_rig_close(&rig);
}

static void
another_helper_may_have_been_faster(void **state)
{
    struct partner driver, other;
    struct control_rig rig;

    (void)state;
    control_rig_open(&rig);
    partner_open(&driver, &rig.stage, rig.path, HELPER_DRIVER, true);
    STAGE_UNTIL(&rig.stage, driver.ups == 1);
    control_rig_stop(&rig);
    STAGE_UNTIL(&rig.stage, driver.states == 1);
    control_rig_start(&rig);
    partner_open(&other, &rig.stage, rig.path, HELPER_DRIVER, true);
    STAGE_UNTIL(&rig.stage, driver.ends == 1);
    assert_int_equal(driver.end, LINK_REFUSED);
    assert_int_equal(other.ups, 1);
    partner_close(&other);
    partner_close(&driver);
    control_rig_close(&rig);
}

/* What is at the path is no tunnel, or one of another version. */
static void
what_is_no_tunnel_is_told(void **state)
{
    static const struct {
        const char *says;
        const char *why;
    } cases[] = {
        { "HTTP/1.1 400 Bad\r\n", "does not speak as a tunnel" },
        { "{\"type\":\"hello\"}\n", "does not speak as a tunnel" },
        { "{\"type\":\"hello\",\"version\":3}\n", "speaks version 3" },
        { "", "does not answer" },
        { "{\"type\":\"message\",\"from\":\"here\",\"message\":{}}\n",
          "does not answer" },
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct acceptor acceptor;
        struct partner driver;
        struct control_rig rig;

        control_rig_open(&rig);
        control_rig_stop(&rig);
        acceptor_open(&acceptor, &rig.stage, net_listen_unix(rig.path, 1));
        session_clock_speed(20);
        partner_open(&driver, &rig.stage, rig.path, HELPER_DRIVER, true);
        STAGE_UNTIL(&rig.stage, acceptor.count == 1);
        peer_say(&acceptor.peers[0], cases[i].says, strlen(cases[i].says));
        STAGE_UNTIL(&rig.stage, driver.ends == 1);
        session_clock_speed(1);
        assert_int_equal(driver.end, strstr(cases[i].why, "answer") != NULL
                                         ? LINK_SILENT
                                         : LINK_BROKEN);
        if (strstr(driver.why, cases[i].why) == NULL)
            fail_msg("%s", driver.why);
        assert_int_equal(driver.messages[FROM_HERE], 0);
        assert_memory_equal(acceptor.peers[0].head,
                            "{\"type\":\"hello\",\"version\":1,\"program\":"
                            "\"driver 1\",\"role\":\"driver\"}\n",
                            70);
        partner_close(&driver);
        acceptor_close(&acceptor);
        unlink(rig.path);
        control_rig_close(&rig);
    }
}

static void
a_tunnel_that_never_ends_a_line_is_told(void **state)
{
    char *line = malloc(CONTROL_LINE_MAX + 2);
    struct acceptor acceptor;
    struct partner driver;
    struct control_rig rig;

    (void)state;
    control_rig_open(&rig);
    control_rig_stop(&rig);
    acceptor_open(&acceptor, &rig.stage, net_listen_unix(rig.path, 1));
    partner_open(&driver, &rig.stage, rig.path, HELPER_DRIVER, false);
    STAGE_UNTIL(&rig.stage, acceptor.count == 1);
    memset(line, 'x', CONTROL_LINE_MAX + 2);
    peer_say(&acceptor.peers[0], line, CONTROL_LINE_MAX + 2);
    STAGE_UNTIL(&rig.stage, driver.ends == 1);
    assert_int_equal(driver.end, LINK_BROKEN);
    assert_non_null(strstr(driver.why, "more than 64 KiB"));
    free(line);
    partner_close(&driver);
    acceptor_close(&acceptor);
    unlink(rig.path);
    control_rig_close(&rig);
}

/* In a directory that is open to all it could be anybody's. */
static void
a_socket_that_is_not_to_be_trusted_is_not_connected_to(void **state)
{
    struct acceptor acceptor;
    struct partner driver;
    struct control_rig rig;

    (void)state;
    if (geteuid() != 0) {
        print_message("only root can give a file to another user\n");
        skip();
    }
    control_rig_open(&rig);
    control_rig_stop(&rig);
    acceptor_open(&acceptor, &rig.stage, net_listen_unix(rig.path, 1));
    assert_int_equal(chmod(rig.dir, 01777), 0);
    assert_int_equal(chown(rig.path, 65534, 65534), 0);
    partner_open(&driver, &rig.stage, rig.path, HELPER_DRIVER, false);
    STAGE_UNTIL(&rig.stage, driver.ends == 1);
    assert_int_equal(driver.end, LINK_BROKEN);
    stage_turns_in(&rig.stage, 20);
    assert_int_equal(acceptor.count, 0);
    partner_close(&driver);
    acceptor_close(&acceptor);
    unlink(rig.path);
    control_rig_close(&rig);
}

/* Its file is root's, and so was its folder; but somebody else listens. */
static void
a_listener_of_another_user_is_told_nothing(void **state)
{
    struct acceptor acceptor;
    struct partner driver;
    struct control_rig rig;

    (void)state;
    if (geteuid() != 0) {
        print_message("only root can be another user, too\n");
        skip();
    }
    control_rig_open(&rig);
    control_rig_stop(&rig);
    assert_int_equal(chmod(rig.dir, 0777), 0);
    assert_int_equal(seteuid(NOBODY), 0);
    acceptor_open(&acceptor, &rig.stage, net_listen_unix(rig.path, 1));
    assert_int_equal(seteuid(0), 0);
    assert_int_equal(chmod(rig.dir, 0700), 0);
    partner_open(&driver, &rig.stage, rig.path, HELPER_DRIVER, true);
    STAGE_UNTIL(&rig.stage, driver.ends == 1);
    assert_int_equal(driver.end, LINK_BROKEN);
    assert_non_null(strstr(driver.why, "user 65534 listens on"));
    stage_turns_in(&rig.stage, 20);
    if (acceptor.count > 0)
        assert_int_equal(acceptor.peers[0].received, 0);
    partner_close(&driver);
    acceptor_close(&acceptor);
    unlink(rig.path);
    control_rig_close(&rig);
}

static unsigned free_at;

static bool
frees_at(struct partner *partner)
{
    return partner->calls == free_at;
}

static void
a_link_may_be_freed_in_every_callback(void **state)
{
    (void)state;
    for (free_at = 1; free_at <= 8; free_at++) {
        struct partner driver, observer;
        struct control_rig rig;

        control_rig_open(&rig);
        control_socket_state(rig.socket, &together);
        partner_open(&driver, &rig.stage, rig.path, HELPER_DRIVER, true);
        driver.frees = frees_at;
        STAGE_UNTIL(&rig.stage, driver.ups == 1); /* and its partner */
        partner_open(&observer, &rig.stage, rig.path, HELPER_OBSERVER, false);
        control_rig_message(&rig, "{\"n\":0}");
        STAGE_UNTIL(&rig.stage, observer.ups == 1);
        stage_turns_in(&rig.stage, 10);
        control_rig_stop(&rig); /* on_state, on_partner */
        stage_turns_in(&rig.stage, 10);
        control_rig_start(&rig);
        control_rig_driver(&rig);
        STAGE_UNTIL(&rig.stage, driver.calls >= free_at || driver.ends == 1);
        assert_true(driver.link == NULL || free_at > driver.calls);
        partner_close(&driver);
        partner_close(&observer);
        control_rig_close(&rig);
    }
    partner_link_free(NULL);
}

static void
a_link_that_rests_costs_nothing(void **state)
{
    struct partner driver;
    struct control_rig rig;

    (void)state;
    control_rig_open(&rig);
    partner_open(&driver, &rig.stage, rig.path, HELPER_DRIVER, false);
    STAGE_UNTIL(&rig.stage, driver.ups == 1);
    stage_rest(&rig.stage);
    assert_true(stage_turns_in(&rig.stage, 300) <= IDLE_TURNS);
    partner_close(&driver);
    control_rig_close(&rig);
}

int
main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_socket_is_told_at_once_and_apart),
        cmocka_unit_test(a_path_that_can_be_no_socket_is_an_error),
        cmocka_unit_test(helpers_are_attached_and_told_how_it_stands),
        cmocka_unit_test(the_partner_comes_and_goes),
        cmocka_unit_test(messages_of_all_sizes_pass_in_order),
        cmocka_unit_test(what_can_not_be_sent_is_told),
        cmocka_unit_test(last_words_leave_with_the_helper),
        cmocka_unit_test(observers_ask_the_driver),
        cmocka_unit_test(a_second_driver_is_told_who_is_there),
        cmocka_unit_test(a_tunnel_that_goes_away_is_told_once),
        cmocka_unit_test(who_wants_to_attaches_again),
        cmocka_unit_test(attaching_again_costs_little),
        cmocka_unit_test(silence_is_no_end_for_who_attaches_again),
        cmocka_unit_test(another_helper_may_have_been_faster),
        cmocka_unit_test(what_is_no_tunnel_is_told),
        cmocka_unit_test(a_tunnel_that_never_ends_a_line_is_told),
        cmocka_unit_test(
            a_socket_that_is_not_to_be_trusted_is_not_connected_to),
        cmocka_unit_test(a_listener_of_another_user_is_told_nothing),
        cmocka_unit_test(a_link_may_be_freed_in_every_callback),
        cmocka_unit_test(a_link_that_rests_costs_nothing),
    };

    return RUN_TESTS(tests);
}
