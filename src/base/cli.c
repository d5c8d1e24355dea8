#include "base/cli.h"

#include <getopt.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/exit_status.h"
#include "base/log.h"

enum { OPTIONS_MAX = 64, HELP_COLUMN = 30 };

static const struct cli_option common[] = {
    { 'v', "verbose", NULL, "say more" },
    { 'q', "quiet", NULL, "say only what went wrong" },
    { 'h', "help", NULL, "show this help" },
    { 'V', "version", NULL, "show the version" },
};
enum { COMMON_COUNT = sizeof common / sizeof *common };

/* The program's options first, then those of every program; NULL after. */
static const struct cli_option *
option_at(const struct cli *cli, size_t i)
{
    if (i < cli->option_count)
        return &cli->options[i];
    i -= cli->option_count;
    return i < COMMON_COUNT ? &common[i] : NULL;
}

static void
print_option(const struct cli_option *option, FILE *out)
{
    const char *help = option->help;
    int column;

    if (option->key < CLI_LONG)
        column = fprintf(out, "  -%c, --%s", option->key, option->name);
    else
        column = fprintf(out, "      --%s", option->name);
    if (option->arg != NULL)
        column += fprintf(out, " %s", option->arg);
    for (;;) {
        size_t length = strcspn(help, "\n");

        if (column >= HELP_COLUMN) {
            fputc('\n', out);
            column = 0;
        }
        fprintf(out, "%*s%.*s\n", HELP_COLUMN - column, "", (int)length, help);
        if (help[length] == '\0')
            return;
        help += length + 1;
        column = 0;
    }
}

static void
print_help(const struct cli *cli, FILE *out)
{
    const struct cli_option *option;

    fprintf(out, "usage: %s %s\n\n%s\n\n", cli->program, cli->synopsis,
            cli->summary);
    for (size_t i = 0; (option = option_at(cli, i)) != NULL; i++)
        print_option(option, out);
    if (cli->footer != NULL)
        fprintf(out, "\n%s\n", cli->footer);
}

static const struct cli_option *
option_for(const struct cli *cli, int key)
{
    const struct cli_option *option = NULL;

    for (size_t i = 0; (option = option_at(cli, i)) != NULL; i++)
        if (option->key == key)
            break;
    return option;
}

static void
fill_getopt(const struct cli *cli, struct option *longs, char *shorts)
{
    const struct cli_option *option;

    *shorts++ = ':'; /* tell a missing argument from an unknown option */
    for (size_t i = 0; (option = option_at(cli, i)) != NULL; i++) {
        longs[i] = (struct option){
            .name = option->name,
            .has_arg = option->arg != NULL ? required_argument : no_argument,
            .val = option->key,
        };
        if (option->key >= CLI_LONG)
            continue;
        *shorts++ = (char)option->key;
        if (option->arg != NULL)
            *shorts++ = ':';
    }
    *shorts = '\0';
}

int
cli_error(const struct cli *cli, const char *format, ...)
{
    va_list args;

    fprintf(stderr, "%s: ", cli->program);
    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
    fprintf(stderr, " (see %s --help)\n", cli->program);
    return STATUS_USAGE;
}

static enum cli_outcome
usage_error(const struct cli *cli, int got, char **argv)
{
    const struct cli_option *option =
        optopt != 0 ? option_for(cli, optopt) : NULL;
    const char *word = argv[optind - 1];

    if (got == ':' && option != NULL)
        cli_error(cli, "--%s needs %s", option->name, option->arg);
    else if (option != NULL)
        cli_error(cli, "--%s takes no value", option->name);
    else if (optopt != 0)
        cli_error(cli, "unknown option -%c", optopt);
    else
        cli_error(cli, "unknown or ambiguous option %s", word);
    return CLI_USAGE;
}

static bool
take_option(const struct cli *cli, int key, void *config)
{
    const char *expected = cli->on_option(config, key, optarg);

    if (expected == NULL)
        return true;
    cli_error(cli, "--%s: expected %s, not '%s'", option_for(cli, key)->name,
              expected, optarg != NULL ? optarg : "");
    return false;
}

const char *
cli_version(void)
{
    return MIG_VERSION;
}

enum cli_outcome
cli_parse(const struct cli *cli, int argc, char **argv, void *config, FILE *out)
{
    struct option longs[OPTIONS_MAX] = { 0 };
    char shorts[2 * OPTIONS_MAX + 2];
    enum log_level level = LOG_LEVEL_NORMAL;
    int key;

    if (cli->option_count + COMMON_COUNT >= OPTIONS_MAX)
        abort();
    fill_getopt(cli, longs, shorts);
    optind = 0; /* from the start, also inside a word (getopt(3)) */
    while ((key = getopt_long(argc, argv, shorts, longs, NULL)) != -1) {
        switch (key) {
        case 'h': print_help(cli, out); return CLI_DONE;
        case 'V':
            fprintf(out, "%s (mig-tunnel) %s\n", cli->program, cli_version());
            return CLI_DONE;
        case 'v': level = LOG_LEVEL_VERBOSE; break;
        case 'q': level = LOG_LEVEL_QUIET; break;
        case '?':
        case ':': return usage_error(cli, key, argv);
        default:
            if (!take_option(cli, key, config))
                return CLI_USAGE;
        }
    }
    if (optind < argc) {
        cli_error(cli, "'%s' is not an option", argv[optind]);
        return CLI_USAGE;
    }
    log_open(cli->program, level);
    return CLI_RUN;
}
