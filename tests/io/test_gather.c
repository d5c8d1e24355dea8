/* Facts of a QEMU of the test's own, question by question. */
#include "migrate/gather.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "migrate/gather_devices.h"
#include "migrate/qmp.h"
#include "support_net.h"
#include "support_qmp_server.h"
#include "support_stage.h"
#include "support_test.h"
#include "wire/facts.h"

enum { FOREVER = 1000 };

/* What a QEMU answers to a command with an argument that has ${part} in it. */
struct answer {
    const char *command;
    const char *part;
    const char *value; /* what is returned; NULL for an error */
};

struct play {
    struct stage stage;
    struct qmp_server server;
    char dir[NET_PATH_MAX];
    struct qmp *qmp;
    struct gather *gather;
    struct gather_devices *devices;
    const struct answer *answers;
    size_t silent_from; /* no answer to this command, and later ones */
    size_t leaves_at;   /* hang up instead of answering */
    bool frees;         /* the gather, when it is done */
    bool ready, ended;
    unsigned done;
    json_t *facts;
    char why[256];
};

static struct play play;

/* A QEMU 7.2 with two devices of the user's, one of them behind the other. */
static const struct answer usual[] = {
    { "query-version", "",
      "{\"qemu\": {\"micro\": 22, \"minor\": 2, \"major\": 7}}" },
    { "query-kvm", "", "{\"enabled\": false, \"present\": true}" },
    { "query-status", "", "{\"status\": \"inmigrate\"}" },
    { "query-uuid", "", "{\"UUID\": \"1-2\"}" },
    { "query-migrate", "", "{}" },
    { "query-migrate-capabilities", "",
      "[{\"capability\": \"events\", \"state\": false}]" },
    { "query-migrate-parameters", "", "{\"max-bandwidth\": 1}" },
    { "query-memory-size-summary", "",
      "{\"base-memory\": 4096, \"plugged-memory\": 0}" },
    { "human-monitor-command", "info network",
      "\"a: index=0,type=nic,model=e,macaddr=x\\r\\n"
      " \\\\ n: index=0,type=vhost-user,vhost-user0 to vu\\r\\n\"" },
    { "human-monitor-command", "info ramblock",
      "\"pc.ram 4 KiB 0x0 0x1000 0x1000\\r\\n\"" },
    { "query-chardev", "",
      "[{\"label\": \"vu\", \"filename\": \"disconnected:unix:/x\"}]" },
    { "qom-get", "\"property\":\"smp\"", "{\"maxcpus\": 4, \"cores\": 4}" },
    { "qom-get", "\"property\":\"memory\"", "{\"slots\": 2, \"max-size\": 9}" },
    { "query-cpus-fast", "", "[{\"qom-path\": \"/cpu\"}, {}]" },
    { "qom-get", "\"path\":\"/cpu\",\"property\":\"type\"",
      "\"qemu64-x86_64-cpu\"" },
    { "qom-get", "\"path\":\"/cpu\",\"property\":\"feature-words\"",
      "[{\"cpuid-register\": \"ECX\", \"cpuid-input-eax\": 1,"
      "  \"features\": 3}]" },
    { "qom-get", "\"path\":\"/machine\",\"property\":\"type\"",
      "\"pc-i440fx-7.2-machine\"" },
    { "qom-list", "\"/machine/peripheral\"",
      "[{\"name\": \"type\", \"type\": \"string\"},"
      " {\"name\": \"scsi0\", \"type\": \"child<virtio-scsi-pci>\"},"
      " {\"name\": \"cpu1\", \"type\": \"child<qemu64-x86_64-cpu>\"}]" },
    { "qom-list", "\"/machine/peripheral-anon\"",
      "[{\"name\": \"device[0]\", \"type\": \"child<scsi-hd>\"},"
      " {\"name\": \"device[1]\", \"type\": \"child<pc-dimm>\"}]" },
    { "qom-list", "\"/machine/unattached\"",
      "[{\"name\": \"device[0]\", \"type\": \"child<qemu64-x86_64-cpu>\"},"
      " {\"name\": \"device[1]\", \"type\": \"child<kvmvapic>\"},"
      " {\"name\": \"device[2]\", \"type\": \"child<smbus-eeprom>\"},"
      " {\"name\": \"device[3]\", \"type\": \"child<VGA>\"},"
      " {\"name\": \"irq[0]\", \"type\": \"child<irq>\"}, 7,"
      " {\"name\": \"sysbus\", \"type\": \"child<System>\"}]" },
    { "qom-get", "scsi0\",\"property\":\"parent_bus", "\"/x/pci.0\"" },
    { "qom-get", "scsi0\",\"property\":\"addr", "104" },
    { "qom-get", "peripheral-anon/device[0]\",\"property\":\"parent_bus",
      "\"/machine/peripheral/scsi0/virtio-backend/scsi0.0\"" },
    { "qom-get", "peripheral-anon/device[0]\",\"property\":\"channel", "0" },
    { "qom-get", "peripheral-anon/device[0]\",\"property\":\"scsi-id", "3" },
    { "qom-get", "peripheral-anon/device[0]\",\"property\":\"lun", "1" },
    { "qom-get", "peripheral-anon/device[1]\",\"property\":\"parent_bus",
      "\"\"" },
    { "qom-get", "peripheral-anon/device[1]\",\"property\":\"slot", "1" },
    { "qom-get", "unattached/device[2]\",\"property\":\"parent_bus",
      "\"/x/i2c\"" },
    { "qom-get", "unattached/device[3]\",\"property\":\"parent_bus",
      "\"/x/pci.0\"" },
    { "qom-get", "unattached/device[3]\",\"property\":\"addr", "16" },
    { "qom-get", "\"path\":\"/x/pci.0\"", "\"PCI\"" },
    { "qom-get", "\"path\":\"/x/i2c\"", "\"i2c-bus\"" },
    { "qom-get", "virtio-backend/scsi0.0\",\"property\":\"type", "\"SCSI\"" },
    { "query-block", "",
      "[{\"qdev\": \"/machine/peripheral-anon/device[0]\","
      "  \"inserted\": {\"ro\": false, \"drv\": \"raw\", \"file\": \"/a\","
      "  \"image\": {\"virtual-size\": 5}}}]" },
    { NULL, NULL, NULL },
};

