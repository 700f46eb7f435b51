/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef SLUICE_QUOTA_H
#define SLUICE_QUOTA_H

#include <linux/uidgid.h>

#include "tunables.h"

struct sluice_share;
struct sluice_user;
struct user_namespace;

/**
 * sluice_user_get - the account of a user in a user namespace
 * @ns: the namespace
 * @uid: the user
 *
 * Charges also go to the owner of @ns in its parent, and so on up, so that
 * making user namespaces gives nobody more than he has. May sleep.
 *
 * Return: a reference, or ERR_PTR(-ENOMEM).
 */
struct sluice_user *sluice_user_get(struct user_namespace *ns, kuid_t uid);
struct sluice_user *sluice_user_hold(struct sluice_user *user);
void sluice_user_put(struct sluice_user *user);

/**
 * sluice_charge - account @n of @res to @user
 *
 * Return: 0; -EDQUOT beyond the limit, or -ETOOMANYREFS for file descriptors,
 * and nothing is charged.
 */
int sluice_charge(struct sluice_user *user, enum sluice_res res, u64 n);
/* Account @n of @res to @user even beyond the limit: he has it already. */
void sluice_charge_over(struct sluice_user *user, enum sluice_res res,
			u64 n);
void sluice_uncharge(struct sluice_user *user, enum sluice_res res, u64 n);

/* Who it is of. */
struct user_namespace *sluice_user_ns(const struct sluice_user *user);
kuid_t sluice_user_uid(const struct sluice_user *user);

/* Of the workers, his part: with those of all his namespaces. */
struct sluice_share *sluice_user_share(struct sluice_user *user);

/*
 * To go through all accounts: numbers grow. Return: a reference to the first one
 * beyond @number, or NULL.
 */
struct sluice_user *sluice_user_next(u64 number);
u64 sluice_user_number(const struct sluice_user *user);

/* Return: a number that changes when an account is added or removed. */
u64 sluice_user_changes(void);

u64 sluice_charged(struct sluice_user *user, enum sluice_res res);

#endif
