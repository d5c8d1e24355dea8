/* Command lines. */
#include "base/cli.h"

#include <stdlib.h>
#include <string.h>

#include "base/exit_status.h"
#include "base/log.h"
#include "support_capture.h"
#include "support_test.h"

enum { ARGS_MAX = 8, OPTION_LIMIT = CLI_LONG, OPTION_LIMB };

/* What on_option was told. */
struct config {
    unsigned calls;
    int key;
    const char *value;
};

static const char *
on_option(void *arg, int key, const char *value)
{
    struct config *config = arg;

    config->calls++;
    config->key = key;
    config->value = value;
    if (key == 'n' && strcmp(value, "1") != 0)
        return "the number 1";
    return key == 'b' ? "never to be given" : NULL;
}

static const struct cli_option options[] = {
    { 'n', "number", "N", "a number" },
    { 'b', "bare", NULL, "first line\nsecond line" },
    { OPTION_LIMIT, "limit", "A-LONG-NAME-FOR-AN-ARGUMENT", "a limit" },
    { OPTION_LIMB, "limb", NULL, "no letter" },
};

static const struct cli cli = {
    .program = "prog",
    .synopsis = "[options]",
    .summary = "Does things.",
    .options = options,
    .option_count = sizeof options / sizeof *options,
    .footer = "The end.",
    .on_option = on_option,
};

static struct config config;
static char *printed;
static const char *complaint;

/* Parse ${line}, words with a space between them. */
static enum cli_outcome
parse_with(const struct cli *with, const char *line)
{
    char words[256], *argv[ARGS_MAX + 1] = { 0 }, *saved = NULL;
    enum cli_outcome outcome;
    size_t length;
    int argc = 0;
    FILE *out;

    snprintf(words, sizeof words, "prog %s", line);
    for (char *word = strtok_r(words, " ", &saved);
         word != NULL && argc < ARGS_MAX; word = strtok_r(NULL, " ", &saved))
        argv[argc++] = word;
    free(printed);
    out = open_memstream(&printed, &length);
    config = (struct config){ 0 };
    capture_start();
    outcome = cli_parse(with, argc, argv, &config, out);
    complaint = capture_stop();
    fclose(out);
    if (outcome != CLI_USAGE)
        assert_string_equal(complaint, "");
    if (outcome != CLI_DONE)
        assert_string_equal(printed, "");
    return outcome;
}

static int
clean_up(void **state)
{
    (void)state;
    free(printed);
    printed = NULL;
    return 0;
}

static void
assert_usage(const char *line, const char *expected)
{
    assert_int_equal(parse_with(&cli, line), CLI_USAGE);
    assert_string_equal(complaint, expected);
}

static void
an_empty_command_line_runs(void **state)
{
    (void)state;
    assert_int_equal(parse_with(&cli, ""), CLI_RUN);
    assert_int_equal(config.calls, 0);
}

static void
an_option_arrives_with_its_value_in_each_spelling(void **state)
{
    static const char *const lines[] = { "-n 1", "-n1", "--number 1",
                                         "--number=1", "--num 1" };

    (void)state;
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
        assert_int_equal(parse_with(&cli, lines[i]), CLI_RUN);
        assert_int_equal(config.calls, 1);
        assert_int_equal(config.key, 'n');
    }
}

static void
an_option_without_a_letter_arrives_by_its_number(void **state)
{
    (void)state;
    assert_int_equal(parse_with(&cli, "--limb"), CLI_RUN);
    assert_int_equal(config.key, OPTION_LIMB);
    assert_null(config.value);
    assert_int_equal(parse_with(&cli, "-v --limit 5 -n 1"), CLI_RUN);
    assert_int_equal(config.calls, 2);
}

static void
a_value_that_is_refused_names_the_option_and_what_was_expected(void **state)
{
    (void)state;
    assert_usage("-n 2",
                 "prog: --number: expected the number 1, not '2' (see prog "
                 "--help)\n");
    assert_usage("-b", "prog: --bare: expected never to be given, not '' (see "
                       "prog --help)\n");
}

static void
a_missing_value_is_named(void **state)
{
    (void)state;
    assert_usage("-n", "prog: --number needs N (see prog --help)\n");
    assert_usage("--number", "prog: --number needs N (see prog --help)\n");
    assert_usage("--limit", "prog: --limit needs A-LONG-NAME-FOR-AN-ARGUMENT "
                            "(see prog --help)\n");
    assert_int_equal(config.calls, 0);
}

static void
a_value_that_is_too_much_is_named(void **state)
{
    (void)state;
    assert_usage("--bare=1", "prog: --bare takes no value (see prog --help)\n");
    assert_usage("--limb=1", "prog: --limb takes no value (see prog --help)\n");
    assert_usage("--help=1", "prog: --help takes no value (see prog --help)\n");
}