static const struct answer none[] = { { NULL, NULL, NULL } };

static const struct answer *
answer_to(const char *command, const char *arguments)
{
    for (const struct answer *answer = play.answers; answer->command != NULL;
         answer++)
        if (strcmp(answer->command, command) == 0 &&
            strstr(arguments, answer->part) != NULL)
            return answer;
    return NULL;
}

static void
on_command(struct qmp_server *server, const char *name)
{
    json_t *command = server->commands[server->command_count - 1];
    json_t *arguments = json_object_get(command, "arguments");
    char *text = json_dumps(arguments, JSON_COMPACT | JSON_SORT_KEYS);
    const struct answer *answer = answer_to(name, text != NULL ? text : "");
    char reply[4096];

    free(text);
    /* The first is qmp_capabilities, which the server answers itself. */
    size_t count = server->command_count - 2;
    if (strcmp(name, "qmp_capabilities") == 0 || count >= play.silent_from)
        return;
    if (count >= play.leaves_at) {
        qmp_server_hang_up(server);
        return;
    }
    int used = snprintf(reply, sizeof reply, "{\"id\": \"%s\", \"%s\": %s}\r\n",
                        json_string_value(json_object_get(command, "id")),
                        answer != NULL ? "return" : "error",
                        answer != NULL ? answer->value
                                       : "{\"class\": \"GenericError\","
                                         " \"desc\": \"not here\"}");
    assert_in_range(used, 1, sizeof reply - 1);
    qmp_server_say(server, reply);
}

static void
on_ready(void *arg, const struct qmp_version *version)
{
    (void)arg;
    (void)version;
    play.ready = true;
}

static void
on_event(void *arg, const char *name, const json_t *data)
{
    (void)arg;
    (void)name;
    (void)data;
}

