/* Helpers at both ends of a session talk to each other. */
#include "tunnel/helper_talk.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/fd.h"
#include "io/timer.h"
#include "support_capture.h"
#include "support_ends.h"
#include "support_session_clock.h"
#include "support_test.h"

enum { SPEED = 20, LEAVE_MS = 60000, NEVER_MS = 24 * 3600 * 1000 };

/* Wait until nothing more comes, and see to it that ${partner} has heard just
 * ${count} messages, in order. */
static void
assert_heard(struct ends *rig, struct partner *partner, unsigned count)
{
    STAGE_UNTIL(&rig->stage, partner->messages[FROM_PARTNER] >= count);
    assert_int_equal(partner->messages[FROM_PARTNER], count);
    assert_false(partner->mismatch);
}

/* Each says ${count} messages to the other; the first has number ${from}. */
static void
talk(struct ends *rig, struct partner *a, struct partner *b, int from,
     int count)
{
    static const size_t sizes[] = { 0, 1, 300, 7000, 60000 };

    for (int i = from; i < from + count; i++)
        for (int side = 0; side < 2; side++)
            while (partner_say(side == 0 ? a : b, i, sizes[i % 5]) != 0) {
                assert_int_equal(errno, ENOBUFS);
                stage_turn(&rig->stage);
            }
}

static void
talk_and_hear(struct ends *rig, struct partner *a, struct partner *b, int from,
              int count)
{
    talk(rig, a, b, from, count);
    assert_heard(rig, a, (unsigned)(from + count));
    assert_heard(rig, b, (unsigned)(from + count));
}

/* Return how often ${text} has been logged so far. */
static unsigned
said(const char *text)
{
    return capture_count(capture_text(), text);
}

static void
assert_done(struct ends *rig, enum exit_status status)
{
    STAGE_UNTIL(&rig->stage,
                rig->client_outcome.dones > 0 && rig->server_outcome.dones > 0);
    assert_int_equal(rig->client_outcome.status, status);
    assert_int_equal(rig->server_outcome.status, status);
    stage_turns_in(&rig->stage, 20);
    assert_int_equal(rig->client_outcome.dones, 1);
    assert_int_equal(rig->server_outcome.dones, 1);
}

static void
partners_talk_before_during_and_after_the_channels(void **state)
{
    enum { COUNT = 40 };
    struct partner source, dest;
    struct ends rig;

    (void)state;
    ends_open(&rig, true, false);
    ends_start(&rig);
    ends_drivers(&rig, &source, &dest, false);
    talk_and_hear(&rig, &source, &dest, 0, COUNT);
    ends_dest_listens(&rig, true);
    ends_migrate(&rig, 3);
    assert_int_equal(source.view.state, TUNNEL_RUNNING);
    talk_and_hear(&rig, &source, &dest, COUNT, COUNT);
    ends_finish(&rig, "stream}");
    talk_and_hear(&rig, &source, &dest, 2 * COUNT, COUNT);
    assert_int_equal(rig.client_outcome.dones + rig.server_outcome.dones, 0);
    partner_close(&source);
    STAGE_UNTIL(&rig.stage, !dest.there);
    partner_close(&dest);
    assert_done(&rig, STATUS_DONE);
    assert_int_equal(capture_count(capture_stop(), ": completed; 3 channels"),
                     2);
    capture_start();
    ends_close(&rig);
}

static void
both_see_how_the_session_stands(void **state)
{
    struct partner source, dest;
    struct ends rig;

    (void)state;
    ends_open(&rig, false, false);
    ends_start_server(&rig);
    partner_open(&dest, &rig.stage, rig.dest_control, HELPER_DRIVER, false);
    STAGE_UNTIL(&rig.stage, dest.ups == 1);
    assert_int_equal(dest.view.state, TUNNEL_JOINING);
    assert_string_equal(dest.view.session, "");
    ends_start_client(&rig);
    partner_open(&source, &rig.stage, rig.source_control, HELPER_DRIVER, false);
    STAGE_UNTIL(&rig.stage, source.there && dest.there);
    assert_int_equal(source.view.state, TUNNEL_WAITING);
    assert_int_equal(dest.view.state, TUNNEL_WAITING);
    assert_int_equal(strlen(source.view.session), 8);
    assert_string_equal(source.view.session, dest.view.session);
    ends_dest_listens(&rig, true);
    STAGE_UNTIL(&rig.stage, source.view.state == TUNNEL_READY &&
                                dest.view.state == TUNNEL_READY);
    ends_dest_listens(&rig, false);
    STAGE_UNTIL(&rig.stage, source.view.state == TUNNEL_WAITING &&
                                dest.view.state == TUNNEL_WAITING);
    ends_dest_listens(&rig, true);
    ends_migrate(&rig, 1);
    assert_int_equal(source.view.state, TUNNEL_RUNNING);
    STAGE_UNTIL(&rig.stage, dest.view.state == TUNNEL_RUNNING);
    partner_close(&source);
    ends_finish(&rig, "stream}");
    STAGE_UNTIL(&rig.stage, dest.view.state == TUNNEL_ENDED);
    assert_false(dest.there);
    partner_close(&dest);
    ends_close(&rig);
}

