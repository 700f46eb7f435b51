#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
#
# The exporter as a service, with all that its unit forbids it. In the end it is
# enabled, and runs, for the steps that follow. TAP.
. ./steps/common.sh

# of_process FIELD - of the one that the service consists of.
of_process() { sed -n "s/^$1:[[:space:]]*//p" "/proc/$(systemctl show -P MainPID sluice-exporter)/status"; }

# Another user than root, with one capability, and a filter.
is_confined() {
	[ "$(of_process Uid | cut -f 1)" -gt 60000 ] && says 0000000000008000 of_process CapEff &&
		says 1 of_process NoNewPrivs && says 2 of_process Seccomp
}

restarted() { [ "$(systemctl show -P NRestarts sluice-exporter)" = 1 ] && scrape; }

says disabled systemctl is-enabled sluice-exporter && says inactive systemctl is-active sluice-exporter
ok "the service is not enabled, and does not run"
systemctl enable --now sluice-exporter >out 2>err
ok "it can be enabled"
until_true scrape && service_runs && told "sluice_up 1"
ok "it serves metrics"
is_confined
ok "it is confined"
start_subscriber
ok "alice waits for messages"
told 'sluice_channel_subscribers\{channel="kept",.*\} 1'
ok "the service sees her channel"
told 'sluice_subscriber_active\{.*,pid="'"$subscriber"'",command="sluice"\} 1'
ok "...and her process"
end_subscriber
ok "alice ends, and the service keeps no hold of the module"

echo "ARGS=--listen 127.0.0.1:17585" >/etc/default/sluice-exporter
systemctl restart sluice-exporter
until_true busybox wget -q -O metrics http://127.0.0.1:17585/metrics && ! scrape
ok "options are in /etc/default/sluice-exporter"
rm /etc/default/sluice-exporter
systemctl stop sluice-exporter
says inactive systemctl is-active sluice-exporter && says success systemctl show -P Result sluice-exporter
ok "it can be stopped, and that is no failure"

systemctl start sluice-exporter && until_true scrape
ok "...and started"
systemctl kill --signal=KILL sluice-exporter
until_true restarted && service_runs
ok "killed, it comes again"
no_failed_unit
ok "no unit has failed"

finish
