/* What a QMP socket says, from its bytes to the words for people. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "wire/progress_json.h"
#include "wire/progress_text.h"
#include "wire/qmp_message.h"
#include "wire/settings.h"
#include "wire/splitter.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Small, so that the fuzzer reaches it. */
enum { LIMIT = 4096 };

static const struct progress_options options = { .max_bandwidth = 1 << 20,
                                                 .downtime_limit_ms = 300 };

static void
show(struct progress *progress, const struct migration *migration,
     uint64_t now_ms)
{
    char text[PROGRESS_TEXT_MAX];

    progress_take(progress, migration, now_ms);
    progress_live_text(text, progress, (unsigned)(now_ms % 200));
    progress_plain_text(text, progress);
    progress_stuck_text(text, progress);
    progress_report_text(text, progress);
    json_decref(progress_json(progress));
    json_decref(progress_status_json(progress));
}

static void
use_as_settings(const json_t *data)
{
    static const struct setting wanted[] = {
        { SETTING_CAPABILITY, false, "events", "on" },
        { SETTING_CAPABILITY, true, "multifd", "off" },
        { SETTING_PARAMETER, false, "max-bandwidth", "64M" },
    };
    struct settings settings = { .count = 0 };
    char why[SETTING_WHY_MAX];

    for (size_t i = 0; i < sizeof wanted / sizeof *wanted; i++)
        settings_default(&settings, &wanted[i]);
    json_t *capabilities = settings_capabilities(&settings, data, why);
    json_t *parameters = settings_parameters(&settings, data, why);
    settings_confirm_capabilities(capabilities, data, why);
    settings_confirm_parameters(parameters, data, why);
    json_decref(capabilities);
    json_decref(parameters);
}

static void
use(struct progress *progress, const char *text, size_t len, uint64_t now_ms)
{
    struct qmp_message message;
    struct migration migration;

    if (qmp_message_parse(&message, text, len) != NULL)
        return;
    if (message.kind == QMP_ERROR &&
        (message.error_class == NULL || message.error_desc == NULL))
        abort();
    migration_parse(&migration, message.data);
    show(progress, &migration, now_ms);
    use_as_settings(message.data);
    qmp_message_fini(&message);
}

/* The first byte says how many bytes a read brings. */
int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    enum splitter_result result = SPLITTER_NONE;
    struct splitter splitter;
    struct progress progress;
    const char *text;
    size_t len, room, chunk = size > 0 ? (size_t)data[0] + 1 : 1;
    uint64_t now_ms = 0;

    splitter_init(&splitter, LIMIT);
    progress_init(&progress, &options, now_ms);
    for (size_t at = 1; at < size && result == SPLITTER_NONE;) {
        char *to = splitter_room(&splitter, &room);
        if (to == NULL)
            abort();
        if (room > chunk)
            room = chunk;
        if (room > size - at)
            room = size - at;
        memcpy(to, data + at, room);
        splitter_add(&splitter, room);
        at += room;
        while ((result = splitter_next(&splitter, &text, &len)) ==
               SPLITTER_TEXT) {
            if (len == 0 || len > LIMIT)
                abort();
            use(&progress, text, len, now_ms += 300);
        }
    }
    splitter_fini(&splitter);
    return 0;
}