/* Whatever is on its way when the network breaks is sent again. */
static void
nothing_is_lost_or_doubled_when_the_network_breaks(void **state)
{
    enum { COUNT = 30, CUTS = 12 };
    struct partner source, dest;
    struct ends rig;

    (void)state;
    ends_open(&rig, true, false);
    ends_start(&rig);
    ends_drivers(&rig, &source, &dest, false);
    for (int i = 0; i < CUTS; i++) {
        if (i == CUTS / 3) {
            ends_dest_listens(&rig, true);
            ends_migrate(&rig, 2);
        }
        if (i == CUTS * 2 / 3)
            ends_finish(&rig, "stream}");
        talk(&rig, &source, &dest, i * COUNT, COUNT);
        for (int turn = 0; turn < 3 * i; turn++)
            stage_turns_in(&rig.stage, 0);
        ends_cut(&rig);
    }
    assert_heard(&rig, &source, CUTS * COUNT);
    assert_heard(&rig, &dest, CUTS * COUNT);
    assert_int_equal(source.came + dest.came, 2);
    assert_int_equal(source.left + dest.left, 0);
    partner_close(&source);
    partner_close(&dest);
    assert_done(&rig, STATUS_DONE);
    assert_true(capture_count(capture_stop(), "channel 0: resumed after") >=
                CUTS / 2);
    capture_start();
    ends_close(&rig);
}

static void
a_driver_that_dies_is_seen_and_the_next_one_too(void **state)
{
    struct partner source, dest;
    struct ends rig;

    (void)state;
    ends_open(&rig, false, false);
    ends_start(&rig);
    ends_drivers(&rig, &source, &dest, false);
    for (unsigned i = 1; i <= 5; i++) {
        partner_close(&source);
        STAGE_UNTIL(&rig.stage, dest.left == i);
        assert_int_equal(partner_say(&dest, 77, 10), 0); /* to nobody */
        partner_open(&source, &rig.stage, rig.source_control, HELPER_DRIVER,
                     false);
        STAGE_UNTIL(&rig.stage, dest.came == i + 1 && source.there);
        talk_and_hear(&rig, &source, &dest, 0, 3);
        dest.next[FROM_PARTNER] = 0;
        dest.messages[FROM_PARTNER] = 0;
    }
    partner_close(&source);
    partner_close(&dest);
    ends_close(&rig);
}

static void
a_second_driver_is_refused_at_either_end(void **state)
{
    struct partner source, dest, second;
    struct ends rig;

    (void)state;
    ends_open(&rig, false, false);
    ends_start(&rig);
    ends_drivers(&rig, &source, &dest, false);
    for (int side = 0; side < 2; side++) {
        partner_open(&second, &rig.stage,
                     side == 0 ? rig.source_control : rig.dest_control,
                     HELPER_DRIVER, true);
        STAGE_UNTIL(&rig.stage, second.ends == 1);
        assert_int_equal(second.end, LINK_REFUSED);
        partner_close(&second);
    }
    talk_and_hear(&rig, &source, &dest, 0, 5);
    assert_int_equal(source.left + dest.left, 0);
    partner_close(&source);
    partner_close(&dest);
    ends_close(&rig);
}

