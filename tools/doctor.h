/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * sluice doctor: what is looked at, in this order: the kernel and the module
 * (doctor_module.c), the device and what is behind it (doctor_device.c), who we
 * are and how much we may have (doctor_limits.c), one channel
 * (doctor_channel.c); doctor.c has the command line and tells what was found.
 */
#ifndef SLUICE_DOCTOR_H
#define SLUICE_DOCTOR_H

#include "look.h"

enum level { LEVEL_OK, LEVEL_WARNING, LEVEL_PROBLEM };

/**
 * struct doctor - a patient
 * @json: tell it in JSON
 * @channel: to look at, or NULL
 * @worst: enum level, of all that was found
 * @found: array of objects, if JSON
 * @module: the module is there
 * @usable: the device can be used
 * @monitor: to ask, or NULL
 */
struct doctor {
	bool json;
	const char *channel;
	enum level worst;
	struct json_object *found;
	bool module;
	bool usable;
	struct sluice_monitor *monitor;
};

/* So long may be what is found, and what to do about it. */
#define FOUND_SIZE 1024

/**
 * found() - tell what was found
 * @doctor: the patient
 * @level: how bad it is
 * @check: what was looked at
 * @advice: what to do, or NULL
 * @format: what was found
 */
void found(struct doctor *doctor, enum level level, const char *check,
	   const char *advice, const char *format, ...)
	__attribute__((format(printf, 5, 6)));

/* The first line of a file, without its end; empty if there is none. */
char *first_line(const char *path, char *buf, size_t size);

void check_kernel(struct doctor *doctor);
void check_module(struct doctor *doctor);
void check_device(struct doctor *doctor);
void check_abi(struct doctor *doctor);
void check_namespaces(struct doctor *doctor);
void check_netlink(struct doctor *doctor);
void check_quotas(struct doctor *doctor);
void check_limits(struct doctor *doctor);
void check_memory(struct doctor *doctor);
void check_channel(struct doctor *doctor);

#endif
