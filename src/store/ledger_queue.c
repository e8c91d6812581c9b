// The ledger's memory queue: encoded records that wait for a disk or a database with room for them.
#include "base/mem.h"
#include "store/ledger_internal.h"

void ledger_queue_init(struct queue *q) { *q = (struct queue){.head = NULL, .tail = &q->head, .n = 0}; }

bool ledger_queue_push(struct ledger *l, const struct usage_record *rec) {
    char payload[USAGE_ENCODED_MAX];
    size_t n = usage_encode(rec, payload);
    struct queued *q = mem_alloc(sizeof *q + n);
    if (q) {
        q->next = NULL;
        q->n = n;
        memcpy(q->payload, payload, n);
    }
    mutex_lock(&l->m);
    bool kept = q && l->queue.n < l->opt.queue_max;
    if (kept) {
        *l->queue.tail = q;
        l->queue.tail = &q->next;
        l->queue.n++;
    }
    __atomic_store_n(&l->asleep, 0, __ATOMIC_SEQ_CST);
    cond_signal(&l->wake_sync);
    mutex_unlock(&l->m);
    if (!kept) mem_free(q);
    return kept;
}

struct queued *ledger_queue_take(struct ledger *l, uint64_t max, uint64_t *out_n) {
    struct queued *head = NULL, **end = &head;
    uint64_t n = 0;
    mutex_lock(&l->m);
    for (; l->queue.head && n < max; n++) {
        *end = l->queue.head;
        l->queue.head = l->queue.head->next;
        end = &(*end)->next;
    }
    *end = NULL;
    if (!l->queue.head) l->queue.tail = &l->queue.head;
    l->queue.n -= n;
    mutex_unlock(&l->m);
    *out_n = n;
    return head;
}

void ledger_queue_return(struct ledger *l, struct queued *head, uint64_t n) {
    if (!head) return;
    struct queued **end = &head->next;
    while (*end) end = &(*end)->next;
    mutex_lock(&l->m);
    *end = l->queue.head;
    if (!l->queue.head) l->queue.tail = end;
    l->queue.head = head;
    l->queue.n += n;
    mutex_unlock(&l->m);
}

void ledger_queue_free(struct queued *head) {
    while (head) {
        struct queued *next = head->next;
        mem_free(head);
        head = next;
    }
}
