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
    struct line_entry *first, *last;
    size_t waiting;
};

// --- lanes and flows ---

static struct line_lane *find_lane(const struct line *line, const void *id) {
    struct line_lane *lane = line->lanes;
    while (lane && lane->id != id) lane = lane->next;
    return lane;
}

static struct line_lane *lane_of(struct line *line, const void *id) {
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

static void put_by_deadline(struct line_flow *flow, struct line_entry *entry) {
    struct line_entry *before = flow->last, *after = NULL; // most come with the latest
    while (before && before->item->deadline > entry->item->deadline) {
        after = before;
        before = before->prev;
    }
    entry->prev = before;
    entry->next = after;
    *(after ? &after->prev : &flow->last) = entry;
    *(before ? &before->next : &flow->first) = entry;
    entry->flow = flow;
    flow->waiting++;
    flow->lane->waiting++;
}

static void unlink_entry(struct line *line, struct line_entry *entry) {
    struct line_flow *flow = entry->flow;
    struct line_lane *lane = flow->lane;
    *(entry->prev ? &entry->prev->next : &flow->first) = entry->next;
    *(entry->next ? &entry->next->prev : &flow->last) = entry->prev;
    if (!--flow->waiting) lane->idle++;
    lane->waiting--;
    if (lane->idle > IDLE_MAX) drop_flows(lane, false);
    drop_lane_if_empty(line, lane);
}

static void take_out(struct line *line, struct line_item *item) {
    while (item->count) unlink_entry(line, &item->entries[--item->count]);
    line->waiting--;
}

// --- places ---

static size_t key_waiting(const struct line_lane *lane, const struct line_seat *seat) {
    for (const struct line_flow *flow = lane->flows[seat->class]; flow; flow = flow->next)
        if (flow->key == seat->key) return flow->waiting;
    return 0;
}

// Who gives up a place to a key that has `own` with it; NULL: nobody has to.
static struct line_item *who_gives_up(const struct line_lane *lane, const struct line_seat *seat, size_t own) {
    size_t most = 0;
    struct line_item *last = NULL;
    for (unsigned c = LINE_CLASSES; c-- > seat->class && !last;) {
        if (c == seat->class) most = own;
        for (const struct line_flow *flow = lane->flows[c]; flow; flow = flow->next) {
            if (flow->waiting <= most) continue;
            most = flow->waiting;
            last = flow->last->item;
        }
    }
    return last;
}

unsigned line_places(const struct line *line, const struct line_seat *seat) {
    unsigned out = 0;
    for (size_t i = 0; i < seat->count; i++) {
        const struct line_lane *lane = find_lane(line, seat->lanes[i]);
        bool any = !lane || lane->waiting < seat->places || who_gives_up(lane, seat, key_waiting(lane, seat) + 1);
        if (any) out |= 1u << i;
    }
    return out;
}

static void put_out(struct line *line, struct line_item *item) {
    take_out(line, item);
    item->out = true;
    item->prev_out = NULL;
    item->next_out = line->out;
    if (line->out) line->out->prev_out = item;
    line->out = item;
}

static void leave_out(struct line *line, struct line_item *item) {
    *(item->prev_out ? &item->prev_out->next_out : &line->out) = item->next_out;
    if (item->next_out) item->next_out->prev_out = item->prev_out;
    item->out = false;
}

struct line_item *line_take_out(struct line *line, const void *owner) {
    struct line_item *item = line->out;
    while (item && item->owner != owner) item = item->next_out;
    if (item) leave_out(line, item);
    return item;
}

// --- in and out ---

static bool add_to(struct line *line, const struct line_seat *seat, const void *id, struct line_item *item) {
    struct line_lane *lane = lane_of(line, id);
    struct line_flow *flow = lane ? flow_of(lane, seat->class, seat->key) : NULL;
    if (flow) {
        struct line_entry *entry = &item->entries[item->count++];
        entry->item = item;
        put_by_deadline(flow, entry);
    } else if (lane) {
        drop_lane_if_empty(line, lane);
    }
    return flow;
}

bool line_add(struct line *line, const struct line_seat *seat, uint64_t deadline, struct line_item *item) {
    INVARIANT(seat->class < LINE_CLASSES && seat->count && !item->count && !item->out);
    item->deadline = deadline;
    line->waiting++;
    for (size_t i = 0; i < seat->count; i++) {
        if (add_to(line, seat, seat->lanes[i], item)) continue;
        take_out(line, item);
        return false;
    }
    for (size_t i = 0; i < item->count; i++) {
        const struct line_flow *flow = item->entries[i].flow;
        if (flow->lane->waiting <= seat->places) continue;
        struct line_item *gives_up = who_gives_up(flow->lane, seat, flow->waiting);
        if (gives_up) put_out(line, gives_up);
    }
    return true;
}

void line_leave(struct line *line, struct line_item *item) {
    if (item->out) leave_out(line, item);
    if (item->count) take_out(line, item);
}

static void put_last(struct line *line, struct line_lane *lane) {
    struct line_lane **at = &line->lanes;
    while (*at != lane) at = &(*at)->next;
    *at = lane->next;
    while (*at) at = &(*at)->next;
    *at = lane;
    lane->next = NULL;
}

static void note_turn(struct line *line, struct line_flow *flow) {
    struct line_lane *lane = flow->lane;
    lane->clock[flow->class] = flow->start;
    for (struct line_flow *f = lane->flows[flow->class]; f; f = f->next) f->start = MAX(f->start, flow->start);
    flow->start++;
    put_last(line, lane);
}

void line_serve(struct line *line, struct line_item *item, const void *lane) {
    for (size_t i = 0; i < item->count; i++)
        if (item->entries[i].flow->lane->id == lane) note_turn(line, item->entries[i].flow);
    take_out(line, item);
}

static bool before(const struct line_entry *a, const struct line_entry *b) {
    if (a->flow->start != b->flow->start) return a->flow->start < b->flow->start;
    return a->item->deadline < b->item->deadline;
}

struct line_item *line_first(const struct line_lane *lane, line_may *may, void *arg) {
    for (unsigned c = 0; c < LINE_CLASSES; c++) {
        const struct line_entry *best = NULL;
        for (const struct line_flow *flow = lane->flows[c]; flow; flow = flow->next) {
            if (best && flow->start > best->flow->start) continue;
            const struct line_entry *e = flow->first;
            while (e && may && !may(e->item, arg)) e = e->next;
            if (e && (!best || before(e, best))) best = e;
        }
        if (best) return best->item;
    }
    return NULL;
}
