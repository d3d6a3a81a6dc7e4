#!/bin/sh
# Before the files go. dpkg says "remove", "upgrade" or else; rpm says how many of this package will be left.
set -e

case "${1:-}" in
remove | 0) ;;
*) exit 0 ;; # the old version goes on until the new one is there and restarts it
esac

if [ -z "${DPKG_ROOT:-}" ] && [ -d /run/systemd/system ]; then
	# Without the socket, the next datagram would start the service again.
	systemctl stop hbjournal.socket hbjournal.service hbjournal-web.service hbjournal-archive.service
fi
if [ "$1" = 0 ] && command -v systemctl >/dev/null; then
	systemctl disable hbjournal.socket hbjournal.service hbjournal-web.service hbjournal-archive.service || true
fi
