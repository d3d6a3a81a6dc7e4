package config

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
)

// loadFile finds the YAML file, if there is one, and sets what it says.
func (l *loader) loadFile() error {
	path, data, err := l.src.readFile()
	if err != nil || path == "" {
		return err
	}
	l.File = path
	file, err := parser.ParseBytes(data, 0)
	if err != nil {
		return describeSyntax(path, err)
	}
	if len(file.Docs) > 1 {
		return fmt.Errorf("read config %s: it holds %d YAML documents, and must hold one", path, len(file.Docs))
	}
	for _, doc := range file.Docs {
		entries, err := mapping(doc.Body)
		if err != nil {
			return fmt.Errorf("read config %s: %w", path, err)
		}
		l.loadEntries(entries)
	}
	return nil
}

// readFile returns the file that was named, or else the first one of the search path that exists. No file is no error.
func (s Sources) readFile() (path string, data []byte, err error) {
	if path, by := s.fileToRead(); path != "" {
		data, err := os.ReadFile(path)
		if err != nil {
			return "", nil, fmt.Errorf("read the config file that %s names: %w", by, err)
		}
		return path, data, nil
	}
	for _, path := range s.Search {
		data, err := os.ReadFile(path)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return "", nil, fmt.Errorf("read config: %w", err)
		}
		return path, data, nil
	}
	return "", nil, nil
}

// describeSyntax gives a fault of YAML itself as path:line and one sentence.
func describeSyntax(path string, err error) error {
	var at yaml.Error
	if !errors.As(err, &at) || at.GetToken() == nil {
		return fmt.Errorf("read config %s: %w", path, err)
	}
	return fmt.Errorf("read config %s:%d: %s", path, at.GetToken().Position.Line, at.GetMessage())
}

// mapping returns the entries of a document, which must be a mapping; an empty document has none.
func mapping(body ast.Node) ([]*ast.MappingValueNode, error) {
	switch n := body.(type) {
	case nil, *ast.NullNode, *ast.CommentGroupNode:
		return nil, nil
	case *ast.MappingNode:
		return n.Values, nil
	case *ast.MappingValueNode:
		return []*ast.MappingValueNode{n}, nil
	}
	return nil, errors.New("it must be a list of settings, one a line, such as `journal_dir: /var/log/heartbeat`")
}

func (l *loader) loadEntries(entries []*ast.MappingValueNode) {
	values := map[string]given{}
	for _, e := range entries {
		name := e.Key.GetToken().Value
		origin := Origin{Kind: FromFile, Name: l.File, Line: e.Key.GetToken().Position.Line}
		k, known := keyNamed(name)
		if !known {
			l.unknownKey(name, origin)
			continue
		}
		text, err := nodeText(e.Value, k.IsList())
		if err != nil {
			l.unreadable(k, given{strings.TrimSpace(e.Value.String()), origin}, err)
			continue
		}
		if text != "" {
			values[name] = given{text, origin}
		}
	}
	l.apply(values)
}

// unknownKey warns, or with Strict faults: the file may hold another program's settings too.
func (l *loader) unknownKey(name string, origin Origin) {
	problem := fmt.Sprintf("unknown key %q", name)
	if near := Nearest(name, KeyNames()); near != "" {
		problem += fmt.Sprintf("; did you mean %q?", near)
	}
	if l.src.Strict {
		l.faults = append(l.faults, Fault{Origin: origin, Problem: problem})
		return
	}
	l.Warnings = append(l.Warnings, fmt.Sprintf("%s: %s", origin, problem))
}

// nodeText returns a scalar as it is written, without its quotes, and the items of a list with commas between. null is
// "", which leaves the setting as it is, like an empty variable.
func nodeText(node ast.Node, list bool) (string, error) {
	switch n := node.(type) {
	case *ast.NullNode:
		return "", nil
	case *ast.StringNode:
		return n.Value, nil
	case *ast.LiteralNode:
		return n.Value.Value, nil
	case *ast.IntegerNode, *ast.FloatNode, *ast.BoolNode:
		return n.GetToken().Value, nil
	case *ast.SequenceNode:
		if list {
			return listText(n)
		}
	}
	return "", errors.New("is not a plain value")
}

func listText(node *ast.SequenceNode) (string, error) {
	var items []string
	for _, item := range node.Values {
		text, err := nodeText(item, false)
		if err != nil {
			return "", err
		}
		items = append(items, text)
	}
	return strings.Join(items, ","), nil
}
