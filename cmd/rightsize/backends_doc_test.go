package main

import (
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/rightsize/rightsize/promquery"
)

var (
	docBlock = regexp.MustCompile("(?s)```(sh|yaml)\n(.*?)```")
	docWord  = regexp.MustCompile(`'[^']*'|[^\s']+`)
)

// Every example of docs/backends.md is a command line that is accepted, with configuration files that are.
func TestBackendExamples(t *testing.T) {
	text := readDoc(t, "docs", "backends.md")
	commands, files := 0, 0
	for _, block := range docBlock.FindAllStringSubmatch(text, -1) {
		if block[1] == "yaml" {
			files++
			parseConfig(t, block[2])
			continue
		}
		for line := range strings.Lines(block[2]) {
			commands++
			parseExample(t, strings.TrimSpace(line))
		}
	}
	if commands < 12 || files < 3 {
		t.Errorf("%d commands and %d files are shown, want one for each backend", commands, files)
	}
	for _, b := range promquery.Backends()[1:] {
		if !strings.Contains(text, "--backend "+b.Name) {
			t.Errorf("there is no example of %s", b.Name)
		}
	}
}

func parseExample(t *testing.T, line string) {
	t.Helper()
	var args []string
	for _, word := range docWord.FindAllString(line, -1) {
		args = append(args, strings.Trim(word, "'"))
	}
	if args[0] != "rightsize" {
		t.Errorf("not a command of ours: %s", line)
		return
	}
	cmd, rest, err := newRoot(streams{log: newLogs(io.Discard)}).Find(args[1:])
	if err == nil {
		err = cmd.ParseFlags(rest)
	}
	if err != nil {
		t.Errorf("%s: %v", line, err)
	}
}

func parseConfig(t *testing.T, content string) {
	t.Helper()
	dir := t.TempDir()
	file := filepath.Join(dir, "http.yml")
	for path, text := range map[string]string{file: strings.Replace(content, "  ca_file: ca.pem\n", "  server_name: x\n", 1)} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := promquery.NewHTTP(promquery.HTTPOptions{URL: "http://localhost", ConfigFile: file}); err != nil {
		t.Errorf("%s: %v", content, err)
	}
}
