package splice

import "go.yaml.in/yaml/v3"

// Lookup is the node that a reader of the YAML finds at the path, through aliases and merge keys, or nil.
func Lookup(n *yaml.Node, path ...any) *yaml.Node {
	n = resolve(n)
	for _, key := range path {
		n = resolve(child(n, key))
	}
	return n
}

// resolve is what a document or an alias stands for.
func resolve(n *yaml.Node) *yaml.Node {
	switch {
	case n == nil:
		return nil
	case n.Kind == yaml.AliasNode:
		return n.Alias
	case n.Kind == yaml.DocumentNode:
		return resolve(n.Content[0])
	}
	return n
}

func child(n *yaml.Node, key any) *yaml.Node {
	switch k := key.(type) {
	case int:
		if n != nil && n.Kind == yaml.SequenceNode && k >= 0 && k < len(n.Content) {
			return n.Content[k]
		}
	case string:
		if i := index(n, k); i >= 0 {
			return n.Content[i+1]
		}
		_, value := merged(n, k, map[*yaml.Node]bool{})
		return value
	}
	return nil
}

// index is where the mapping itself has the key in its Content, or -1.
func index(n *yaml.Node, key string) int {
	if n == nil || n.Kind != yaml.MappingNode {
		return -1
	}
	for i := 0; i < len(n.Content); i += 2 {
		if isKey(n.Content[i], key) {
			return i
		}
	}
	return -1
}

func isKey(n *yaml.Node, key string) bool {
	return n.Kind == yaml.ScalarNode && n.Value == key && n.Tag != mergeTag
}

const mergeTag = "!!merge"

// repeats says that a mapping has the key more than once, so that readers differ on what it means.
func repeats(n *yaml.Node, key any) bool {
	name, ok := key.(string)
	first := index(n, name)
	if !ok || first < 0 {
		return false
	}
	for i := first + 2; i < len(n.Content); i += 2 {
		if isKey(n.Content[i], name) {
			return true
		}
	}
	return false
}

// merged is the merge key (<<) through which the mapping has the key, and the value that it has there. Seen
// are the mappings that were looked into: an anchor may be merged into itself.
func merged(n *yaml.Node, key string, seen map[*yaml.Node]bool) (merge, value *yaml.Node) {
	if n == nil || n.Kind != yaml.MappingNode || seen[n] {
		return nil, nil
	}
	seen[n] = true
	for i := 0; i < len(n.Content); i += 2 {
		if n.Content[i].Tag != mergeTag {
			continue
		}
		for _, source := range sources(n.Content[i+1]) {
			if j := index(source, key); j >= 0 {
				return n.Content[i], source.Content[j+1]
			}
			if _, value := merged(source, key, seen); value != nil {
				return n.Content[i], value
			}
		}
	}
	return nil, nil
}

// sources are the mappings that a merge key takes in.
func sources(n *yaml.Node) []*yaml.Node {
	n = resolve(n)
	if n.Kind != yaml.SequenceNode {
		return []*yaml.Node{n}
	}
	var all []*yaml.Node
	for _, one := range n.Content {
		all = append(all, resolve(one))
	}
	return all
}
