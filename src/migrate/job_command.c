#include "migrate/job_command.h"

#include <stdio.h>
#include <string.h>

struct line {
    char *text;
    size_t length;
    bool full;
};

static void
put(struct line *line, const char *text, size_t length)
{
    if (length >= HANDOVER_COMMAND_MAX - line->length) {
        line->full = true;
        return;
    }
    memcpy(line->text + line->length, text, length);
    line->length += length;
    line->text[line->length] = '\0';
}

static void
put_text(struct line *line, const char *text)
{
    put(line, text, strlen(text));
}

static bool
is_plain(const char *value)
{
    return value[strspn(value, "abcdefghijklmnopqrstuvwxyz"
                               "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
                               "./_:@%+=,-")] == '\0';
}

static void
put_option(struct line *line, const char *name, const char *value)
{
    put_text(line, name);
    if (is_plain(value)) {
        put_text(line, value);
        return;
    }
    put_text(line, "'");
    for (const char *at = value; *at != '\0'; at++) {
        if (*at == '\'')
            put_text(line, "'\\''");
        else
            put(line, at, 1);
    }
    put_text(line, "'");
}

static bool
has_other_socket(const struct job_config *config)
{
    struct job_config usual;

    job_config_init(&usual, config->side);
    return strcmp(usual.unix_path, config->unix_path) != 0;
}

void
job_command(const struct job_config *config, char text[HANDOVER_COMMAND_MAX])
{
    const char *program = config->side == JOB_SENDS ? "mig-send" : "mig-recv";
    struct line line = { .text = text };
    char value[QMP_TARGET_TEXT_MAX];

    put_text(&line, program);
    if (config->has_target) {
        put_option(&line, " --qmp ", qmp_target_text(value, &config->target));
    } else if (config->pid != 0) {
        snprintf(value, sizeof value, "%d", (int)config->pid);
        put_option(&line, " --pid ", value);
    }
    if (has_other_socket(config))
        put_option(&line, " --unix ", config->unix_path);
    if (config->control_given)
        put_option(&line, " --control ", config->control_path);
    if (line.full)
        snprintf(text, HANDOVER_COMMAND_MAX, "%s", program);
}
