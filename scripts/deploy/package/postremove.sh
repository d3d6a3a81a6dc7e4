#!/bin/sh
# After the files have gone. The journal in /var/log/heartbeat stays, even when the package is purged, and so does the user
# that owns it: rm -r /var/log/heartbeat is for people.
set -e

root=${DPKG_ROOT:-}

if [ "${1:-}" = purge ]; then
	# Until then, a package that is installed again is as enabled as it was.
	rm -f "$root/etc/systemd/system/sockets.target.wants/hbjournal.socket"
	rm -f "$root/etc/systemd/system/multi-user.target.wants/hbjournal.service"
	rm -f "$root/etc/systemd/system/multi-user.target.wants/hbjournal-web.service"
	rm -f "$root/etc/systemd/system/multi-user.target.wants/hbjournal-archive.service"
fi
if [ -z "$root" ] && [ -d /run/systemd/system ]; then
	systemctl daemon-reload || true
fi
