// Package rotate is the file under the journal: a lumberjack-style writer that appends whole lines to one live file,
// renames it to <name>.YYYYMMDD-HHMMSS when the next line would take it past its limit, and removes the oldest backups.
//
// It knows files and bytes, and nothing of entries or configuration.
//
//	<dir>/<name>                    the live file; the path is never missing, not even during a rotation
//	<dir>/<name>.20260328-120000    a backup; the stamp is the moment of its rotation, or the next free second
//	<dir>/<name>.20260328-120000.gz the same, once it has been compressed; .age: encrypted; .gz.age: both
//	<dir>/.<name>.d/                the state directory: lock, the next live file before its time, torn tails, the
//	                                compressed copy until it is whole, and what Keep was given last
//
// A rotation hard-links the live file to the backup's name, which fails rather than overwrites, and renames a new empty
// file over the live path. Killed in between, both names are one file; Open finishes the rotation. Nothing is truncated
// but what this process has just written in part, and nothing is removed whose name does not parse as a backup.
//
// What can wait is done behind the writing: Tidy syncs what was rotated away and keeps the limits on backups, Compress
// compresses and encrypts them. A backup is removed only when its packed copy has been synced, read back, compared and
// given its name; killed in between, both are there, are one backup for readers and limits, and the next start goes on.
//
// With an Encrypter only these can be read by all who may read files: the live file, backups until they are encrypted, and
// torn tails in the state directory. A copy that is half made, and one that is only compressed, never lie on the disk.
//
// One process at a time: Open takes a lock, and a second one gets ErrLocked.
package rotate