static void
observers_at_either_end_see_both_directions(void **state)
{
    struct partner source, dest, observers[2];
    struct ends rig;

    (void)state;
    ends_open(&rig, false, false);
    ends_start(&rig);
    ends_drivers(&rig, &source, &dest, false);
    for (int side = 0; side < 2; side++) {
        partner_open(&observers[side], &rig.stage,
                     side == 0 ? rig.source_control : rig.dest_control,
                     HELPER_OBSERVER, false);
        STAGE_UNTIL(&rig.stage, observers[side].there);
    }
    assert_int_equal(source.requests[REQUEST_STATUS], 1);
    assert_int_equal(dest.requests[REQUEST_STATUS], 1);
    talk_and_hear(&rig, &source, &dest, 0, 10);
    for (int side = 0; side < 2; side++) {
        assert_heard(&rig, &observers[side], 10);
        assert_int_equal(observers[side].messages[FROM_HERE], 10);
        partner_close(&observers[side]);
    }
    assert_int_equal(source.left + dest.left, 0);
    partner_close(&source);
    partner_close(&dest);
    ends_close(&rig);
}

static void
one_driver_alone_holds_nothing_up(void **state)
{
    (void)state;
    for (int side = 0; side < 2; side++) {
        struct partner driver, observer;
        struct ends rig;

        ends_open(&rig, false, false);
        ends_start(&rig);
        partner_open(&driver, &rig.stage,
                     side == 0 ? rig.source_control : rig.dest_control,
                     HELPER_DRIVER, false);
        partner_open(&observer, &rig.stage,
                     side == 0 ? rig.dest_control : rig.source_control,
                     HELPER_OBSERVER, false);
        ends_dest_listens(&rig, true);
        ends_migrate(&rig, 1);
        assert_false(driver.there);
        ends_finish(&rig, "stream}");
        STAGE_UNTIL(&rig.stage, driver.view.state == TUNNEL_ENDED ||
                                    driver.view.state == TUNNEL_JOINING);
        partner_close(&driver);
        partner_close(&observer);
        ends_close(&rig);
    }
}

static void
on_alarm(void *arg)
{
    bool *rung = arg;

    *rung = true;
}

/* The end waits for helpers, but not for ever. */
static void
drivers_that_stay_do_not_keep_a_session(void **state)
{
    struct partner source, dest;
    struct ends rig;

    (void)state;
    ends_open(&rig, true, false);
    rig.server_options.resume_timeout_ms = NEVER_MS;
    ends_start(&rig);
    ends_drivers(&rig, &source, &dest, false);
    ends_dest_listens(&rig, true);
    ends_migrate(&rig, 1);
    session_clock_speed(SPEED); /* counts for timers that are started now */
    ends_finish(&rig, "stream}");
    STAGE_UNTIL(&rig.stage, said("the helpers finish the handover") > 0);
    stage_turns_in(&rig.stage, 100);
    assert_int_equal(source.view.state, TUNNEL_RUNNING);
    assert_int_equal(access(rig.source_path, F_OK), -1);
    STAGE_UNTIL(&rig.stage, source.view.state == TUNNEL_ENDED &&
                                dest.view.state == TUNNEL_ENDED);
    assert_int_equal(source.left + dest.left, 2);
    /* Nor the programs. */
    assert_done(&rig, STATUS_DONE);
    session_clock_speed(1);
    STAGE_UNTIL(&rig.stage, source.ends == 1 && dest.ends == 0);
    partner_close(&source);
    partner_close(&dest);
    ends_close(&rig);
}

