/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * What Kconfig would not have chosen for clang, and headers ask for: 6.12 names
 * a processor's own memory by an attribute that only gcc has as these use it.
 */
#undef CONFIG_USE_X86_SEG_SUPPORT
