#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
# timeout: 3
sleep 1000
