package config

import (
	"fmt"
	"slices"

	"github.com/goccy/go-yaml/ast"
)

// entry is one setting of a file, after anchors and merges have been put in.
type entry struct {
	name   string
	line   int
	value  ast.Node
	anchor bool // it is there for aliases
}

// aliases returns what each alias of a document stands for: the last anchor of its name before it.
func aliases(body ast.Node) map[*ast.AliasNode]ast.Node {
	a := anchored{byName: map[string]ast.Node{}, targets: map[*ast.AliasNode]ast.Node{}}
	if body != nil {
		ast.Walk(a, body)
	}
	return a.targets
}

// anchored gathers the anchors and aliases of a document in the order in which they stand there.
type anchored struct {
	byName  map[string]ast.Node
	targets map[*ast.AliasNode]ast.Node
}

func (a anchored) Visit(node ast.Node) ast.Visitor {
	switch n := node.(type) {
	case *ast.AnchorNode:
		a.byName[n.Name.GetToken().Value] = n.Value
	case *ast.AliasNode:
		a.targets[n] = a.byName[n.Value.GetToken().Value]
	}
	return a
}

// resolver puts in what aliases and merges stand for.
type resolver struct {
	targets map[*ast.AliasNode]ast.Node
	steps   int // so far
}

// maxSteps bounds what aliases may add up to: one that leads to itself would never end.
const maxSteps = 10_000

// resolve returns the node that n stands for, without anchors and tags.
func (r *resolver) resolve(n ast.Node) (ast.Node, error) {
	for {
		line := n.GetToken().Position.Line
		if r.steps++; r.steps > maxSteps {
			return nil, fmt.Errorf("%d: an alias leads to itself, or to too many others", line)
		}
		switch at := n.(type) {
		case *ast.AnchorNode:
			n = at.Value
		case *ast.TagNode:
			if !slices.Contains(plainTags, at.Start.Value) {
				return nil, fmt.Errorf("%d: the tag %s is not known here", line, at.Start.Value)
			}
			n = at.Value
		case *ast.AliasNode:
			name := at.Value.GetToken().Value
			if n = r.targets[at]; n == nil {
				return nil, fmt.Errorf("%d: *%s stands for nothing: no &%s comes before it", line, name, name)
			}
		default:
			return n, nil
		}
	}
}

// plainTags say what a value is anyway.
var plainTags = []string{"!", "!!str", "!!int", "!!float", "!!bool", "!!null", "!!seq", "!!map"}

// merge returns the settings of a mapping, those of << included: what stands in the mapping wins over what is merged,
// and of several that are merged the first. The error begins with the line.
func (r *resolver) merge(entries []*ast.MappingValueNode) ([]entry, error) {
	own, merged, err := r.split(entries)
	if err != nil {
		return nil, err
	}
	taken := map[string]bool{}
	for _, e := range own {
		taken[keyWord(e.name)] = true
	}
	for _, e := range merged {
		if name := keyWord(e.name); !taken[name] {
			taken[name] = true
			own = append(own, e)
		}
	}
	return own, nil
}

// split returns what a mapping says itself and what it merges.
func (r *resolver) split(entries []*ast.MappingValueNode) (own, merged []entry, err error) {
	for _, e := range entries {
		line := e.Key.GetToken().Position.Line
		value, err := r.resolve(e.Value)
		if err != nil {
			return nil, nil, err
		}
		if _, merges := e.Key.(*ast.MergeKeyNode); merges {
			more, err := r.mergedBy(value, line)
			if err != nil {
				return nil, nil, err
			}
			merged = append(merged, more...)
			continue
		}
		if list, ok := value.(*ast.SequenceNode); ok {
			if value, err = r.resolveItems(list); err != nil {
				return nil, nil, err
			}
		}
		name, err := r.name(e.Key)
		if err != nil {
			return nil, nil, err
		}
		_, anchor := e.Value.(*ast.AnchorNode)
		own = append(own, entry{name, line, value, anchor})
	}
	return own, merged, nil
}

// name is the text of a key.
func (r *resolver) name(key ast.MapKeyNode) (string, error) {
	var n ast.Node = key
	if explicit, ok := key.(*ast.MappingKeyNode); ok { // ? key
		n = explicit.Value
	}
	n, err := r.resolve(n)
	if err != nil {
		return "", err
	}
	return n.GetToken().Value, nil
}

// mergedBy returns the settings of a mapping that is merged, or of each of a list of them.
func (r *resolver) mergedBy(value ast.Node, line int) ([]entry, error) {
	sources := []ast.Node{value}
	if list, ok := value.(*ast.SequenceNode); ok {
		sources = list.Values
	}
	var all []entry
	for _, source := range sources {
		source, err := r.resolve(source)
		if err != nil {
			return nil, err
		}
		entries, err := mapping(source)
		if err != nil || source.Type() == ast.NullType {
			return nil, fmt.Errorf("%d: << merges settings, such as *name of a mapping that &name marks", line)
		}
		own, merged, err := r.split(entries)
		if err != nil {
			return nil, err
		}
		all = append(append(all, own...), merged...)
	}
	return all, nil
}

// resolveItems returns the list with its items put in.
func (r *resolver) resolveItems(list *ast.SequenceNode) (ast.Node, error) {
	resolved := *list
	resolved.Values = nil
	for _, item := range list.Values {
		item, err := r.resolve(item)
		if err != nil {
			return nil, err
		}
		resolved.Values = append(resolved.Values, item)
	}
	return &resolved, nil
}
