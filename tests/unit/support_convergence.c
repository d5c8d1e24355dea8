#include "support_convergence.h"

#include <stdio.h>

#include "support_test.h"

struct trial trial;

void
trial_status(enum migration_status status)
{
    static const char *const names[] = {
#define NAME(name, text) [MIGRATION_##name] = (text),
        MIGRATION_STATUSES(NAME)
#undef NAME
    };

    trial.update.status = status;
    snprintf(trial.update.status_name, sizeof trial.update.status_name, "%s",
             names[status]);
}

void
trial_begin(struct convergence_options options)
{
    migration_parse(&trial.update, NULL);
    trial_status(MIGRATION_ACTIVE);
    trial.update.page_size_bytes = 4096;
    trial.update.zero_pages = 0;
    trial.now_ms = 1000;
    convergence_init(&trial.convergence, &options, trial.now_ms);
}

enum convergence_decision
trial_take(int64_t iteration, int64_t sent_mib, int64_t left_mib)
{
    trial.update.iteration = iteration;
    trial.update.normal_bytes = sent_mib * (1 << 20);
    trial.update.remaining_bytes = left_mib * (1 << 20);
    return trial_wait(1000);
}

enum convergence_decision
trial_wait(uint64_t ms)
{
    trial.now_ms += ms;
    return convergence_take(&trial.convergence, &trial.update, trial.now_ms,
                            trial.remark);
}

enum convergence_decision
trial_stall(void)
{
    for (int64_t iteration = 1; iteration < 5; iteration++) {
        assert_int_equal(trial_take(iteration, 100 * iteration, 50),
                         CONVERGENCE_NOTHING);
        assert_string_equal(trial.remark, "");
    }
    return trial_take(5, 500, 50);
}
