/* What mig-send and mig-recv tell, and what they refuse to begin. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "support_move.h"
#include "support_process.h"
#include "support_vm.h"

/* Return the parsed lines of a file, an array; every one must be an object
 * with a "type". */
static json_t *
read_json_lines(const char *path)
{
    char *text = process_read(path), *rest = text;
    json_t *lines = json_array();

    for (const char *line; (line = strsep(&rest, "\n")) != NULL && *line;) {
        json_t *object = json_loads(line, 0, NULL);

        assert_non_null(object);
        assert_true(json_is_string(json_object_get(object, "type")));
        json_array_append_new(lines, object);
    }
    free(text);
    return lines;
}

static const char *
text_of(const json_t *object, const char *field)
{
    const char *text = json_string_value(json_object_get(object, field));

    return text != NULL ? text : "";
}

static int64_t
number_of(const json_t *object, const char *field)
{
    return json_integer_value(json_object_get(object, field));
}

static size_t
count_type(const json_t *lines, const char *type)
{
    size_t count = 0, i;
    json_t *line;

    json_array_foreach(lines, i, line) count +=
        strcmp(text_of(line, "type"), type) == 0;
    return count;
}

static void
json_lines_tell_the_same_as_qemu(struct e2e *e2e)
{
    struct move move;
    json_t *lines;
    const json_t *last;

    move_prepare(e2e, &move, &guest_calm);
    tunnel_start(e2e, &move.tunnel);
    move_start(e2e, &move, ARGS("--json"),
               ARGS("--json", "--max-bandwidth", "32M"));
    move_finish(e2e, &move);

    lines = read_json_lines(move.send->out);
    last = json_array_get(lines, json_array_size(lines) - 1);
    assert_true(count_type(lines, "progress") > 0);
    assert_true(count_type(lines, "status") > 0);
    assert_int_equal(count_type(lines, "result"), 1);
    assert_string_equal(text_of(last, "type"), "result");
    assert_string_equal(text_of(last, "result"), "completed");
    assert_int_equal(number_of(last, "exit_status"), 0);
    assert_int_equal(number_of(last, "transferred_bytes"),
                     vm_migrate_info(move.source, "ram", "transferred"));
    assert_int_equal(number_of(last, "downtime_ms"),
                     vm_migrate_info(move.source, NULL, "downtime"));
    json_decref(lines);

    lines = read_json_lines(move.recv->out);
    last = json_array_get(lines, json_array_size(lines) - 1);
    assert_string_equal(text_of(last, "result"), "completed");
    json_decref(lines);
}

static void
json_lines_end_with_a_result_when_it_fails(struct e2e *e2e)
{
    struct move move;
    json_t *lines;
    const json_t *last;

    move_prepare(e2e, &move, &guest_calm);
    tunnel_start(e2e, &move.tunnel);
    move_start(e2e, &move, NULL, ARGS("--json", "--max-bandwidth", "8M"));
    vm_wait_transferred(move.source, 8);
    process_kill(move.destination->process);
    process_expect(move.send, 1);

    lines = read_json_lines(move.send->out);
    last = json_array_get(lines, json_array_size(lines) - 1);
    assert_int_equal(count_type(lines, "result"), 1);
    assert_string_equal(text_of(last, "result"), "failed");
    assert_int_equal(number_of(last, "exit_status"), 1);
    json_decref(lines);
    process_expect(move.recv, 1);
}

/* script(1) gives mig-send a terminal; what it shows there comes out of
 * script. */
static void
terminal_shows_one_live_line(struct e2e *e2e)
{
    const char *bin = tool_dir();
    struct command command = { .argc = 0 };
    struct process *script;
    struct move move;
    char *shown;

    move_prepare(e2e, &move, &guest_calm);
    tunnel_start(e2e, &move.tunnel);
    move.recv = tunnel_recv(e2e, &move.tunnel, move.destination, NULL);
    command_add_all(&command, ARGS("script", "-q", "-e", "-c"));
    command_add(&command,
                "'%s/mig-send' --qmp '%s' --unix '%s' --max-bandwidth 32M", bin,
                move.source->tool_qmp, move.tunnel.source);
    command_add(&command, "/dev/null");
    script = process_start(e2e, "script", &command);
    process_expect(script, 0);
    process_expect(move.recv, 0);

    shown = process_read(script->out);
    assert_non_null(strstr(shown, "\r[")); /* a bar, drawn over itself */
    assert_non_null(strstr(shown, "%"));
    assert_non_null(strstr(shown, "downtime")); /* of the report */
    free(shown);
}

