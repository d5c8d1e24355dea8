/* What mig-recv and mig-send are asked to do. */
#include "migrate/job_config.h"

#include <string.h>
#include <unistd.h>

#include "migrate/job_command.h"
#include "support_test.h"

static void
assert_takes(struct job_config *config, int key, const char *value)
{
    const char *why = job_config_option(config, key, value);

    if (why != NULL)
        fail_msg("-%c %s: %s", key, value, why);
}

static void
assert_refuses(int key, const char *value, const char *expected)
{
    struct job_config config;
    const char *why;

    job_config_init(&config, JOB_SENDS);
    why = job_config_option(&config, key, value);
    assert_non_null(why);
    if (strstr(why, expected) == NULL)
        fail_msg("-%c %s: %s", key, value, why);
}

static void
assert_unfinished(struct job_config *config, const char *part)
{
    char why[JOB_WHY_MAX] = "";

    assert_int_equal(job_config_finish(config, why), -1);
    if (strstr(why, part) == NULL)
        fail_msg("%s", why);
}

static void
begin(struct job_config *config, enum job_side side)
{
    job_config_init(config, side);
    assert_takes(config, 'Q', "/nowhere/q");
}

static void
each_side_has_the_path_of_its_tunnel(void **state)
{
    struct job_config config;

    (void)state;
    job_config_init(&config, JOB_SENDS);
    assert_string_equal(config.unix_path, "/tmp/qemu_migration_source.sock");
    assert_int_equal(config.wait_ms, 30000);
    job_config_init(&config, JOB_RECEIVES);
    assert_string_equal(config.unix_path, "/tmp/qemu_migration_dest.sock");
}

static void
every_option_is_taken(void **state)
{
    struct job_config config;

    (void)state;
    begin(&config, JOB_SENDS);
    assert_takes(&config, 'u', "/x");
    assert_takes(&config, 'm', "255");
    assert_takes(&config, 't', "1.5");
    assert_takes(&config, 'w', "0");
    assert_takes(&config, 'b', "0");
    assert_takes(&config, 'D', "2000000");
    assert_takes(&config, 'j', NULL);
    assert_takes(&config, 'a', NULL);
    assert_takes(&config, 'x', NULL);
    assert_takes(&config, 'c', "a=on");
    assert_takes(&config, 'P', "b=c");
    assert_true(config.has_target);
    assert_string_equal(config.target.path, "/nowhere/q");
    assert_string_equal(config.unix_path, "/x");
    assert_int_equal(config.multifd, 255);
    assert_int_equal(config.timeout_ms, 1500);
    assert_int_equal(config.wait_ms, 0);
    assert_int_equal(config.downtime_limit_ms, 2000000);
    assert_true(config.json && config.auto_converge && config.xbzrle);
    assert_takes(&config, 'p', "1");
    assert_int_equal(config.pid, 1);
}

static void
bad_values_are_refused_with_what_was_expected(void **state)
{
    char path[110];

    (void)state;
    assert_refuses('Q', "host:", "");
    assert_refuses('p', "0", "process id");
    assert_refuses('p', "x", "process id");
    assert_refuses('u', "", "path");
    memset(path, 'x', sizeof path);
    path[108] = '\0';
    assert_refuses('u', path, "107");
    assert_refuses('m', "0", "1 to 255");
    assert_refuses('m', "256", "1 to 255");
    assert_refuses('t', "soon", "seconds");
    assert_refuses('w', "-1", "seconds");
    assert_refuses('b', "fast", "rate");
    assert_refuses('D', "2000001", "milliseconds");
    assert_refuses('c', "multifd", "NAME=on");
    assert_refuses('P', "x", "NAME=VALUE");
    assert_refuses(JOB_OPTION_COMPRESSION, "lz4", "zlib");
    assert_refuses(JOB_OPTION_POSTCOPY_AFTER, "soon", "stalled");
    assert_refuses(JOB_OPTION_POSTCOPY_BANDWIDTH, "fast", "rate");
    assert_refuses(JOB_OPTION_ON_TIMEOUT, "panic", "pause");
    assert_refuses('Z', NULL, "option");
}

static int
finish_with(enum job_side side, int one, int other, char why[JOB_WHY_MAX])
{
    struct job_config config;

    begin(&config, side);
    assert_takes(&config, one, NULL);
    assert_takes(&config, other, NULL);
    return job_config_finish(&config, why);
}