static void
on_end(void *arg, enum qmp_end end, const char *why)
{
    (void)arg;
    (void)end;
    (void)why;
    play.ended = true;
}

static void
on_done(void *arg, json_t *facts, const char *why)
{
    assert_ptr_equal(arg, &play);
    play.done++;
    assert_true((facts == NULL) != (why == NULL));
    play.facts = json_incref(facts);
    if (why != NULL)
        snprintf(play.why, sizeof play.why, "%s", why);
    if (play.frees) {
        gather_free(play.gather);
        play.gather = NULL;
    }
}

static void
on_devices(void *arg, const char *why)
{
    assert_ptr_equal(arg, &play);
    play.done++;
    if (why != NULL)
        snprintf(play.why, sizeof play.why, "%s", why);
}

/* A QEMU with ${answers}, and a connection to it. */
static void
open_play(const struct answer *answers)
{
    static const char *const asked[] = {
        "query-version",
        "query-accelerators",
        "query-kvm",
        "query-status",
        "query-uuid",
        "query-migrate",
        "query-migrate-capabilities",
        "query-migrate-parameters",
        "query-memory-size-summary",
        "human-monitor-command",
        "query-chardev",
        "qom-get",
        "query-cpus-fast",
        "qom-list",
        "query-block",
    };
    struct qmp_options options = {
        .connect_ms = 5000,
        .greet_ms = 5000,
        .on_ready = on_ready,
        .on_event = on_event,
        .on_end = on_end,
    };

    memset(&play, 0, sizeof play);
    play.answers = answers;
    play.silent_from = play.leaves_at = FOREVER;
    stage_open(&play.stage);
    net_temp_dir(play.dir);
    snprintf(options.target.path, sizeof options.target.path, "%.90s/qmp",
             play.dir);
    qmp_server_open(&play.server, &play.stage, options.target.path);
    for (size_t i = 0; i < sizeof asked / sizeof *asked; i++)
        qmp_server_answer(&play.server, asked[i], NULL);
    play.server.on_command = on_command;
    play.qmp = qmp_new(play.stage.loop, &options);
    assert_non_null(play.qmp);
    STAGE_UNTIL(&play.stage, play.ready);
}

static void
close_play(void)
{
    qmp_free(play.qmp);
    gather_free(play.gather);
    gather_devices_free(play.devices);
    json_decref(play.facts);
    qmp_server_close(&play.server);
    stage_close(&play.stage);
    net_remove_dir(play.dir);
}

static void
start(uint64_t reply_ms)
{
    const struct gather_options options = {
        .qmp = play.qmp, .reply_ms = reply_ms, .on_done = on_done, .arg = &play
    };

    play.gather = gather_new(&options);
    assert_non_null(play.gather);
}

static void
assert_fact(const char *key, const char *expected)
{
    json_t *wanted = json_loads(expected, JSON_DECODE_ANY, NULL);
    json_t *value = json_object_get(play.facts, key);

    assert_non_null(wanted);
    if (!json_equal(value, wanted)) {
        char *text = json_dumps(value, JSON_ENCODE_ANY);
        fail_msg("%s: %s", key, text);
    }
    json_decref(wanted);
}

