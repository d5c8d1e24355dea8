/*
 * The model: two ends of a channel, their QEMUs, and transports between them
 * that are lost at every kind of point.  Each schedule follows from one number:
 *
 *   MIG_MODEL_SEED=<n>  run that schedule only
 *   MIG_MODEL_RUNS=<n>  run so many, in place of MODEL_RUNS
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "support_end.h"
#include "support_test.h"

enum {
    MODEL_RUNS = 100000,
    PATHS = 4,           /* the client's present one, and some left behind */
    WILD_STEPS = 1500,   /* then nothing is lost any more */
    SETTLE_TURNS = 4000, /* and in so many turns all must be done */
    BIG_ONE_IN = 500,    /* schedules with frames of FRAME_DATA_MAX */
    SEEN_ONE_IN = 400,   /* schedules in which each kind of loss must occur */
};

struct model {
    uint64_t seed;
    struct dice dice;
    struct model_end end[SIDES];
    struct path paths[PATHS];
    size_t pipe_bytes;
    uint32_t chunk;          /* bytes that one step moves at most */
    unsigned faults;         /* transports yet to be lost */
    unsigned losses[LOSSES]; /* over all schedules */
    unsigned stall[SIDES];   /* steps in which QEMU takes nothing */
    uint64_t now_ms;
};

static size_t
some(struct model *model)
{
    return 1 + dice_below(&model->dice, model->chunk);
}

/* Count the points at which ${path} is lost just now. */
static void
count_loss(struct model *model, const struct path *path)
{
    const struct model_end *client = &model->end[CLIENT];
    unsigned *losses = model->losses;
    unsigned complete = 0;

    for (int side = 0; side < SIDES; side++) {
        const struct model_end *end = &model->end[side];
        const struct channel_out *out = &end->channel.out;

        if (end->path != path)
            continue;
        losses[LOSS_GREETING] += end->greeting;
        losses[LOSS_ATTACHED] += end->fresh && !end->greeting;
        losses[LOSS_HEADER] += end->header_bytes > 0;
        losses[LOSS_PAYLOAD] += end->channel.in.expected > 0;
        losses[LOSS_FIN] += out->fin_sent && !out->fin_acked;
        losses[LOSS_CLOSED] += end->closed && !client->done;
        complete += channel_complete(&end->channel);
    }
    losses[LOSS_COMPLETE] += complete == 1;
}

static void
lose(struct model *model, struct path *path)
{
    if (model->faults == 0 || path == NULL || path->lost)
        return;
    model->faults--;
    count_loss(model, path);
    path_lose(path, &model->dice);
}

/* A path that the client has no more use for; the server may still. */
static struct path *
next_path(struct model *model)
{
    struct path *path;

    do
        path = &model->paths[dice_below(&model->dice, PATHS)];
    while (path == model->end[SERVER].path);
    return path;
}

/*
 * The client's path is lost or it thinks so, and it goes on over another.  What
 * it said over the old one may still arrive.
 */
static void
step_client_path(struct model *model)
{
    struct model_end *client = &model->end[CLIENT];
    struct path *path = client->path;

    if (client->done)
        return;
    if (path == NULL) {
        path = next_path(model);
        path_open(path, model->pipe_bytes);
        end_dial(client, path);
    } else if (path->lost || !path->open[SERVER]) {
        if (path->to[CLIENT].length == 0 || dice_one_in(&model->dice, 3))
            end_drop(client);
    } else if (model->faults > 0 && dice_one_in(&model->dice, 40)) {
        model->faults--;
        count_loss(model, path);
        end_drop(client);
    }
}

/* A path that the client has left may still deliver its greeting, late. */
static void
step_greeter(struct model *model, struct path *path, size_t most)
{
    struct model_end *server = &model->end[SERVER];
    bool stale = path != model->end[CLIENT].path;

    if (path == server->path || !path->open[SERVER] ||
        path->greeting_bytes == sizeof path->greeting ||
        (stale && !dice_one_in(&model->dice, 10)))
        return;
    end_accept(server, path, stale, most, model->now_ms);
    if (stale && path->greeting_bytes == sizeof path->greeting)
        model->losses[LOSS_LATE]++;
}

