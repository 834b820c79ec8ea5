package prices

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/rightsize/rightsize/recommender"
)

// maxFile is how long a file may be, in bytes.
const maxFile = 1 << 20

// Parse reads a file, which errors call by this name, with the line: "prices.yaml:4: unknown key ram: want version,
// currency, cpu, memory or namespaces".
func Parse(name string, text []byte) (*List, error) {
	if len(text) > maxFile {
		return nil, fmt.Errorf("%s: has %d bytes, and at most %d are read", name, len(text), maxFile)
	}
	var doc, more yaml.Node
	decoder := yaml.NewDecoder(bytes.NewReader(text))
	if err := decoder.Decode(&doc); errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("%s: is empty: want version: 1, cpu and memory", name)
	} else if err != nil {
		return nil, fmt.Errorf("%s: %s", name, strings.TrimPrefix(err.Error(), "yaml: "))
	}
	if err := decoder.Decode(&more); !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("%s: there is something behind the first document: want one", name)
	}
	list, err := readList(doc.Content[0])
	if err != nil {
		return nil, fmt.Errorf("%s:%w", name, err)
	}
	return list, nil
}

// wrong is an error at a line; Parse puts the file's name before it.
func wrong(n *yaml.Node, format string, args ...any) error {
	return fmt.Errorf("%d: %s", n.Line, fmt.Sprintf(format, args...))
}

// object is the values of an object by their keys, of which all but the optional ones have to be there.
func object(n *yaml.Node, at string, required, optional []string) (map[string]*yaml.Node, error) {
	known := slices.Concat(required, optional)
	want := strings.Join(known[:len(known)-1], ", ") + " or " + known[len(known)-1]
	if n.Kind != yaml.MappingNode {
		return nil, wrong(n, "%swant an object with %s", at, want)
	}
	values := map[string]*yaml.Node{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		key := n.Content[i]
		if !slices.Contains(known, key.Value) {
			return nil, wrong(key, "%sunknown key %s: want %s", at, recommender.Printable(key.Value), want)
		}
		if values[key.Value] != nil {
			return nil, wrong(key, "%s%s is there twice", at, key.Value)
		}
		values[key.Value] = n.Content[i+1]
	}
	for _, key := range required {
		if values[key] == nil {
			return nil, wrong(n, "%s%s is missing", at, key)
		}
	}
	return values, nil
}

func readList(n *yaml.Node) (*List, error) {
	values, err := object(n, "", []string{"version", "cpu", "memory"}, []string{"currency", "namespaces"})
	if err != nil {
		return nil, err
	}
	if v := values["version"]; v.Kind != yaml.ScalarNode || v.Value != "1" {
		return nil, wrong(v, "version: want 1")
	}
	list := &List{Currency: DefaultCurrency, Namespaces: map[string]Rate{}}
	if list.Default, err = readRate(values, ""); err != nil {
		return nil, err
	}
	if c := values["currency"]; c != nil {
		if list.Currency, err = ParseCurrency(c.Value); err != nil {
			return nil, wrong(c, "currency: %v", err)
		}
	}
	if namespaces := values["namespaces"]; namespaces != nil {
		err = list.readNamespaces(namespaces)
	}
	return list, err
}

// readNamespaces reads rates by namespace; each has both prices, so that nobody has to know which one is inherited.
func (l *List) readNamespaces(n *yaml.Node) error {
	if n.Kind != yaml.MappingNode {
		return wrong(n, "namespaces: want an object with the names of namespaces")
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		key := n.Content[i]
		at := "namespaces." + recommender.Printable(key.Value) + ": "
		if _, twice := l.Namespaces[key.Value]; twice {
			return wrong(key, "%sis there twice", at)
		}
		values, err := object(n.Content[i+1], at, []string{"cpu", "memory"}, nil)
		if err != nil {
			return err
		}
		if l.Namespaces[key.Value], err = readRate(values, at); err != nil {
			return err
		}
	}
	return nil
}

func readRate(values map[string]*yaml.Node, at string) (rate Rate, err error) {
	for res := range recommender.NumResources {
		n := values[res.String()]
		if n.Kind != yaml.ScalarNode {
			return rate, wrong(n, "%s%s: want a number", at, res)
		}
		if rate[res], err = ParsePrice(n.Value); err != nil {
			return rate, wrong(n, "%s%s: invalid %q: %v", at, res, recommender.Printable(n.Value), err)
		}
	}
	return rate, nil
}

// String is the prices in a line: "0.0316 USD a core-hour, 0.0042 USD a GiB-hour; other prices for batch".
func (l List) String() string {
	s := l.rateText(l.Default)
	for _, name := range slices.Sorted(maps.Keys(l.Namespaces)) {
		s += "; namespace " + recommender.Printable(name) + ": " + l.rateText(l.Namespaces[name])
	}
	return s
}

func (l List) rateText(r Rate) string {
	return fmt.Sprintf("%g %s a core-hour, %g %[2]s a GiB-hour", r[recommender.CPU], l.Currency, r[recommender.Memory])
}
