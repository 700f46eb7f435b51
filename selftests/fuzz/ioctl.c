// SPDX-License-Identifier: GPL-2.0-only
/* Makes the argument of an ioctl from a step's bytes, and calls. */
#include <errno.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>

#include <linux/sluice.h>

#include "actor.h"

#define ELEMENTS	8	/* filled in; of more the kernel finds zeros, or nothing */
#define STRIDE_MAX	512
#define ARGUMENT_MAX	1024

#define NSEC_PER_SEC	1000000000LL
#define NSEC_PER_MSEC	1000000LL

/* Parameters from here on are no sensible value. */
#define ODD		128

static __u64 odd(unsigned int i)
{
	static const __u64 values[] = {
		~0ULL, ~0U, 1ULL << 63, 1U << 31, 0x7fffffff, 0x7fffffffffffffff,
		65, 64, 63, 16, 17, 255, 256, 4095, 4097, 0xffff, 0x10000, 1ULL << 32,
		1ULL << 40, 1ULL << 52, ~0ULL << 12, 7, 8, 9, 10, 12, 20, 1000, 1023,
		1025, 5, -4096LL,
	};

	return values[i % (sizeof(values) / sizeof(values[0]))];
}

static __s64 time_value(unsigned int b)
{
	struct timespec now;
	__s64 ns;

	clock_gettime(CLOCK_MONOTONIC, &now);
	ns = now.tv_sec * NSEC_PER_SEC + now.tv_nsec;
	switch (b % 5) {
	case 0:
		return ns + NSEC_PER_MSEC;
	case 1:
		return 0;
	case 2:
		return ns + 4 * NSEC_PER_MSEC;
	case 3:
		return ns - 1;
	default:
		return SLUICE_NO_DEADLINE;
	}
}

static __u64 recent_value(struct thread *t, enum recent which, unsigned int b)
{
	return b % 16 < RECENT_MAX ? t->told->recent[which][b % RECENT_MAX] :
		b % RECENT_MAX;
}

static __u64 value_of(struct thread *t, const struct field *f, unsigned int b)
{
	if (b >= ODD && f->type != SLOT)
		return odd(b - ODD);
	switch (f->type) {
	case BITS:
		return b & f->arg;
	case PICK:
		return picks[f->arg][b % PICK_MAX];
	case RECENT:
		return recent_value(t, f->arg, b);
	case TIME:
		return time_value(b);
	case SLOT:
		return b >= 240 ? (__u64)-1 : thread_fd(t, b);
	default:
		return b;
	}
}

static void store_value(unsigned char *at, unsigned int size, __u64 value)
{
	memcpy(at, &value, size);	/* little-endian, as all that runs this */
}

/* Few short names, so that actors meet; the odd ones are long or not allowed. */
static void store_text(unsigned char *base, const struct field *f, unsigned int b)
{
	unsigned char *text = base + f->arg;
	__u32 len = b >= ODD ? odd(b - ODD) : b % 6 ? 1 : 0;

	if (b >= ODD)
		memset(text, b & 1 ? 'x' : b & 31, SLUICE_NAME_MAX);
	else
		*text = b % 6 ? 'a' + b % 6 - 1 : 0;
	store_value(base + f->offset, f->size, len);
}

static void store_field(struct thread *t, unsigned char *base, const struct field *f,
			unsigned int b, unsigned int k)
{
	if (f->type == TEXT)
		store_text(base, f, b && b < ODD ? b + k : b);
	else
		store_value(base + f->offset, f->size,
			    value_of(t, f, f->arg & MANY_SLOTS && f->type == SLOT ? b + k : b));
}

static void *mapped(struct thread *t, unsigned int where)
{
	return t->process->map[(where - WHERE_MAPPING) % MAPPINGS].at;
}

static unsigned int param(const struct step *s, unsigned int i)
{
	return i < PARAMS ? s->param[i] : 0;
}

/* The elements that @arg points to, and where they are. */
static void *put_elements(struct thread *t, const struct call *c, const struct step *s,
			  unsigned int stride)
{
	unsigned char elements[ELEMENTS * STRIDE_MAX];
	unsigned int where = s->where >> 4, i, k;

	if (stride < c->stride || stride > STRIDE_MAX)
		stride = c->stride;
	memset(elements, 0, sizeof(elements));
	for (k = 0; k < ELEMENTS; k++)
		for (i = 0; i < c->n_element; i++)
			store_field(t, elements + k * stride, &c->element[i],
				    param(s, c->n + i), k);
	return arena_put(&t->arena[1], where, elements, stride * ELEMENTS, mapped(t, where));
}

static void make_argument(struct thread *t, const struct call *c, const struct step *s,
			  unsigned char *arg)
{
	const struct field *pointer = NULL;
	unsigned int stride = 0, i;

	memset(arg, 0, ARGUMENT_MAX);
	for (i = 0; i < c->n; i++) {
		const struct field *f = &c->fields[i];

		if (f->type == POINTER)
			pointer = f;
		else
			store_field(t, arg, f, param(s, i), 0);
		if (f->type == PICK && f->arg == STRIDES)
			memcpy(&stride, arg + f->offset, sizeof(stride));
	}
	if (pointer)
		store_value(arg + pointer->offset, pointer->size,
			    (uintptr_t)put_elements(t, c, s, stride));
}

/* Shorter and longer structures, and numbers that nobody knows. */
static unsigned int vary(unsigned int cmd, unsigned int variant, unsigned char *arg)
{
	unsigned int size = _IOC_SIZE(cmd);

	switch (variant % 8) {
	case 1:
		size = size > 8 ? size - 8 : 0;
		break;
	case 2:
		size += 8;
		break;
	case 3:
		arg[size] = 1;
		size += 8;
		break;
	case 4:
		size = size / 16 * 8;
		break;
	case 5:
		return cmd ^ 0x8;
	case 6:
		return _IOC(_IOC_DIR(cmd) ^ _IOC_READ, _IOC_TYPE(cmd), _IOC_NR(cmd), size);
	case 7:
		size = 4096;
		break;
	}
	return _IOC(_IOC_DIR(cmd), _IOC_TYPE(cmd), _IOC_NR(cmd), size);
}

long run_ioctl(struct thread *t, const struct step *s)
{
	unsigned char arg[ARGUMENT_MAX], told[ARGUMENT_MAX];
	const struct call *c = step_call(s);
	unsigned int where = s->where & 15, cmd = c->cmd;
	void *at;
	int ret;

	make_argument(t, c, s, arg);
	if (s->variant)
		cmd = vary(cmd, s->variant, arg);
	at = arena_put(&t->arena[0], where, arg, c->size + 16, mapped(t, where));
	ret = ioctl(thread_fd(t, s->fd), cmd, at);
	if (ret < 0)
		return -errno;
	if (c->gives)
		thread_keep(t, s->out, ret);
	if (c->done && copy_safely(told, at, c->size))
		c->done(t, s, told, ret);
	return ret;
}