static void
an_unknown_option_is_named(void **state)
{
    (void)state;
    assert_usage("-xyz", "prog: unknown option -x (see prog --help)\n");
    assert_usage("--xyz",
                 "prog: unknown or ambiguous option --xyz (see prog --help)\n");
    assert_usage("--lim",
                 "prog: unknown or ambiguous option --lim (see prog --help)\n");
    assert_usage("-v --xyz -n 1",
                 "prog: unknown or ambiguous option --xyz (see prog --help)\n");
}

static void
each_command_line_is_read_from_its_start(void **state)
{
    (void)state;
    assert_usage("-xn1", "prog: unknown option -x (see prog --help)\n");
    assert_int_equal(parse_with(&cli, "-n 1"), CLI_RUN);
    assert_int_equal(config.calls, 1);
}

static void
a_word_that_is_no_option_is_an_error(void **state)
{
    (void)state;
    assert_usage("word", "prog: 'word' is not an option (see prog --help)\n");
    assert_usage("-- -n", "prog: '-n' is not an option (see prog --help)\n");
}

static void
help_lists_every_option(void **state)
{
    (void)state;
    assert_int_equal(parse_with(&cli, "--help"), CLI_DONE);
    assert_string_equal(
        printed, "usage: prog [options]\n"
                 "\n"
                 "Does things.\n"
                 "\n"
                 "  -n, --number N              a number\n"
                 "  -b, --bare                  first line\n"
                 "                              second line\n"
                 "      --limit A-LONG-NAME-FOR-AN-ARGUMENT\n"
                 "                              a limit\n"
                 "      --limb                  no letter\n"
                 "  -v, --verbose               say more\n"
                 "  -q, --quiet                 say only what went wrong\n"
                 "  -h, --help                  show this help\n"
                 "  -V, --version               show the version\n"
                 "\n"
                 "The end.\n");
}

static void
help_may_have_no_footer_and_no_option_of_its_own(void **state)
{
    const struct cli bare = {
        .program = "prog",
        .synopsis = "",
        .summary = "Does nothing.",
        .on_option = on_option,
    };

    (void)state;
    assert_int_equal(parse_with(&bare, "-h"), CLI_DONE);
    assert_non_null(strstr(printed, "Does nothing.\n\n  -v, --verbose"));
    assert_null(strstr(printed, "The end."));
}

static void
version_names_the_program(void **state)
{
    (void)state;
    assert_int_equal(parse_with(&cli, "-V"), CLI_DONE);
    assert_ptr_equal(strstr(printed, "prog (mig-tunnel) "), printed);
    assert_int_equal(parse_with(&cli, "--version"), CLI_DONE);
}

static const char *
log_after(const char *line)
{
    assert_int_equal(parse_with(&cli, line), CLI_RUN);
    capture_start();
    log_debug("debug");
    log_info("info");
    log_warnx("warning");
    return capture_stop();
}

static void
verbose_and_quiet_set_the_log_up(void **state)
{
    (void)state;
    assert_string_equal(log_after("-q"), "prog: warning\n");
    assert_string_equal(log_after(""), "prog: info\nprog: warning\n");
    assert_string_equal(log_after("--verbose"),
                        "prog: debug\nprog: info\nprog: warning\n");
    assert_string_equal(log_after("-v -q"), "prog: warning\n");
}

static void
an_error_of_the_whole_command_line_is_a_usage_error(void **state)
{
    (void)state;
    capture_start();
    assert_int_equal(cli_error(&cli, "--%s is needed", "dest"), STATUS_USAGE);
    assert_string_equal(capture_stop(),
                        "prog: --dest is needed (see prog --help)\n");
}

int
main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_empty_command_line_runs),
        cmocka_unit_test(an_option_arrives_with_its_value_in_each_spelling),
        cmocka_unit_test(an_option_without_a_letter_arrives_by_its_number),
        cmocka_unit_test(
            a_value_that_is_refused_names_the_option_and_what_was_expected),
        cmocka_unit_test(a_missing_value_is_named),
        cmocka_unit_test(a_value_that_is_too_much_is_named),
        cmocka_unit_test(an_unknown_option_is_named),
        cmocka_unit_test(each_command_line_is_read_from_its_start),
        cmocka_unit_test(a_word_that_is_no_option_is_an_error),
        cmocka_unit_test(help_lists_every_option),
        cmocka_unit_test(help_may_have_no_footer_and_no_option_of_its_own),
        cmocka_unit_test(version_names_the_program),
        cmocka_unit_test(verbose_and_quiet_set_the_log_up),
        cmocka_unit_test(an_error_of_the_whole_command_line_is_a_usage_error),
    };

    return cmocka_run_group_tests(tests, NULL, clean_up);
}