static void
sender_refuses_a_vm_that_has_moved_away(struct e2e *e2e)
{
    struct process *again;
    struct move move;

    move_prepare(e2e, &move, &guest_calm);
    tunnel_start(e2e, &move.tunnel);
    move_start(e2e, &move, NULL, NULL);
    move_finish(e2e, &move);
    again = tunnel_send(e2e, &move.tunnel, move.source, NULL);
    process_expect(again, 1);
    assert_string_equal(vm_migration(move.source), "completed");
}

static void
sender_refuses_a_vm_that_is_about_to_arrive(struct e2e *e2e)
{
    struct process *send;
    struct move move;

    move_prepare(e2e, &move, &guest_calm);
    tunnel_start(e2e, &move.tunnel);
    send = tunnel_send(e2e, &move.tunnel, move.destination, NULL);
    process_expect(send, 1);
    assert_string_equal(vm_state(move.destination), "inmigrate");
}

static void
sender_refuses_to_begin_a_second_migration(struct e2e *e2e)
{
    struct process *second;
    struct move move;

    move_prepare(e2e, &move, &guest_calm);
    tunnel_start(e2e, &move.tunnel);
    move_start(e2e, &move, NULL, ARGS("--max-bandwidth", "24M"));
    vm_wait_transferred(move.source, 8);
    process_kill(move.send); /* or its monitor would be busy */
    second = tunnel_send(e2e, &move.tunnel, move.source, NULL);
    process_expect(second, 1);
    assert_string_equal(vm_migration(move.source), "active");
    process_expect(move.recv, 0);
    move_check_arrival(e2e, move.source, move.destination);
}

static void
receiver_refuses_a_vm_that_runs_and_says_what_is_needed(struct e2e *e2e)
{
    struct vm *vm = vm_start_source(e2e, &guest_calm);
    struct process *recv;
    struct tunnel tunnel;

    tunnel_init(e2e, &tunnel);
    recv = tunnel_recv(e2e, &tunnel, vm, NULL);
    process_expect(recv, 1);
    assert_true(process_said(recv, "-incoming defer"));
    vm_assert_runs(vm);
}

static void
receiver_stops_waiting_after_its_timeout(struct e2e *e2e)
{
    struct move move;

    move_prepare(e2e, &move, &guest_calm);
    tunnel_init(e2e, &move.tunnel);
    move.recv = tunnel_recv(e2e, &move.tunnel, move.destination,
                            ARGS("--timeout", "1"));
    process_expect(move.recv, 4);
    assert_string_equal(vm_state(move.destination), "inmigrate");
}

static void
missing_monitor_and_missing_tunnel_are_named(struct e2e *e2e)
{
    struct vm *vm = vm_start_source(e2e, &guest_calm);
    struct process *send;
    struct tunnel tunnel;

    tunnel_init(e2e, &tunnel);
    send = tool_start(e2e, "mig-send", ARGS("--qmp", "/nonexistent.qmp"));
    assert_in_range(process_wait(send), 1, 2);
    assert_true(process_said(send, "/nonexistent.qmp"));

    send = tunnel_send(e2e, &tunnel, vm, ARGS("--wait", "1"));
    process_expect(send, 4);
    assert_true(process_said(send, tunnel.source));
    vm_assert_runs(vm);
}

int
main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        E2E_TEST(json_lines_tell_the_same_as_qemu),
        E2E_TEST(json_lines_end_with_a_result_when_it_fails),
        E2E_TEST(terminal_shows_one_live_line),
        E2E_TEST(sender_refuses_a_vm_that_has_moved_away),
        E2E_TEST(sender_refuses_a_vm_that_is_about_to_arrive),
        E2E_TEST(sender_refuses_to_begin_a_second_migration),
        E2E_TEST(receiver_refuses_a_vm_that_runs_and_says_what_is_needed),
        E2E_TEST(receiver_stops_waiting_after_its_timeout),
        E2E_TEST(missing_monitor_and_missing_tunnel_are_named),
    };

    e2e_select(argc, argv);
    return cmocka_run_group_tests_name("report", tests, NULL, NULL);
}
