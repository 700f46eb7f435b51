// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Reading attributes. The kernel is trusted to tell the truth, but not to be of
 * this version: what is missing, or has another size, is taken for 0.
 */
#include <errno.h>
#include <string.h>

#include "monitor.h"

int attributes_parse(struct attributes *attributes, struct nlmsghdr *head)
{
	struct genlmsghdr *genl = nlmsg_data(head);

	if (!genlmsg_valid_hdr(head, 0))
		return -EBADMSG;
	attributes->first = genlmsg_attrdata(genl, 0);
	attributes->len = genlmsg_attrlen(genl, 0);
	if (nla_parse(attributes->at, SLUICE_NL_A_MAX, attributes->first,
		      attributes->len, NULL))
		return -EBADMSG;
	return 0;
}

uint64_t attribute_number(const struct attributes *attributes, int which)
{
	const struct nlattr *at = attributes->at[which];

	if (!at)
		return 0;
	switch (nla_len(at)) {
	case sizeof(uint32_t):
		return nla_get_u32(at);
	case sizeof(uint64_t):
		return nla_get_u64(at);
	default:
		return 0;
	}
}

bool attribute_flag(const struct attributes *attributes, int which)
{
	return attributes->at[which];
}

void attribute_text(const struct attributes *attributes, int which, char *to,
		    size_t size)
{
	to[0] = 0;
	if (attributes->at[which])
		nla_strlcpy(to, attributes->at[which], size);
}

int error_of_libnl(int error)
{
	switch (-error) {
	case 0:
		return 0;
	case NLE_NOMEM:
		return -ENOMEM;
	case NLE_OBJ_NOTFOUND:
	case NLE_NOADDR:
		return -ENODEV;
	case NLE_INVAL:
		return -EINVAL;
	case NLE_OPNOTSUPP:
		return -EOPNOTSUPP;
	case NLE_PERM:
		return -EPERM;
	case NLE_NOACCESS:
		return -EACCES;
	case NLE_AF_NOSUPPORT:
		return -EAFNOSUPPORT;
	case NLE_AGAIN:
		return -EAGAIN;
	case NLE_INTR:
		return -EINTR;
	default:
		return -EIO;
	}
}
