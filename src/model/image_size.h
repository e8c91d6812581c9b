// How large a picture is, told from the head of its file: PNG, JPEG, GIF, WebP.
//
// Thread rule: pure. Nothing is decoded but the few bytes that are looked at.
#ifndef MODEL_IMAGE_SIZE_H
#define MODEL_IMAGE_SIZE_H

#include "base/str.h"

#define IMAGE_SIDE_MAX 100000u

struct image_size {
    uint32_t width, height; // pixels, from 1 to IMAGE_SIDE_MAX
};
// Of a file in base64 (either alphabet). False: it is none of these, or its head is not all there.
NODISCARD bool image_size_of(struct str base64, struct image_size *out_size);

#endif
