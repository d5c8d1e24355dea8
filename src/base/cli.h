/*
 * Command lines: one table gives getopt_long its options and --help its text,
 * so that the two can't differ.
 */
#ifndef BASE_CLI_H
#define BASE_CLI_H

#include <stddef.h>
#include <stdio.h>

/* Key of an option without a letter: CLI_LONG, CLI_LONG + 1, ... */
enum { CLI_LONG = 256 };

struct cli_option {
    int key;          /* its letter, or a number from CLI_LONG on */
    const char *name; /* long name, without dashes */
    const char *arg;  /* what its argument is called; NULL if it has none */
    const char *help; /* one sentence; a newline starts a new line */
};

struct cli {
    const char *program;
    const char *synopsis; /* what follows the name in "usage:" */
    const char *summary;  /* a sentence on what the program does */
    const struct cli_option *options;
    size_t option_count;
    const char *footer; /* printed below the options by --help; or NULL */

    /**
     * on_option(config, key, value):
     * Take the option ${key} with ${value} (NULL if it has none) into
     * ${config}.  Return NULL, or a static text that says what was expected.
     */
    const char *(*on_option)(void *config, int key, const char *value);
};

enum cli_outcome {
    CLI_RUN,   /* go on */
    CLI_DONE,  /* --help or --version was printed: exit with STATUS_DONE */
    CLI_USAGE, /* a line on stderr says why: exit with STATUS_USAGE */
};

/**
 * cli_parse(cli, argc, argv, config, out):
 * Hand every option on the command line to ${cli}->on_option.  --help (-h),
 * --version (-V), --verbose (-v) and --quiet (-q) belong to every program and
 * are handled here: the first two print to ${out}, the others set the log up.
 * An argument that is no option is an error.
 */
enum cli_outcome cli_parse(const struct cli *cli, int argc, char **argv,
                           void *config, FILE *out);

/**
 * cli_version():
 * Return the version of these programs, as --version prints it.
 */
const char *cli_version(void);

/**
 * cli_error(cli, format, ...):
 * Print one line to stderr on a command line that makes no sense as a whole,
 * and where to find help.  Return STATUS_USAGE.
 */
int cli_error(const struct cli *cli, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

#endif
