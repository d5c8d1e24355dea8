/* The client's socket file, and what may be in its place. */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "support_channels.h"
#include "support_move.h"
#include "support_process.h"
#include "support_session.h"

/* Start a client on a path that is taken.  It must fail, name the path on one
 * line, and exit. */
static void
expect_refusal(struct e2e *e2e, const char *path)
{
    struct process *client = tool_start(
        e2e, "mig-client",
        ARGS("--raw", "--insecure", "--dest", "127.0.0.1", "--unix", path));
    char *said;
    const char *newline;

    assert_int_equal(process_wait(client), 1);
    said = process_read(client->err);
    assert_non_null(strstr(said, path));
    newline = strchr(said, '\n');
    assert_true(newline != NULL && newline[1] == '\0');
    free(said);
}

static void
write_file(const char *path, const char *text)
{
    FILE *file = fopen(path, "w");

    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
}

static void
assert_file(const char *path, const char *text)
{
    char *is = process_read(path);

    assert_string_equal(is, text);
    free(is);
}

static void
socket_is_private_and_is_removed_at_the_end(struct e2e *e2e)
{
    struct tunnel tunnel;
    struct stat st;

    tunnel_init(e2e, &tunnel);
    tunnel_start_client(e2e, &tunnel, NULL);
    assert_int_equal(lstat(tunnel.source, &st), 0);
    assert_true(S_ISSOCK(st.st_mode));
    assert_int_equal(st.st_mode & 07777, 0600);
    process_signal(tunnel.client, SIGTERM);
    process_expect(tunnel.client, 0);
    assert_int_equal(lstat(tunnel.source, &st), -1);
}

static void
stale_socket_is_replaced_and_the_guest_moves(struct e2e *e2e)
{
    struct move move;

    move_prepare(e2e, &move, &guest_calm);
    tunnel_init(e2e, &move.tunnel);
    close(channels_listen(move.tunnel.source));
    close(channels_listen(move.tunnel.destination));
    tunnel_start_server(e2e, &move.tunnel, NULL);
    tunnel_start_client(e2e, &move.tunnel, NULL);
    move_start(e2e, &move, NULL, NULL);
    move_finish(e2e, &move);
}

static void
socket_that_somebody_listens_on_is_left_alone(struct e2e *e2e)
{
    struct tunnel tunnel;
    int listener;

    tunnel_init(e2e, &tunnel);
    listener = channels_listen(tunnel.source);
    expect_refusal(e2e, tunnel.source);
    close(channels_connect(tunnel.source));
    close(channels_accept(listener));
    close(listener);
}

static void
plain_file_is_left_alone(struct e2e *e2e)
{
    struct tunnel tunnel;

    tunnel_init(e2e, &tunnel);
    write_file(tunnel.source, "precious\n");
    expect_refusal(e2e, tunnel.source);
    assert_file(tunnel.source, "precious\n");
}

static void
symlink_is_left_alone_whatever_it_points_to(struct e2e *e2e)
{
    char target[CASE_PATH_MAX], link[CASE_PATH_MAX], is[CASE_PATH_MAX] = "";
    struct stat st;

    e2e_path(e2e, "target", target);
    e2e_path(e2e, "link", link);
    assert_int_equal(symlink(target, link), 0);
    expect_refusal(e2e, link); /* it points nowhere */
    assert_int_equal(lstat(target, &st), -1);

    close(channels_listen(target)); /* to a stale socket */
    expect_refusal(e2e, link);
    assert_int_equal(lstat(target, &st), 0);
    unlink(target);

    write_file(target, "precious\n");
    expect_refusal(e2e, link);
    assert_file(target, "precious\n");
    assert_true(readlink(link, is, sizeof(is) - 1) > 0);
    assert_string_equal(is, target);
}

static void
file_that_took_the_place_of_the_socket_is_not_removed(struct e2e *e2e)
{
    struct tunnel tunnel;

    tunnel_init(e2e, &tunnel);
    tunnel_start_client(e2e, &tunnel, NULL);
    assert_int_equal(unlink(tunnel.source), 0);
    write_file(tunnel.source, "precious\n");
    process_signal(tunnel.client, SIGTERM);
    process_wait(tunnel.client);
    assert_file(tunnel.source, "precious\n");
}

