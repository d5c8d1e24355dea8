/* Facts from a partner, and from a QEMU, down to the table for people. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "wire/facts.h"
#include "wire/preflight_text.h"
#include "wire/settings.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void (*const takers[])(json_t *facts, const json_t *reply) = {
    facts_version,      facts_machine,      facts_accelerators, facts_kvm,
    facts_cpus,         facts_cpu_model,    facts_cpu_features, facts_topology,
    facts_memory,       facts_memory_slots, facts_ram_blocks,   facts_network,
    facts_chardevs,     facts_uuid,         facts_status,       facts_migration,
    facts_capabilities, facts_parameters,
};

/* Each line is a JSON text; the first is what a partner sent. */
static json_t *
next_line(const char **at, const char *end)
{
    const char *line = *at;
    const char *stop = memchr(line, '\n', (size_t)(end - line));

    *at = stop != NULL ? stop + 1 : end;
    return json_loadb(line, (size_t)((stop != NULL ? stop : end) - line),
                      JSON_DECODE_ANY, NULL);
}

static void
check_table(const json_t *source, const json_t *destination)
{
    static const struct setting wanted[] = {
        { SETTING_CAPABILITY, false, "multifd", "on" },
        { SETTING_CAPABILITY, true, "postcopy-ram", "on" },
        { SETTING_PARAMETER, false, "multifd-compression", "qpl" },
    };
    static struct preflight preflight;
    struct settings plan = { .count = 0 };
    char *text;

    for (size_t i = 0; i < sizeof wanted / sizeof *wanted; i++)
        settings_default(&plan, &wanted[i]);
    preflight_compare(&preflight, source, destination, &plan);
    if (preflight.count >= PREFLIGHT_ROWS_MAX)
        abort();
    text = preflight_text(&preflight, 80);
    if (text == NULL)
        abort();
    for (const char *at = text; *at != '\0'; at++)
        if ((*at < ' ' || *at > '~') && *at != '\n')
            abort();
    for (const char *line = text; *line != '\0';) {
        size_t length = strcspn(line, "\n");
        if (length > 80)
            abort();
        line += length + 1;
    }
    free(text);
}

/* Whatever a QEMU replies, what is made of it is good enough to be sent. */
static json_t *
from_replies(const char *at, const char *end)
{
    json_t *facts = json_object();
    json_t *devices = NULL;

    for (size_t i = 0; i < 2 * sizeof takers / sizeof *takers && at < end;
         i++) {
        json_t *reply = next_line(&at, end);
        for (size_t k = 0; k < sizeof takers / sizeof *takers; k++)
            takers[k](facts, reply);
        if (json_is_array(reply)) {
            facts_devices(facts, reply);
            facts_disks(facts, reply, devices);
            json_decref(devices);
            devices = json_incref(reply);
        }
        json_decref(reply);
    }
    json_decref(devices);
    facts_finish(facts);
    if (facts_check(facts) != NULL)
        abort();
    return facts;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *at = (const char *)data, *end = at + size;
    json_t *sent = next_line(&at, end);
    json_t *made = from_replies(at, end);

    if (facts_check(sent) == NULL) {
        check_table(sent, made);
        check_table(made, sent);
    }
    check_table(made, made);
    json_decref(sent);
    json_decref(made);
    return 0;
}
