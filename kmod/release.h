/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef SLUICE_RELEASE_H
#define SLUICE_RELEASE_H

struct file;

/**
 * sluice_release - let go of somebody's file
 * @file: of a process; a reference, and perhaps the last
 *
 * In a kernel thread, which closes the file if that was the last, and does not
 * wait as the file's owner may have wanted it to.
 */
void sluice_release(struct file *file);

#endif
