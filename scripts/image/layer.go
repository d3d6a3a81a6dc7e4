package main

import (
	"archive/tar"
	"io"
	"os"
	"time"
)

// The user that the program runs as in a container. It has no name anywhere else, so it owns nothing on the host.
const (
	uid      = 65532
	userName = "hbjournal"
)

// layer returns all that the image holds: the program, the directory of the journal, a place for temporary files, which
// readers of large ranges need, and the names of user and group.
func layer(program []byte) []file {
	return []file{
		dir("etc/", 0o755, 0),
		{name: "etc/group", mode: 0o644, body: []byte("root:x:0:\n" + userName + ":x:65532:\n")},
		{name: "etc/passwd", mode: 0o644, body: []byte("root:x:0:0:root:/:/\n" + userName + ":x:65532:65532:hbjournal:/var/log/heartbeat:/\n")},
		{name: "hbjournal", mode: 0o755, body: program},
		dir("tmp/", 0o1777, 0),
		dir("var/", 0o755, 0),
		dir("var/log/", 0o755, 0),
		dir("var/log/heartbeat/", 0o750, uid), // a new volume takes its owner and mode from here
	}
}

// file is one entry of a tar.
type file struct {
	name  string // that of a directory ends in a slash
	mode  int64
	owner int // user and group
	body  []byte
}

func dir(name string, mode int64, owner int) file { return file{name: name, mode: mode, owner: owner} }

// writeTar makes the file at path anew.
func writeTar(path string, at time.Time, files []file) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	defer f.Close()
	if err := appendTar(f, at, files); err != nil {
		return err
	}
	return f.Close()
}

// appendTar writes a tar of files in their order, all of the same time, and in a form that depends on nothing else.
func appendTar(w io.Writer, at time.Time, files []file) error {
	out := tar.NewWriter(w)
	for _, f := range files {
		kind := byte(tar.TypeReg)
		if f.name[len(f.name)-1] == '/' {
			kind = tar.TypeDir
		}
		header := &tar.Header{
			Typeflag: kind, Name: f.name, Mode: f.mode, Uid: f.owner, Gid: f.owner,
			Size: int64(len(f.body)), ModTime: at, Format: tar.FormatUSTAR,
		}
		if err := out.WriteHeader(header); err != nil {
			return err
		}
		if _, err := out.Write(f.body); err != nil {
			return err
		}
	}
	return out.Close()
}