static void
everything_is_asked_for(void **state)
{
    (void)state;
    open_play(usual);
    start(0);
    STAGE_UNTIL(&play.stage, play.done > 0);
    assert_string_equal(play.why, "");
    assert_null(facts_check(play.facts));
    assert_fact("version", "\"7.2.22\"");
    assert_fact("machine", "\"pc-i440fx-7.2\"");
    assert_fact("accelerator", "\"tcg\"");
    assert_fact("status", "\"inmigrate\"");
    assert_fact("uuid", "\"1-2\"");
    assert_fact("blocked", "[]");
    assert_fact("capabilities", "{\"events\": false}");
    assert_fact("parameters", "{\"max-bandwidth\": 1}");
    assert_fact("memory", "4096");
    assert_fact("max_memory", "9");
    assert_fact("memory_slots", "2");
    assert_fact("cpus", "2");
    assert_fact("max_cpus", "4");
    assert_fact("topology", "\"cores=4\"");
    assert_fact("cpu", "\"qemu64\"");
    assert_fact("cpu_features", "{\"1.ECX\": 3}");
    assert_fact("ram_blocks", "[{\"name\": \"pc.ram\", \"used\": 4096,"
                              " \"total\": 4096}]");
    assert_fact("nics",
                "[{\"name\": \"a\", \"model\": \"e\", \"mac\": \"x\","
                " \"backend\": \"vhost-user\", \"backend_name\": \"n\","
                " \"info\": \"vhost-user0 to vu\", \"connected\": false}]");
    assert_fact("devices",
                "[{\"type\": \"VGA\", \"place\": \"00:02.0\","
                "  \"built_in\": true},"
                " {\"type\": \"virtio-scsi-pci\", \"place\": \"00:0d.0\","
                "  \"id\": \"scsi0\"},"
                " {\"type\": \"scsi-hd\", \"place\": \"00:0d.0/0:3:1\"},"
                " {\"type\": \"pc-dimm\", \"place\": \"slot1\"}]");
    assert_fact("disks",
                "[{\"place\": \"00:0d.0/0:3:1\", \"size\": 5, \"file\": \"/a\","
                " \"read_only\": false, \"driver\": \"raw\"}]");
    assert_null(json_object_get(play.facts, "cut"));
    close_play();
}

static void
no_bus_is_asked_about_twice_and_nothing_is_changed(void **state)
{
    unsigned types = 0;

    (void)state;
    open_play(usual);
    start(0);
    STAGE_UNTIL(&play.stage, play.done > 0);
    for (size_t i = 0; i < play.server.command_count; i++) {
        json_t *command = play.server.commands[i];
        const char *name =
            json_string_value(json_object_get(command, "execute"));
        const char *path = json_string_value(
            json_object_get(json_object_get(command, "arguments"), "path"));
        types += path != NULL && strcmp(path, "/x/pci.0") == 0;
        if (strncmp(name, "query-", 6) != 0 && strncmp(name, "qom-", 4) != 0 &&
            strcmp(name, "human-monitor-command") != 0)
            assert_string_equal(name, "qmp_capabilities");
        assert_string_not_equal(name, "qom-set");
    }
    assert_int_equal(types, 1);
    close_play();
}

static void
a_qemu_that_knows_nothing_has_no_facts(void **state)
{
    (void)state;
    open_play(none);
    start(0);
    STAGE_UNTIL(&play.stage, play.done > 0);
    assert_string_equal(play.why, "");
    assert_int_equal(json_object_size(play.facts), 0);
    /* It was asked for what needs the first vCPU only if there is one. */
    for (size_t i = 0; i < play.server.command_count; i++) {
        char *text = json_dumps(play.server.commands[i], 0);
        assert_null(strstr(text, "feature-words"));
        free(text);
    }
    close_play();
}

static void
replies_of_another_form_are_no_facts(void **state)
{
    static const struct answer odd[] = {
        { "query-cpus-fast", "", "[{\"qom-path\": 7}]" },
        { "qom-list", "",
          "[7, {\"type\": \"child<\"}, {\"type\": \"child<>\"},"
          " {\"type\": \"child<x\"}, {\"name\": \"a\"},"
          " {\"name\": \"b\", \"type\": \"child<ab>\"}]" },
        { "qom-get", "parent_bus", "7" },
        { "qom-get", "slot", "[]" },
        { "query-block", "", "{}" },
        { NULL, NULL, NULL },
    };

    (void)state;
    open_play(odd);
    start(0);
    STAGE_UNTIL(&play.stage, play.done > 0);
    assert_null(facts_check(play.facts));
    assert_fact("cpus", "1");
    assert_null(json_object_get(play.facts, "cpu"));
    assert_null(json_object_get(play.facts, "disks"));
    assert_fact("devices",
                "[{\"type\": \"ab\", \"place\": \"slot0\", \"id\": \"b\"},"
                " {\"type\": \"ab\", \"place\": \"slot0\"}]");
    close_play();
}

