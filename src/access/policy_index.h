// The index of a policy: for each principal and type of resource the grants that speak of it.
#ifndef ACCESS_POLICY_INDEX_H
#define ACCESS_POLICY_INDEX_H

#include "access/policy_impl.h"

// Once grants and slots are there. False: out of memory.
NODISCARD bool policy_index(struct policy *policy);

#endif