static void
step_server_paths(struct model *model, size_t most)
{
    struct model_end *server = &model->end[SERVER];
    struct path *path = server->path;

    if (path != NULL && (path->lost || !path->open[CLIENT]) &&
        !path->to[SERVER].ended &&
        (path->to[SERVER].length == 0 || dice_one_in(&model->dice, 3)))
        end_drop(server);
    for (int i = 0; i < PATHS; i++)
        step_greeter(model, &model->paths[i], most);
}

/* Time passes; silence may be taken for death. */
static void
step_time(struct model *model)
{
    model->now_ms += dice_below(&model->dice, 2000);
    for (int side = 0; side < SIDES; side++) {
        struct model_end *end = &model->end[side];
        uint64_t next_ms;

        if (end->path == NULL || end->greeting)
            continue;
        if (model->faults == 0)
            channel_heard(&end->channel, model->now_ms);
        if (channel_tick(&end->channel, model->now_ms, &next_ms) !=
            CHANNEL_DEAD)
            continue;
        model->faults--;
        count_loss(model, end->path);
        end_drop(end);
    }
}

static void
step_qemu(struct model *model, enum side side)
{
    struct model_end *end = &model->end[side];

    if (dice_one_in(&model->dice, 2)) {
        end_queue(end, some(model), some(model) * 4);
    } else if (model->stall[side] > 0) {
        model->stall[side]--;
    } else {
        end_deliver(end, some(model));
        if (dice_one_in(&model->dice, 30))
            model->stall[side] = dice_below(&model->dice, 40);
    }
}

/* Points that are rare are hit on purpose. */
static bool
delicate(const struct model_end *end)
{
    const struct channel_out *out = &end->channel.out;

    return end->path != NULL &&
           (end->fresh || end->closed || end->header_bytes > 0 ||
            (out->fin_sent && !out->fin_acked) ||
            channel_complete(&end->channel));
}

static void
step_wild(struct model *model)
{
    enum side side = dice_below(&model->dice, SIDES);

    switch (dice_below(&model->dice, 10)) {
    case 0:
    case 1:
    case 2: step_qemu(model, side); break;
    case 3:
    case 4: end_send(&model->end[side], some(model)); break;
    case 5:
    case 6: end_receive(&model->end[side], some(model), model->now_ms); break;
    case 7:
        step_client_path(model);
        channel_ack_now(&model->end[side].channel);
        break;
    case 8: step_server_paths(model, some(model)); break;
    default:
        end_close(&model->end[SERVER]);
        if (dice_one_in(&model->dice, 8))
            step_time(model);
        if (dice_one_in(&model->dice, delicate(&model->end[side]) ? 4 : 25))
            lose(model, model->end[side].path);
    }
}

/* Everything that can happen, at both ends. */
static void
step_settle(struct model *model)
{
    step_client_path(model);
    step_server_paths(model, END_STEP_MAX);
    for (int side = 0; side < SIDES; side++) {
        struct model_end *end = &model->end[side];

        end_queue(end, END_STEP_MAX, UINT64_MAX);
        if (channel_ack_waits(&end->channel))
            channel_ack_now(&end->channel); /* what is held is told in time */
        end_send(end, END_STEP_MAX);
        end_receive(end, END_STEP_MAX, model->now_ms);
        end_deliver(end, END_STEP_MAX);
    }
    end_close(&model->end[SERVER]);
}

static uint32_t
some_room(struct dice *dice, bool big)
{
    static const uint32_t large[] = { FRAME_DATA_MAX - 1, FRAME_DATA_MAX,
                                      FRAME_DATA_MAX + 1,
                                      2 * FRAME_DATA_MAX + 3 };

    if (big)
        return large[dice_below(dice, 4)];
    if (dice_one_in(dice, 8))
        return 1 + dice_below(dice, 16);
    return 64 + dice_below(dice, 4096 - 64 + 1);
}

static uint64_t
some_total(struct model *model, const uint32_t room[SIDES], bool big)
{
    uint32_t most = big ? 1 << 20 : 4000;

    if (dice_one_in(&model->dice, 5))
        return 0;
    for (int side = 0; side < SIDES; side++)
        if (most / 40 > room[side])
            most = room[side] * 40;
    if (most / 40 > model->chunk)
        most = model->chunk * 40;
    if (most / 40 > model->pipe_bytes)
        most = (uint32_t)model->pipe_bytes * 40;
    return dice_below(&model->dice, most);
}

