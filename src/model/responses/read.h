// What the files that read a Responses request share.
#ifndef MODEL_RESPONSES_READ_H
#define MODEL_RESPONSES_READ_H

#include "model/responses/responses.h"

// Notes what no writer can carry, once; always true.
bool responses_other(struct chat *chat, struct str name);
bool responses_read_tools(struct chat *chat, const struct json_field *tools, const struct json_field *choice,
                          struct arena *arena, struct err *err);
bool responses_read_items(struct chat *chat, const struct json_field *instructions, const struct json_field *input,
                          struct arena *arena, struct err *err);

#endif