/* Each is all that a program does. */
static void
one_mode_is_given_at_most(void **state)
{
    static const int modes[] = { JOB_OPTION_CHECK,   JOB_OPTION_ATTACH,
                                 JOB_OPTION_RELEASE, JOB_OPTION_RECOVER,
                                 JOB_OPTION_STATUS,  JOB_OPTION_CANCEL };
    char why[JOB_WHY_MAX];

    (void)state;
    for (size_t i = 0; i < sizeof modes / sizeof *modes; i++)
        for (size_t j = 0; j < i; j++) {
            assert_int_equal(finish_with(JOB_SENDS, modes[i], modes[j], why),
                             -1);
            assert_non_null(strstr(why, "exclude each other"));
        }
}

static void
what_needs_no_partner_can_be_had_alone(void **state)
{
    static const struct {
        enum job_side side;
        int mode;
        int result;
    } cases[] = {
        { JOB_SENDS, JOB_OPTION_RECOVER, 0 },
        { JOB_SENDS, JOB_OPTION_STATUS, 0 },
        { JOB_SENDS, JOB_OPTION_CANCEL, 0 },
        { JOB_SENDS, JOB_OPTION_CHECK, -1 },
        { JOB_SENDS, JOB_OPTION_ATTACH, -1 },
        { JOB_SENDS, JOB_OPTION_RELEASE, -1 },
        { JOB_RECEIVES, JOB_OPTION_RECOVER, 0 },
        { JOB_RECEIVES, JOB_OPTION_STATUS, 0 },
        { JOB_RECEIVES, JOB_OPTION_CANCEL, -1 },
    };
    char why[JOB_WHY_MAX];

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_int_equal(finish_with(cases[i].side, JOB_OPTION_STANDALONE,
                                     cases[i].mode, why),
                         cases[i].result);
}

static void
one_qemu_is_needed(void **state)
{
    struct job_config config;

    (void)state;
    job_config_init(&config, JOB_SENDS);
    assert_unfinished(&config, "needs --qmp");
    begin(&config, JOB_SENDS);
    assert_takes(&config, 'p', "1");
    assert_unfinished(&config, "exclude each other");
    job_config_init(&config, JOB_SENDS);
    config.pid = getpid();
    assert_unfinished(&config, "--pid: process");
    job_config_init(&config, JOB_SENDS);
    assert_takes(&config, 'Q', "/");
    assert_unfinished(&config, "--qmp: / is no socket");
}

static void
a_relative_path_is_made_absolute_for_qemu(void **state)
{
    struct job_config config;
    char why[JOB_WHY_MAX], cwd[64], long_path[108];

    (void)state;
    assert_return_code(chdir("/tmp"), 0);
    begin(&config, JOB_SENDS);
    assert_takes(&config, 'u', "mig.sock");
    assert_int_equal(job_config_finish(&config, why), 0);
    assert_string_equal(config.unix_path, "/tmp/mig.sock");
    assert_non_null(getcwd(cwd, sizeof cwd));
    memset(long_path, 'x', sizeof long_path);
    long_path[107] = '\0';
    begin(&config, JOB_SENDS);
    assert_takes(&config, 'u', long_path);
    assert_unfinished(&config, "107");
}

static void
the_source_has_only_what_was_asked_for_until_there_is_a_plan(void **state)
{
    struct plan_options options;
    struct job_config config;
    char why[JOB_WHY_MAX];

    (void)state;
    begin(&config, JOB_SENDS);
    assert_takes(&config, 'm', "4");
    assert_takes(&config, 'x', NULL);
    assert_unfinished(&config, "exclude each other");
    begin(&config, JOB_SENDS);
    assert_takes(&config, 'c', "multifd=on");
    assert_takes(&config, 'P', "max-bandwidth=1M");
    assert_takes(&config, JOB_OPTION_COMPRESSION, "zstd");
    assert_takes(&config, JOB_OPTION_POSTCOPY_BANDWIDTH, "2M");
    assert_takes(&config, JOB_OPTION_POSTCOPY, NULL);
    assert_takes(&config, JOB_OPTION_POSTCOPY_PREEMPT, NULL);
    assert_takes(&config, JOB_OPTION_ON_TIMEOUT, "auto-converge");
    assert_takes(&config, 't', "60");
    assert_int_equal(job_config_finish(&config, why), 0);
    assert_int_equal(config.settings.count, 2);
    job_config_plan(&config, &options);
    assert_ptr_equal(options.given, &config.settings);
    assert_string_equal(options.compression, "zstd");
    assert_int_equal(options.postcopy_bandwidth, 2 << 20);
    assert_true(options.postcopy && options.preempt);
    assert_true(options.slow_down_later);
    assert_false(options.auto_converge);
    assert_int_equal(config.convergence.after, AFTER_STALLED);
    assert_int_equal(config.convergence.timeout_ms, 60000);
}

static const char *
capability(const struct job_config *config, const char *name)
{
    return settings_get(&config->settings, SETTING_CAPABILITY, name);
}

