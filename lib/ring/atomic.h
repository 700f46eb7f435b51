/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Access to memory that is shared with other processes.
 *
 * Such memory is only ever touched through these; a value that a peer can
 * write is loaded once, checked, and used from the copy. The labels (R1, A1,
 * F1 and so on) at the callers are those of doc/memory-model.md.
 */
#ifndef SLUICE_RING_ATOMIC_H
#define SLUICE_RING_ATOMIC_H

#include <stdint.h>

#define sl_load_relaxed(p)	__atomic_load_n(p, __ATOMIC_RELAXED)
#define sl_load_acquire(p)	__atomic_load_n(p, __ATOMIC_ACQUIRE)
#define sl_store_relaxed(p, v)	__atomic_store_n(p, v, __ATOMIC_RELAXED)
#define sl_store_release(p, v)	__atomic_store_n(p, v, __ATOMIC_RELEASE)

/* What a busy endpoint nearly always finds. */
#define sl_likely(x)		__builtin_expect(!!(x), 1)
#define sl_unlikely(x)		__builtin_expect(!!(x), 0)
/* A function that a busy endpoint does not call, and that is not to be in its way. */
#define sl_cold			__attribute__((cold, noinline))
/*
 * A function that is to be made anew for what is constant where it is called: one
 * message, without descriptors, needs no loop and nothing saved on the stack for
 * one. And a function that is kept apart from such.
 */
#define sl_specialized		inline __attribute__((always_inline))
#define sl_apart		__attribute__((noinline))

#if defined(__SANITIZE_THREAD__)
#define SL_TSAN 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define SL_TSAN 1
#endif
#endif

/*
 * ThreadSanitizer has no model of fences. No plain access is ordered by
 * one alone, so it is enough that the hardware gets them; the variable is the
 * thread's own, so that the tool learns of no order that is not there.
 */
static inline void sl_full_fence(void)
{
#ifdef SL_TSAN
	uint32_t own = 0;

	__atomic_fetch_add(&own, 1, __ATOMIC_SEQ_CST);
	__asm__ __volatile__("" : : "r" (&own) : "memory");
#else
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
#endif
}

static inline void sl_acquire_fence(void)
{
#ifdef SL_TSAN
	sl_full_fence();
#else
	__atomic_thread_fence(__ATOMIC_ACQUIRE);
#endif
}

/* Tell the CPU that this is a loop which waits for another. */
static inline void sl_relax(void)
{
#if defined(__x86_64__) || defined(__i386__)
	__builtin_ia32_pause();
#elif defined(__aarch64__) || defined(__arm__)
	__asm__ __volatile__("yield" : : : "memory");
#else
	__asm__ __volatile__("" : : : "memory");
#endif
}

#endif /* SLUICE_RING_ATOMIC_H */
