package doctor

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// proc is the path of a file of /proc.
func (e *examination) proc(name string) string { return filepath.Join(e.Proc, name) }

// fields reads the lines of a small file, each in its words.
func fields(path string) ([][]string, error) {
	text, err := os.ReadFile(path)
	var rows [][]string
	for line := range bytes.Lines(text) {
		if row := strings.Fields(string(line)); len(row) > 0 {
			rows = append(rows, row)
		}
	}
	return rows, err
}

// word reads a file of one line.
func word(path string) (string, error) {
	text, err := os.ReadFile(path)
	return strings.TrimSpace(string(text)), err
}

// number reads a file of one number.
func number(path string) (uint64, error) {
	text, err := word(path)
	if err != nil {
		return 0, err
	}
	n, err := strconv.ParseUint(text, 10, 64)
	if err != nil {
		return 0, fmt.Errorf("read %s: %w", path, err)
	}
	return n, nil
}

// sysctl is a setting of the kernel as "name=value"; "" if it cannot be read, as most cannot in a container.
func (e *examination) sysctl(name string) string {
	value, err := word(e.proc("sys/" + strings.ReplaceAll(name, ".", "/")))
	if err != nil || value == "" {
		return ""
	}
	return name + "=" + strings.Join(strings.Fields(value), " ")
}

// sysctlNumber is a setting of the kernel; 0 if it cannot be read.
func (e *examination) sysctlNumber(name string) uint64 {
	n, err := number(e.proc("sys/" + strings.ReplaceAll(name, ".", "/")))
	if err != nil {
		return 0
	}
	return n
}
