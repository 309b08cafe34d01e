/* base/list.h - lists whose elements carry their links themselves (`prev`, `next`): nothing is allocated, anyone can leave from the middle.
 *
 * For:     connections that are open, calls and jobs under way, jobs that wait.
 * Callers: any room.
 * Thread:  whoever holds the list's lock.
 * Rule:    an element is in one list at a time.  Arguments are named several times: pass variables, nothing that does something.
 */
#ifndef TUTTI_BASE_LIST_H
#define TUTTI_BASE_LIST_H
#include <stddef.h>

/* A list is a pointer to its first element.  Links x in at the front. */
#define LIST_LINK(first, x) \
    do { \
        (x)->prev = NULL; \
        (x)->next = (first); \
        if ((x)->next) \
            (x)->next->prev = (x); \
        (first) = (x); \
    } while (0)
#define LIST_UNLINK(first, x) \
    do { \
        *((x)->prev ? &(x)->prev->next : &(first)) = (x)->next; \
        if ((x)->next) \
            (x)->next->prev = (x)->prev; \
    } while (0)

/* A queue knows both ends: struct { T *first, *last; int n; }.  Puts x in front of `before`; NULL: behind all. */
#define QUEUE_INSERT(q, x, before) \
    do { \
        (x)->next = (before); \
        (x)->prev = (x)->next ? (x)->next->prev : (q)->last; \
        *((x)->prev ? &(x)->prev->next : &(q)->first) = (x); \
        *((x)->next ? &(x)->next->prev : &(q)->last) = (x); \
        (q)->n++; \
    } while (0)
#define QUEUE_PUSH(q, x) QUEUE_INSERT(q, x, NULL)
#define QUEUE_REMOVE(q, x) \
    do { \
        *((x)->prev ? &(x)->prev->next : &(q)->first) = (x)->next; \
        *((x)->next ? &(x)->next->prev : &(q)->last) = (x)->prev; \
        (x)->prev = (x)->next = NULL; \
        (q)->n--; \
    } while (0)
#endif
