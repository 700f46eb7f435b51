#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
#
# A member of the group uses what was installed; another user cannot. TAP.
. ./steps/common.sh

round_trip() {
	as alice sluice sub --create --count 1 trip >got 2>err &
	until_true as alice sluice stat trip
	echo "a message" | as alice sluice pub --wait 1 trip 2>err && wait $! && says "a message" cat got
}

# One lock, and somebody else who does not get it.
lock_excludes() {
	as alice sluice lock --nonblock one -- sluice lock --nonblock one -- true >out 2>err
	[ $? = 1 ]
}

# As a user would: copied from where the package has them.
examples_build() {
	cp -r /usr/share/doc/sluice-doc/examples . &&
		make -C examples >out 2>err
}

chmod 777 "$WORK"
adduser --quiet alice sluice
ok "alice becomes a member of the group"
round_trip
ok "alice publishes, and alice receives"
as alice sluice lock one -- true >out 2>err
ok "alice takes a lock"
lock_excludes
ok "what is locked is not given twice"
as alice sluice quota >out 2>err
ok "alice sees her quota"
refused as bob sluice ls
ok "bob may not look"
refused as bob sluice pub trip
ok "bob may not publish"
refused as bob sh -c ': </dev/sluice'
ok "bob may not open the device"
examples_build
ok "all examples build"
says "hello, world" as alice "$WORK/examples/hello"
ok "the first one says hello"

echo "# somebody else's program:"
cp -r "$INPUTS/consumer" /home/alice/
chown -R alice: /home/alice/consumer
as alice env EXPECT="there is a module" /home/alice/consumer/consumer.sh /home/alice/built >consumer.tap
status=$?
sed -n '/^#/p' consumer.tap
[ $status = 0 ] && grep -q '^ok ' consumer.tap && ! grep -q '^not ok' consumer.tap
ok "somebody else's program builds with pkg-config and with CMake, and runs"
rm -rf /home/alice/consumer /home/alice/built

finish
