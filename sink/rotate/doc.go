// Package rotate is the file under the journal: a lumberjack-style writer that appends whole lines to one live file,
// renames it to <name>.YYYYMMDD-HHMMSS when the next line would take it past its limit, and removes the oldest backups.
//
// It knows files and bytes, and nothing of entries or configuration.
package rotate
