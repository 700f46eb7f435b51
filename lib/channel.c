// SPDX-License-Identifier: LGPL-2.1-or-later
/* Channels. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <sluice/sluice.h>

#include "call.h"

/**
 * struct sluice_channel - a channel that is open
 * @fd: of it
 * @created: by this very open
 * @config: as it was made
 */
struct sluice_channel {
	int fd;
	bool created;
	struct sluice_config config;
};

static int channel_new(int fd, bool created, const struct sluice_config *config,
		       struct sluice_channel **out)
{
	struct sluice_channel *channel = malloc(sizeof(*channel));

	if (!channel)
		return -ENOMEM;
	channel->fd = fd;
	channel->created = created;
	channel->config = *config;
	*out = channel;
	return 0;
}

static int channel_open(const char *name,
			const struct sluice_channel_options *options,
			uint32_t flags, struct sluice_channel **channel)
{
	struct sluice_channel_options known = SLUICE_CHANNEL_OPTIONS_INIT;
	struct sluice_open call = { 0 };
	int device, fd, err;

	err = sl_options_take(&known, sizeof(known), options);
	if (err)
		return err;
	if (known.resv)
		return -EINVAL;
	call.flags = known.flags | flags;
	call.access = known.access;
	call.mode = known.mode;
	call.uid = known.uid;
	call.gid = known.gid;
	call.config = known.config;
	call.name_len = strlen(name);
	if (call.name_len > SLUICE_NAME_MAX)
		return -ENAMETOOLONG;
	memcpy(call.name, name, call.name_len);
	device = sl_device_open(0);
	if (device < 0)
		return device;
	fd = sl_call(device, SLUICE_IOC_OPEN, &call);
	close(device);
	if (fd < 0)
		return fd;
	err = channel_new(fd, call.created, &call.config, channel);
	if (err)
		close(fd);
	return err;
}

int sluice_channel_open(const char *name,
			const struct sluice_channel_options *options,
			struct sluice_channel **channel)
{
	if (!name || !*name)
		return -EINVAL;
	return channel_open(name, options, 0, channel);
}

int sluice_channel_open_anonymous(const struct sluice_channel_options *options,
				  struct sluice_channel **channel)
{
	return channel_open("", options, SLUICE_OPEN_CREATE, channel);
}

/* Endpoints answer SLUICE_IOC_STAT, too; but only channels know this one. */
static bool is_channel(int fd)
{
	struct sluice_restrict none = { 0 };

	return sl_call(fd, SLUICE_IOC_RESTRICT, &none) == -EINVAL;
}

int sluice_channel_from_fd(int fd, struct sluice_channel **channel)
{
	struct sluice_stat stat = { 0 };
	int err = sl_abi_check();

	if (!err)
		err = sl_call(fd, SLUICE_IOC_STAT, &stat);
	if (err)
		return err;
	if (!is_channel(fd))
		return -EINVAL;
	err = channel_new(fd, false, &stat.config, channel);
	if (!err)
		sl_close_on_exec(fd);
	return err;
}

void sluice_channel_close(struct sluice_channel *channel)
{
	if (!channel)
		return;
	close(channel->fd);
	free(channel);
}

int sluice_channel_fd(const struct sluice_channel *channel)
{
	return channel->fd;
}

bool sluice_channel_created(const struct sluice_channel *channel)
{
	return channel->created;
}

const struct sluice_config *
sluice_channel_config(const struct sluice_channel *channel)
{
	return &channel->config;
}

int sluice_channel_restrict(const struct sluice_channel *channel,
			    unsigned int access)
{
	struct sluice_restrict call = { .access = access };

	return sl_call(channel->fd, SLUICE_IOC_RESTRICT, &call);
}

int sluice_channel_stat(const struct sluice_channel *channel,
			struct sluice_stat *stat, size_t size)
{
	memset(stat, 0, size);
	return sl_call_sized(channel->fd, SLUICE_IOC_STAT, stat, size);
}

int sluice_channel_peer(const struct sluice_channel *channel,
			enum sluice_role role, uint32_t index,
			uint64_t generation, struct sluice_peer *peer,
			size_t size)
{
	struct sluice_peer known = {
		.role = role,
		.index = index,
		.generation = generation,
	};
	int err = sl_call(channel->fd, SLUICE_IOC_PEER, &known);

	if (!err)
		sl_result_give(peer, size, &known, sizeof(known));
	return err;
}

int sluice_channel_peers(const struct sluice_channel *channel,
			 enum sluice_role role,
			 int (*visit)(const struct sluice_peer *peer,
				      void *data), void *data)
{
	uint32_t places = role == SLUICE_PUBLISHER ?
		channel->config.publishers : channel->config.subscribers;
	struct sluice_peer peer;
	int ret = 0;

	for (uint32_t i = 0; i < places && !ret; i++) {
		ret = sluice_channel_peer(channel, role, i, 0, &peer,
					  sizeof(peer));
		if (ret == -ENOENT)
			ret = 0;
		else if (!ret)
			ret = visit(&peer, data);
	}
	return ret;
}
