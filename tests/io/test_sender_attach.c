/* mig-send comes back to what began before; QEMU and the partner are the test's
 * own. */
#include "migrate/sender.h"

#include <string.h>

#include "support_dialogue.h"
#include "support_session_clock.h"
#include "support_test.h"

#define STATUS(name) "{\"return\": {\"status\": \"" name "\"}}"
#define ERROR(text) \
    "{\"error\": {\"class\": \"GenericError\", \"desc\": \"" text "\"}}"

enum { FASTER = 50 };

/* A QEMU whose VM is in ${vm} and whose migration is as ${migration} answers,
 * NULL for not at all. */
static void
open_at(struct dialogue *dialogue, const char *vm, const char *migration)
{
    dialogue_open(dialogue, JOB_SENDS);
    dialogue->play.config.attach = true;
    qmp_server_answer(&dialogue->play.server, "query-status", vm);
    qmp_server_answer(&dialogue->play.server, "query-migrate", migration);
}

static void
end_as(struct dialogue *dialogue, enum exit_status status, const char *text)
{
    session_clock_speed(FASTER);
    assert_int_equal(play_end(&dialogue->play), status);
    session_clock_speed(1);
    play_assert_message(&dialogue->play, text);
}

static void
assert_silent(const struct dialogue *dialogue)
{
    assert_int_equal(dialogue_heard(dialogue, "kept"), 0);
    assert_int_equal(dialogue_heard(dialogue, "given"), 0);
    assert_int_equal(dialogue_heard(dialogue, "take-back"), 0);
}

static void
a_qemu_that_does_not_tell_of_its_migration_is_not_one_without(void **state)
{
    static const char *const answers[] = { ERROR("not today"), NULL };

    (void)state;
    for (size_t i = 0; i < 2; i++) {
        struct dialogue dialogue;

        open_at(&dialogue, STATUS("postmigrate"), answers[i]);
        play_start(&dialogue.play);
        end_as(&dialogue, STATUS_UNKNOWN, "does not tell what has become");
        assert_silent(&dialogue);
        dialogue_close(&dialogue);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(
            a_qemu_that_does_not_tell_of_its_migration_is_not_one_without),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