static size_t
count_questions(void)
{
    size_t questions;

    open_play(usual);
    start(0);
    STAGE_UNTIL(&play.stage, play.done > 0);
    questions = play.server.command_count - 1;
    close_play();
    assert_in_range(questions, 30, 60);
    return questions;
}

static void
a_qemu_that_falls_silent_ends_it_wherever_it_is(void **state)
{
    size_t questions = count_questions();

    (void)state;
    for (size_t at = 0; at < questions; at++) {
        open_play(usual);
        play.silent_from = at;
        start(20);
        STAGE_UNTIL(&play.stage, play.done > 0);
        assert_non_null(strstr(play.why, "gave no reply"));
        assert_int_equal(play.done, 1);
        assert_int_equal(play.server.command_count, at + 2);
        close_play();
    }
}

static void
the_end_of_the_connection_is_not_told_twice(void **state)
{
    size_t questions = count_questions();

    (void)state;
    for (size_t at = 0; at < questions; at++) {
        open_play(usual);
        play.leaves_at = at;
        start(0);
        STAGE_UNTIL(&play.stage, play.ended);
        assert_int_equal(play.done, 0);
        close_play();
    }
}

static void
it_can_be_freed_when_it_is_done(void **state)
{
    (void)state;
    open_play(usual);
    play.frees = true;
    start(0);
    STAGE_UNTIL(&play.stage, play.done > 0);
    assert_fact("cpus", "2");
    close_play();
    open_play(usual);
    play.frees = true;
    play.silent_from = 30;
    start(20);
    STAGE_UNTIL(&play.stage, play.done > 0);
    close_play();
}

static void
without_a_connection_it_does_not_start(void **state)
{
    struct gather_options options = { .on_done = on_done, .arg = &play };
    struct gather_devices_options more = { .on_done = on_devices,
                                           .arg = &play };

    (void)state;
    open_play(usual);
    qmp_server_hang_up(&play.server);
    STAGE_UNTIL(&play.stage, play.ended);
    options.qmp = more.qmp = play.qmp;
    assert_null(gather_new(&options));
    assert_null(gather_devices_new(&more));
    assert_int_equal(play.done, 0);
    gather_free(NULL);
    gather_devices_free(NULL);
    close_play();
}

static void
questions_about_devices_are_bounded(void **state)
{
    struct gather_devices_options options = { .timeout_ms = 5000,
                                              .on_done = on_devices,
                                              .arg = &play };

    (void)state;
    for (unsigned most = 0; most <= 30; most++) {
        open_play(usual);
        options.qmp = play.qmp;
        options.questions_max = most;
        play.devices = gather_devices_new(&options);
        assert_non_null(play.devices);
        STAGE_UNTIL(&play.stage, play.done > 0);
        assert_string_equal(play.why, "");
        /* The lists are always asked for, and all in one go. */
        assert_true(play.server.command_count - 1 <= (most > 3 ? most : 3));
        size_t found = json_array_size(gather_devices_found(play.devices));
        assert_int_equal(gather_devices_cut(play.devices), most < 22);
        assert_true(found <= 4);
        if (!gather_devices_cut(play.devices))
            assert_int_equal(found, 4);
        close_play();
    }
}

int
main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(everything_is_asked_for),
        cmocka_unit_test(no_bus_is_asked_about_twice_and_nothing_is_changed),
        cmocka_unit_test(a_qemu_that_knows_nothing_has_no_facts),
        cmocka_unit_test(replies_of_another_form_are_no_facts),
        cmocka_unit_test(a_qemu_that_falls_silent_ends_it_wherever_it_is),
        cmocka_unit_test(the_end_of_the_connection_is_not_told_twice),
        cmocka_unit_test(it_can_be_freed_when_it_is_done),
        cmocka_unit_test(without_a_connection_it_does_not_start),
        cmocka_unit_test(questions_about_devices_are_bounded),
    };

    return RUN_TESTS(tests);
}
