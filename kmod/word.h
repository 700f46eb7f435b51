/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef SLUICE_WORD_H
#define SLUICE_WORD_H

#include <linux/rbtree.h>
#include <linux/types.h>

#include "call.h"

struct sluice_area;
struct sluice_grant;
struct sluice_holder;
struct sluice_lockspace;
struct sluice_resource;
struct vm_area_struct;

/**
 * struct sluice_words - the lock words of a trusted lockspace; the domain's lock
 * @area: struct sluice_word[@room], mapped by all who trust each other
 * @resources: whose they are, in the same order
 * @room: words there are
 * @used: of them, the first ones
 * @parties: holders that may write them, by id
 */
struct sluice_words {
	struct sluice_area *area;
	struct sluice_resource **resources;
	u32 room;
	u32 used;
	struct rb_root parties;
};

/* Return: 0, -ENOMEM or -EDQUOT. Nothing to do if @space is not trusted. */
int sluice_words_init(struct sluice_lockspace *space);
void sluice_words_exit(struct sluice_lockspace *space);

/* Nobody has a descriptor or mapping of @space any more. */
void sluice_words_close(struct sluice_lockspace *space);

/* ->mmap of a lockspace. */
int sluice_words_mmap(struct file *file, struct vm_area_struct *vma);

/* SLUICE_IOC_WORD, on a holder. */
long sluice_word_open(struct sluice_call *call);

/**
 * sluice_word_take - the kernel decides from now on who has a resource
 * @resource: may have a word; somebody is about to ask for it
 *
 * Whoever has it by its word gets a grant that says so.
 */
void sluice_word_take(struct sluice_resource *resource);

/* Let the kernel know who has @resource by its word, if somebody does. */
void sluice_word_look(struct sluice_resource *resource);

/* Nobody has or wants @resource: its word can be had without the kernel. */
void sluice_word_yield(struct sluice_resource *resource);

/* A grant that stood for what a word said is free for the next time. */
void sluice_word_keep(struct sluice_grant *grant);

/**
 * sluice_words_gather - let the kernel know all that a holder has by words
 * @holder: whose domain is not locked
 *
 * A dead one is a party to no lockspace any more: a word with its number in it
 * was left by who died.
 */
void sluice_words_gather(struct sluice_holder *holder);

#endif