/* Where a server was: what connects is never answered. */
static int
listen_silently(uint16_t port)
{
    const struct sockaddr_in address = {
        .sin_family = AF_INET,
        .sin_port = htons(port),
        .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
    };
    static const int on = 1;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    assert_int_equal(
        bind(fd, (const struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(listen(fd, 100), 0);
    return fd;
}

/* A stop, or a network that is gone, while only helpers are at work. */
static void
a_migration_stays_complete_whatever_comes_after(void **state)
{
    enum {
        STOP_CLIENT,
        STOP_CLIENT_TWICE,
        STOP_SERVER,
        BOTH_GO,
        SERVER_GONE,
        SILENCE,
        CASES
    };

    (void)state;
    for (int what = 0; what < CASES; what++) {
        struct partner source, dest;
        struct ends rig;
        int silence = -1;

        ends_open(&rig, true, false);
        rig.server_options.resume_timeout_ms = NEVER_MS;
        rig.client_options.resume_timeout_ms = NEVER_MS;
        ends_start(&rig);
        ends_drivers(&rig, &source, &dest, false);
        ends_dest_listens(&rig, true);
        ends_migrate(&rig, 2);
        session_clock_speed(SPEED); /* the end is waited for with timers */
        ends_finish(&rig, "stream}");
        stage_turns_in(&rig.stage, 100);
        assert_int_equal(source.view.state, TUNNEL_RUNNING);
        if (what == STOP_CLIENT || what == STOP_CLIENT_TWICE)
            session_client_stop(rig.client);
        if (what == STOP_CLIENT_TWICE) {
            session_client_stop(rig.client); /* at once */
            session_client_free(rig.client);
            rig.client = NULL;
        }
        if (what == STOP_SERVER)
            session_server_stop(rig.server);
        if (what == SERVER_GONE || what == SILENCE) {
            session_server_free(rig.server);
            rig.server = NULL;
            rig.server_outcome =
                (struct ends_outcome){ .dones = 1, .status = STATUS_DONE };
        }
        if (what == SILENCE)
            silence = listen_silently(rig.port);
        if (what == BOTH_GO) {
            partner_close(&source);
            partner_close(&dest);
        }
        assert_done(&rig, STATUS_DONE);
        session_clock_speed(1);
        fd_close(&silence);
        partner_close(&source);
        partner_close(&dest);
        ends_close(&rig);
    }
}

/* A migration that is complete, with drivers that stay attached. */
static void
complete(struct ends *rig, struct partner *source, struct partner *dest)
{
    ends_open(rig, false, false);
    rig->server_options.resume_timeout_ms = NEVER_MS;
    rig->client_options.resume_timeout_ms = NEVER_MS;
    ends_start(rig);
    ends_drivers(rig, source, dest, false);
    ends_dest_listens(rig, true);
    ends_migrate(rig, 1);
    session_clock_speed(SPEED);
    ends_finish(rig, "stream}");
    STAGE_UNTIL(&rig->stage, said("the helpers finish the handover") > 0);
}

/* Well before they have had their time. */
static void
helpers_that_can_not_hear_each_other_are_not_waited_for(void **state)
{
    enum { LATER_MS = 20000 };
    struct partner source, dest;
    struct timer *alarm;
    bool rung = false;
    struct ends rig;

    (void)state;
    complete(&rig, &source, &dest);
    session_clock_speed(SPEED / 4);  /* so that the two times are apart */
    session_client_free(rig.client); /* as if it was killed */
    rig.client = NULL;
    alarm = timer_new(rig.stage.loop, on_alarm, &rung);
    timer_start(alarm, LATER_MS);
    STAGE_UNTIL(&rig.stage, dest.view.state == TUNNEL_ENDED);
    assert_false(rung);
    session_clock_speed(1);
    timer_free(alarm);
    partner_close(&source);
    partner_close(&dest);
    ends_close(&rig);
}

/* Where nobody is connected, at once; else when they have had time enough. */
static void
a_new_client_need_not_wait_for_helpers(void **state)
{
    enum { PATIENCE_MS = 5500 };

    (void)state;
    for (int gone = 0; gone < 2; gone++) {
        char path[NET_PATH_MAX + 16];
        struct session_client_options options;
        struct session_client *client;
        struct ends_outcome outcome = { 0 };
        struct partner source, dest;
        struct timer *alarm;
        bool rung = false;
        struct ends rig;

        complete(&rig, &source, &dest);
        snprintf(path, sizeof path, "%s/other", rig.dir);
        options = rig.client_options;
        options.unix_path = path;
        options.control_path = NULL;
        options.arg = &outcome;
        if (gone) {
            session_client_free(rig.client);
            rig.client = NULL;
        } else {
            client = session_client_new(&options);
            STAGE_UNTIL(&rig.stage, outcome.dones == 1); /* too early */
            assert_int_equal(said("another session is being served"), 2);
            session_client_free(client);
            alarm = timer_new(rig.stage.loop, on_alarm, &rung);
            timer_start(alarm, PATIENCE_MS);
            STAGE_UNTIL(&rig.stage, rung);
            timer_free(alarm);
            assert_int_equal(dest.view.state, TUNNEL_RUNNING);
        }
        outcome.dones = 0;
        client = session_client_new(&options);
        STAGE_UNTIL(&rig.stage, dest.view.state == TUNNEL_READY ||
                                    dest.view.state == TUNNEL_WAITING);
        session_clock_speed(1);
        assert_int_equal(outcome.dones, 0);
        assert_true(said(": completed; 1 channel") > 0);
        session_client_free(client);
        partner_close(&source);
        partner_close(&dest);
        ends_close(&rig);
    }
}

static void
a_migration_that_fails_ends_at_once(void **state)
{
    struct partner source, dest;
    struct ends rig;

    (void)state;
    ends_open(&rig, false, false);
    ends_start(&rig);
    ends_drivers(&rig, &source, &dest, true);
    ends_dest_listens(&rig, true);
    ends_migrate(&rig, 1);
    peer_do(&rig.source[0], PEER_CLOSE); /* cancelled */
    STAGE_UNTIL(&rig.stage, rig.dest.peers[0].eof);
    peer_do(&rig.dest.peers[0], PEER_CLOSE);
    STAGE_UNTIL(&rig.stage, source.left == 1 && dest.left == 1);
    assert_int_equal(capture_count(capture_stop(), ": cancelled by source; "),
                     2);
    capture_start();
    /* In the next session they find each other again. */
    STAGE_UNTIL(&rig.stage, source.there && dest.there);
    assert_int_equal(source.ups + dest.ups, 2);
    assert_string_equal(source.view.session, dest.view.session);
    talk_and_hear(&rig, &source, &dest, 0, 5);
    partner_close(&source);
    partner_close(&dest);
    ends_close(&rig);
}

/* The process is killed and started again: its helper finds the new one. */
static void
a_tunnel_that_is_started_again_is_found(void **state)
{
    (void)state;
    for (int side = 0; side < 2; side++) {
        struct partner source, dest;
        struct ends rig;

        ends_open(&rig, false, false);
        rig.client_options.resume_timeout_ms = LEAVE_MS;
        ends_start(&rig);
        ends_drivers(&rig, &source, &dest, true);
        talk_and_hear(&rig, &source, &dest, 0, 5);
        if (side == 0) {
            session_client_free(rig.client);
            ends_start_client(&rig);
        } else {
            session_server_free(rig.server);
            ends_start_server(&rig);
        }
        STAGE_UNTIL(&rig.stage, source.left == 1 && dest.left == 1);
        STAGE_UNTIL(&rig.stage, source.there && dest.there);
        talk_and_hear(&rig, &source, &dest, 5, 5);
        assert_int_equal(source.ups, side == 0 ? 2 : 1);
        assert_int_equal(dest.ups, side == 0 ? 1 : 2);
        partner_close(&source);
        partner_close(&dest);
        ends_close(&rig);
    }
}

static void
a_server_by_name_has_a_socket_for_each_session(void **state)
{
    struct partner source, dest;
    char pattern[NET_PATH_MAX + 16], control[NET_PATH_MAX + 24];
    struct ends rig;

    (void)state;
    ends_open(&rig, false, true);
    snprintf(pattern, sizeof pattern, "%s/dst-%%n", rig.dir);
    snprintf(control, sizeof control, "%s/dst-%%n.ctl", rig.dir);
    rig.server_options.unix_path = pattern;
    rig.server_options.control_path = control;
    ends_start_server(&rig);
    stage_turns_in(&rig.stage, 20);
    assert_int_equal(access(rig.dest_control, F_OK), -1);
    ends_start_client(&rig);
    STAGE_UNTIL(&rig.stage, access(rig.dest_control, F_OK) == 0);
    ends_drivers(&rig, &source, &dest, false);
    talk_and_hear(&rig, &source, &dest, 0, 5);
    ends_dest_listens(&rig, true);
    ends_migrate(&rig, 1);
    ends_finish(&rig, "stream}");
    talk_and_hear(&rig, &source, &dest, 5, 5);
    session_client_stop(rig.client);
    partner_close(&source);
    STAGE_UNTIL(&rig.stage, rig.client_outcome.dones == 1);
    /* With the session its control socket goes. */
    STAGE_UNTIL(&rig.stage, access(rig.dest_control, F_OK) != 0);
    STAGE_UNTIL(&rig.stage, dest.ends == 1);
    assert_int_equal(dest.end, LINK_CLOSED);
    partner_close(&dest);
    ends_close(&rig);
}

/* One session after the other, of one name: the helpers stay attached. */
static void
helpers_of_a_name_stay_for_its_next_session(void **state)
{
    char pattern[NET_PATH_MAX + 16], control[NET_PATH_MAX + 24];
    struct partner source, dest;
    struct ends rig;

    (void)state;
    ends_open(&rig, false, true);
    snprintf(pattern, sizeof pattern, "%s/dst-%%n", rig.dir);
    snprintf(control, sizeof control, "%s/dst-%%n.ctl", rig.dir);
    rig.server_options.unix_path = pattern;
    rig.server_options.control_path = control;
    ends_start(&rig);
    STAGE_UNTIL(&rig.stage, access(rig.dest_control, F_OK) == 0);
    ends_drivers(&rig, &source, &dest, true);
    for (unsigned i = 1; i <= 3; i++) {
        session_client_free(rig.client); /* as if it was killed */
        ends_start_client(&rig);
        STAGE_UNTIL(&rig.stage, dest.left == i);
        STAGE_UNTIL(&rig.stage, source.there && dest.there);
        assert_int_equal(dest.ups, 1);
    }
    partner_close(&source);
    partner_close(&dest);
    ends_close(&rig);
}

static enum exit_status
join_as(struct ends *rig, const char *name, bool ends)
{
    struct session_client_options options = rig->client_options;
    struct ends_outcome outcome = { 0 };
    struct session_client *client;

    options.name = name;
    options.control_path = NULL;
    options.arg = &outcome;
    client = session_client_new(&options);
    assert_non_null(client);
    if (ends)
        STAGE_UNTIL(&rig->stage, outcome.dones == 1);
    else
        stage_turns_in(&rig->stage, 600);
    session_client_free(client);
    return outcome.status;
}

/* "vm.ctl" would be led to the helpers of "vm", of this server or of another
 * one; a link that leads there has a name that does not say so. */
static void
no_name_leads_to_a_control_socket(void **state)
{
    (void)state;
    for (int none = 0; none < 2; none++) {
        char pattern[NET_PATH_MAX + 16], control[NET_PATH_MAX + 24];
        char link[NET_PATH_MAX + 16];
        struct ends rig;

        ends_open(&rig, false, true);
        snprintf(pattern, sizeof pattern, "%s/dst-%%n", rig.dir);
        snprintf(control, sizeof control, "%s/dst-%%n.ctl", rig.dir);
        snprintf(link, sizeof link, "%s/dst-b", rig.dir);
        rig.server_options.unix_path = pattern;
        rig.server_options.control_path = none ? NULL : control;
        ends_start(&rig);
        assert_int_equal(join_as(&rig, "vm.ctl", true), STATUS_FAILED);
        assert_int_equal(join_as(&rig, "vm.ctl.ctl", true), STATUS_FAILED);
        assert_int_equal(said("the VM name is missing or not valid"), 4);
        if (!none) {
            STAGE_UNTIL(&rig.stage, access(rig.dest_control, F_OK) == 0);
            assert_int_equal(symlink(rig.dest_control, link), 0);
            join_as(&rig, "b", false);
            assert_int_equal(said("QEMU listens"), 0);
        }
        ends_close(&rig);
    }
}

/* It may be another tunnel's, or its folder may come later. */
static void
a_control_socket_that_can_not_be_yet_is_made_later(void **state)
{
    struct partner source, dest;
    struct ends rig;
    int fds[2];

    (void)state;
    ends_open(&rig, false, false);
    rig.server_options.control_needed = false;
    rig.client_options.control_needed = false;
    fds[0] = net_listen_unix(rig.source_control, 1);
    fds[1] = net_listen_unix(rig.dest_control, 1);
    session_clock_speed(SPEED);
    ends_start(&rig);
    ends_dest_listens(&rig, true);
    STAGE_UNTIL(&rig.stage, access(rig.source_path, F_OK) == 0);
    stage_turns_in(&rig.stage, 500); /* some attempts */
    close(fds[0]);
    close(fds[1]);
    STAGE_UNTIL(&rig.stage, said("helpers can attach now, at ") == 2);
    assert_int_equal(said("is in use: another process listens there; end that "
                          "one or choose another path; it is tried again"),
                     2);
    session_clock_speed(1);
    ends_drivers(&rig, &source, &dest, false);
    assert_int_equal(source.view.state, TUNNEL_READY);
    talk_and_hear(&rig, &source, &dest, 0, 5);
    partner_close(&source);
    partner_close(&dest);
    ends_close(&rig);
}

/* The second program on the same socket, and a path that is too long. */
static void
a_control_socket_that_can_not_be_is_told(void **state)
{
    char why[LISTENER_WHY_MAX], path[CONTROL_PATH_MAX + 1];
    struct session_server *server;
    struct ends rig;

    (void)state;
    ends_open(&rig, false, false);
    ends_start(&rig);
    assert_null(session_server_new(&rig.server_options, why));
    assert_non_null(strstr(why, rig.dest_control));
    assert_null(session_client_new(&rig.client_options));
    rig.server_options.control_needed = false;
    rig.server_options.listen.port = 0;
    server = session_server_new(&rig.server_options, why);
    assert_non_null(server);
    session_server_free(server);
    assert_int_equal(said("can't attach here: "), 1);
    memset(path, 'x', sizeof path - 1);
    path[sizeof path - 1] = '\0';
    rig.client_options.control_path = path;
    assert_null(session_client_new(&rig.client_options));
    ends_close(&rig);
}

static void
with_once_a_driver_has_its_time_to_leave(void **state)
{
    (void)state;
    for (int leaves = 0; leaves < 3; leaves++) {
        struct partner source, dest;
        struct ends rig;

        ends_open(&rig, true, false);
        ends_start(&rig);
        ends_drivers(&rig, &source, &dest, false);
        ends_dest_listens(&rig, true);
        ends_migrate(&rig, 1);
        peer_do(&rig.source[0], PEER_CLOSE); /* cancelled */
        STAGE_UNTIL(&rig.stage, rig.dest.peers[0].eof);
        peer_do(&rig.dest.peers[0], PEER_CLOSE);
        STAGE_UNTIL(&rig.stage, source.view.state == TUNNEL_ENDED &&
                                    dest.view.state == TUNNEL_ENDED);
        stage_turns_in(&rig.stage, 1500); /* longer than what is held */
        assert_int_equal(rig.client_outcome.dones, 0);
        assert_int_equal(rig.server_outcome.dones, 0);
        if (leaves == 0) {
            partner_close(&source);
            partner_close(&dest);
        } else if (leaves == 1) { /* stop: no more time */
            session_client_stop(rig.client);
            session_server_stop(rig.server);
        }
        assert_done(&rig, STATUS_CANCELLED);
        partner_close(&source);
        partner_close(&dest);
        ends_close(&rig);
    }
}

int
main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(partners_talk_before_during_and_after_the_channels),
        cmocka_unit_test(both_see_how_the_session_stands),
        cmocka_unit_test(nothing_is_lost_or_doubled_when_the_network_breaks),
        cmocka_unit_test(a_driver_that_dies_is_seen_and_the_next_one_too),
        cmocka_unit_test(a_second_driver_is_refused_at_either_end),
        cmocka_unit_test(observers_at_either_end_see_both_directions),
        cmocka_unit_test(one_driver_alone_holds_nothing_up),
        cmocka_unit_test(drivers_that_stay_do_not_keep_a_session),
        cmocka_unit_test(a_migration_stays_complete_whatever_comes_after),
        cmocka_unit_test(a_migration_that_fails_ends_at_once),
        cmocka_unit_test(a_tunnel_that_is_started_again_is_found),
        cmocka_unit_test(a_server_by_name_has_a_socket_for_each_session),
        cmocka_unit_test(helpers_of_a_name_stay_for_its_next_session),
        cmocka_unit_test(
            helpers_that_can_not_hear_each_other_are_not_waited_for),
        cmocka_unit_test(a_new_client_need_not_wait_for_helpers),
        cmocka_unit_test(no_name_leads_to_a_control_socket),
        cmocka_unit_test(a_control_socket_that_can_not_be_yet_is_made_later),
        cmocka_unit_test(a_control_socket_that_can_not_be_is_told),
        cmocka_unit_test(with_once_a_driver_has_its_time_to_leave),
    };

    return RUN_TESTS(tests);
}
