package promquery

import (
	"encoding/base64"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// TestRepeatedCredentials has a server, and a token service, that repeat all headers that they get: no way of
// giving credentials shows them, as they are or in base64.
func TestRepeatedCredentials(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(repeatHeaders))
	defer server.Close()
	tokens := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/refuse" {
			repeatHeaders(w, r)
			return
		}
		answer(200, "application/json", `{"access_token":"`+secret+`","token_type":"Bearer"}`)(w, r)
	}))
	defer tokens.Close()
	dir := t.TempDir()
	write(t, filepath.Join(dir, "file"), secret+"\n")
	oauth := func(path string) string {
		return fmt.Sprintf("oauth2: {client_id: me, client_secret_file: file, token_url: %q}\n", tokens.URL+path)
	}
	for name, c := range map[string]struct{ config, user, header string }{
		"address":          {user: "me:" + secret + "@"},
		"token in address": {user: secret + "@"},
		"password":         {config: "basic_auth: {username: me, password: " + secret + "}\n"},
		"password file":    {config: "basic_auth: {username: me, password_file: file}\n"},
		"credentials file": {config: "authorization: {credentials_file: file}\n"},
		"bearer file":      {config: "bearer_token_file: file\n"},
		"header of config": {config: "http_headers: {X-Key: {secrets: [" + secret + "]}}\n"},
		"header file":      {config: "http_headers: {X-Key: {files: [file]}}\n"},
		"token":            {config: oauth("/")},
		"token refused":    {config: oauth("/refuse")},
		"header":           {header: "Authorization: Basic " + base64.StdEncoding.EncodeToString([]byte("me:"+secret))},
		"long header":      {header: "X-Key: " + strings.Repeat("x", 290) + secret},
	} {
		t.Run(name, func(t *testing.T) {
			file := filepath.Join(dir, strings.ReplaceAll(name, " ", "-"))
			write(t, file, c.config)
			options := HTTPOptions{URL: strings.Replace(server.URL, "//", "//"+c.user, 1), ConfigFile: file}
			if c.header != "" {
				options.Headers = []string{c.header}
			}
			got := readFrom(t, options, 0)
			if !strings.Contains(got, "403 Forbidden") || name != "token refused" && !strings.Contains(got, "<hidden>") {
				t.Errorf("what was repeated is not there: %s", got)
			}
			for _, pair := range []string{secret, "me:" + secret, secret + ":"} {
				encoded := base64.StdEncoding.EncodeToString([]byte(pair))
				if strings.Contains(got, pair) || strings.Contains(got, strings.TrimRight(encoded, "=")) || strings.Contains(got, "xxxxx") {
					t.Errorf("%s is shown: %s", pair, got)
				}
			}
		})
	}
}

// repeatHeaders refuses a request with all of its headers.
func repeatHeaders(w http.ResponseWriter, r *http.Request) {
	var lines []string
	for _, name := range slices.Sorted(maps.Keys(r.Header)) {
		if !isOpen(name) {
			lines = append(lines, name+": "+strings.Join(r.Header[name], ", "))
		}
	}
	answer(http.StatusForbidden, "text/plain", strings.Join(lines, "\n"))(w, r)
}
