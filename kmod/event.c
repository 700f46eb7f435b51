// SPDX-License-Identifier: GPL-2.0-only
/*
 * Events: what a holder is told. Each is looked at, told, and only then
 * forgotten, so that none is lost when the caller cannot be told.
 *
 * Locks: holder->call; holder->backing_lock; the domain's, see domain.c.
 */
#include "compat.h"
#include "domain.h"
#include "event.h"
#include "grant.h"
#include "holder.h"
#include "item.h"
#include "lock.h"
#include "lockspace.h"
#include "request.h"
#include "resource.h"

static void event_key(struct sluice_lock_event *event, const struct sluice_key *key)
{
	event->kind = key->kind;
	event->key_len = key->len;
	memcpy(event->key, key->bytes, SLUICE_KEY_MAX);
}

/* Return: what is told, for event_forget(). */
static u64 event_look(struct sluice_holder *holder, struct sluice_lock_event *event)
{
	struct sluice_request *request = &holder->request;
	struct sluice_revoked *revoked;
	struct sluice_grant *grant;

	if (holder->news & SLUICE_NEWS_DONE) {
		event->type = SLUICE_EVENT_DONE;
		event->error = -request->error;
		event->index = request->index;
	} else if (!list_empty(&holder->revoked)) {
		revoked = list_first_entry(&holder->revoked,
					   struct sluice_revoked, news);
		event->type = SLUICE_EVENT_REVOKED;
		event->error = revoked->error;
		event->mode = revoked->mode;
		event->lockspace = revoked->space;
		event->start = revoked->start;
		event->end = revoked->last;
		event->token = revoked->token;
		event_key(event, &revoked->key);
	} else if (!list_empty(&holder->notices)) {
		grant = list_first_entry(&holder->notices, struct sluice_grant,
					 news);
		event->type = SLUICE_EVENT_CONTENDED;
		event->mode = grant->wanted;
		event->lockspace = grant->resource->space->object.id;
		event->start = grant->start;
		event->end = grant->last;
		event->token = grant->token;
		event_key(event, &grant->resource->key);
		return grant->notice;
	}
	return 0;
}

/* The domain's lock. @done: what a request was made of, if that is over. */
static void event_drop(struct sluice_holder *holder, u32 type, u64 notice,
		       struct sluice_wants *done)
{
	struct sluice_revoked *revoked;
	struct sluice_grant *grant;
	u32 news = holder->news;

	switch (type) {
	case SLUICE_EVENT_DONE:
		sluice_request_finish(&holder->request, true);
		sluice_lock_detach(holder, done);
		news &= ~SLUICE_NEWS_DONE;
		break;
	case SLUICE_EVENT_REVOKED:
		revoked = list_first_entry(&holder->revoked,
					   struct sluice_revoked, news);
		sluice_revoked_free(holder, revoked);
		break;
	case SLUICE_EVENT_CONTENDED:
		grant = list_first_entry_or_null(&holder->notices,
						 struct sluice_grant, news);
		if (grant && grant->notice == notice)
			list_del_init(&grant->news);
		break;
	}
	if (list_empty(&holder->revoked))
		news &= ~SLUICE_NEWS_REVOKED;
	if (list_empty(&holder->notices))
		news &= ~SLUICE_NEWS_NOTICE;
	WRITE_ONCE(holder->news, news);
}

static void event_forget(struct sluice_holder *holder, u32 type, u64 notice)
{
	struct sluice_domain *domain = sluice_domain_lock(holder->domain);
	struct sluice_wants done sluice_unset;

	event_drop(holder, type, notice, &done);
	sluice_domain_unlock(domain);
	if (type != SLUICE_EVENT_DONE)
		return;
	/* Whoever granted it had the domain locked, and could not. */
	sluice_wants_follow(holder, &done);
	sluice_wants_free(&done);
	atomic_set_release(&holder->busy, 0);
}

static int event_tell(struct sluice_call *call, struct sluice_holder *holder)
{
	struct sluice_lock_event *event = &call->arg.event;
	u32 stride = sluice_call_stride(event->entry_size, SLUICE_ITEM_SIZE_1);
	int ret = 0;

	/* A request that is done changes no more until it is forgotten. */
	if (event->type == SLUICE_EVENT_DONE && !event->error && event->items)
		ret = sluice_wants_tell(&holder->request, event->items, event->count,
					stride);
	return ret ?: sluice_call_reply(call);
}

long sluice_event_next(struct sluice_call *call)
{
	struct sluice_holder *holder = call->file->private_data;
	struct sluice_lock_event *event = &call->arg.event;
	struct sluice_lock_event told = {
		.items = event->items,
		.count = event->count,
		.entry_size = event->entry_size,
	};
	struct sluice_domain *domain;
	u64 notice;
	int ret;

	if (!sluice_call_stride(event->entry_size, SLUICE_ITEM_SIZE_1))
		return -EINVAL;
	*event = told;
	if (mutex_lock_interruptible(&holder->call))
		return -ERESTARTSYS;
	domain = sluice_domain_lock(holder->domain);
	notice = event_look(holder, event);
	/* Those whose notice was given up by others are none any more. */
	if (event->type == SLUICE_EVENT_NONE)
		event_drop(holder, event->type, 0, NULL);
	sluice_domain_unlock(domain);
	ret = event->type == SLUICE_EVENT_NONE ? -EAGAIN :
						 event_tell(call, holder);
	if (!ret)
		event_forget(holder, event->type, notice);
	mutex_unlock(&holder->call);
	return ret;
}
