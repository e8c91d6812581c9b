// Who is next of those that wait.
#include "gateway/line.h"

#include "base/mem.h"

#define IDLE_MAX 64 // beyond these, who was served lately is forgotten

// Of one key in one class of a lane.
struct line_flow {
    struct line_flow *next;
    struct line_lane *lane;
    unsigned class;
    uint64_t key;
    uint64_t start; // its turn; without items: the earliest it may have
    struct line_item *first, *last;
    size_t waiting;
};

// --- lanes and flows ---

static struct line_lane *find_lane(const struct line *line, uint64_t id) {
    struct line_lane *lane = line->lanes;
    while (lane && lane->id != id) lane = lane->next;
    return lane;
}

static struct line_lane *lane_of(struct line *line, uint64_t id) {
    struct line_lane *lane = find_lane(line, id);
    if (lane) return lane;
    lane = mem_zalloc(1, sizeof *lane);
    if (!lane) return NULL;
    lane->id = id;
    lane->next = line->lanes;
    line->lanes = lane;
    return lane;
}

// Those without items, or all.
static void drop_flows(struct line_lane *lane, bool all) {
    for (unsigned c = 0; c < LINE_CLASSES; c++)
        for (struct line_flow **at = &lane->flows[c], *flow; (flow = *at);) {
            if (flow->first && !all) {
                at = &flow->next;
                continue;
            }
            *at = flow->next;
            mem_free(flow);
        }
    lane->idle = 0;
}

static void drop_lane_if_empty(struct line *line, struct line_lane *lane) {
    if (lane->waiting) return;
    struct line_lane **at = &line->lanes;
    while (*at != lane) at = &(*at)->next;
    *at = lane->next;
    drop_flows(lane, true);
    mem_free(lane);
}

static struct line_flow *flow_of(struct line_lane *lane, unsigned class, uint64_t key) {
    for (struct line_flow *flow = lane->flows[class]; flow; flow = flow->next) {
        if (flow->key != key) continue;
        if (!flow->first) {
            lane->idle--;
            flow->start = MAX(flow->start, lane->clock[class]);
        }
        return flow;
    }
    struct line_flow *flow = mem_zalloc(1, sizeof *flow);
    if (!flow) return NULL;
    *flow = (struct line_flow){
        .next = lane->flows[class], .lane = lane, .class = class, .key = key, .start = lane->clock[class]};
    lane->flows[class] = flow;
    return flow;
}

// --- items ---

static void put_by_deadline(struct line_flow *flow, struct line_item *item) {
    struct line_item *before = flow->last, *after = NULL; // most come with the latest
    while (before && before->deadline > item->deadline) {
        after = before;
        before = before->prev;
    }
    item->prev = before;
    item->next = after;
    *(after ? &after->prev : &flow->last) = item;
    *(before ? &before->next : &flow->first) = item;
    item->flow = flow;
    flow->waiting++;
}

// The list alone: neither flow nor lane goes by it.
static void unlink_item(struct line *line, struct line_item *item) {
    struct line_flow *flow = item->flow;
    *(item->prev ? &item->prev->next : &flow->first) = item->next;
    *(item->next ? &item->next->prev : &flow->last) = item->prev;
    item->next = item->prev = NULL;
    item->flow = NULL;
    if (!--flow->waiting) flow->lane->idle++;
    flow->lane->waiting--;
    line->waiting--;
}

static void take_out(struct line *line, struct line_item *item) {
    struct line_lane *lane = item->flow->lane;
    unlink_item(line, item);
    if (lane->idle > IDLE_MAX) drop_flows(lane, false);
    drop_lane_if_empty(line, lane);
}

// --- places ---

static size_t key_waiting(const struct line_lane *lane, const struct line_seat *seat) {
    for (const struct line_flow *flow = lane->flows[seat->class]; flow; flow = flow->next)
        if (flow->key == seat->key) return flow->waiting;
    return 0;
}

// Who gives up a place; NULL: nobody has to.
static struct line_item *who_gives_up(const struct line_lane *lane, const struct line_seat *seat) {
    size_t most = 0;
    struct line_item *last = NULL;
    for (unsigned c = LINE_CLASSES; c-- > seat->class && !last;) {
        if (c == seat->class) most = key_waiting(lane, seat) + 1;
        for (const struct line_flow *flow = lane->flows[c]; flow; flow = flow->next) {
            if (flow->waiting <= most) continue;
            most = flow->waiting;
            last = flow->last;
        }
    }
    return last;
}

bool line_has_place(const struct line *line, const struct line_seat *seat) {
    const struct line_lane *lane = find_lane(line, seat->lane);
    return !lane || lane->waiting < seat->places || who_gives_up(lane, seat);
}

static void put_out(struct line *line, struct line_item *item) {
    unlink_item(line, item);
    item->out = true;
    item->next = line->out;
    if (line->out) line->out->prev = item;
    line->out = item;
}

static void leave_out(struct line *line, struct line_item *item) {
    *(item->prev ? &item->prev->next : &line->out) = item->next;
    if (item->next) item->next->prev = item->prev;
    item->next = item->prev = NULL;
    item->out = false;
}

struct line_item *line_take_out(struct line *line, const void *owner) {
    struct line_item *item = line->out;
    while (item && item->owner != owner) item = item->next;
    if (item) leave_out(line, item);
    return item;
}

// --- in and out ---

bool line_add(struct line *line, const struct line_seat *seat, uint64_t deadline, struct line_item *item) {
    INVARIANT(seat->class < LINE_CLASSES && !item->flow && !item->out);
    struct line_lane *lane = lane_of(line, seat->lane);
    struct line_item *gives_up = lane && lane->waiting >= seat->places ? who_gives_up(lane, seat) : NULL;
    struct line_flow *flow = lane ? flow_of(lane, seat->class, seat->key) : NULL;
    if (!flow) {
        if (lane) drop_lane_if_empty(line, lane);
        return false;
    }
    if (gives_up) put_out(line, gives_up);
    item->deadline = deadline;
    put_by_deadline(flow, item);
    lane->waiting++;
    line->waiting++;
    return true;
}

void line_leave(struct line *line, struct line_item *item) {
    if (item->out) leave_out(line, item);
    if (item->flow) take_out(line, item);
}

void line_serve(struct line *line, struct line_item *item) {
    struct line_flow *flow = item->flow;
    flow->lane->clock[flow->class] = flow->start;
    flow->start++;
    take_out(line, item);
}

void line_turn(struct line *line) {
    struct line_lane *first = line->lanes, **end = &line->lanes;
    if (!first || !first->next) return;
    line->lanes = first->next;
    first->next = NULL;
    while (*end) end = &(*end)->next;
    *end = first;
}

static bool before(const struct line_flow *a, const struct line_flow *b) {
    if (a->start != b->start) return a->start < b->start;
    return a->first->deadline < b->first->deadline;
}

struct line_item *line_first(const struct line_lane *lane) {
    for (unsigned c = 0; c < LINE_CLASSES; c++) {
        const struct line_flow *best = NULL;
        for (const struct line_flow *flow = lane->flows[c]; flow; flow = flow->next)
            if (flow->first && (!best || before(flow, best))) best = flow;
        if (best) return best->first;
    }
    return NULL;
}