static void
the_destination_needs_less(void **state)
{
    struct job_config config;
    char why[JOB_WHY_MAX];

    (void)state;
    begin(&config, JOB_RECEIVES);
    assert_takes(&config, 'm', "2");
    assert_int_equal(job_config_finish(&config, why), 0);
    assert_null(capability(&config, "return-path"));
    assert_string_equal(capability(&config, "multifd"), "on");
    assert_string_equal(
        settings_get(&config.settings, SETTING_PARAMETER, "multifd-channels"),
        "2");
    assert_null(
        settings_get(&config.settings, SETTING_PARAMETER, "max-bandwidth"));
}

static void
contradictions_are_named(void **state)
{
    static const struct {
        int key;
        const char *value;
        const char *capability;
        const char *part;
    } cases[] = {
        { 'm', "2", "multifd=off", "contradicts --multifd" },
        { 'a', NULL, "auto-converge=off", "contradicts --auto-converge" },
        { 'x', NULL, "xbzrle=off", "contradicts --xbzrle" },
        { 'j', NULL, "return-path=off", "return-path=off contradicts" },
        { 'j', NULL, "events=off", "events=off contradicts" },
        { JOB_OPTION_POSTCOPY, NULL, "postcopy-ram=off", "contradicts post" },
        { JOB_OPTION_POSTCOPY_AFTER, "3", "x=on", "needs --postcopy" },
        { JOB_OPTION_POSTCOPY_PREEMPT, NULL, "x=on", "needs --postcopy" },
        { JOB_OPTION_POSTCOPY_BANDWIDTH, "1M", "x=on", "needs --postcopy" },
        { JOB_OPTION_COMPRESSION, "zlib", "x=on", "needs --multifd" },
        { JOB_OPTION_ON_TIMEOUT, "pause", "x=on", "needs --timeout" },
    };
    struct job_config config;

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        begin(&config, JOB_SENDS);
        assert_takes(&config, cases[i].key, cases[i].value);
        assert_takes(&config, 'c', cases[i].capability);
        assert_unfinished(&config, cases[i].part);
    }
}

static void
the_destination_can_contradict_itself_too(void **state)
{
    struct job_config config;

    (void)state;
    begin(&config, JOB_RECEIVES);
    assert_takes(&config, 'm', "2");
    assert_takes(&config, 'c', "multifd=off");
    assert_unfinished(&config, "contradicts --multifd");
}

static void
command_can_be_given_again(void **state)
{
    char text[HANDOVER_COMMAND_MAX], why[JOB_WHY_MAX];
    struct job_config config;

    (void)state;
    begin(&config, JOB_SENDS);
    assert_int_equal(job_config_finish(&config, why), 0);
    job_command(&config, text);
    assert_string_equal(text, "mig-send --qmp /nowhere/q");

    begin(&config, JOB_RECEIVES);
    assert_takes(&config, 'u', "/nowhere/a b");
    assert_takes(&config, JOB_OPTION_CONTROL, "/nowhere/it's");
    assert_int_equal(job_config_finish(&config, why), 0);
    job_command(&config, text);
    assert_string_equal(text, "mig-recv --qmp /nowhere/q --unix '/nowhere/a b' "
                              "--control '/nowhere/it'\\''s'");
}

static void
command_without_room_is_the_program(void **state)
{
    char text[HANDOVER_COMMAND_MAX], path[105], why[JOB_WHY_MAX];
    struct job_config config;

    (void)state;
    memset(path, '\'', sizeof path - 1);
    path[0] = '/';
    path[sizeof path - 1] = '\0';
    begin(&config, JOB_RECEIVES);
    assert_takes(&config, 'u', path);
    assert_takes(&config, JOB_OPTION_CONTROL, path);
    assert_int_equal(job_config_finish(&config, why), 0);
    job_command(&config, text);
    assert_string_equal(text, "mig-recv");
}

int
main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(command_can_be_given_again),
        cmocka_unit_test(command_without_room_is_the_program),
        cmocka_unit_test(each_side_has_the_path_of_its_tunnel),
        cmocka_unit_test(every_option_is_taken),
        cmocka_unit_test(bad_values_are_refused_with_what_was_expected),
        cmocka_unit_test(one_mode_is_given_at_most),
        cmocka_unit_test(what_needs_no_partner_can_be_had_alone),
        cmocka_unit_test(one_qemu_is_needed),
        cmocka_unit_test(a_relative_path_is_made_absolute_for_qemu),
        cmocka_unit_test(
            the_source_has_only_what_was_asked_for_until_there_is_a_plan),
        cmocka_unit_test(the_destination_needs_less),
        cmocka_unit_test(contradictions_are_named),
        cmocka_unit_test(the_destination_can_contradict_itself_too),
    };

    return RUN_TESTS(tests);
}