/* Most pipes take several frames, some not even a header at once. */
static size_t
some_pipe(struct dice *dice, bool big)
{
    if (big)
        return PIPE_MAX;
    return 1 + dice_below(dice, dice_one_in(dice, 6) ? 16 : 2000);
}

static void
model_init(struct model *model, uint64_t seed)
{
    struct dice *dice = &model->dice;
    bool big = seed % BIG_ONE_IN == 0;
    uint32_t room[SIDES];

    model->seed = seed;
    dice_init(dice, seed);
    model->chunk = big ? END_STEP_MAX - 1 : 1u << dice_below(dice, 12);
    model->pipe_bytes = some_pipe(dice, big);
    model->faults = dice_below(dice, 14);
    model->now_ms = 0;
    memset(model->stall, 0, sizeof model->stall);
    for (int i = 0; i < PATHS; i++) {
        model->paths[i].open[CLIENT] = false;
        model->paths[i].open[SERVER] = false;
    }
    for (int side = 0; side < SIDES; side++)
        room[side] = some_room(dice, big);
    for (int side = 0; side < SIDES; side++) {
        end_init(&model->end[side], (enum side)side, room[side], room[!side],
                 some_total(model, room, big));
        if (dice_one_in(&model->dice, 2))
            channel_hold_acks(&model->end[side].channel,
                              dice_below(&model->dice, 5000));
    }
}

static bool
finished(const struct model *model)
{
    return model->end[CLIENT].done &&
           channel_finished(&model->end[SERVER].channel);
}

/* The first rule that does not hold, or NULL. */
static const char *
check(struct model *model)
{
    struct model_end *end = model->end;

    end_check(&end[CLIENT], &end[SERVER]);
    end_check(&end[SERVER], &end[CLIENT]);
    return end[CLIENT].broken != NULL ? end[CLIENT].broken : end[SERVER].broken;
}

static const char *
run(struct model *model)
{
    const char *broken = NULL;

    for (int i = 0; i < WILD_STEPS && broken == NULL && !finished(model); i++) {
        step_wild(model);
        broken = check(model);
    }
    model->faults = 0;
    for (int i = 0; i < SETTLE_TURNS && broken == NULL && !finished(model);
         i++) {
        step_settle(model);
        broken = check(model);
    }
    if (broken == NULL && !finished(model))
        broken = "it does not come to its end";
    if (broken == NULL &&
        !(channel_complete(&model->end[CLIENT].channel) &&
          model->end[CLIENT].got_end && model->end[SERVER].got_end))
        broken = "finished without both ends";
    return broken;
}

static void
run_schedule(struct model *model, uint64_t seed)
{
    const char *broken;

    model_init(model, seed);
    broken = run(model);
    if (broken != NULL)
        print_error("schedule %" PRIu64 ": %s (%s)\n"
                    "replay it with MIG_MODEL_SEED=%" PRIu64 "\n",
                    seed, broken,
                    model->end[CLIENT].broken != NULL ? "client" : "server",
                    seed);
    for (int side = 0; side < SIDES; side++)
        end_fini(&model->end[side]);
    if (broken != NULL)
        fail();
}

static uint64_t
environment(const char *name, uint64_t otherwise)
{
    const char *text = getenv(name);

    return text != NULL ? strtoull(text, NULL, 10) : otherwise;
}

static void
every_schedule_of_losses_ends_with_each_byte_delivered_once(void **state)
{
    static const char *const names[LOSSES] = {
        "in a greeting",
        "just attached",
        "in a header",
        "in a payload",
        "between FIN and ACK",
        "complete at one end",
        "after the server's close",
        "to a late greeting",
    };
    static struct model model;
    uint64_t runs = environment("MIG_MODEL_RUNS", MODEL_RUNS);

    (void)state;
    if (getenv("MIG_MODEL_SEED") != NULL) {
        run_schedule(&model, environment("MIG_MODEL_SEED", 0));
        return;
    }
    for (uint64_t seed = 1; seed <= runs; seed++)
        run_schedule(&model, seed);
    for (int i = 0; i < LOSSES; i++) {
        print_message("lost %s: %u times\n", names[i], model.losses[i]);
        assert_true(model.losses[i] >= runs / SEEN_ONE_IN);
    }
}

int
main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(
            every_schedule_of_losses_ends_with_each_byte_delivered_once),
    };

    return RUN_TESTS(tests);
}
