#ifndef ALLOCATION_COUNT_H
#define ALLOCATION_COUNT_H

#include <stdint.h>

/// How often this process has asked for memory so far: malloc, calloc, realloc, posix_memalign, aligned_alloc, memalign.
uint64_t allocation_count(void);

#endif
