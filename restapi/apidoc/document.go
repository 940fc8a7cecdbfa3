package apidoc

import (
	"bytes"
	"embed"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"strconv"

	"go.yaml.in/yaml/v4"
)

//go:embed openapi/*.yaml
var sources embed.FS

const mainSource = "openapi/openapi.yaml"

// Document is the description as JSON. It fails only if what was compiled in is wrong.
func Document() ([]byte, error) { return build(sources) }

// build puts the files together: what all have under paths, and under each kind of components, becomes one.
func build(files fs.FS) ([]byte, error) {
	doc, err := readSource(files, mainSource)
	if err != nil {
		return nil, err
	}
	names, err := fs.Glob(files, "openapi/*.yaml")
	if err != nil {
		return nil, err
	}
	for _, name := range names {
		if name == mainSource {
			continue
		}
		part, err := readSource(files, name)
		if err == nil {
			err = merge(doc, part, 2)
		}
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
	}
	var out, pretty bytes.Buffer
	if err := writeJSON(&out, doc); err != nil {
		return nil, err
	}
	err = json.Indent(&pretty, out.Bytes(), "", " ")
	return pretty.Bytes(), err
}

// readSource reads the mapping that a file is.
func readSource(files fs.FS, name string) (*yaml.Node, error) {
	data, err := fs.ReadFile(files, name)
	if err != nil {
		return nil, err
	}
	var n yaml.Node
	if err := yaml.Unmarshal(data, &n); err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	if n.Kind != yaml.DocumentNode || n.Content[0].Kind != yaml.MappingNode {
		return nil, fmt.Errorf("%s: not a mapping", name)
	}
	return n.Content[0], nil
}

// merge adds the members of a mapping to another one. Down to a depth, members that both have are merged, too; below it they are an error.
func merge(to, from *yaml.Node, depth int) error {
	for i := 0; i < len(from.Content); i += 2 {
		key, value := from.Content[i], from.Content[i+1]
		old := member(to, key.Value)
		switch {
		case old == nil:
			to.Content = append(to.Content, key, value)
		case depth == 0 || old.Kind != yaml.MappingNode || value.Kind != yaml.MappingNode:
			return errors.New(key.Value + " is there already")
		default:
			if err := merge(old, value, depth-1); err != nil {
				return fmt.Errorf("%s: %w", key.Value, err)
			}
		}
	}
	return nil
}

func member(n *yaml.Node, name string) *yaml.Node {
	for i := 0; i < len(n.Content); i += 2 {
		if n.Content[i].Value == name {
			return n.Content[i+1]
		}
	}
	return nil
}

// writeJSON writes a tree as JSON in the order in which it was written.
func writeJSON(b *bytes.Buffer, n *yaml.Node) error {
	switch n.Kind {
	case yaml.AliasNode:
		return writeJSON(b, n.Alias)
	case yaml.SequenceNode:
		return writeList(b, '[', ']', n.Content, 1)
	case yaml.MappingNode:
		return writeList(b, '{', '}', n.Content, 2)
	case yaml.ScalarNode:
		return writeScalar(b, n)
	}
	return fmt.Errorf("line %d: neither a value nor a list nor a mapping", n.Line)
}

// writeList writes elements, or members when they come in pairs.
func writeList(b *bytes.Buffer, open, end byte, nodes []*yaml.Node, step int) error {
	b.WriteByte(open)
	for i := 0; i < len(nodes); i += step {
		if i > 0 {
			b.WriteByte(',')
		}
		if step == 2 {
			b.Write(text(nodes[i].Value))
			b.WriteByte(':')
		}
		if err := writeJSON(b, nodes[i+step-1]); err != nil {
			return err
		}
	}
	b.WriteByte(end)
	return nil
}

// writeScalar writes a value. Dates are texts.
func writeScalar(b *bytes.Buffer, n *yaml.Node) error {
	switch n.ShortTag() {
	case "!!null":
		b.WriteString("null")
	case "!!bool":
		v, err := strconv.ParseBool(n.Value)
		if err != nil {
			return fmt.Errorf("line %d: %w", n.Line, err)
		}
		b.WriteString(strconv.FormatBool(v))
	case "!!int", "!!float":
		if !json.Valid([]byte(n.Value)) {
			return fmt.Errorf("line %d: %s is no number of JSON", n.Line, n.Value)
		}
		b.WriteString(n.Value)
	default:
		b.Write(text(n.Value))
	}
	return nil
}

// text is a string as JSON. Markdown keeps its < and &.
func text(s string) []byte {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	_ = e.Encode(s) // a string can be encoded
	return bytes.TrimSuffix(b.Bytes(), []byte("\n"))
}
