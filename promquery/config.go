package promquery

import (
	"bytes"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/prometheus/common/config"
	"go.yaml.in/yaml/v2" // as Prometheus's own, whose types it fills
)

// loadConfig reads an HTTP client configuration file. Relative paths in it are relative to its folder. Its errors
// name the line, and no value.
func loadConfig(file string) (*clientConfig, error) {
	cfg := &clientConfig{HTTP: config.DefaultHTTPClientConfig}
	if file == "" {
		return cfg, nil
	}
	content, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("reading --prometheus-config: %w", err)
	}
	if len(bytes.TrimSpace(content)) == 0 {
		return cfg, nil
	}
	if err := yaml.UnmarshalStrict(content, cfg); err != nil {
		return nil, fmt.Errorf("reading --prometheus-config %s: %s", file, yamlProblem(err))
	}
	cfg.HTTP.SetDirectory(filepath.Dir(file))
	return cfg, nil
}

// yamlValue is how a YAML error repeats what it cannot read, which may be a secret; yamlType is the Go type that
// it names.
var (
	yamlValue = regexp.MustCompile("(?s) `.*?`")
	yamlType  = regexp.MustCompile(` (in|into) (type )?[a-zA-Z0-9]*\.[a-zA-Z0-9.]+`)
)

func yamlProblem(err error) string {
	text := strings.TrimPrefix(err.Error(), "yaml: ")
	text = strings.TrimPrefix(text, "unmarshal errors:")
	text = yamlValue.ReplaceAllString(text, "")
	return oneLine(yamlType.ReplaceAllString(text, ""))
}

// oneLine joins lines by semicolons.
func oneLine(s string) string {
	var lines []string
	for line := range strings.Lines(s) {
		if line = strings.Join(strings.Fields(line), " "); line != "" {
			lines = append(lines, line)
		}
	}
	return strings.Join(lines, "; ")
}

// parseHeaders reads headers written as "Name: value". Its errors name no value.
func parseHeaders(list []string) (http.Header, error) {
	header := http.Header{}
	for i, h := range list {
		name, value, ok := strings.Cut(h, ":")
		if name = strings.TrimSpace(name); !ok || !isToken(name) {
			return nil, fmt.Errorf(`invalid --header (number %d): want "Name: value"`, i+1)
		}
		value = strings.TrimSpace(value)
		if strings.ContainsFunc(value, func(r rune) bool { return r < ' ' && r != '\t' || r == 0x7f }) {
			return nil, fmt.Errorf("invalid --header %q: its value has a control character", name)
		}
		header.Add(name, value)
	}
	return header, nil
}

// isToken says whether s may name a header: RFC 9110, section 5.6.2.
func isToken(s string) bool {
	const others = "!#$%&'*+-.^_`|~"
	return s != "" && !strings.ContainsFunc(s, func(r rune) bool {
		alphanumeric := 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9'
		return !alphanumeric && !strings.ContainsRune(others, r)
	})
}
