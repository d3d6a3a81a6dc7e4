#!/bin/sh
# After unpacking. dpkg says "configure" and the version that was configured before, if any; rpm says how many of this
# package there are now.
set -e

root=${DPKG_ROOT:-}

case "${1:-}" in
configure) before=${2:-} ;;
1) before= ;;
[2-9]) before=some ;;
*) exit 0 ;; # dpkg takes something back that changed nothing of ours
esac

make_user() {
	if command -v systemd-sysusers >/dev/null && systemd-sysusers --root="$root/" hbjournal.conf; then return; fi
	if [ -z "$root" ]; then
		if id -u hbjournal >/dev/null 2>&1; then return; fi
		if useradd --system --user-group --no-create-home --home-dir /var/log/heartbeat --shell /usr/sbin/nologin hbjournal; then return; fi
	fi
	echo "hbjournal: could not make the user and group hbjournal, which the service runs as: make them before it starts" >&2
}

make_directory() {
	if command -v systemd-tmpfiles >/dev/null && systemd-tmpfiles --root="$root/" --create hbjournal.conf; then return; fi
	if [ -z "$root" ] && install -d -m 0750 -o hbjournal -g hbjournal /var/log/heartbeat; then return; fi
	echo "hbjournal: could not make /var/log/heartbeat; the service makes it when it starts" >&2
}

# A service that does not start, as on a port that is taken, is no reason to leave the package half installed.
tell() { echo "hbjournal: the service did not start: 'systemctl status hbjournal.service' says why" >&2; }

make_user
make_directory

command -v systemctl >/dev/null || exit 0
units="hbjournal.socket hbjournal.service"
if [ -z "$before" ]; then
	# Whether a new service is on is the distribution's rule: on with Debian, off with Fedora.
	# shellcheck disable=SC2086
	systemctl --root="$root/" preset $units || true
fi
[ -z "$root" ] && [ -d /run/systemd/system ] || exit 0
systemctl daemon-reload || true
if systemctl is-active --quiet hbjournal.service; then
	# The socket stays as it is: what comes in meanwhile waits there.
	systemctl restart hbjournal.service || tell
elif systemctl is-enabled --quiet hbjournal.service; then
	# shellcheck disable=SC2086
	systemctl start $units || tell
fi
# The page and the archive are only on where somebody has switched them on.
if [ -n "$before" ]; then
	systemctl try-restart hbjournal-web.service hbjournal-archive.service || true
fi