/* What is at the destination's path is QEMU's: the server only connects. */
static void
server_neither_makes_nor_removes_a_socket(struct e2e *e2e)
{
    struct tunnel tunnel;
    struct stat st;

    tunnel_init(e2e, &tunnel);
    tunnel_start_server(e2e, &tunnel, NULL);
    assert_int_equal(lstat(tunnel.destination, &st), -1);
    close(channels_listen(tunnel.destination));
    process_signal(tunnel.server, SIGTERM);
    process_expect(tunnel.server, 0);
    assert_int_equal(lstat(tunnel.destination, &st), 0);
}

static void
control_path(char path[CASE_PATH_MAX + 8], const char *migration)
{
    snprintf(path, CASE_PATH_MAX + 8, "%s.ctl", migration);
}

/* Beside the sockets for QEMU, for their user alone, and only in a session. */
static void
control_sockets_are_there_unless_they_are_not_wanted(struct e2e *e2e)
{
    static const char *const none[] = { "--control", "none", NULL };
    char paths[2][CASE_PATH_MAX + 8];

    for (int mode = 0; mode < 3; mode++) { /* a session, without, raw */
        const char *const *args = mode == 1 ? none : NULL;
        struct tunnel tunnel;
        struct stat st;

        if (mode < 2) {
            session_start(e2e, &tunnel, args, args);
        } else {
            tunnel_start(e2e, &tunnel);
        }
        control_path(paths[0], tunnel.source);
        control_path(paths[1], tunnel.destination);
        if (mode < 2)
            session_wait_count(tunnel.client, "joined mig-server", 1);
        for (int side = 0; side < 2; side++) {
            bool there = lstat(paths[side], &st) == 0;

            assert_int_equal(there, mode == 0);
            assert_true(!there || S_ISSOCK(st.st_mode));
            assert_true(!there || (st.st_mode & 07777) == 0600);
        }
        process_signal(tunnel.client, SIGTERM);
        process_expect(tunnel.client, 0);
        process_signal(tunnel.server, SIGTERM);
        process_expect(tunnel.server, 0);
        for (int side = 0; side < 2; side++) {
            const struct process *end =
                side == 0 ? tunnel.client : tunnel.server;

            assert_int_equal(lstat(paths[side], &st), -1);
            assert_int_equal(session_count(end, "attach"), 0);
        }
    }
}

/* The second goes on without helpers, and takes the first one's place. */
static void
two_clients_with_one_socket_get_along(struct e2e *e2e)
{
    struct tunnel first, second;

    session_start(e2e, &first, NULL, NULL);
    session_wait_count(first.client, "joined mig-server", 1);
    tunnel_init(e2e, &second);
    second.session = true;
    memcpy(second.source, first.source, sizeof(second.source));
    tunnel_start_server(e2e, &second, NULL);
    tunnel_start_client(e2e, &second, NULL);
    session_wait_count(second.client, "joined mig-server", 1);
    assert_int_equal(session_count(second.client, "can't attach here: "), 1);
    process_signal(first.client, SIGTERM);
    process_expect(first.client, 0);
    session_wait_count(second.client, "helpers can attach now", 1);
    process_signal(second.client, SIGTERM);
    process_expect(second.client, 0);
}

int
main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        E2E_TEST(socket_is_private_and_is_removed_at_the_end),
        E2E_TEST(stale_socket_is_replaced_and_the_guest_moves),
        E2E_TEST(socket_that_somebody_listens_on_is_left_alone),
        E2E_TEST(plain_file_is_left_alone),
        E2E_TEST(symlink_is_left_alone_whatever_it_points_to),
        E2E_TEST(file_that_took_the_place_of_the_socket_is_not_removed),
        E2E_TEST(server_neither_makes_nor_removes_a_socket),
        E2E_TEST(control_sockets_are_there_unless_they_are_not_wanted),
        E2E_TEST(two_clients_with_one_socket_get_along),
    };

    e2e_select(argc, argv);
    return cmocka_run_group_tests_name("sockets", tests, NULL, NULL);
}
